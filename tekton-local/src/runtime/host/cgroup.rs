//! Limits of memory and processor time: a control group for each container that has limits, where this machine permits it.
//!
//! With cgroup v2 the groups are at the top of the hierarchy that this process sees, because a group with processes of its
//! own can't limit groups below it; with v1 they are below this process's own group. Where neither can be written, limits
//! are not enforced.

use super::super::ContainerSpec;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";
/// Microseconds over which processor time is counted.
const PERIOD: i64 = 100_000;
/// The least quota that the kernel takes.
const MIN_QUOTA: i64 = 1_000;

/// How the control groups of this machine are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The directories in which the groups of a node's containers are made.
#[derive(Debug)]
pub(super) struct Cgroups {
    version: Version,
    memory: PathBuf,
    cpu: PathBuf,
}

/// The directories that a node with this data directory makes for its control groups, if it ever does.
pub(crate) fn directories(data_dir: &Path) -> Vec<PathBuf> {
    Cgroups::of(data_dir)
        .map(|groups| groups.parents().into_iter().map(Path::to_path_buf).collect())
        .unwrap_or_default()
}

impl Cgroups {
    /// The groups for the containers of a data directory, on a machine that has any.
    pub(super) fn of(data_dir: &Path) -> Option<Self> {
        let name = crate::node::own_name(data_dir);
        if Path::new(ROOT).join("cgroup.controllers").exists() {
            let own = Path::new(ROOT).join(name);
            return Some(Self { version: Version::Two, memory: own.clone(), cpu: own });
        }
        let all = fs::read_to_string("/proc/self/cgroup").ok()?;
        let of = |controller: &str| {
            let mut lines = all.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
            let (names, path) = lines.find(|(names, _)| names.split(',').any(|name| name == controller))?;
            let mounted =
                [names, controller].into_iter().map(|name| Path::new(ROOT).join(name)).find(|dir| dir.is_dir())?;
            Some(mounted.join(path.trim_start_matches('/')).join(&name))
        };
        Some(Self { version: Version::One, memory: of("memory")?, cpu: of("cpu")? })
    }

    fn parents(&self) -> Vec<&Path> {
        match self.version {
            Version::Two => vec![&self.memory],
            Version::One => vec![&self.memory, &self.cpu],
        }
    }

    /// The group of a container; `None` when it has no limits, or this machine does not let us set them.
    pub(super) fn make(&self, spec: &ContainerSpec, id: &str) -> Option<Cgroup> {
        if spec.memory_limit.is_none() && spec.cpu_limit.is_none() {
            return None;
        }
        let mut group = Cgroup { version: self.version, memory: None, dirs: Vec::new() };
        let limited = match self.version {
            Version::Two => self.make_two(&mut group, spec, id),
            Version::One => self.make_one(&mut group, spec, id),
        };
        // A group that was half made goes with its value.
        limited.is_ok().then_some(group)
    }

    fn make_two(&self, group: &mut Cgroup, spec: &ContainerSpec, id: &str) -> io::Result<()> {
        make_dir(&self.memory)?;
        for parent in [Path::new(ROOT), &self.memory] {
            fs::write(parent.join("cgroup.subtree_control"), "+memory +cpu")?;
        }
        let dir = group.add(&self.memory, id)?;
        if let Some(bytes) = spec.memory_limit {
            group.memory = Some(dir.clone());
            fs::write(dir.join("memory.max"), bytes.to_string())?;
            // As the kubelet has it: no swap, and all of a container ends with the process that had no memory left.
            for (file, value) in [("memory.swap.max", "0"), ("memory.oom.group", "1")] {
                drop(fs::write(dir.join(file), value));
            }
        }
        match quota(spec) {
            Some(quota) => fs::write(dir.join("cpu.max"), format!("{quota} {PERIOD}")),
            None => Ok(()),
        }
    }

    fn make_one(&self, group: &mut Cgroup, spec: &ContainerSpec, id: &str) -> io::Result<()> {
        if let Some(bytes) = spec.memory_limit {
            make_dir(&self.memory)?;
            let dir = group.add(&self.memory, id)?;
            group.memory = Some(dir.clone());
            fs::write(dir.join("memory.limit_in_bytes"), bytes.to_string())?;
            // Only a kernel that counts swap has this one.
            drop(fs::write(dir.join("memory.memsw.limit_in_bytes"), bytes.to_string()));
        }
        if let Some(quota) = quota(spec) {
            make_dir(&self.cpu)?;
            let dir = group.add(&self.cpu, id)?;
            fs::write(dir.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            fs::write(dir.join("cpu.cfs_quota_us"), quota.to_string())?;
        }
        Ok(())
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for parent in self.parents() {
            // One that was never made, or has groups of containers that still end, stays; the latter to the janitor.
            drop(fs::remove_dir(parent));
        }
    }
}

fn quota(spec: &ContainerSpec) -> Option<i64> {
    let nano = spec.cpu_limit?;
    Some((nano.saturating_mul(PERIOD) / 1_000_000_000).max(MIN_QUOTA))
}

fn make_dir(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The control group of one container; it goes with this value, when no process is in it any more.
#[derive(Debug)]
pub(super) struct Cgroup {
    version: Version,
    memory: Option<PathBuf>,
    dirs: Vec<PathBuf>,
}

impl Cgroup {
    fn add(&mut self, parent: &Path, id: &str) -> io::Result<PathBuf> {
        let dir = parent.join(id);
        make_dir(&dir)?;
        self.dirs.push(dir.clone());
        Ok(dir)
    }

    /// Moves a process into the group.
    pub(super) fn enter(&self, pid: libc::c_long) -> io::Result<()> {
        self.dirs.iter().try_for_each(|dir| fs::write(dir.join("cgroup.procs"), pid.to_string()))
    }

    /// Whether the kernel ended a process of the group because its memory was used up.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let Some(dir) = &self.memory else { return false };
        let file = if self.version == Version::Two { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
        text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for dir in &self.dirs {
            // With a process that still ends it stays, to the janitor.
            drop(fs::remove_dir(dir));
        }
    }
}
