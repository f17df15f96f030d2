//! `nop`: ends at once, or stays until it is told to end; what a stopped sidecar runs.

use crate::{log, sys};

/// The argument that makes it stay.
const RUN_INDEFINITELY: &str = "tekton_run_indefinitely";

pub(crate) fn main(args: &[String]) -> i32 {
    if args.first().is_some_and(|arg| arg == RUN_INDEFINITELY) {
        let end = sys::EndSignals::hold();
        log::line("Waiting indefinitely...");
        log::line(&format!("received signal: {}", end.wait()));
    }
    log::line("Exiting...");
    0
}
