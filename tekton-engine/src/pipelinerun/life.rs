//! Where a PipelineRun stands: its condition and how it changes.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_types::condition::{self, Condition};
use tekton_types::config::Config;
use tekton_types::duration::GoDuration;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{PipelineRun, PipelineRunStatus, pipelinerun_spec_status};

/// The condition `Succeeded`.
pub(crate) fn succeeded(run: &PipelineRun) -> Option<&Condition> {
    condition::succeeded(&run.status.conditions)
}

pub(crate) fn is_done(run: &PipelineRun) -> bool {
    succeeded(run).is_some_and(|condition| !condition.is_unknown())
}

pub(crate) fn is_pending(run: &PipelineRun) -> bool {
    run.spec.status == pipelinerun_spec_status::PENDING
}

pub(crate) fn is_timed_out(run: &PipelineRun) -> bool {
    succeeded(run).is_some_and(|condition| condition.is_false() && condition.reason == reasons::TIMED_OUT)
}

/// The timeout of runs and tasks that set none.
pub(crate) fn default_timeout(config: &Config) -> GoDuration {
    GoDuration(config.defaults.default_timeout_minutes.saturating_mul(60_000_000_000))
}

/// Sets the condition `Succeeded`; the time changes only if something else does.
pub(crate) fn set(status: &mut PipelineRunStatus, new: Condition, now: Timestamp) {
    condition::set(&mut status.conditions, Condition { last_transition_time: Some(Time(now)), ..new });
}

/// The run goes on.
pub(crate) fn mark_running(status: &mut PipelineRunStatus, reason: &str, message: impl Into<String>, now: Timestamp) {
    set(status, Condition::succeeded(condition::UNKNOWN, reason, message), now);
}

/// The run is over, one way or the other.
pub(crate) fn mark_over(status: &mut PipelineRunStatus, over: Condition, now: Timestamp) {
    set(status, over, now);
    status.completion_time =
        condition::succeeded(&status.conditions).and_then(|condition| condition.last_transition_time.clone());
}

/// The run has failed.
pub(crate) fn mark_failed(status: &mut PipelineRunStatus, reason: &str, message: impl Into<String>, now: Timestamp) {
    mark_over(status, Condition::succeeded(condition::FALSE, reason, message), now);
}

/// The run starts: the clock of its timeouts runs from now.
pub(crate) fn start(run: &mut PipelineRun, now: Timestamp) {
    run.status.start_time = Some(Time(now));
    let old = succeeded(run).cloned().unwrap_or_else(|| Condition::succeeded(condition::UNKNOWN, "", ""));
    set(&mut run.status, Condition { reason: reasons::STARTED.to_owned(), ..old }, now);
    // A node whose clock is behind must not make the run older than it is.
    if let Some(Time(created)) = run.metadata.creation_timestamp
        && now < created
    {
        run.status.start_time = Some(Time(created));
    }
}
