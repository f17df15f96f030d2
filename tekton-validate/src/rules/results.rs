//! Declared results of tasks and steps.

use tekton_types::v1::{ParamValue, Properties, StepResult, TaskResult, param_type};

use crate::errors::{Errors, FieldError};
use crate::names::{is_dns_label, is_result_name};
use crate::text::{list, quote};
use crate::vars::step_result;

const NAME_DETAILS: &str = "Name must consist of alphanumeric characters, '-', '_', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my-name',  or 'my_name', regex used for validation is '^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$')";

/// The results of a task.
pub(crate) fn validate_task_results(results: &[TaskResult]) -> Errors {
    let mut errors = Errors::none();
    for (index, result) in results.iter().enumerate() {
        errors.also(validate_task_result(result).via_index(index));
    }
    errors
}

/// The results of a step.
pub(crate) fn validate_step_results(results: &[StepResult]) -> Errors {
    let mut errors = Errors::none();
    for (index, result) in results.iter().enumerate() {
        errors.also(validate_step_result(result).via_index(index));
    }
    errors
}

fn bad_name(name: &str) -> Errors {
    FieldError::new(format!("invalid key name {}", quote(name)), &["name"]).details(NAME_DETAILS).into()
}

/// One result of a task.
pub(crate) fn validate_task_result(result: &TaskResult) -> Errors {
    if !is_result_name(&result.name) {
        return bad_name(&result.name);
    }
    let mut errors = match result.type_.as_str() {
        param_type::OBJECT => properties(&result.name, &result.properties, "The"),
        param_type::ARRAY | param_type::STRING | "" => Errors::none(),
        other => FieldError::invalid_value(other, "type").details("type must be string").into(),
    };
    errors.also(value(result));
    errors
}

/// One result of a step.
pub(crate) fn validate_step_result(result: &StepResult) -> Errors {
    if !is_result_name(&result.name) {
        return bad_name(&result.name);
    }
    match result.type_.as_str() {
        param_type::OBJECT => properties(&result.name, &result.properties, "the"),
        param_type::ARRAY | param_type::STRING | "" => Errors::none(),
        other => FieldError::invalid_value(other, "type").details(format!("invalid type {other}")).into(),
    }
}

fn properties(name: &str, properties: &Properties, article: &str) -> Errors {
    let path = format!("{name}.properties");
    if !properties.is_given() {
        return FieldError::missing(&[&path]).into();
    }
    let invalid: Vec<&str> =
        properties.iter().filter(|(_, p)| p.type_ != param_type::STRING).map(|(k, _)| k.as_str()).collect();
    if invalid.is_empty() {
        return Errors::none();
    }
    FieldError::new(
        format!("{article} value type specified for these keys {} is invalid, the type must be string", list(invalid)),
        &[&path],
    )
    .into()
}

/// The value of a task result is one reference to a step result.
fn value(result: &TaskResult) -> Errors {
    let text = match &result.value {
        None => return Errors::none(),
        Some(ParamValue::String(text)) => text,
        Some(other) => {
            return FieldError::new(
                format!("Invalid Type. Wanted string but got: \"{}\"", other.type_name()),
                &[&format!("{}.type", result.name)],
            )
            .into();
        }
    };
    let mut errors = Errors::none();
    if text.is_empty() {
        return errors;
    }
    let path = format!("{}.value", result.name);
    let Some((step, name)) = step_result(text) else {
        return FieldError::new(
            format!("Could not extract step name and result name. Expected value to look like $(steps.<stepName>.results.<resultName>) but got \"{text}\""),
            &[&path],
        )
        .into();
    };
    if !is_dns_label(step) {
        errors.push(FieldError::new(format!("invalid extracted step name {}", quote(step)), &[&path]).details(
            "stepName in $(steps.<stepName>.results.<resultName>) must be a valid DNS Label, For more info refer to https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names",
        ));
    }
    if !is_result_name(name) {
        errors.push(FieldError::new(format!("invalid extracted result name {}", quote(name)), &[&path]).details(
            "resultName in $(steps.<stepName>.results.<resultName>) must consist of alphanumeric characters, '-', '_', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my-name',  or 'my_name', regex used for validation is '^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$')",
        ));
    }
    errors
}
