//! Results of the pipeline, from the results of its tasks.

use std::collections::BTreeMap;

use tekton_contract::var::Table;
use tekton_types::refs;
use tekton_types::substitute::Substitute;
use tekton_types::v1::{ParamValue, PipelineResult, PipelineRunResult, TaskRunResult};
use tekton_types::v1beta1::CustomRunResult;

use tekton_types::reason::taskrun::SUCCESSFUL;

/// What the results of a pipeline come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// Results of tasks, by task name.
    pub task_runs: &'a BTreeMap<String, Vec<TaskRunResult>>,
    /// Results of custom tasks, by task name.
    pub custom_runs: &'a BTreeMap<String, Vec<CustomRunResult>>,
    /// States of tasks, as `tasks.<task>.status`.
    pub task_status: &'a BTreeMap<String, String>,
}

/// Computes the declared results that can be computed, and the names of those that refer to nothing, with repeats.
///
/// A result that refers to one that an unsuccessful task did not make is left out silently.
pub fn compute(declared: &[PipelineResult], sources: Sources<'_>) -> (Vec<PipelineRunResult>, Vec<String>) {
    let (mut computed, mut invalid) = (Vec::new(), Vec::new());
    let mut table = Table::new();
    for result in declared {
        let variables = refs::value_expressions(&result.value);
        if variables.is_empty() {
            continue;
        }
        let mut complete = true;
        for variable in variables {
            let known =
                table.string(variable).is_some() || table.array(variable).is_some() || table.object(variable).is_some();
            match if known { Found::Value } else { add(variable, sources, &mut table) } {
                Found::Value => {}
                Found::Excused => complete = false,
                Found::Nothing => {
                    complete = false;
                    invalid.push(result.name.clone());
                }
            }
        }
        if complete {
            let mut value = result.value.clone();
            value.substitute(&table);
            computed.push(PipelineRunResult { name: result.name.clone(), value });
        }
    }
    (computed, invalid)
}

/// The text of the error for results that refer to nothing.
pub fn invalid_message(names: &[String]) -> String {
    format!("invalid pipelineresults [{}], the referenced results don't exist", names.join(" "))
}

enum Found {
    Value,
    /// The task did not succeed, so that a missing result is no mistake.
    Excused,
    Nothing,
}

/// Adds the value of a variable to the table.
fn add(variable: &str, sources: Sources<'_>, table: &mut Table) -> Found {
    let parts: Vec<&str> = variable.split('.').collect();
    if !matches!(parts[0], "tasks" | "finally") || parts.get(2) != Some(&"results") {
        return Found::Nothing;
    }
    let (task, name, key) = match parts[3..] {
        [name] => (parts[1], name, None),
        [name, key] => (parts[1], name, Some(key)),
        _ => return Found::Nothing,
    };
    let (name, index) = refs::split_index(name);
    let value = sources.task_runs.get(task).and_then(|r| r.iter().find(|r| r.name == name)).map(|r| &r.value);
    let custom = sources.custom_runs.get(task).and_then(|r| r.iter().find(|r| r.name == name));
    let whole = variable.strip_suffix("[*]").unwrap_or(variable);
    match (value, key) {
        (Some(ParamValue::String(text)), None) => table.set(variable, text.as_str()),
        (Some(ParamValue::Array(items)), None) if index == Some("*") => {
            table.set_array(whole, items.iter().map(String::as_str));
        }
        (Some(ParamValue::Array(items)), None) => {
            // No index means the first element; one that is no number here is as far out of bounds as one can be.
            let index = index.filter(|index| !index.is_empty()).map_or(0, |index| index.parse().unwrap_or(usize::MAX));
            let Some(item) = items.get(index) else { return Found::Nothing };
            table.set(variable, item.as_str());
        }
        (Some(ParamValue::Object(entries)), None) => {
            table.set_object(whole, entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        }
        (Some(value), Some(key)) => {
            let Some(item) = value.as_object().and_then(|entries| entries.get(key)) else { return Found::Nothing };
            table.set(variable, item.as_str());
        }
        (None, None) if custom.is_some() => table.set(variable, custom.map_or("", |result| result.value.as_str())),
        (None, _) => {
            let status = sources.task_status.get(&format!("tasks.{task}.status"));
            return if status.is_some_and(|status| status != SUCCESSFUL) { Found::Excused } else { Found::Nothing };
        }
    }
    Found::Value
}
