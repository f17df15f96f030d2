//! Results: declared where they are referred to, and of the declared type where they are produced.

use std::collections::{BTreeMap, HashMap, HashSet};

use tekton_types::refs::{ResultRef, result_refs, value_expressions};
use tekton_types::v1::{ParamValue, PipelineSpec, PipelineTask, TaskResult, TaskRunResult, TaskSpec, param_type};

use super::params::missing_of;
use super::{BindingError, Result, fail};
use crate::text::{map_of_lists, quote};

/// Results of a TaskRun have their declared types and keys. Those of a wrong type are taken out of `produced`.
pub fn task_run_results(declared: &[&[TaskResult]], produced: &mut Vec<TaskRunResult>) -> Result {
    let types: HashMap<&str, &str> =
        declared.iter().copied().flatten().map(|r| (r.name.as_str(), r.type_.as_str())).collect();
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    produced.retain(|result| match types.get(result.name.as_str()) {
        Some(wanted) if *wanted != result.type_ => {
            wrong.insert(
                result.name.clone(),
                format!(
                    "task result is expected to be \"{wanted}\" type but was initialized to a different type \"{}\"",
                    result.type_
                ),
            );
            false
        }
        _ => true,
    });
    if !wrong.is_empty() {
        let mut parts: Vec<String> = wrong.iter().map(|(name, text)| format!(" \"{name}\": {text}")).collect();
        parts.sort();
        return fail(format!(
            "Provided results don't match declared results; may be invalid JSON or missing result declaration: {}",
            parts.join(",")
        ));
    }
    let mut provided: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for result in &*produced {
        if let ParamValue::Object(entries) = &result.value
            && !entries.is_empty()
        {
            provided.entry(&result.name).or_default().extend(entries.keys().map(String::as_str));
        }
    }
    let needed = declared
        .iter()
        .copied()
        .flatten()
        .filter(|r| r.type_ == param_type::OBJECT)
        .map(|r| (r.name.as_str(), r.properties.keys().map(String::as_str).collect::<Vec<_>>()));
    let missing = missing_of(needed, &provided);
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!(
        "missing keys for these results which are required in TaskResult's properties {}",
        map_of_lists(missing)
    ))
}

/// A pipeline task with what its reference led to.
#[derive(Clone, Copy, Debug)]
pub struct ResolvedTask<'a> {
    /// The task in the pipeline.
    pub task: &'a PipelineTask,
    /// Its spec; `None` when there is none to look at.
    pub spec: Option<&'a TaskSpec>,
    /// Whether another controller runs it.
    pub is_custom: bool,
}

/// Results that pipeline tasks refer to are declared by the tasks they refer to.
pub fn pipeline_task_results(tasks: &[ResolvedTask<'_>]) -> Result {
    let by_name: HashMap<&str, &ResolvedTask<'_>> = tasks.iter().map(|t| (t.task.name.as_str(), t)).collect();
    for resolved in tasks {
        for reference in result_refs(resolved.task) {
            result_exists(&reference, &by_name).map_err(|e| {
                BindingError(format!("invalid result reference in pipeline task {}: {e}", quote(&resolved.task.name)))
            })?;
        }
    }
    Ok(())
}

/// Results of the pipeline refer to declared results of its tasks.
pub fn pipeline_results(pipeline: &PipelineSpec, tasks: &[ResolvedTask<'_>]) -> Result {
    let by_name: HashMap<&str, &ResolvedTask<'_>> = tasks.iter().map(|t| (t.task.name.as_str(), t)).collect();
    for result in &pipeline.results {
        for expression in value_expressions(&result.value) {
            let Some(reference) = ResultRef::parse(expression) else { continue };
            result_exists(&reference, &by_name)
                .map_err(|e| BindingError(format!("invalid pipeline result {}: {e}", quote(&result.name))))?;
        }
    }
    Ok(())
}

fn result_exists(reference: &ResultRef<'_>, tasks: &HashMap<&str, &ResolvedTask<'_>>) -> Result {
    let name = quote(reference.pipeline_task);
    let Some(task) = tasks.get(reference.pipeline_task) else {
        return fail(format!("referenced pipeline task {name} does not exist"));
    };
    if task.is_custom {
        return Ok(());
    }
    let Some(spec) = task.spec else {
        return fail(format!("unable to validate result referencing pipeline task {name}: task spec not found"));
    };
    if spec.results.iter().any(|r| r.name == reference.result) {
        return Ok(());
    }
    fail(format!("{} is not a named result returned by pipeline task {name}", quote(reference.result)))
}
