//! Names and directories of a node.

use std::path::{Path, PathBuf};

/// The name of what a node makes outside its data directory.
pub(crate) fn own_name(data_dir: &Path) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    data_dir.hash(&mut hasher);
    format!("tekton-{:016x}", hasher.finish())
}

/// A path without links, whether or not its last part is there yet.
pub(super) fn real(path: &Path) -> PathBuf {
    let resolved = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(std::fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?.join(path.file_name()?))
    };
    std::fs::canonicalize(path).ok().or_else(resolved).unwrap_or_else(|| path.to_owned())
}

/// Removes a directory tree, whatever the modes of its directories.
pub(super) async fn remove(dir: PathBuf) {
    let removal = tokio::task::spawn_blocking(move || {
        if std::fs::remove_dir_all(&dir).is_err() && dir.exists() {
            open_up(&dir);
            // What still can't be removed belongs to somebody else.
            drop(std::fs::remove_dir_all(&dir));
        }
    });
    drop(removal.await);
}

fn open_up(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    drop(std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)));
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}
