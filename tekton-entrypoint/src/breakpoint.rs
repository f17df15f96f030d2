//! Breakpoints: a person decides by files whether a step runs, and how one that failed ends.

use std::{thread, time::Instant};

use tekton_contract::{json, var::extract::go_quote};

use crate::{
    fs, log, sys,
    wait::{self, POLL},
};

const EXIT: &str = ".breakpointexit";
const BEFORE_STEP: &str = ".beforestepexit";
const BEFORE_STEP_REFUSED: &str = "before step breakpoint error file, user decided to skip the current step execution";

/// Waits for a person's decision before the step runs: whether it does.
pub(crate) fn before_step(post_file: &str) -> bool {
    log::line(
        "debug before step breakpoint has taken effect, waiting for user's decision:\n\
         1) continue, use cmd: /tekton/debug/scripts/debug-beforestep-continue\n\
         2) fail-continue, use cmd: /tekton/debug/scripts/debug-beforestep-fail-continue",
    );
    let path = format!("{post_file}{BEFORE_STEP}");
    let go_on = wait::wait_for(&path, false).is_ok();
    if !go_on {
        log::line(&format!("error occurred while waiting for {path} : {BEFORE_STEP_REFUSED}"));
    }
    go_on
}

/// Waits for a person's decision after a failure: the exit code that it gives.
pub(crate) fn on_failure(post_file: &str) -> i32 {
    log::line(
        "debug onFailure breakpoint has taken effect, waiting for user's decision:\n\
         1) continue, use cmd: /tekton/debug/scripts/debug-continue\n\
         2) fail-continue, use cmd: /tekton/debug/scripts/debug-fail-continue",
    );
    // A person may end the wait by ending the program.
    sys::let_signals_end_us();
    let path = format!("{post_file}{EXIT}");
    match wait::wait_for(&path, false) {
        Ok(()) => await_content(&path),
        Err(error) => log::line(&format!("error occurred while waiting for {path} : {error}")),
    }
    exit_code(&path).unwrap_or_else(|(code, text)| {
        log::line(&format!("error occurred while reading breakpoint exit code : {text}"));
        code
    })
}

/// Gives a shell that just made the file the time to write into it, which upstream's poll gives by its slowness.
fn await_content(path: &str) {
    let end = Instant::now() + POLL;
    while std::fs::metadata(path).is_ok_and(|found| found.len() == 0) && Instant::now() < end {
        thread::sleep(POLL / 100);
    }
}

/// The exit code that a person wrote; on an error the code to end with, too.
fn exit_code(path: &str) -> Result<i32, (i32, String)> {
    let content = match fs::read(path) {
        Err(error) if error.not_found() => return Err((0, format!("breakpoint postfile {path} not found"))),
        outcome => outcome.unwrap_or_default(),
    };
    let text = json::text(content.strip_suffix(b"\n").unwrap_or(&content));
    log::line(&format!("Breakpoint exiting with exit code {text}\n"));
    // The system sees the lowest byte.
    let byte = |code: i64| i32::from(code.to_le_bytes()[0]);
    let error = |reason: &str| format!("strconv.Atoi: parsing {}: {reason}", go_quote(&text));
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err((0, error("invalid syntax")));
    }
    text.parse().map(byte).map_err(|_| {
        let code = if text.starts_with('-') { i64::MIN } else { i64::MAX };
        (byte(code), error("value out of range"))
    })
}
