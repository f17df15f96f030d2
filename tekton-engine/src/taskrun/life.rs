//! Where a TaskRun stands: its condition, its deadline, and how both change.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_types::condition::{self, Condition};
use tekton_types::config::Config;
use tekton_types::reason;
use tekton_types::v1::{TaskRun, TaskRunStatus, taskrun_spec_status};

/// The condition `Succeeded`.
pub(crate) fn succeeded(run: &TaskRun) -> Option<&Condition> {
    condition_of(&run.status)
}

/// The condition `Succeeded` of a status.
pub(crate) fn condition_of(status: &TaskRunStatus) -> Option<&Condition> {
    condition::succeeded(&status.conditions)
}

pub(crate) fn is_done(run: &TaskRun) -> bool {
    succeeded(run).is_some_and(|condition| !condition.is_unknown())
}

pub(crate) fn is_cancelled(run: &TaskRun) -> bool {
    run.spec.status == taskrun_spec_status::CANCELLED
}

pub(crate) fn is_pending(run: &TaskRun) -> bool {
    run.spec.status == taskrun_spec_status::PENDING
}

pub(crate) fn has_retries_left(run: &TaskRun) -> bool {
    i64::try_from(run.status.retries_status.len()).is_ok_and(|used| used < run.spec.retries)
}

/// How long the run may take; zero means for ever.
pub(crate) fn timeout(run: &TaskRun, config: &Config) -> SignedDuration {
    match run.spec.timeout {
        Some(timeout) => SignedDuration::from_nanos(timeout.0),
        None => SignedDuration::from_mins(config.defaults.default_timeout_minutes),
    }
}

/// The timeout as Go prints it.
pub(crate) fn timeout_text(run: &TaskRun, config: &Config) -> String {
    tekton_types::duration::GoDuration::from_signed(timeout(run, config)).to_string()
}

pub(crate) fn has_timed_out(run: &TaskRun, config: &Config, now: Timestamp) -> bool {
    let Some(Time(start)) = run.status.start_time else { return false };
    let timeout = timeout(run, config);
    !timeout.is_zero() && now.duration_since(start) > timeout
}

/// Sets the condition `Succeeded`; the time changes only if something else does.
pub(crate) fn set(status: &mut TaskRunStatus, new: Condition, now: Timestamp) {
    condition::set(&mut status.conditions, Condition { last_transition_time: Some(Time(now)), ..new });
}

/// A pass marks a run `Running` before it reads the Pod and finds it `Pending` as before: then nothing has changed, and
/// the condition keeps the time of `before`.
pub(crate) fn keep_time(status: &mut TaskRunStatus, before: Option<&Condition>) {
    let condition = status.conditions.iter_mut().find(|condition| condition.type_ == condition::SUCCEEDED);
    if let (Some(before), Some(after)) = (before, condition)
        && before.equals_up_to_time(after)
    {
        after.last_transition_time.clone_from(&before.last_transition_time);
    }
}

/// The run goes on.
pub(crate) fn mark_ongoing(status: &mut TaskRunStatus, reason: &str, message: impl Into<String>, now: Timestamp) {
    set(status, Condition::succeeded(condition::UNKNOWN, reason, message), now);
}

/// The run has failed.
pub(crate) fn mark_failed(status: &mut TaskRunStatus, reason: &str, message: impl Into<String>, now: Timestamp) {
    set(status, Condition::succeeded(condition::FALSE, reason, message), now);
    status.completion_time =
        condition::succeeded(&status.conditions).and_then(|condition| condition.last_transition_time.clone());
}

/// The run starts: the clock of its timeout runs from now.
pub(crate) fn start(run: &mut TaskRun, now: Timestamp) {
    run.status.start_time = Some(Time(now));
    let message = succeeded(run).map(|condition| condition.message.clone()).unwrap_or_default();
    let status = succeeded(run).map_or(condition::UNKNOWN, |condition| condition.status.as_str()).to_owned();
    set(&mut run.status, Condition::succeeded(&status, reason::taskrun::STARTED, message), now);
    // A node whose clock is behind must not make the run older than it is.
    if let Some(Time(created)) = run.metadata.creation_timestamp
        && now < created
    {
        run.status.start_time = Some(Time(created));
    }
}

/// Puts the attempt that failed among the earlier ones, so that the run starts again.
pub(crate) fn archive_attempt(status: &mut TaskRunStatus, message: &str, now: Timestamp) {
    let mut attempt = status.clone();
    attempt.retries_status.clear();
    status.retries_status.push(attempt);
    status.start_time = None;
    status.completion_time = None;
    status.pod_name.clear();
    status.results.clear();
    mark_ongoing(status, reason::taskrun::TO_BE_RETRIED, message, now);
}
