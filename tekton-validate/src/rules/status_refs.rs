//! References to the status of tasks, and the spelling of references as such.

use tekton_types::refs::when_expressions;
use tekton_types::v1::PipelineTask;

use crate::errors::{Errors, FieldError};
use crate::rules::matrix;
use crate::rules::result_refs::{any_looks_like_result, of_param};
use crate::text::quote;
use crate::vars::Names;

const AGGREGATE_STATUS: &str = "tasks.status";
const PREFIXES: [&str; 6] = ["params", "tasks", "finally", "context", "workspaces", "results"];

fn is_status(expression: &str) -> bool {
    expression.starts_with("tasks.") && (expression.ends_with(".status") || expression.ends_with(".reason"))
}

/// Tasks do not refer to a status; finally tasks only to that of a task of the pipeline.
pub(crate) fn validate(tasks: &[PipelineTask], finally: &[PipelineTask]) -> Errors {
    let mut errors = in_fields(tasks, |expressions, path| {
        if !any_looks_like_result(expressions) && expressions.iter().any(|e| is_status(e)) {
            return FieldError::invalid_value(
                "pipeline tasks can not refer to execution status of any other pipeline task or aggregate status of tasks",
                path,
            )
            .into();
        }
        Errors::none()
    })
    .via_field("tasks");
    let names: Names<'_> = tasks.iter().map(|t| t.name.as_str()).collect();
    errors.also(in_fields(finally, |expressions, path| of_known(expressions, &names, path)).via_field("finally"));
    errors
}

fn of_known(expressions: &[&str], names: &Names<'_>, path: &str) -> Errors {
    let mut errors = Errors::none();
    if any_looks_like_result(expressions) {
        return errors;
    }
    for expression in expressions.iter().filter(|e| **e != AGGREGATE_STATUS && is_status(e)) {
        let inner = expression.strip_prefix("tasks.").unwrap_or(expression);
        let task = inner.strip_suffix(".status").or_else(|| inner.strip_suffix(".reason")).unwrap_or(inner);
        if !names.contains(task) {
            errors
                .push(FieldError::invalid_value(format!("pipeline task {task} is not defined in the pipeline"), path));
        }
    }
    errors
}

/// Checks the expressions of each parameter and each guard of each task.
fn in_fields(tasks: &[PipelineTask], check: impl Fn(&[&str], &str) -> Errors) -> Errors {
    let mut errors = Errors::none();
    for (index, task) in tasks.iter().enumerate() {
        let mut found = Errors::none();
        for param in &task.params {
            let expressions = of_param(param);
            if !expressions.is_empty() {
                found.also(check(&expressions, "value").via_field_key("params", &param.name));
            }
        }
        for (at, guard) in task.when.iter().enumerate() {
            let expressions: Vec<&str> = when_expressions(guard).collect();
            if !expressions.is_empty() {
                found.also(check(&expressions, "").via_field_index("when", at));
            }
        }
        errors.also(found.via_index(index));
    }
    errors
}

/// Every `$(…)` in parameters, guards and matrices starts with a prefix that exists.
pub(crate) fn prefixes(tasks: &[PipelineTask], field: &str) -> Errors {
    let mut errors = in_fields(tasks, known_prefix);
    for (index, task) in tasks.iter().enumerate().filter(|(_, t)| matrix::is_matrixed(t)) {
        let Some(matrix) = &task.matrix else { continue };
        for param in &matrix.params {
            let found = known_prefix(&of_param(param), "value").via_field_key("matrix.params", &param.name);
            errors.also(found.via_index(index));
        }
        for (at, include) in matrix.include.iter().enumerate() {
            for param in &include.params {
                let found = known_prefix(&of_param(param), "value").via_field_key("params", &param.name);
                errors.also(found.via_field_index("matrix.include", at).via_index(index));
            }
        }
    }
    errors.via_field(field)
}

fn known_prefix(expressions: &[&str], path: &str) -> Errors {
    let mut errors = Errors::none();
    for expression in expressions {
        let prefix = expression.split('.').next().unwrap_or_default();
        if !PREFIXES.contains(&prefix) {
            let reference = quote(&format!("$({expression})"));
            errors.push(FieldError::invalid_value(
                format!("invalid variable reference {reference}, must start with a valid prefix: params, tasks, finally, context, workspaces, or results; if you meant a shell variable, use ${{VAR}} instead"),
                path,
            ));
        }
    }
    errors
}
