//! Removes the directories of a node that was killed before it could do so itself.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A process that waits for the end of this one, and then removes directories.
#[derive(Debug)]
pub(super) struct Janitor {
    child: Child,
    // Its closing is what the process waits for.
    _line: Option<ChildStdin>,
}

/// Waits for the end of its input; containers have died by then, or are dying, so it tries a few times.
/// Of control groups only the directories can be removed.
const SCRIPT: &str = "trap '' INT TERM HUP; cat >/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do left=; \
    for d in \"$@\"; do [ -e \"$d\" ] || continue; case \"$d\" in \
    /sys/fs/cgroup/*) find \"$d\" -depth -type d -exec rmdir {} + ;; \
    *) chmod -R u+rwX \"$d\"; rm -rf \"$d\" ;; esac 2>/dev/null; [ -e \"$d\" ] && left=$d; done; \
    [ \"$left\" ] || break; sleep 0.1; done";

impl Janitor {
    pub(super) fn watch<'a>(dirs: impl Iterator<Item = &'a PathBuf>) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "tekton-janitor"])
            .args(dirs)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not in the group that a terminal interrupts.
            .process_group(0)
            .spawn()?;
        let line = child.stdin.take();
        Ok(Self { child, _line: line })
    }

    /// The directory has been removed: the process is not needed any more.
    pub(super) fn dismiss(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
