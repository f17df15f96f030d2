//! Puts values in the place of references in pipeline tasks: params, matrix, guards, references, display names.
//!
//! A table is applied in one sweep; what it does not know stays as it is, for a later pass.

use tekton_contract::json;
use tekton_contract::var::Table;
use tekton_types::refs;
use tekton_types::v1::{Param, ParamValue, PipelineTask, WhenExpression};

/// What may stand where a value is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepts {
    /// Strings only.
    Strings,
    /// Strings, and whole arrays.
    Arrays,
    /// Strings, whole arrays and whole objects.
    Objects,
}

/// Replaces references in a value. A string that is one reference to a whole array or object becomes one.
pub fn value(value: &mut ParamValue, table: &Table, accepts: Accepts) {
    match value {
        ParamValue::Array(items) => {
            *items = if accepts == Accepts::Strings {
                items.iter().map(|item| table.apply(item).into_owned()).collect()
            } else {
                table.apply_list(items)
            };
        }
        ParamValue::Object(entries) => entries.values_mut().for_each(|entry| table.apply_to(entry)),
        ParamValue::String(text) => {
            if let Some(whole) = whole(text, table, accepts) {
                *value = whole;
            } else {
                table.apply_to(text);
            }
        }
    }
}

/// Replaces references in the values of params.
pub fn params(params: &mut [Param], table: &Table, accepts: Accepts) {
    params.iter_mut().for_each(|param| value(&mut param.value, table, accepts));
}

/// Replaces references in guards. An input that is a whole array becomes its JSON text; a value that is a whole
/// array becomes its elements; CEL takes strings only.
pub fn when(when: &mut [WhenExpression], table: &Table) {
    for WhenExpression { input, operator: _, values, cel } in when {
        *input = when_input(input, table);
        *values = table.apply_list(values);
        table.apply_to(cel);
    }
}

/// Replaces results (pass P4): params, matrix, guards, task reference, display name, sub-paths of workspaces.
pub fn results(task: &mut PipelineTask, table: &Table) {
    params(&mut task.params, table, Accepts::Objects);
    matrix(task, table, Accepts::Arrays);
    when(&mut task.when, table);
    reference(task, table, Accepts::Objects);
    table.apply_to(&mut task.display_name);
    for workspace in &mut task.workspaces {
        table.apply_to(&mut workspace.sub_path);
    }
}

/// Replaces the state of other tasks in a finally task (pass P5): params, guards, task reference, display name.
pub fn task_state(task: &mut PipelineTask, table: &Table) {
    params(&mut task.params, table, Accepts::Strings);
    when(&mut task.when, table);
    reference(task, table, Accepts::Strings);
    table.apply_to(&mut task.display_name);
}

/// Replaces params, contexts or workspaces of the pipeline in one of its tasks (passes P1 to P3), except in its
/// inline task spec. The display name of a matrixed task is left for each of its runs.
pub fn pipeline(task: &mut PipelineTask, table: &Table) {
    params(&mut task.params, table, Accepts::Objects);
    if crate::matrix::is_matrixed(task) {
        matrix(task, table, Accepts::Arrays);
    } else {
        table.apply_to(&mut task.display_name);
    }
    for workspace in &mut task.workspaces {
        table.apply_to(&mut workspace.sub_path);
    }
    when(&mut task.when, table);
    reference(task, table, Accepts::Objects);
    table.apply_to(&mut task.on_error);
}

fn matrix(task: &mut PipelineTask, table: &Table, accepts: Accepts) {
    if let Some(matrix) = &mut task.matrix {
        params(&mut matrix.params, table, accepts);
        for entry in &mut matrix.include {
            params(&mut entry.params, table, Accepts::Strings);
        }
    }
}

fn reference(task: &mut PipelineTask, table: &Table, accepts: Accepts) {
    if let Some(reference) = &mut task.task_ref {
        params(&mut reference.params, table, accepts);
        table.apply_to(&mut reference.name);
    }
}

/// The array or object that a text stands for, when the text is one plain reference and nothing else.
fn whole(text: &str, table: &Table, accepts: Accepts) -> Option<ParamValue> {
    let inner = text.strip_prefix("$(")?.strip_suffix(')')?;
    let mut found = refs::expressions(text);
    if found.next() != Some(inner) {
        return None;
    }
    let key = inner.strip_suffix("[*]").unwrap_or(inner);
    if accepts >= Accepts::Objects
        && let Some(entries) = table.object(key)
    {
        let entries = entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        return Some(ParamValue::Object(entries));
    }
    if accepts >= Accepts::Arrays && table.array(key).is_some() {
        return Some(ParamValue::Array(table.apply_array(text)));
    }
    None
}

fn when_input(input: &str, table: &Table) -> String {
    let param = input.strip_prefix("$(params.").unwrap_or(input);
    let param = format!("params.{}", param.strip_suffix("[*])").unwrap_or(param));
    let result = input.strip_prefix("$(").unwrap_or(input);
    let result = result.strip_suffix(')').unwrap_or(result);
    let result = result.strip_suffix("[*]").unwrap_or(result);
    if table.array(&param).is_some() || table.array(result).is_some() {
        return json::quote_list(&table.apply_array(input));
    }
    table.apply(input).into_owned()
}
