//! Sub-paths of volumes, made and opened without ever leaving the volume.

use crate::runtime::host::sys;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Makes the directories of `sub_path` that are missing. Gives whether it is a file.
pub(super) fn prepare(volume: &Path, sub_path: &str) -> io::Result<bool> {
    if sub_path.split('/').any(|part| part == "..") {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("subPath \"{sub_path}\" must not contain '..'"),
        ));
    }
    let root: OwnedFd = std::fs::File::open(volume)?.into();
    if let Ok(found) = open(&root, sub_path) {
        return Ok(!std::fs::File::from(found).metadata()?.is_dir());
    }
    make_directories(&root, sub_path)?;
    open(&root, sub_path)?;
    Ok(false)
}

/// Makes an empty directory or file inside a volume, for something to be mounted on.
pub(super) fn mount_point(volume: &Path, inside: &str, is_file: bool) -> io::Result<()> {
    let root: OwnedFd = std::fs::File::open(volume)?.into();
    if open(&root, inside).is_ok() {
        return Ok(());
    }
    if !is_file {
        return make_directories(&root, inside);
    }
    let (parent, name) = inside.rsplit_once('/').unwrap_or((".", inside));
    if parent != "." {
        make_directories(&root, parent)?;
    }
    let parent = open(&root, parent)?;
    sys::create_in(parent.as_fd(), &c(name)?)
}

fn make_directories(root: &OwnedFd, path: &str) -> io::Result<()> {
    let mut made = String::new();
    let mut dir = root.try_clone()?;
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if !made.is_empty() {
            made.push('/');
        }
        made.push_str(part);
        sys::mkdir_in(dir.as_fd(), &c(part)?, 0o777)?;
        dir = open(root, &made)?;
    }
    Ok(())
}

fn open(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    sys::open_beneath_owned(root.as_fd(), &c(path)?, libc::O_PATH)
}

fn c(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_path_is_made_inside_its_volume_and_nowhere_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let outside = tempfile::tempdir().expect("a directory");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("out")).expect("a link");
        std::os::unix::fs::symlink("..", dir.path().join("up")).expect("a link");
        assert!(!prepare(dir.path(), "a/b").expect("made"));
        assert!(dir.path().join("a/b").is_dir());
        std::fs::write(dir.path().join("file"), "").expect("a file");
        assert!(prepare(dir.path(), "file").expect("found"));
        for escape in ["out/x", "up/x", "../x", "a/../../x"] {
            assert!(prepare(dir.path(), escape).is_err(), "{escape}");
        }
        assert_eq!(std::fs::read_dir(outside.path()).expect("a directory").count(), 0);
    }
    #[test]
    fn directories_are_made_inside_a_volume_whose_links_change_meanwhile() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let dir = tempfile::tempdir().expect("a directory");
        let outside = tempfile::tempdir().expect("a directory");
        let (real, link, shown) = (dir.path().join("real"), dir.path().join("link"), dir.path().join("shown"));
        std::fs::create_dir(&real).expect("made");
        std::os::unix::fs::symlink(outside.path(), &link).expect("a link");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for other in [&real, &link] {
                        drop(std::fs::rename(other, &shown));
                        drop(std::fs::rename(&shown, other));
                    }
                }
            });
            for round in 0..300 {
                drop(prepare(dir.path(), &format!("shown/{round}/x")));
                drop(mount_point(dir.path(), &format!("shown/file-{round}"), true));
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(std::fs::read_dir(outside.path()).expect("a directory").count(), 0);
    }
}
