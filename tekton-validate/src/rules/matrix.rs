//! Matrices: gate, size, names, and who may read the results of a fanned-out task.

use std::collections::{HashMap, HashSet};

use tekton_types::v1::{Matrix, PipelineTask, TaskResult, param_type};

use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Stage};
use crate::rules::params;
use crate::rules::result_refs::{ResultRef, any_looks_like_result, looks_like_result, of_param, parse_all};

/// Whether the task fans out.
pub(crate) fn is_matrixed(task: &PipelineTask) -> bool {
    task.matrix.as_ref().is_some_and(|m| !m.params.is_empty() || !m.include.is_empty())
}

/// The matrices of all tasks.
pub(crate) fn validate(gates: &Gates<'_>, tasks: &[PipelineTask]) -> Errors {
    let mut errors = Errors::none();
    for (index, task) in tasks.iter().enumerate() {
        errors.also(validate_task(gates, task).via_index(index));
    }
    errors.also(consumed_results(tasks));
    errors
}

/// The matrix of one task.
pub(crate) fn validate_task(gates: &Gates<'_>, task: &PipelineTask) -> Errors {
    let Some(matrix) = &task.matrix else { return Errors::none() };
    let mut errors = Errors::none();
    if is_matrixed(task) {
        errors.also(gates.require("matrix", Stage::Beta));
        let count = count_combinations(matrix, gates.is_beta_version());
        let most = gates.max_matrix_combinations;
        if count > most {
            errors.push(FieldError::new(format!("expected 0 <= {count} <= {most}"), &["matrix"]));
        }
        for (index, include) in matrix.include.iter().enumerate() {
            errors.also(params::unique(&include.params).via_field(&format!("matrix.include[{index}].params")));
        }
        errors.also(params::unique(&matrix.params).via_field("matrix.params"));
    }
    let names: HashSet<&str> =
        matrix.params.iter().chain(matrix.include.iter().flat_map(|i| &i.params)).map(|p| p.name.as_str()).collect();
    for param in &task.params {
        if names.contains(param.name.as_str()) {
            let name = &param.name;
            errors.push(FieldError::multiple_one_of(&[&format!("matrix[{name}]"), &format!("params[{name}]")]));
        }
    }
    errors
}

/// How many combinations a matrix has, as far as it is written out. At v1beta1 an empty array makes it none.
pub(crate) fn count_combinations(matrix: &Matrix, empty_counts: bool) -> i64 {
    let length = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    if matrix.params.is_empty() {
        return length(matrix.include.len());
    }
    let mut count: i64 = 1;
    for param in &matrix.params {
        let values = length(param.value.as_array().map_or(0, <[String]>::len));
        if values > 0 || empty_counts {
            count = count.saturating_mul(values);
        }
    }
    let values: HashMap<&str, &[String]> =
        matrix.params.iter().map(|p| (p.name.as_str(), p.value.as_array().unwrap_or_default())).collect();
    for include in &matrix.include {
        for param in &include.params {
            let Some(known) = values.get(param.name.as_str()) else { continue };
            let value = param.value.as_string().unwrap_or_default();
            if known.iter().any(|k| k == value) {
                break;
            }
            count = count.saturating_add(1);
        }
    }
    count
}

/// Results of a fanned-out task are read as a whole (`[*]`), and are strings.
fn consumed_results(tasks: &[PipelineTask]) -> Errors {
    let by_name: HashMap<&str, &PipelineTask> = tasks.iter().map(|t| (t.name.as_str(), t)).collect();
    // As upstream has it, only the last parameter that refers to results counts for the types.
    let mut read: Vec<ResultRef<'_>> = Vec::new();
    for param in tasks.iter().flat_map(|t| &t.params) {
        let expressions = of_param(param);
        if !any_looks_like_result(&expressions) {
            continue;
        }
        let mut errors = Errors::none();
        let mut of_matrix = Vec::new();
        for expression in expressions.into_iter().filter(|e| looks_like_result(e)) {
            let task = expression.split('.').nth(1).unwrap_or_default();
            if by_name.get(task).is_some_and(|t| is_matrixed(t)) {
                if !expression.ends_with("[*]") {
                    errors.push(FieldError::new(
                        format!("A matrixed pipelineTask can only be consumed in aggregate using [*] notation, but is currently set to {expression}"),
                        &[],
                    ));
                }
                of_matrix.push(expression);
            }
        }
        if !errors.is_empty() {
            return errors;
        }
        read = parse_all(&of_matrix);
    }
    let mut errors = Errors::none();
    for reference in read {
        let Some(task) = by_name.get(reference.pipeline_task) else { continue };
        let spec = match &task.task_ref {
            Some(task_ref) => by_name.get(task_ref.name.as_str()).and_then(|t| t.task_spec.as_ref()),
            None => task.task_spec.as_ref(),
        };
        if let Some(spec) = spec {
            errors.also(string_results(&spec.task_spec.results, reference.result));
        }
    }
    errors
}

fn string_results(results: &[TaskResult], name: &str) -> Errors {
    let mut errors = Errors::none();
    for result in results.iter().filter(|r| r.name == name && r.type_ != param_type::STRING) {
        errors.push(FieldError::invalid_value(
            format!(
                "Matrixed PipelineTasks emitting results must have an underlying type string, but result {name} has type {} in pipelineTask",
                result.type_
            ),
            "",
        ));
    }
    errors
}
