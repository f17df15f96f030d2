//! From the specification of a container to what the engine is asked to make.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use bollard::models::{ContainerCreateBody, HostConfig, Mount as Bind, MountBindOptions, MountType, ResourcesUlimits};

use super::super::host::sys;
use super::super::{ContainerSpec, Mount, Privileges, Profile, StartError};
use super::image::Image;
use super::{EngineRuntime, OWNER, POD};

/// The body of the request that makes a container in the namespaces of `sandbox`.
pub(super) fn body(
    spec: &ContainerSpec,
    image: &Image,
    sandbox: &str,
    runtime: &EngineRuntime,
) -> Result<ContainerCreateBody, StartError> {
    let user = user(spec, image)?;
    let mounts = spec.mounts.iter().map(bind).collect::<Result<_, _>>()?;
    let joined = format!("container:{sandbox}");
    let given = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    Ok(ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: runtime.names_hosts.then(|| spec.pod.chars().take(63).collect()),
        entrypoint: given(&spec.command),
        // A command of the pod's own also puts aside the arguments of the image.
        cmd: if spec.command.is_empty() { given(&spec.args) } else { Some(spec.args.clone()) },
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        working_dir: (!spec.working_dir.is_empty()).then(|| spec.working_dir.clone()),
        user,
        attach_stdin: Some(spec.stdin),
        open_stdin: Some(spec.stdin),
        tty: Some(spec.tty),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        labels: Some([(OWNER.to_owned(), runtime.owner.clone()), (POD.to_owned(), spec.pod_uid.clone())].into()),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            network_mode: Some(joined.clone()),
            ipc_mode: Some(joined),
            group_add: Some(spec.groups.iter().map(u32::to_string).collect()),
            readonly_rootfs: Some(spec.read_only_root),
            privileged: Some(spec.privileges.privileged),
            cap_add: listed(&spec.privileges.add),
            cap_drop: listed(&spec.privileges.drop),
            security_opt: listed(&security(spec)?),
            nano_cpus: spec.cpu_limit,
            memory: spec.memory_limit,
            ulimits: runtime.limits.get().cloned(),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    })
}

fn listed(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

/// The engine's words for what guards the container.
fn security(spec: &ContainerSpec) -> Result<Vec<String>, StartError> {
    let mut options = Vec::new();
    if spec.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match &spec.privileges.seccomp {
        Profile::RuntimeDefault => {}
        Profile::Unconfined => options.push("seccomp=unconfined".to_owned()),
        Profile::Localhost(name) => {
            return Err(StartError::Config(format!(
                "seccompProfile {name} of type Localhost: a local cluster has no directory of profiles; use RuntimeDefault or Unconfined"
            )));
        }
    }
    match &spec.privileges.apparmor {
        Profile::RuntimeDefault => {}
        Profile::Unconfined => options.push("apparmor=unconfined".to_owned()),
        Profile::Localhost(name) => options.push(format!("apparmor={name}")),
    }
    Ok(options)
}

/// Capabilities that reach no further than the container and the network of its pod: those that engines give to every
/// container, and one for that network.
const HARMLESS: [&str; 15] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Refuses what would let a step reach the machine outside of its container.
pub(super) fn refuse_privileges(privileges: &Privileges) -> Result<(), StartError> {
    let refused = |what: String| {
        Err(StartError::Config(format!("{what} could change this machine; --allow-privileged says that it may")))
    };
    if privileges.privileged {
        return refused("a privileged container".to_owned());
    }
    match privileges.add.iter().find(|name| !HARMLESS.contains(&name.as_str())) {
        Some(name) => refused(format!("a container with capability {name}")),
        None => Ok(()),
    }
}

/// `runAsUser` and `runAsGroup` as the engine takes them; refused when they, or the image, make it root against the
/// pod's word.
fn user(spec: &ContainerSpec, image: &Image) -> Result<Option<String>, StartError> {
    let of_image = image.user.split(':').next().unwrap_or_default();
    let refused = |text: &str| Err(StartError::Config(text.to_owned()));
    if spec.non_root {
        match spec.user {
            Some(0) => return refused("container's runAsUser breaks non-root policy"),
            None if matches!(of_image, "" | "0" | "root") => {
                return refused("container has runAsNonRoot and image will run as root");
            }
            None if of_image.parse::<u32>().is_err() => {
                return Err(StartError::Config(format!(
                    "container has runAsNonRoot and image has non-numeric user ({of_image}), cannot verify user is non-root"
                )));
            }
            _ => {}
        }
    }
    Ok(match (spec.user, spec.group) {
        (Some(user), Some(group)) => Some(format!("{user}:{group}")),
        (Some(user), None) => Some(user.to_string()),
        (None, Some(group)) => Some(format!("{}:{group}", if of_image.is_empty() { "0" } else { of_image })),
        (None, None) => None,
    })
}

fn bind(mount: &Mount) -> Result<Bind, StartError> {
    let source = source(mount)
        .map_err(|error| StartError::Create(format!("failed to open {} of a volume: {error}", mount.sub_path)))?;
    Ok(Bind {
        typ: Some(MountType::BIND),
        source: Some(source.display().to_string()),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        bind_options: Some(MountBindOptions { non_recursive: Some(false), ..MountBindOptions::default() }),
        ..Bind::default()
    })
}

/// The directory or file to show, by a path without links: a sub-path is followed inside its volume and nowhere else.
fn source(mount: &Mount) -> std::io::Result<PathBuf> {
    if mount.sub_path.is_empty() {
        return std::fs::canonicalize(&mount.source);
    }
    let root = std::fs::File::open(&mount.source)?;
    let path = CString::new(mount.sub_path.as_str()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    let found = sys::open_beneath_owned(root.as_fd(), &path, libc::O_PATH)?;
    std::fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd()))
}

/// Limits so low that an engine inside a container may give them too.
pub(super) fn low_limits() -> Vec<ResourcesUlimits> {
    let limit =
        |name: &str, soft, hard| ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) };
    vec![limit("nofile", 1024, 4096), limit("nproc", 1000, 1000)]
}
