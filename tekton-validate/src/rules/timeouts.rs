//! Timeouts of PipelineRuns.

use tekton_types::duration::GoDuration;
use tekton_types::v1::TimeoutFields;

use crate::errors::{Errors, FieldError};
use crate::gates::Gates;

const NO_TIMEOUT: i64 = 0;
const MINUTE: i64 = 60 * 1_000_000_000;

/// `-1s should be >= 0` at the path, when so.
pub(crate) fn not_negative(timeout: Option<&GoDuration>, path: &str) -> Errors {
    match timeout {
        Some(timeout) if timeout.0 < 0 => FieldError::invalid_value(format!("{timeout} should be >= 0"), path).into(),
        _ => Errors::none(),
    }
}

/// The three timeouts of a run fit each other.
pub(crate) fn validate(gates: &Gates<'_>, timeouts: &TimeoutFields) -> Errors {
    let TimeoutFields { pipeline, tasks, r#finally } = timeouts;
    let mut errors = not_negative(tasks.as_ref(), "timeouts.tasks");
    errors.also(not_negative(r#finally.as_ref(), "timeouts.finally"));
    errors.also(not_negative(pipeline.as_ref(), "timeouts.pipeline"));
    // Upstream reads the default, a number of minutes, as nanoseconds here.
    let (most, what) = match pipeline {
        Some(pipeline) => (pipeline.0, "should be <= pipeline duration"),
        None => (gates.default_timeout_minutes, "should be <= default timeout duration"),
    };
    for (part, path) in [(tasks, "timeouts.tasks"), (r#finally, "timeouts.finally")] {
        let Some(part) = part else { continue };
        if most == NO_TIMEOUT {
            continue;
        }
        if part.0 == NO_TIMEOUT {
            errors.push(FieldError::invalid_value(format!("{part} (no timeout) {what}"), path));
        } else if part.0 > most {
            errors.push(FieldError::invalid_value(format!("{part} {what}"), path));
        }
    }
    if let (Some(tasks), Some(last)) = (tasks, r#finally)
        && tasks.0.saturating_add(last.0) > most
    {
        for path in ["timeouts.tasks", "timeouts.finally"] {
            errors.push(FieldError::invalid_value(format!("{tasks} + {last} {what}"), path));
        }
    }
    errors
}

/// The timeout of one task's runs fits that of the run.
pub(crate) fn of_task_run_spec(gates: &Gates<'_>, timeout: Option<&GoDuration>, run: Option<&TimeoutFields>) -> Errors {
    let Some(timeout) = timeout else { return Errors::none() };
    if timeout.0 < 0 {
        return not_negative(Some(timeout), "timeout");
    }
    let default = GoDuration(gates.default_timeout_minutes.saturating_mul(MINUTE));
    let (most, source) = match run {
        Some(TimeoutFields { tasks: Some(tasks), .. }) => (tasks, "pipeline tasks duration"),
        Some(TimeoutFields { pipeline: Some(pipeline), .. }) => (pipeline, "pipeline duration"),
        _ => (&default, "default pipeline duration"),
    };
    if most.0 < 0 {
        return not_negative(Some(most), "timeout");
    }
    if most.0 != NO_TIMEOUT && timeout.0 > most.0 {
        return FieldError::invalid_value(format!("{timeout} should be <= {source} {most}"), "timeout").into();
    }
    Errors::none()
}
