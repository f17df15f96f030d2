//! Runs the command of a step: under a deadline and a watch for cancellation, and on each system as upstream does there.

#[cfg(unix)]
mod tee;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::time::{Duration, Instant};

use tekton_contract::paths;

#[cfg(unix)]
pub(crate) use unix::run;
#[cfg(windows)]
pub(crate) use windows::run;

use crate::{
    log,
    wait::{Awaited, POLL},
};

/// How a command did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(windows, expect(dead_code, reason = "what is ended there ends like any command that fails"))]
pub(crate) enum RunError {
    /// It ended with this code; -1 when a signal ended it.
    Exit(i64),
    /// The step was cancelled.
    Cancelled,
    /// The step took too long.
    TimedOut,
    /// It could not be started, or its output could not be streams.
    Failed(String),
}

/// Why a run is to end before its command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Cancelled,
    TimedOut,
}

/// Watches for the file that cancels a step, and for the end of its time.
pub(crate) struct Limits {
    cancel: Option<Awaited>,
    deadline: Option<Instant>,
    cause: Option<Cause>,
}

impl Limits {
    /// Starts the clock; a timeout of 0 is none.
    pub(crate) fn start(timeout: Duration) -> Self {
        Self {
            cancel: Awaited::new(paths::DOWNWARD_CANCEL, true).ok(),
            deadline: (!timeout.is_zero()).then(|| Instant::now().checked_add(timeout)).flatten(),
            cause: None,
        }
    }

    /// Looks at the file and the clock; the first of the two to come is the cause for good.
    fn check(&mut self) -> Option<Cause> {
        if self.cause.is_some() {
            return self.cause;
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.cause = Some(Cause::TimedOut);
        } else if let Some(cancel) = &self.cancel {
            match cancel.check() {
                Ok(false) => {}
                Ok(true) => self.cause = Some(Cause::Cancelled),
                Err(error) => {
                    log::error("Error while waiting for cancellation", &error.to_string());
                    self.cancel = None;
                }
            }
        }
        self.cause
    }

    #[cfg(unix)]
    fn watch(&mut self) -> Option<&crate::sys::Watcher> {
        if self.cause.is_some() { None } else { self.cancel.as_mut()?.watch_parent() }
    }

    /// How long nothing needs to be looked at.
    fn rest(&self) -> Option<Duration> {
        if self.cause.is_some() {
            return None;
        }
        let deadline = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let poll = self.cancel.is_some().then_some(POLL);
        deadline.into_iter().chain(poll).min()
    }
}

/// Where copies of the streams go; empty for nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copies<'a> {
    pub(crate) output: &'a str,
    pub(crate) error: &'a str,
}
