//! Why a Pod failed: the reason, the container that caused it, and the message.

use super::completion::{OOM_KILLED, terminated};
use crate::names;
use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use tekton_contract::termination::{self, ResultType};
use tekton_contract::var::extract::go_quote;
use tekton_types::reason::taskrun as reason;

const EVICTED: &str = "Evicted";
const UNSPECIFIED: &str = "build failed for unspecified reasons.";

/// The classified failure of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Reason of the condition.
    pub reason: &'static str,
    /// Message of the condition.
    pub message: String,
    /// Name of the container that caused it.
    pub container: Option<String>,
    /// Whether that is an init container.
    pub is_init: bool,
}

/// One row of the order in which causes are looked for.
struct Cause {
    init: bool,
    applies: fn(&ContainerStatus) -> bool,
    reason: &'static str,
}

fn oom(status: &ContainerStatus) -> bool {
    terminated(status).is_some_and(|state| state.reason.as_deref() == Some(OOM_KILLED))
}

fn failed(status: &ContainerStatus) -> bool {
    terminated(status).is_some_and(|state| state.exit_code != 0)
}

/// A crashed sidecar is likely the root cause of what its steps then ran into, and memory comes before exit codes.
const CAUSES: [Cause; 8] = [
    Cause { init: true, applies: |status| oom(status) && names::is_sidecar(&status.name), reason: reason::SIDECAR_OOM },
    Cause {
        init: true,
        applies: |status| oom(status) && !names::is_sidecar(&status.name),
        reason: reason::INIT_CONTAINER_OOM,
    },
    Cause {
        init: true,
        applies: |status| failed(status) && names::is_sidecar(&status.name),
        reason: reason::SIDECAR_FAILED,
    },
    Cause {
        init: true,
        applies: |status| failed(status) && !names::is_sidecar(&status.name),
        reason: reason::INIT_CONTAINER_FAILED,
    },
    Cause {
        init: false,
        applies: |status| oom(status) && names::is_sidecar(&status.name),
        reason: reason::SIDECAR_OOM,
    },
    Cause { init: false, applies: |status| oom(status) && names::is_step(&status.name), reason: reason::STEP_OOM },
    Cause {
        init: false,
        applies: |status| failed(status) && names::is_sidecar(&status.name),
        reason: reason::SIDECAR_FAILED,
    },
    Cause {
        init: false,
        applies: |status| failed(status) && names::is_step(&status.name),
        reason: reason::STEP_FAILED,
    },
];

/// Classifies a Pod that failed.
pub fn failure(status: &PodStatus) -> Failure {
    if status.reason.as_deref() == Some(EVICTED) {
        return Failure {
            reason: reason::POD_EVICTED,
            message: status.message.clone().unwrap_or_default(),
            container: None,
            is_init: false,
        };
    }
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let init = status.init_container_statuses.as_deref().unwrap_or_default();
    let cause = CAUSES.iter().find_map(|cause| {
        let candidates = if cause.init { init } else { containers };
        let container = candidates.iter().find(|status| (cause.applies)(status))?;
        Some((cause, container))
    });
    let message = cause
        .and_then(|(cause, container)| {
            let message = container_message(container)?;
            Some(if cause.init { format!("init container failed, {message}") } else { message })
        })
        .or_else(|| status.message.clone().filter(|message| !message.is_empty()))
        .unwrap_or_else(|| {
            let killed = containers.iter().any(|c| (names::is_step(&c.name) || names::is_sidecar(&c.name)) && oom(c));
            if killed { OOM_KILLED } else { UNSPECIFIED }.to_owned()
        });
    Failure {
        reason: cause.map_or(reason::FAILED, |(cause, _)| cause.reason),
        message,
        container: cause.map(|(_, container)| container.name.clone()),
        is_init: cause.is_some_and(|(cause, _)| cause.init),
    }
}

fn container_message(status: &ContainerStatus) -> Option<String> {
    let state = terminated(status)?;
    let name = go_quote(&status.name);
    let message = state.message.as_deref().unwrap_or_default();
    let entries = termination::decode(message.as_bytes()).unwrap_or_default();
    let timed_out = entries.iter().any(|entry| {
        entry.result_type == ResultType::INTERNAL
            && entry.key == termination::REASON
            && entry.value == termination::REASON_TIMEOUT_EXCEEDED
    });
    if timed_out {
        return Some(format!("{name} exited because the step exceeded the specified timeout limit"));
    }
    if state.exit_code == 0 {
        return None;
    }
    Some(match state.reason.as_deref() {
        Some(reason) if !reason.is_empty() => {
            format!("{name} exited with code {}: {reason}", state.exit_code)
        }
        _ => format!("{name} exited with code {}", state.exit_code),
    })
}
