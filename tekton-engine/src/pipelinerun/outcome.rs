//! The results of a pipeline, made of those of its tasks.

use std::collections::BTreeMap;

use tekton_contract::var::Table;
use tekton_types::reason::taskrun as task_reasons;
use tekton_types::refs;
use tekton_types::substitute::{self, Accepts};
use tekton_types::v1::{ParamValue, PipelineResult, PipelineRunResult, TaskRunResult};
use tekton_types::v1beta1::CustomRunResult;

/// What the tasks of a run have made.
#[derive(Debug)]
pub(super) struct Made<'a> {
    pub(super) task_runs: &'a BTreeMap<String, Vec<TaskRunResult>>,
    pub(super) custom_runs: &'a BTreeMap<String, Vec<CustomRunResult>>,
    /// `tasks.<task>.status` of every task.
    pub(super) statuses: &'a BTreeMap<String, String>,
}

/// Why a result of the pipeline has no value.
enum Gap {
    /// The task did not succeed: the result is left out.
    Left,
    /// The reference leads nowhere.
    Invalid,
}

/// The results that have a value.
///
/// Errors: upstream's text about those that refer to nothing.
pub(super) fn results(declared: &[PipelineResult], made: &Made<'_>) -> Result<Vec<PipelineRunResult>, String> {
    let mut table = Table::new();
    let mut found = Vec::new();
    let mut invalid: Vec<&str> = Vec::new();
    for result in declared {
        let variables = refs::value_expressions(&result.value);
        if variables.is_empty() {
            continue;
        }
        let mut valid = true;
        for variable in variables {
            match look_up(variable, made, &mut table) {
                Ok(()) => {}
                Err(Gap::Left) => valid = false,
                Err(Gap::Invalid) => {
                    valid = false;
                    invalid.push(&result.name);
                }
            }
        }
        if valid {
            let mut value = result.value.clone();
            substitute::value(&mut value, &table, Accepts::Objects);
            found.push(PipelineRunResult { name: result.name.clone(), value });
        }
    }
    if invalid.is_empty() {
        return Ok(found);
    }
    Err(format!("invalid pipelineresults [{}], the referenced results don't exist", invalid.join(" ")))
}

/// Puts the value of one variable into the table.
fn look_up(variable: &str, made: &Made<'_>, table: &mut Table) -> Result<(), Gap> {
    let whole = variable.strip_suffix("[*]").unwrap_or(variable);
    if table.string(variable).is_some() || table.array(whole).is_some() || table.object(whole).is_some() {
        return Ok(());
    }
    let parts: Vec<&str> = variable.split('.').collect();
    let (task, result, key) = match parts.as_slice() {
        ["tasks" | "finally", task, "results", result] => (*task, *result, None),
        ["tasks" | "finally", task, "results", result, key] => (*task, *result, Some(*key)),
        _ => return Err(Gap::Invalid),
    };
    let (name, index) = match result.strip_suffix(']').and_then(|result| result.split_once('[')) {
        Some((name, index)) => (name, Some(index)),
        None => (result, None),
    };
    let value = made.task_runs.get(task).and_then(|results| results.iter().find(|r| r.name == name)).map(|r| &r.value);
    match (value, key) {
        (Some(ParamValue::Object(entries)), Some(key)) => {
            table.set(variable, entries.get(key).ok_or(Gap::Invalid)?.as_str());
        }
        (Some(_), Some(_)) => return Err(Gap::Invalid),
        (Some(ParamValue::String(text)), None) => table.set(variable, text.as_str()),
        (Some(ParamValue::Array(items)), None) => match index {
            Some("*") => table.set_array(whole, items.iter().map(String::as_str)),
            index => {
                let index: usize = index.and_then(|index| index.parse().ok()).unwrap_or_default();
                table.set(variable, items.get(index).ok_or(Gap::Invalid)?.as_str());
            }
        },
        (Some(ParamValue::Object(entries)), None) => {
            table.set_object(whole, entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        }
        (None, key) => {
            let custom = made.custom_runs.get(task).and_then(|results| results.iter().find(|r| r.name == name));
            let (Some(custom), None) = (custom, key) else {
                let status = made.statuses.get(&format!("tasks.{task}.status"));
                let unsuccessful = status.is_some_and(|status| status != task_reasons::SUCCESSFUL);
                return Err(if unsuccessful { Gap::Left } else { Gap::Invalid });
            };
            table.set(variable, custom.value.as_str());
        }
    }
    Ok(())
}
