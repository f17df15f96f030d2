//! Removes containers whose maker was killed before it could do so itself.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use bollard::query_parameters::ListContainersOptions;

use super::{EngineRuntime, OWNER, remove};

/// How often the engine is asked for what is left, once nothing was: a container may have been on its way.
const LOOKS: u32 = 5;
/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// A process that waits for the end of this one.
#[derive(Debug)]
pub(super) struct Reaper {
    child: Child,
    /// Its closing is what the process waits for.
    line: Option<ChildStdin>,
}

impl Reaper {
    pub(super) fn start(command: &[OsString], socket: &str, owner: &str) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .args([socket, owner])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not in the group that a terminal interrupts.
            .process_group(0)
            .spawn()?;
        let line = child.stdin.take();
        Ok(Self { child, line })
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.line.take());
        // It looks once more, then ends; nobody waits for that, but one that has ended leaves nothing behind.
        drop(self.child.try_wait());
    }
}

/// Waits for the end of standard input, then does as [`remove_owned`].
///
/// Errors: the engine does not answer.
pub async fn reap(socket: &str, owner: &str) -> Result<(), bollard::errors::Error> {
    // Closed is closed, however it came about.
    drop(tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await);
    remove_owned(socket, owner).await
}

/// Removes the containers of `owner` from the engine at `socket`, until none is left and none comes.
///
/// Errors: the engine does not answer.
pub async fn remove_owned(socket: &str, owner: &str) -> Result<(), bollard::errors::Error> {
    let engine = EngineRuntime::connect_to(socket).await?;
    let mut looks = 0;
    while looks < LOOKS {
        let filters = [("label".to_owned(), vec![format!("{OWNER}={owner}")])].into();
        let options = ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
        // An engine that has no list just now is asked again.
        let found = engine.list_containers(Some(options)).await.unwrap_or_default();
        looks = if found.is_empty() { looks + 1 } else { 0 };
        for id in found.into_iter().filter_map(|container| container.id) {
            remove(&engine, &id).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
