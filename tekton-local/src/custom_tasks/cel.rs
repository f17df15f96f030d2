//! CEL, the custom task of Tekton's experiments: each param is an expression, and its value the result of the same name.

use jiff::Timestamp;
use tekton_types::condition;
use tekton_types::v1beta1::{CustomRun, CustomRunResult};

use super::{Next, cancelled, ended};

/// The kind of the task.
pub(super) const KIND: &str = "CEL";

/// Evaluates all params; the run is over then.
pub(super) fn advance(run: &CustomRun, now: Timestamp) -> Next {
    if let Some(end) = cancelled(run, "CEL Task cancelled.", now) {
        return end;
    }
    match results(run) {
        Ok(results) => {
            let message = "CEL expressions were evaluated successfully";
            let mut next = ended(run, condition::TRUE, "EvaluationSuccess", message, now);
            if let Some(status) = &mut next.status {
                status.results = results;
            }
            next
        }
        Err((reason, message)) => ended(run, condition::FALSE, reason, message, now),
    }
}

/// Errors: reason and message of a run that has an expression without a value.
fn results(run: &CustomRun) -> Result<Vec<CustomRunResult>, (&'static str, String)> {
    let invalid = |what: &str| {
        ("CustomRunValidationFailed", format!("CustomRun can't be run because it has an invalid spec - {what}"))
    };
    if run.spec.params.is_empty() {
        return Err(invalid("missing field(s): params"));
    }
    let no_text = run.spec.params.iter().find(|param| param.value.as_string().is_none_or(str::is_empty));
    if let Some(param) = no_text {
        let name = &param.name;
        let what = format!("invalid value: CEL expression parameter {name} must be a string: params[{name}].value");
        return Err(invalid(&what));
    }
    let result = |name: &str, source: &str| {
        tekton_dag::cel::check(source)
            .map_err(|error| ("SyntaxError", format!("CEL expression {name} could not be parsed: {error}")))?;
        let value = tekton_dag::cel::text(source)
            .map_err(|error| ("EvaluationError", format!("CEL expression {name} could not be evaluated: {error}")))?;
        Ok(CustomRunResult { name: name.to_owned(), value })
    };
    run.spec.params.iter().map(|param| result(&param.name, param.value.as_string().unwrap_or_default())).collect()
}
