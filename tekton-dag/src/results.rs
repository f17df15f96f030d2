//! Results of tasks: which value a reference stands for, why it has none, and the results of the pipeline.

use std::collections::BTreeMap;

use tekton_contract::var::Table;
use tekton_types::refs::{self, ResultRef};
use tekton_types::v1::{Artifacts, ParamValue, PipelineTask, TaskRunResult, param_type};
use tekton_types::v1beta1::{CustomRun, CustomRunResult};

use crate::child::{ChildKind, ResolvedTask};
use crate::graph::quote;
use crate::matrix;
use crate::state::Lookup;

/// A reference to a result with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedResultRef {
    /// The value of the result.
    pub value: ParamValue,
    /// Name of the task that made it.
    pub pipeline_task: String,
    /// Name of the result.
    pub result: String,
    /// The element that is referred to; `None` for the whole.
    pub results_index: Option<i64>,
    /// The key that is referred to; empty for the whole.
    pub property: String,
    /// The TaskRun that made it; empty when a CustomRun did.
    pub from_task_run: String,
    /// The CustomRun that made it; empty when a TaskRun did.
    pub from_run: String,
}

/// Why the references of a task have no values: the task that should have made one, and what is the matter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Unresolved {
    /// Name of the task that should have made the result.
    pub pipeline_task: String,
    /// What is the matter.
    pub cause: Missing,
}

/// Why a result has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// There is no such task.
    #[error("could not find task {} referenced by result", quote(.0))]
    NoTask(String),
    /// The task is not done.
    #[error("task {} referenced by result was not finished", quote(.0))]
    NotFinished(String),
    /// The task is done and did not make the result.
    #[error(
        "Invalid task result reference: Could not find result with name {result} for pipeline task {pipeline_task}"
    )]
    NotEmitted {
        /// Name of the result.
        result: String,
        /// Name of the task.
        pipeline_task: String,
    },
    /// The matrixed task is done and none of its runs made the result.
    #[error("Invalid task result reference: Could not find result with name {result} for task {pipeline_task}")]
    NotEmittedByMatrix {
        /// Name of the result.
        result: String,
        /// Name of the task.
        pipeline_task: String,
    },
}

/// Resolves all result references of `target` among `tasks`, sorted and without repeats. Gathers the results of
/// matrixed tasks that it meets.
///
/// Errors: the first reference, in order of occurrence, that has no value.
pub fn resolve(
    tasks: &mut [ResolvedTask<'_>],
    lookup: &Lookup,
    target: &PipelineTask,
) -> Result<Vec<ResolvedResultRef>, Unresolved> {
    let mut found = BTreeMap::new();
    for reference in refs::result_refs(target) {
        if let Some(task) = lookup.get(reference.pipeline_task).map(|index| &mut tasks[index])
            && matrix::is_matrixed(&task.pipeline_task)
            && !task.custom_task
            && task.is_done()
        {
            fill_cache(task);
        }
        add_value(&mut found, tasks, lookup, reference)?;
    }
    Ok(found.into_values().collect())
}

/// The values of `references`, sorted and without repeats.
///
/// Errors: the first reference that has no value.
pub(crate) fn values(
    tasks: &[ResolvedTask<'_>],
    lookup: &Lookup,
    references: &[ResultRef<'_>],
) -> Result<Vec<ResolvedResultRef>, Unresolved> {
    let mut found = BTreeMap::new();
    for reference in references {
        add_value(&mut found, tasks, lookup, *reference)?;
    }
    Ok(found.into_values().collect())
}

/// Adds the value of one reference to those that were found before it.
fn add_value<'r>(
    found: &mut BTreeMap<ResultRef<'r>, ResolvedResultRef>,
    tasks: &[ResolvedTask<'_>],
    lookup: &Lookup,
    reference: ResultRef<'r>,
) -> Result<(), Unresolved> {
    let missing = |cause| Unresolved { pipeline_task: reference.pipeline_task.to_owned(), cause };
    let Some(index) = lookup.get(reference.pipeline_task) else {
        return Err(missing(Missing::NoTask(reference.pipeline_task.to_owned())));
    };
    let task = &tasks[index];
    if !task.is_done() {
        return Err(missing(Missing::NotFinished(task.name().to_owned())));
    }
    if !found.contains_key(&reference)
        && let Some(resolved) = value_of(task, reference).map_err(missing)?
    {
        found.insert(reference, resolved);
    }
    Ok(())
}

/// The value of one result of a task that is done; `None` when a matrixed task has no runs.
fn value_of(task: &ResolvedTask<'_>, reference: ResultRef<'_>) -> Result<Option<ResolvedResultRef>, Missing> {
    let ResultRef { pipeline_task, result, results_index, property } = reference;
    let resolved = |value, from_task_run: &str, from_run: &str| ResolvedResultRef {
        value,
        pipeline_task: pipeline_task.to_owned(),
        result: result.to_owned(),
        results_index,
        property: property.to_owned(),
        from_task_run: from_task_run.to_owned(),
        from_run: from_run.to_owned(),
    };
    let not_emitted = || Missing::NotEmitted { result: result.to_owned(), pipeline_task: pipeline_task.to_owned() };
    if task.custom_task {
        let run = task.custom_runs.first().ok_or_else(not_emitted)?;
        let value = custom_result(run, result).ok_or_else(not_emitted)?;
        let name = run.metadata.name.as_deref().unwrap_or_default();
        return Ok(Some(resolved(custom_run_value(value), "", name)));
    }
    if matrix::is_matrixed(&task.pipeline_task) {
        let Some(values) = task.results_cache.get(result) else {
            return Err(Missing::NotEmittedByMatrix {
                result: result.to_owned(),
                pipeline_task: pipeline_task.to_owned(),
            });
        };
        let last = task.task_runs.last().and_then(|run| run.metadata.name.as_deref());
        return Ok(last.map(|last| resolved(ParamValue::Array(values.clone()), last, "")));
    }
    let run = task.task_runs.first().ok_or_else(not_emitted)?;
    let made = run.status.results.iter().find(|r| r.name == result).ok_or_else(not_emitted)?;
    Ok(Some(resolved(made.value.clone(), run.metadata.name.as_deref().unwrap_or_default(), "")))
}

/// The text of a result of a CustomRun.
pub(crate) fn custom_result<'r>(run: &'r CustomRun, result: &str) -> Option<&'r str> {
    run.status.results.iter().find(|r| r.name == result).map(|r| r.value.as_str())
}

/// Gathers the results of all runs of a matrixed task, once, in the order of the names of its runs.
pub fn fill_cache(task: &mut ResolvedTask<'_>) {
    if !task.results_cache.is_empty() {
        return;
    }
    task.task_runs.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    for run in &task.task_runs {
        for result in &run.status.results {
            let value = result.value.as_string().unwrap_or_default().to_owned();
            task.results_cache.entry(result.name.clone()).or_default().push(value);
        }
    }
}

/// What a result of a CustomRun is: the array that its text is in JSON, unless empty, else the text.
pub fn custom_run_value(text: &str) -> ParamValue {
    match serde_json::from_str::<Vec<Option<String>>>(text) {
        Ok(items) if !items.is_empty() => ParamValue::Array(items.into_iter().map(Option::unwrap_or_default).collect()),
        _ => ParamValue::String(text.to_owned()),
    }
}

/// The replacements that resolved references stand for, in all three spellings.
pub fn table(resolved: &[ResolvedResultRef]) -> Table {
    let mut table = Table::new();
    for ResolvedResultRef { value, pipeline_task, result, .. } in resolved {
        let names = [
            format!("tasks.{pipeline_task}.results.{result}"),
            format!("tasks.{pipeline_task}.results[{}]", quote(result)),
            format!("tasks.{pipeline_task}.results['{result}']"),
        ];
        for (spelling, name) in names.into_iter().enumerate() {
            match value {
                ParamValue::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        table.set(format!("{name}[{index}]"), item.as_str());
                    }
                    table.set_array(name, items.iter().map(String::as_str));
                }
                ParamValue::Object(entries) => {
                    for (key, item) in entries {
                        let key = if spelling == 0 { format!("{name}.{key}") } else { format!("{name}[{key}]") };
                        table.set(key, item.as_str());
                    }
                    table.set_object(name, entries.iter().map(|(key, item)| (key.as_str(), item.as_str())));
                }
                ParamValue::String(text) => table.set(name, text.as_str()),
            }
        }
    }
    table
}

/// Checks that no reference points past the end of its array.
///
/// Errors: upstream's text about the first that does.
pub fn check_indexes(resolved: &[ResolvedResultRef]) -> Result<(), String> {
    for reference in resolved {
        let (Some(index), ParamValue::Array(items)) = (reference.results_index, &reference.value) else { continue };
        if usize::try_from(index).is_ok_and(|index| index >= items.len()) {
            return Err(format!(
                "array Result Index {index} for Task {} Result {} is out of bound of size {}",
                reference.pipeline_task,
                reference.result,
                items.len()
            ));
        }
    }
    Ok(())
}

/// Checks that the tasks whose results `target` uses have made them (upstream: before a task starts).
///
/// Errors: upstream's text about the first that has not.
pub fn check_missing(tasks: &[ResolvedTask<'_>], lookup: &Lookup, target: &ResolvedTask<'_>) -> Result<(), String> {
    for reference in refs::result_refs(&target.pipeline_task) {
        let ResultRef { pipeline_task, result, .. } = reference;
        let Some(task) = lookup.get(pipeline_task).map(|index| &tasks[index]) else {
            return Err(format!(
                "Result reference error: Could not find ref \"{pipeline_task}\" in internal pipelineRunState"
            ));
        };
        let emitted = if task.custom_task {
            let run = task.custom_runs.first().ok_or_else(|| {
                format!("Result reference error: Internal result ref \"{pipeline_task}\" has zero-length CustomRuns")
            })?;
            custom_result(run, result).is_some()
        } else {
            let run = task.task_runs.first().ok_or_else(|| {
                format!("Result reference error: Internal result ref \"{pipeline_task}\" has zero-length TaskRuns")
            })?;
            run.status.results.iter().any(|r| r.name == result)
        };
        if emitted {
            continue;
        }
        if task.outcome().successful {
            return Err(format!(
                "task {} completed successfully but did not emit the result {}, which is referenced by task {}",
                quote(pipeline_task),
                quote(result),
                quote(target.name())
            ));
        }
        let missing = Missing::NotEmitted { result: result.to_owned(), pipeline_task: pipeline_task.to_owned() };
        return Err(missing.to_string());
    }
    Ok(())
}

/// Results of the tasks that are done, by task name, in key order.
pub fn task_run_results(tasks: &[ResolvedTask<'_>]) -> BTreeMap<String, Vec<TaskRunResult>> {
    let mut found = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.kind() == ChildKind::Task && task.is_done()) {
        if matrix::is_matrixed(&task.pipeline_task) {
            let gathered: Vec<TaskRunResult> = task
                .results_cache
                .iter()
                .map(|(name, values)| TaskRunResult {
                    name: name.clone(),
                    type_: param_type::ARRAY.to_owned(),
                    value: ParamValue::Array(values.clone()),
                })
                .collect();
            if !gathered.is_empty() {
                found.insert(task.name().to_owned(), gathered);
            }
        } else if let Some(run) = task.task_runs.first() {
            found.insert(task.name().to_owned(), run.status.results.clone());
        }
    }
    found
}

/// Artifacts of the tasks that are done, by task name; `None` when a task has none.
pub fn task_run_artifacts(tasks: &[ResolvedTask<'_>]) -> BTreeMap<String, Option<Artifacts>> {
    let mut found = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.kind() == ChildKind::Task && task.is_done()) {
        let artifacts = if matrix::is_matrixed(&task.pipeline_task) {
            let mut merged = Artifacts::default();
            for artifacts in task.task_runs.iter().filter_map(|run| run.status.artifacts.as_ref()) {
                merge(&mut merged, artifacts);
            }
            Some(merged)
        } else {
            task.task_runs.first().and_then(|run| run.status.artifacts.clone())
        };
        found.insert(task.name().to_owned(), artifacts);
    }
    found
}

/// Results of the custom tasks that are done and have one run, by task name.
pub fn custom_run_results(tasks: &[ResolvedTask<'_>]) -> BTreeMap<String, Vec<CustomRunResult>> {
    tasks
        .iter()
        .filter(|task| task.custom_task && task.is_done() && task.custom_runs.len() == 1)
        .map(|task| (task.name().to_owned(), task.custom_runs[0].status.results.clone()))
        .collect()
}

fn merge(into: &mut Artifacts, from: &Artifacts) {
    for (into, from) in [(&mut into.inputs, &from.inputs), (&mut into.outputs, &from.outputs)] {
        for artifact in from {
            match into.iter_mut().find(|known| known.name == artifact.name) {
                Some(known) => {
                    for value in &artifact.values {
                        if !known.values.contains(value) {
                            known.values.push(value.clone());
                        }
                    }
                    known.build_output |= artifact.build_output;
                }
                None => into.push(artifact.clone()),
            }
        }
    }
}
