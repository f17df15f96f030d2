//! Results of a pipeline, and what finally tasks may read.

use tekton_types::refs::{value_expressions, when_expressions};
use tekton_types::v1::{ParamValue, PipelineResult, PipelineTask};

use crate::errors::{Errors, FieldError};
use crate::rules::result_refs::{ResultRef, any_looks_like_result, looks_like_result, of_param, of_task, parse_all};
use crate::text::{list, quote};
use crate::vars::Names;

fn names(tasks: &[PipelineTask]) -> Names<'_> {
    tasks.iter().map(|t| t.name.as_str()).collect()
}

/// Results of the pipeline are references to results of its tasks.
pub(crate) fn validate(results: &[PipelineResult], tasks: &[PipelineTask], finally: &[PipelineTask]) -> Errors {
    let mut errors = Errors::none();
    if results.is_empty() {
        return errors;
    }
    let (tasks, finally) = (names(tasks), names(finally));
    for (index, result) in results.iter().enumerate() {
        let mut add = |value: String| {
            errors.also(Errors::from(FieldError::invalid_value(value, "value")).via_field_index("results", index));
        };
        let expressions = value_expressions(&result.value);
        if expressions.is_empty() {
            add("expected pipeline results to be task result expressions but no expressions were found".to_owned());
        }
        if !any_looks_like_result(&expressions) {
            add("expected pipeline results to be task result expressions but an invalid expressions was found"
                .to_owned());
        }
        let expressions: Vec<&str> = expressions.into_iter().filter(|e| looks_like_result(e)).collect();
        let references = parse_all(&expressions);
        if expressions.len() != references.len() {
            add(format!(
                "expected all of the expressions {} to be result expressions but only {} were",
                list(&expressions),
                list(references.iter().map(|r| format!("{}.{}", r.pipeline_task, r.result)))
            ));
        }
        if let ParamValue::String(text) = &result.value
            && !names_existing_tasks(text, &tasks, &finally)
        {
            add("referencing a nonexistent task".to_owned());
        }
    }
    errors
}

fn names_existing_tasks(text: &str, tasks: &Names<'_>, finally: &Names<'_>) -> bool {
    text.split('$').filter(|part| !part.is_empty()).all(|part| {
        let value = part.strip_prefix('(').map_or_else(|| format!("${part}"), str::to_owned);
        let value = value.strip_suffix(')').unwrap_or(&value);
        match ResultRef::parse(value) {
            None => false,
            Some(reference) if value.starts_with("tasks") => tasks.contains(reference.pipeline_task),
            Some(reference) if value.starts_with("finally") => finally.contains(reference.pipeline_task),
            Some(_) => true,
        }
    })
}

/// Nobody reads a result of a pipeline in a pipeline.
pub(crate) fn not_of_pipelines(tasks: &[PipelineTask], finally: &[PipelineTask]) -> Errors {
    let pipelines: Names<'_> = tasks
        .iter()
        .filter(|t| t.pipeline_ref.is_some() || t.pipeline_spec.is_some())
        .map(|t| t.name.as_str())
        .collect();
    let mut errors = Errors::none();
    if pipelines.is_empty() {
        return errors;
    }
    for (field, tasks) in [("tasks", tasks), ("finally", finally)] {
        for (index, task) in tasks.iter().enumerate() {
            for reference in of_task(task).into_iter().filter(|r| pipelines.contains(r.pipeline_task)) {
                let message = format!(
                    "result reference to pipelineTask {} is not supported: referenced task uses pipelineRef or pipelineSpec and result propagation from child Pipelines is not yet implemented",
                    quote(reference.pipeline_task)
                );
                errors.also(Errors::from(FieldError::invalid_value(message, "")).via_field_index(field, index));
            }
        }
    }
    errors
}

/// Finally tasks have no order among themselves and read only results of tasks.
pub(crate) fn finally_tasks(tasks: &[PipelineTask], finally: &[PipelineTask]) -> Errors {
    let mut errors = Errors::none();
    if finally.is_empty() {
        return errors;
    }
    for (index, task) in finally.iter().enumerate().filter(|(_, t)| !t.run_after.is_empty()) {
        let message =
            format!("no runAfter allowed under spec.finally, final task {} has runAfter specified", task.name);
        errors.also(Errors::from(FieldError::invalid_value(message, "")).via_field_index("finally", index));
    }
    let (tasks, finals) = (names(tasks), names(finally));
    for (index, task) in finally.iter().enumerate() {
        for param in &task.params {
            let found = read_by_finally(&of_param(param), &tasks, &finals, "value");
            errors.also(found.via_field_key("params", &param.name).via_field_index("finally", index));
        }
        for (at, guard) in task.when.iter().enumerate() {
            let found = read_by_finally(&when_expressions(guard).collect::<Vec<_>>(), &tasks, &finals, "");
            errors.also(found.via_field_index("when", at).via_field_index("finally", index));
        }
    }
    errors
}

fn read_by_finally(expressions: &[&str], tasks: &Names<'_>, finally: &Names<'_>, path: &str) -> Errors {
    let mut errors = Errors::none();
    for reference in parse_all(expressions) {
        let task = reference.pipeline_task;
        if finally.contains(task) {
            errors.push(FieldError::invalid_value(
                format!("invalid task result reference, final task has task result reference from a final task {task}"),
                path,
            ));
        } else if !tasks.contains(task) {
            errors.push(FieldError::invalid_value(
                format!("invalid task result reference, final task has task result reference from a task {task} which is not defined in the pipeline"),
                path,
            ));
        }
    }
    errors
}
