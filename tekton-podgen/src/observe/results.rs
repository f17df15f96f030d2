//! Entries of termination messages and logs as typed results, artifacts, times and exit codes.

use indexmap::IndexMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::collections::BTreeMap;
use tekton_contract::termination::{self, ResultType, RunResult};
use tekton_contract::var::extract::go_quote;
use tekton_contract::volumes::STEP_PREFIX;
use tekton_types::v1::{Artifact, Artifacts, ParamValue, StepResult, TaskResult, TaskRunResult};

const STRING: &str = "string";

#[derive(Default)]
pub(super) struct Filtered {
    pub(super) task: Vec<TaskRunResult>,
    pub(super) step: Vec<TaskRunResult>,
    /// Entries that users may see.
    pub(super) entries: Vec<RunResult>,
}

/// Sorts entries into task results, step results and what is shown; internal entries are dropped.
pub(super) fn filter(entries: &[RunResult], declared: &[&TaskResult], declared_by_step: &[&StepResult]) -> Filtered {
    let mut filtered = Filtered::default();
    for entry in entries {
        match entry.result_type {
            ResultType::TASK_RUN => {
                let declared = declared.iter().rfind(|result| result.name == entry.key);
                let is_string = declared.is_some_and(|result| result.type_ == STRING);
                filtered.task.push(typed(entry, is_string));
            }
            ResultType::STEP => {
                let declared = declared_by_step.iter().rfind(|result| result.name == entry.key);
                let is_string = declared.is_some_and(|result| result.type_ == STRING);
                filtered.step.push(typed(entry, is_string));
            }
            ResultType::INTERNAL => continue,
            _ => {}
        }
        filtered.entries.push(entry.clone());
    }
    filtered
}

fn typed(entry: &RunResult, is_string: bool) -> TaskRunResult {
    let value = if is_string { ParamValue::String(entry.value.clone()) } else { value_of(&entry.value) };
    TaskRunResult { name: entry.key.clone(), type_: value.type_name().to_owned(), value }
}

/// A list or map of strings when the text is the JSON of one, else a string: the text itself if it is no JSON string.
fn value_of(text: &str) -> ParamValue {
    let plain = |value: Option<String>| value.unwrap_or_default();
    if text.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<Option<String>>>(text)
    {
        return ParamValue::Array(items.into_iter().map(plain).collect());
    }
    if text.starts_with('{')
        && let Ok(entries) = serde_json::from_str::<BTreeMap<String, Option<String>>>(text)
    {
        return ParamValue::Object(entries.into_iter().map(|(key, value)| (key, plain(value))).collect());
    }
    match serde_json::from_str::<Option<String>>(text) {
        Ok(value) => ParamValue::String(plain(value)),
        Err(_) => ParamValue::String(text.to_owned()),
    }
}

/// Step results that task results take their value from: step result → task result.
pub(super) fn fetched_by_task(container: &str, declared: &[&TaskResult]) -> Result<BTreeMap<String, String>, String> {
    let mut fetched = BTreeMap::new();
    for result in declared {
        let Some(ParamValue::String(reference)) = &result.value else {
            continue;
        };
        if reference.is_empty() {
            continue;
        }
        let (step, step_result) = step_result_reference(reference)?;
        if container.strip_prefix(STEP_PREFIX) == Some(step) {
            fetched.insert(step_result.to_owned(), result.name.clone());
        }
    }
    Ok(fetched)
}

/// Splits `$(steps.<step>.results.<result>)`.
fn step_result_reference(text: &str) -> Result<(&str, &str), String> {
    let find = || {
        let (_, inner) = text.split_once("$(steps.")?;
        let (step, rest) = inner.split_once(".results.")?;
        let (result, _) = rest.split_once(')')?;
        Some((step, result))
    };
    find().ok_or_else(|| {
        format!(
            "Could not extract step name and result name. Expected value to look like \
             $(steps.<stepName>.results.<resultName>) but got \"{text}\""
        )
    })
}

pub(super) fn task_results(step_results: &[TaskRunResult], fetched: &BTreeMap<String, String>) -> Vec<TaskRunResult> {
    step_results
        .iter()
        .filter_map(|result| {
            let name = fetched.get(&result.name)?;
            Some(TaskRunResult { name: name.clone(), ..result.clone() })
        })
        .collect()
}

pub(super) fn started_at(entries: &[RunResult]) -> Result<Option<Time>, String> {
    let Some(entry) = entries.iter().find(|entry| entry.key == termination::STARTED_AT) else {
        return Ok(None);
    };
    let time = super::time::parse(&entry.value).map_err(|error| {
        format!("could not parse time value {} in StartedAt field: {error}", go_quote(&entry.value))
    })?;
    Ok(Some(Time(time)))
}

pub(super) fn exit_code(entries: &[RunResult]) -> Result<Option<i32>, String> {
    let Some(entry) = entries.iter().find(|entry| entry.key == termination::EXIT_CODE) else {
        return Ok(None);
    };
    entry.value.parse().map(Some).map_err(|error: std::num::ParseIntError| {
        let cause = match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        let text = go_quote(&entry.value);
        format!("could not parse int value {text} in ExitCode field: strconv.ParseInt: parsing {text}: {cause}")
    })
}

pub(super) fn artifacts_of(
    entries: &[RunResult],
    kind: ResultType,
    key: Option<&str>,
) -> Result<Option<Artifacts>, String> {
    entries
        .iter()
        .find(|entry| entry.result_type == kind && key.is_none_or(|key| key == entry.key))
        .map(|entry| {
            serde_json::from_str(&entry.value).map_err(|error| {
                tekton_contract::json::parse(entry.value.as_bytes())
                    .err()
                    .map_or_else(|| error.to_string(), |error| error.to_string())
            })
        })
        .transpose()
}

/// Adds artifacts by name; equal values are not repeated.
pub(super) fn merge_artifacts(into: &mut Artifacts, from: &Artifacts) {
    merge_list(&mut into.inputs, &from.inputs);
    // Only what a task makes can be its build output.
    into.inputs.iter_mut().for_each(|artifact| artifact.build_output = false);
    merge_list(&mut into.outputs, &from.outputs);
}

fn merge_list(into: &mut Vec<Artifact>, from: &[Artifact]) {
    let mut merged: IndexMap<String, Artifact> =
        std::mem::take(into).into_iter().map(|artifact| (artifact.name.clone(), artifact)).collect();
    for artifact in from {
        let target =
            merged.entry(artifact.name.clone()).or_insert_with(|| Artifact { values: Vec::new(), ..artifact.clone() });
        target.build_output |= artifact.build_output;
        for value in &artifact.values {
            if !target.values.contains(value) {
                target.values.push(value.clone());
            }
        }
    }
    *into = merged.into_values().collect();
}
