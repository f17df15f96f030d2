//! Why results can not be signed.
//!
//! Signing needs the gRPC protocol of a SPIRE agent, which this program does not speak. A step that has results to
//! sign fails, as upstream's does when no agent answers, and after the same time.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::sys;

const RETRY: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(20);

/// Waits for the agent to appear, and says why there are no signatures.
pub(crate) fn refusal(socket: &str) -> String {
    let Some(path) = socket.strip_prefix("unix:").or_else(|| socket.strip_prefix("tcp:").map(|_| "")) else {
        return "workload endpoint socket URI must have a \"tcp\" or \"unix\" scheme\n\
                spire workload API not initialized due to error"
            .to_owned();
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    let end = Instant::now() + LIMIT;
    loop {
        if path.is_empty() || sys::answers(path) {
            return "failed to fetch SVID: this entrypoint does not sign results with SPIRE".to_owned();
        }
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return "context deadline exceeded\nfailed to fetch SVID".to_owned();
        }
        thread::sleep(rest.min(RETRY));
    }
}
