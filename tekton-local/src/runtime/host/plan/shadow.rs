//! Mount points that directories of the host lack.

use super::super::super::{ContainerSpec, StartError};
use super::{Base, Builder, Op, c};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where a directory of the host stands while another is put in its place.
const ASIDE: &str = "/.mountpoints";

/// Adds the mount points that directories of the host lack: in the place of such a directory comes one that shows all
/// that it has, with what is mounted there, and the mount points. That takes a mount for each entry of the directory.
///
/// Errors: such a directory can't be read.
pub(super) fn shadow(
    b: &mut Builder,
    base: &Base,
    host_dirs: &[String],
    spec: &ContainerSpec,
) -> Result<(), StartError> {
    let missing = missing(host_dirs, spec);
    if missing.is_empty() {
        return Ok(());
    }
    b.ops.push(Op::Mkdir { path: c(ASIDE)?, mode: 0o700 });
    for (parent, rests) in missing {
        let target = parent.to_str().ok_or_else(|| StartError::Create("a mount path is not UTF-8".into()))?;
        move_aside(b, base, target)?;
        // Of a hidden directory not even the names are shown.
        if !spec.hidden.iter().any(|hidden| parent.starts_with(hidden)) {
            show_entries(b, &parent, &rests)?;
        }
        for (rest, is_file) in rests {
            let path = format!("{target}/{}", rest.display());
            if is_file {
                b.mkdirs(&path[..path.rfind('/').unwrap_or(0)], 0o755)?;
                b.ops.push(Op::Touch { path: c(&path)? });
            } else {
                b.mkdirs(&path, 0o755)?;
            }
        }
        b.ops.push(Op::ReadOnly { path: c(target)? });
        b.ops.push(Op::Detach { path: c(ASIDE)? });
    }
    b.ops.push(Op::Rmdir { path: c(ASIDE)? });
    Ok(())
}

/// The directories of the host that lack mount points, with the paths below them and whether each is a file.
fn missing(host_dirs: &[String], spec: &ContainerSpec) -> BTreeMap<PathBuf, Vec<(PathBuf, bool)>> {
    let mut missing: BTreeMap<PathBuf, Vec<(PathBuf, bool)>> = BTreeMap::new();
    let working_dir = (!spec.working_dir.is_empty()).then_some((spec.working_dir.as_str(), false));
    let targets = spec.mounts.iter().map(|m| (m.target.as_str(), m.is_file)).chain(working_dir);
    for (target, is_file) in targets {
        let inside_volume = spec.mounts.iter().any(|m| m.target != target && Path::new(target).starts_with(&m.target));
        let on_host = host_dirs.iter().any(|d| Path::new(target).starts_with(d) && Path::new(target) != Path::new(d));
        if inside_volume || !on_host || Path::new(target).starts_with("/var/tmp") || Path::new(target).exists() {
            continue;
        }
        let Some(parent) = Path::new(target).ancestors().skip(1).find(|p| p.is_dir()) else {
            continue;
        };
        let rest = Path::new(target).strip_prefix(parent).expect("an ancestor is a prefix").to_path_buf();
        let Ok(parent) = parent.canonicalize() else { continue };
        // Through a link, such as /var/run, the path may lead to a directory that the container has of its own.
        if host_dirs.iter().any(|d| parent.starts_with(d)) && !parent.starts_with("/var/tmp") {
            missing.entry(parent).or_default().push((rest, is_file));
        }
    }
    missing
}

/// Puts an empty directory in the place of `target`, which stands aside from then on.
fn move_aside(b: &mut Builder, base: &Base, target: &str) -> Result<(), StartError> {
    let options = match std::fs::metadata(target) {
        Ok(found) if base.full_maps => {
            format!("mode={:o},uid={},gid={}", found.mode() & 0o7777, found.uid(), found.gid())
        }
        Ok(found) => format!("mode={:o}", found.mode() & 0o7777),
        Err(_) => "mode=755".to_owned(),
    };
    let slot = b.take(Path::new(target), 0, true, false)?;
    b.ops.push(Op::Put { slot, target: c(ASIDE)? });
    b.mount(c"tmpfs", target, libc::MS_NOSUID | libc::MS_NODEV, &options)
}

/// Shows in `target` what stands aside, but for a link that leads nowhere where one of the mount points comes.
fn show_entries(b: &mut Builder, target: &Path, mount_points: &[(PathBuf, bool)]) -> Result<(), StartError> {
    let unreadable = |e: std::io::Error| {
        let target = target.display();
        StartError::Create(format!("failed to read {target} to add a mount point: {e}; mount at a path outside it"))
    };
    for entry in std::fs::read_dir(target).map_err(unreadable)?.flatten() {
        let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else { continue };
        if mount_points.iter().any(|(rest, _)| rest.starts_with(&name)) {
            continue;
        }
        let path = target.join(&name);
        if kind.is_symlink() {
            if let Ok(to) = std::fs::read_link(&path) {
                b.ops.push(Op::Symlink { to: c(to)?, path: c(&path)? });
            }
            continue;
        }
        let op = if kind.is_dir() { Op::Mkdir { path: c(&path)?, mode: 0o755 } } else { Op::Touch { path: c(&path)? } };
        let slot = b.take(&Path::new(ASIDE).join(&name), 0, true, true)?;
        b.ops.push(op);
        b.ops.push(Op::Put { slot, target: c(&path)? });
    }
    Ok(())
}
