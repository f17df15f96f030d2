//! Wait, the custom task of upstream's tests: it succeeds when the time in its param `duration` has passed.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_types::condition;
use tekton_types::duration::GoDuration;
use tekton_types::v1beta1::{CustomRun, CustomRunStatus};

use super::{Next, cancelled, ended, retried, with};

/// The kind of the task.
pub(super) const KIND: &str = "Wait";

const DURATION: &str = "duration";
/// How long an attempt may take that says nothing about it.
const DEFAULT_TIMEOUT: GoDuration = GoDuration::from_mins(60);

/// What comes next for a run whose attempt began at `begun`.
pub(super) fn advance(run: &CustomRun, begun: Option<Timestamp>, now: Timestamp) -> Next {
    let (duration, timeout) = match times(run) {
        Ok(times) => times,
        Err((reason, message)) => return ended(run, condition::FALSE, reason, message, now),
    };
    if let Some(end) = cancelled(run, "Wait Task cancelled.", now) {
        return end;
    }
    let Some(begun) = begun else { return begin(run, duration, timeout, now) };
    let wake = first_end(begun, duration, timeout);
    if now < wake {
        return Next { status: None, wake: Some(wake) };
    }
    if timeout.is_none_or(|timeout| duration < timeout) {
        return ended(run, condition::TRUE, "DurationElapsed", "The wait duration has elapsed", now);
    }
    if usize::try_from(run.spec.retries).is_ok_and(|retries| retries > retried(run)) {
        return again(run, duration, timeout, now);
    }
    ended(run, condition::FALSE, "TimedOut", "Wait Task failed as it times out.", now)
}

/// The first attempt, or one more.
fn begin(run: &CustomRun, duration: GoDuration, timeout: Option<GoDuration>, now: Timestamp) -> Next {
    let status = with(run, condition::UNKNOWN, "Running", "Waiting for duration to elapse", now);
    Next { status: Some(status), wake: Some(first_end(now, duration, timeout)) }
}

/// Files the attempt that took too long, and begins another.
fn again(run: &CustomRun, duration: GoDuration, timeout: Option<GoDuration>, now: Timestamp) -> Next {
    let mut past = with(run, condition::FALSE, "TimedOut", "", now);
    let mut earlier = std::mem::take(&mut past.retries_status);
    earlier.push(past);
    let fresh = CustomRunStatus { start_time: Some(Time(now)), retries_status: earlier, ..CustomRunStatus::default() };
    let next = CustomRun { status: fresh, ..run.clone() };
    begin(&next, duration, timeout, now)
}

/// When an attempt is over, one way or the other.
fn first_end(begun: Timestamp, duration: GoDuration, timeout: Option<GoDuration>) -> Timestamp {
    let length = timeout.map_or(duration, |timeout| timeout.min(duration));
    begun.saturating_add(length.to_signed()).unwrap_or(Timestamp::MAX)
}

/// How long to wait, and how long an attempt may take if there is a limit.
///
/// Errors: reason and message of a run that asks for something else.
fn times(run: &CustomRun) -> Result<(GoDuration, Option<GoDuration>), (&'static str, String)> {
    if let Some(task) = run.spec.custom_ref.as_ref().filter(|task| !task.name.is_empty()) {
        return Err(("UnexpectedName", format!("Found unexpected ref name: {}", task.name)));
    }
    let given = run.spec.params.iter().find(|param| param.name == DURATION).and_then(|param| param.value.as_string());
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Err(("MissingDuration", "The duration param was not passed".to_owned()));
    };
    let others: Vec<_> =
        run.spec.params.iter().map(|param| param.name.as_str()).filter(|name| *name != DURATION).collect();
    if !others.is_empty() {
        return Err(("UnexpectedParams", format!("Found unexpected params: [{}]", others.join(" "))));
    }
    let duration: GoDuration =
        text.parse().map_err(|error| ("InvalidDuration", format!("The duration param was invalid: {error}")))?;
    let timeout = run.spec.timeout.unwrap_or(DEFAULT_TIMEOUT);
    if duration == timeout {
        return Err(("InvalidTimeOut", "Spec.Timeout shouldn't equal duration".to_owned()));
    }
    Ok((duration, (!timeout.is_zero()).then_some(timeout)))
}
