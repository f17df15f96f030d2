//! What of the host no container may see, and what of `/proc` none may write.

use super::super::super::{ContainerSpec, StartError};
use super::{Builder, Op, c};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Entries of `/proc` that are a container's own, or show nothing that can be written.
const HARMLESS: &[&str] = &["net", "self", "thread-self", "mounts", "tty", "sysvipc"];

/// The parts of `/proc` that the owner of the host's root may write even without privileges.
pub(in super::super) fn frozen() -> Vec<CString> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut paths: Vec<CString> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let own = name.as_bytes().iter().all(u8::is_ascii_digit);
            let harmless = HARMLESS.iter().any(|known| *known == name);
            let writable = || entry.metadata().is_ok_and(|m| m.is_dir() || m.permissions().mode() & 0o222 != 0);
            !own && !harmless && writable()
        })
        .filter_map(|entry| c(entry.path()).ok())
        .collect();
    paths.sort();
    paths
}

/// A place where something empty is shown.
struct Mask {
    target: String,
    /// The detached empty file; a directory needs none.
    file: Option<usize>,
}

/// The places where a container sees something empty instead of what must stay hidden.
pub(super) struct Masks {
    host: Vec<Mask>,
    /// By the index of the volume that they are in.
    volumes: Vec<(usize, Mask)>,
}

impl Masks {
    /// Finds the places and takes along what goes over them, while the host is in sight.
    ///
    /// Errors: a volume shows a part of a directory that holds something hidden, so that it can't be told where.
    pub(super) fn take(b: &mut Builder, spec: &ContainerSpec, host_dirs: &[String]) -> Result<Self, StartError> {
        let mut masks = Self { host: Vec::new(), volumes: Vec::new() };
        for hidden in &spec.hidden {
            let Ok(kind) = std::fs::metadata(hidden) else { continue };
            let file = !kind.is_dir();
            if host_dirs.iter().any(|dir| hidden.starts_with(dir)) && !hidden.starts_with("/var/tmp") {
                masks.host.push(Mask::new(b, hidden, file)?);
            }
            for (index, mount) in spec.mounts.iter().enumerate() {
                // The node's own volumes are inside what is hidden, not around it.
                if mount.is_file && mount.source != *hidden || spec.hidden.iter().any(|h| inside(&mount.source, h)) {
                    continue;
                }
                let Ok(source) = std::fs::canonicalize(&mount.source) else { continue };
                let Ok(rest) = hidden.strip_prefix(&source) else { continue };
                if rest.as_os_str().is_empty() || !mount.sub_path.is_empty() {
                    let why = "the node keeps files of its own there; mount another directory";
                    return Err(StartError::Create(format!("{} can't be a volume: {why}", source.display())));
                }
                let mask = Mask::new(b, &Path::new(&mount.target).join(rest), file)?;
                masks.volumes.push((index, mask));
            }
        }
        Ok(masks)
    }

    /// Hides what the directories of the host show.
    pub(super) fn put_on_host(&self, b: &mut Builder) -> Result<(), StartError> {
        self.host.iter().try_for_each(|mask| mask.put(b))
    }

    /// Hides what a volume shows.
    pub(super) fn put_in_volume(&self, b: &mut Builder, volume: usize) -> Result<(), StartError> {
        self.volumes.iter().filter(|(index, _)| *index == volume).try_for_each(|(_, mask)| mask.put(b))
    }
}

impl Mask {
    fn new(b: &mut Builder, target: &Path, file: bool) -> Result<Self, StartError> {
        let target = target.to_str().ok_or_else(|| StartError::Create("a hidden path is not UTF-8".into()))?.to_owned();
        let file = if file {
            Some(b.take(Path::new("/dev/null"), super::super::sys::ATTR_RDONLY, false, false)?)
        } else {
            None
        };
        Ok(Self { target, file })
    }

    fn put(&self, b: &mut Builder) -> Result<(), StartError> {
        if let Some(slot) = self.file {
            b.ops.push(Op::Put { slot, target: c(&self.target)? });
            return Ok(());
        }
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_RDONLY;
        b.mount(c"tmpfs", &self.target, flags, "mode=0000,size=4k")
    }
}

fn inside(path: &Path, dir: &Path) -> bool {
    path.starts_with(dir) && path != dir
}
