//! Mount points that directories of the host lack.

use super::super::super::{ContainerSpec, StartError};
use super::{Builder, Op, c};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where directories of the host get their missing mount points from.
const SHADOW: &str = "/.mountpoints";

/// Adds the mount points that directories of the host lack: an overlay of two read-only layers shows both.
pub(super) fn shadow(b: &mut Builder, host_dirs: &[String], spec: &ContainerSpec) -> Result<(), StartError> {
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
        if !host_dirs.iter().any(|d| parent.starts_with(d)) {
            continue;
        }
        missing.entry(parent).or_default().push((rest, is_file));
    }
    if missing.is_empty() {
        return Ok(());
    }
    b.ops.push(Op::Mkdir { path: c(SHADOW)?, mode: 0o755 });
    for (index, (parent, rests)) in missing.into_iter().enumerate() {
        let layer = format!("{SHADOW}/{index}");
        b.ops.push(Op::Mkdir { path: c(&layer)?, mode: 0o755 });
        for (rest, is_file) in rests {
            let path = format!("{layer}/{}", rest.display());
            if is_file {
                b.mkdirs(&path[..path.rfind('/').unwrap_or(0)], 0o755)?;
                b.ops.push(Op::Touch { path: c(&path)? });
            } else {
                b.mkdirs(&path, 0o755)?;
            }
        }
        let target = parent.to_str().ok_or_else(|| StartError::Create("a mount path is not UTF-8".into()))?;
        let data = format!("lowerdir={layer}:{target}");
        b.mount(c"overlay", target, libc::MS_RDONLY | libc::MS_NOSUID, &data)?;
    }
    Ok(())
}
