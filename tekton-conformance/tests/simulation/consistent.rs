//! What holds of every Pod of a TaskRun, and what the Pod Security profile `restricted` demands.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, SecurityContext};
use tekton_contract::argv::EntrypointArgs;
use tekton_contract::paths;

fn spec(pod: &Pod) -> &PodSpec {
    pod.spec.as_ref().expect("a built Pod has a spec")
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    spec(pod).init_containers.iter().flatten().chain(&spec(pod).containers)
}

/// Names are unique, mounts lead to volumes, and the entrypoint arguments of each step say what they were meant to.
///
/// Errors: what does not hold together.
pub(crate) fn check(pod: &Pod) -> Result<(), String> {
    let volumes: Vec<&str> = spec(pod).volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    let known: BTreeSet<&str> = volumes.iter().copied().collect();
    if known.len() != volumes.len() {
        return Err(format!("volumes {volumes:?} share a name"));
    }
    let mut names = BTreeSet::new();
    for container in containers(pod) {
        let name = &container.name;
        if !names.insert(name.as_str()) || name.len() > 63 || name.is_empty() {
            return Err(format!("container name {name:?} is taken, empty or too long"));
        }
        let mut taken = BTreeSet::new();
        for mount in container.volume_mounts.iter().flatten() {
            if !known.contains(mount.name.as_str()) {
                return Err(format!("{name} mounts {}, which is no volume", mount.name));
            }
            if !taken.insert(paths::clean(&mount.mount_path)) {
                return Err(format!("{name} mounts twice at {}", mount.mount_path));
            }
        }
    }
    let steps: Vec<&Container> = spec(pod).containers.iter().filter(|c| c.name.starts_with("step-")).collect();
    if steps.is_empty() {
        return Err("there is no step".to_owned());
    }
    steps.iter().enumerate().try_for_each(|(index, step)| arguments(index, step))
}

fn arguments(index: usize, step: &Container) -> Result<(), String> {
    let printed = step.args.clone().unwrap_or_default();
    let parsed = EntrypointArgs::parse(&printed).map_err(|refused| format!("{}: {refused}", step.name))?;
    let flags = &parsed.flags;
    let same = |what: &str, is: &str, shall: &str| {
        if is == shall { Ok(()) } else { Err(format!("{}: {what} is {is:?} instead of {shall:?}", step.name)) }
    };
    if !parsed.positional.is_empty() {
        return Err(format!("{}: {:?} stand before the separator", step.name, parsed.positional));
    }
    if flags.to_args() != printed {
        return Err(format!("{}: {printed:?} is printed as {:?}", step.name, flags.to_args()));
    }
    if step.command.as_deref() != Some(&[paths::ENTRYPOINT.to_owned()]) {
        return Err(format!("{}: the command is {:?}", step.name, step.command));
    }
    same("post file", &flags.post_file, &paths::post_file(index))?;
    same("metadata directory", &flags.step_metadata_dir, &paths::step_metadata_dir(index))?;
    match index.checked_sub(1) {
        Some(before) => same("wait file", &flags.wait_file, &paths::post_file(before)),
        None if flags.wait_file.is_empty() => Ok(()),
        None => same("wait file", &flags.wait_file, paths::DOWNWARD_READY),
    }
}

/// The rules of the profile `restricted` for Pods on Linux, as the Pod Security Standards list them.
///
/// Errors: the first rule that is broken.
pub(crate) fn restricted(pod: &Pod) -> Result<(), String> {
    let spec = spec(pod);
    for (field, set) in [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)] {
        if set == Some(true) {
            return Err(format!("spec.{field} is set"));
        }
    }
    for volume in spec.volumes.iter().flatten() {
        let permitted = volume.config_map.is_some()
            || volume.csi.is_some()
            || volume.downward_api.is_some()
            || volume.empty_dir.is_some()
            || volume.ephemeral.is_some()
            || volume.persistent_volume_claim.is_some()
            || volume.projected.is_some()
            || volume.secret.is_some();
        if !permitted {
            return Err(format!("volume {} is of a restricted type", volume.name));
        }
    }
    let none = SecurityContext::default();
    let of_pod = spec.security_context.clone().unwrap_or_default();
    for container in containers(pod) {
        let own = container.security_context.as_ref().unwrap_or(&none);
        let broken = |rule: &str| Err(format!("container {}: {rule}", container.name));
        if own.privileged == Some(true) {
            return broken("privileged");
        }
        if own.allow_privilege_escalation != Some(false) {
            return broken("allowPrivilegeEscalation != false");
        }
        let capabilities = own.capabilities.clone().unwrap_or_default();
        if !capabilities.drop.iter().flatten().any(|capability| capability == "ALL") {
            return broken("unrestricted capabilities");
        }
        if capabilities.add.iter().flatten().any(|capability| capability != "NET_BIND_SERVICE") {
            return broken("added capabilities");
        }
        if own.run_as_non_root.or(of_pod.run_as_non_root) != Some(true) {
            return broken("runAsNonRoot != true");
        }
        if own.run_as_user.or(of_pod.run_as_user) == Some(0) {
            return broken("runAsUser = 0");
        }
        let seccomp = own.seccomp_profile.as_ref().or(of_pod.seccomp_profile.as_ref());
        if !seccomp.is_some_and(|profile| matches!(profile.type_.as_str(), "RuntimeDefault" | "Localhost")) {
            return broken("seccompProfile");
        }
        if own.proc_mount.as_ref().is_some_and(|mount| mount != "Default") {
            return broken("procMount");
        }
        for port in container.ports.iter().flatten() {
            if port.host_port.is_some_and(|port| port != 0) {
                return broken("hostPort");
            }
        }
    }
    Ok(())
}
