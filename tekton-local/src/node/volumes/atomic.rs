//! Writes the files of a volume so that a reader sees all of them old or all of them new.
//!
//! The files are in a directory of their own, `..data` is a symbolic link to it, and the visible names are links
//! through `..data`. An update makes a new directory and renames a new `..data` over the old one.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path};

/// A file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct File {
    pub(in crate::node) content: Vec<u8>,
    pub(in crate::node) mode: u32,
}

/// The files of a volume by relative path.
pub(in crate::node) type Files = BTreeMap<String, File>;

/// Whether a path may be the name of a file in a volume.
pub(super) fn is_safe(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with("..")
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Makes `dir` show exactly `files`. `generation` differs from call to call.
pub(super) fn write(dir: &Path, files: &Files, group: Option<u32>, generation: u64) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let name = format!("..{generation}");
    let fresh = dir.join(&name);
    drop(std::fs::remove_dir_all(&fresh));
    std::fs::create_dir(&fresh)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755))?;
    for (path, file) in files {
        if !is_safe(path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("invalid path: {path}")));
        }
        let target = fresh.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&target, &file.content)?;
        let mode = if group.is_some() { file.mode | 0o040 } else { file.mode };
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode))?;
        if group.is_some() {
            // Only root may give files to any group; others leave them as they are.
            drop(std::os::unix::fs::chown(&target, None, group));
        }
    }
    let data = dir.join("..data");
    let old = std::fs::read_link(&data).ok();
    let temporary = dir.join("..data_tmp");
    drop(std::fs::remove_file(&temporary));
    symlink(&name, &temporary)?;
    std::fs::rename(&temporary, &data)?;

    let mut tops: Vec<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
    tops.dedup();
    for top in &tops {
        match symlink(Path::new("..data").join(top), dir.join(top)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    for entry in std::fs::read_dir(dir)?.flatten() {
        let shown = entry.file_name().to_string_lossy().into_owned();
        if !shown.starts_with("..") && !tops.contains(&shown.as_str()) {
            drop(std::fs::remove_file(entry.path()));
        }
    }
    if let Some(old) = old
        && old != Path::new(&name)
    {
        drop(std::fs::remove_dir_all(dir.join(old)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[(&str, &str)]) -> Files {
        names.iter().map(|(n, c)| ((*n).to_owned(), File { content: c.as_bytes().to_vec(), mode: 0o644 })).collect()
    }

    #[test]
    fn an_update_replaces_all_files_and_leaves_no_old_ones() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), &files(&[("a", "1"), ("d/b", "2")]), None, 1).expect("written");
        assert_eq!(std::fs::read_to_string(dir.path().join("d/b")).expect("a file"), "2");
        write(dir.path(), &files(&[("a", "3")]), None, 2).expect("written");
        assert_eq!(std::fs::read_to_string(dir.path().join("a")).expect("a file"), "3");
        let mut names: Vec<String> = std::fs::read_dir(dir.path())
            .expect("a directory")
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["..2", "..data", "a"]);
    }

    #[test]
    fn a_file_does_not_leave_its_volume() {
        for path in ["../x", "/etc/x", "a/../../x", "", "..x"] {
            assert!(!is_safe(path), "{path}");
        }
        assert!(is_safe("a/b..c"));
    }
}
