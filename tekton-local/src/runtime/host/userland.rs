//! The shell of images made from Alpine, where this machine has another one.
//!
//! Such images have `ash` for `sh`: it knows `[[`, `==` and more that the `sh` of Debian and its kin refuses. Scripts that
//! work in the image shall work here, so containers of such images see bash, else busybox, in these places. Bash goes first
//! because the shell of busybox may prefer its own `tar` and the like to those of this machine.

use std::path::Path;

use super::super::Mount;

/// What a container of an image with busybox sees in place of this machine's files.
#[derive(Debug, Default)]
pub(super) struct Shells {
    mounts: Vec<Mount>,
}

impl Shells {
    /// Looks for shells in the directories of `search`.
    pub(super) fn find(search: &str) -> Self {
        let in_path = |name: &str| {
            let found = search.split(':').map(|dir| Path::new(dir).join(name)).find(|path| path.is_file())?;
            std::fs::canonicalize(found).ok()
        };
        let is = |path: &Path, names: &[&str]| {
            let real = std::fs::canonicalize(path).unwrap_or_default();
            let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
            names.contains(&name.as_str())
        };
        let Some(shell) = in_path("bash").or_else(|| in_path("busybox")) else { return Self::default() };
        let Ok(bin) = std::fs::canonicalize("/bin") else { return Self::default() };
        let mut targets = Vec::new();
        if !is(Path::new("/bin/sh"), &["busybox", "bash"]) {
            targets.push(bin.join("sh"));
        }
        if in_path("ash").is_none() {
            targets.push(bin.join("ash"));
        }
        Self { mounts: targets.iter().map(|target| file(&shell, target)).collect() }
    }

    /// The mounts that give a container these shells.
    pub(super) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }
}

fn file(source: &Path, target: &Path) -> Mount {
    Mount {
        source: source.to_path_buf(),
        sub_path: String::new(),
        target: target.to_string_lossy().into_owned(),
        read_only: true,
        is_file: true,
    }
}
