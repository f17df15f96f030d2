//! Turns a container specification into the list of operations that the new process carries out.
//!
//! Everything that needs memory is done here, before the process is made: the process itself only makes system calls.

mod masks;
mod shadow;

pub(super) use masks::frozen;

use super::super::{ContainerSpec, StartError};
use masks::Masks;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One operation of the new process, in order. A slot is an index into its table of detached mounts.
#[derive(Debug)]
pub(super) enum Op {
    /// Detach a copy of a mount tree of the host into a slot.
    Take { slot: usize, source: CString, sub_path: Option<CString>, recursive: bool, attr: u64, optional: bool },
    /// Mount a new file system.
    Mount { kind: &'static CStr, target: CString, flags: u64, data: CString, optional: bool },
    /// Make the staging directory the root and let go of the host's.
    Pivot { root: CString },
    /// Attach the mount of a slot.
    Put { slot: usize, target: CString },
    /// Make a directory; any failure shows at its use.
    Mkdir { path: CString, mode: u32 },
    /// Make an empty file; any failure shows at its use.
    Touch { path: CString },
    /// Make a symbolic link.
    Symlink { to: CString, path: CString },
    /// Make a path of the new root read-only by binding it onto itself, if it is there.
    Freeze { path: CString },
    /// Write to a file, which need not be there.
    Write { path: CString, text: &'static [u8] },
    /// Make a mount itself read-only; what is mounted on it keeps its own mode.
    ReadOnly { path: CString },
    /// Take away a mount and all that is mounted on it.
    Detach { path: CString },
    /// Remove an empty directory; any failure is harmless.
    Rmdir { path: CString },
    /// Set the host name.
    HostName { name: CString },
}

/// What the new process does: operations, then identity, then the program.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) ops: Vec<Op>,
    pub(super) slots: usize,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) groups: Vec<u32>,
    pub(super) set_ids: bool,
    pub(super) no_new_privileges: bool,
    pub(super) working_dir: CString,
    /// The paths to try for the program, in order.
    pub(super) programs: Vec<CString>,
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
}

/// Top-level entries of the host that the container has of its own.
const OWN: &[&str] = &["proc", "dev", "tmp", "run", "workspace", "tekton", "ko-app", "lost+found"];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// A container makes no cgroup namespace: in one of its own, root could mount the host's hierarchies for writing.
const NO_CGROUP_NAMESPACES: &CStr = c"/proc/sys/user/max_cgroup_namespaces";

/// `s` as a C string.
pub(super) fn c(s: impl AsRef<std::ffi::OsStr>) -> Result<CString, StartError> {
    CString::new(s.as_ref().as_bytes())
        .map_err(|_| StartError::Create(format!("{} contains a zero byte", s.as_ref().display())))
}

/// Settings of the host runtime that every plan needs.
#[derive(Debug, Clone)]
pub(super) struct Base {
    /// An empty directory on which the new root is built.
    pub(super) staging: PathBuf,
    /// The directory shown as `/ko-app`.
    pub(super) ko_app: Option<PathBuf>,
    /// Whether the identity maps cover more than one user.
    pub(super) full_maps: bool,
    /// Parts of `/proc` that are read-only in a container.
    pub(super) frozen: Vec<CString>,
}

struct Builder {
    ops: Vec<Op>,
    slots: usize,
}

impl Builder {
    fn take(&mut self, source: &Path, attr: u64, recursive: bool, optional: bool) -> Result<usize, StartError> {
        let slot = self.slots;
        self.slots += 1;
        self.ops.push(Op::Take { slot, source: c(source)?, sub_path: None, recursive, attr, optional });
        Ok(slot)
    }

    fn mount(&mut self, kind: &'static CStr, target: &str, flags: u64, data: &str) -> Result<(), StartError> {
        self.ops.push(Op::Mount { kind, target: c(target)?, flags, data: c(data)?, optional: false });
        Ok(())
    }

    /// Makes every directory of `path`, the last one with `mode`.
    fn mkdirs(&mut self, path: &str, mode: u32) -> Result<(), StartError> {
        for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
            self.ops.push(Op::Mkdir { path: c(&path[..at])?, mode: 0o755 });
        }
        self.ops.push(Op::Mkdir { path: c(path)?, mode });
        Ok(())
    }
}

/// The operations for `spec`.
pub(super) fn plan(base: &Base, spec: &ContainerSpec) -> Result<Plan, StartError> {
    let nodev_nosuid = libc::MS_NOSUID | libc::MS_NODEV;
    let mut b = Builder { ops: Vec::with_capacity(96), slots: 0 };
    let stage = base.staging.to_str().ok_or_else(|| StartError::Create("the data directory is not UTF-8".into()))?;
    b.mount(c"tmpfs", stage, nodev_nosuid, "mode=0755")?;
    let proc = format!("{stage}/proc");
    b.ops.push(Op::Mkdir { path: c(&proc)?, mode: 0o555 });
    b.mount(c"proc", &proc, nodev_nosuid | libc::MS_NOEXEC, "")?;

    // First detach everything while the host is in sight, then let go of it: no path of the container can reach it.
    let mut puts: Vec<(usize, String, bool)> = Vec::new();
    let mut links: Vec<(String, PathBuf)> = Vec::new();
    let mut host_dirs: Vec<String> = Vec::new();
    let ro = super::sys::ATTR_RDONLY | super::sys::ATTR_NOSUID;
    for entry in std::fs::read_dir("/").map_err(|e| StartError::Create(format!("failed to read /: {e}")))?.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if OWN.contains(&name.as_str()) || !(kind.is_dir() || kind.is_symlink()) {
            continue;
        }
        let path = format!("/{name}");
        if kind.is_symlink() {
            if let Ok(to) = std::fs::read_link(&path) {
                links.push((path, to));
            }
        } else {
            let slot = b.take(Path::new(&path), ro, true, true)?;
            puts.push((slot, path.clone(), false));
            host_dirs.push(path);
        }
    }
    puts.sort_by(|x, y| x.1.cmp(&y.1));
    for device in DEVICES {
        let slot = b.take(&Path::new("/dev").join(device), 0, false, true)?;
        puts.push((slot, format!("/dev/{device}"), true));
    }
    if let Some(dir) = &base.ko_app {
        let slot = b.take(dir, ro, false, false)?;
        puts.push((slot, "/ko-app".into(), false));
    }
    if let Ok(real) = std::fs::canonicalize("/etc/resolv.conf")
        && (real.starts_with("/run") || real.starts_with("/var/run"))
        && let Some(target) = real.to_str()
    {
        let slot = b.take(&real, ro, false, true)?;
        puts.push((slot, target.to_owned(), true));
    }
    let mut volumes = Vec::new();
    for mount in &spec.mounts {
        let slot = b.slots;
        b.slots += 1;
        b.ops.push(Op::Take {
            slot,
            source: c(&mount.source)?,
            sub_path: if mount.sub_path.is_empty() { None } else { Some(c(&mount.sub_path)?) },
            recursive: true,
            attr: super::sys::ATTR_NOSUID | if mount.read_only { super::sys::ATTR_RDONLY } else { 0 },
            optional: false,
        });
        volumes.push((slot, mount));
    }
    let masks = Masks::take(&mut b, spec, &host_dirs)?;
    b.ops.push(Op::Pivot { root: c(stage)? });

    for (path, to) in links {
        b.ops.push(Op::Symlink { to: c(to)?, path: c(path)? });
    }
    for (path, mode) in [
        ("/dev", 0o755),
        ("/run", 0o755),
        ("/tmp", 0o1777),
        ("/workspace", 0o777),
        ("/tekton", 0o755),
        ("/tekton/home", 0o777),
    ] {
        b.ops.push(Op::Mkdir { path: c(path)?, mode });
    }
    b.mount(c"tmpfs", "/tmp", nodev_nosuid, "mode=1777")?;
    b.mount(c"tmpfs", "/dev", libc::MS_NOSUID | libc::MS_NOEXEC, "mode=0755,size=65536k")?;
    for (slot, target, is_file) in puts {
        if is_file {
            let parent = &target[..target.rfind('/').unwrap_or(0)];
            b.mkdirs(parent, 0o755)?;
            b.ops.push(Op::Touch { path: c(&target)? });
        } else {
            b.ops.push(Op::Mkdir { path: c(&target)?, mode: 0o755 });
        }
        b.ops.push(Op::Put { slot, target: c(target)? });
    }
    for (to, path) in [
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
        ("pts/ptmx", "/dev/ptmx"),
    ] {
        b.ops.push(Op::Symlink { to: c(to)?, path: c(path)? });
    }
    for path in ["/dev/pts", "/dev/shm"] {
        b.ops.push(Op::Mkdir { path: c(path)?, mode: 0o755 });
    }
    b.mount(c"devpts", "/dev/pts", libc::MS_NOSUID | libc::MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")?;
    b.mount(c"tmpfs", "/dev/shm", nodev_nosuid, "mode=1777,size=65536k")?;
    if Path::new("/var/tmp").is_dir() {
        b.mount(c"tmpfs", "/var/tmp", nodev_nosuid, "mode=1777")?;
    }
    b.ops.push(Op::Write { path: NO_CGROUP_NAMESPACES.into(), text: b"0" });
    b.ops.extend(base.frozen.iter().map(|path| Op::Freeze { path: path.clone() }));
    masks.put_on_host(&mut b)?;

    shadow::shadow(&mut b, base, &host_dirs, spec)?;
    for (index, (slot, mount)) in volumes.into_iter().enumerate() {
        if mount.is_file {
            let parent = &mount.target[..mount.target.rfind('/').unwrap_or(0)];
            if !parent.is_empty() {
                b.mkdirs(parent, 0o755)?;
            }
            b.ops.push(Op::Touch { path: c(&mount.target)? });
        } else {
            b.mkdirs(&mount.target, 0o755)?;
        }
        b.ops.push(Op::Put { slot, target: c(&mount.target)? });
        masks.put_in_volume(&mut b, index)?;
    }
    if spec.read_only_root {
        b.ops.push(Op::ReadOnly { path: c"/".into() });
    }
    b.ops.push(Op::HostName { name: c(host_name(&spec.pod))? });
    let working_dir = if spec.working_dir.is_empty() { "/" } else { &spec.working_dir };
    b.mkdirs(working_dir, 0o755)?;
    finish(base, spec, b, working_dir)
}

/// A host name has at most 63 bytes and does not end in `-` or `.`.
fn host_name(pod: &str) -> &str {
    let mut end = pod.len().min(63);
    while !pod.is_char_boundary(end) {
        end -= 1;
    }
    pod[..end].trim_end_matches(['-', '.'])
}

fn finish(base: &Base, spec: &ContainerSpec, b: Builder, working_dir: &str) -> Result<Plan, StartError> {
    let mut env: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in &spec.env {
        env.insert(name, value);
    }
    let search = env.get("PATH").copied().unwrap_or(super::DEFAULT_PATH);
    Ok(Plan {
        ops: b.ops,
        slots: b.slots,
        user: spec.user.unwrap_or(0),
        group: spec.group.unwrap_or(0),
        groups: spec.groups.clone(),
        set_ids: base.full_maps,
        no_new_privileges: spec.no_new_privileges,
        working_dir: c(working_dir)?,
        programs: programs(&spec.command, search)?,
        argv: spec.command.iter().chain(&spec.args).map(c).collect::<Result<_, _>>()?,
        env: env.iter().map(|(name, value)| c(format!("{name}={value}"))).collect::<Result<_, _>>()?,
    })
}

/// The paths to try for a program: itself if it has a slash, else one in each directory of `PATH`.
pub(super) fn programs(argv: &[String], search: &str) -> Result<Vec<CString>, StartError> {
    let program = argv.first().map_or("", String::as_str);
    if program.contains('/') {
        return Ok(vec![c(program)?]);
    }
    search.split(':').filter(|dir| !dir.is_empty()).map(|dir| c(format!("{dir}/{program}"))).collect()
}
