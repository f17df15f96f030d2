//! References to elements of arrays: within the arrays.

use std::collections::{BTreeSet, HashMap};

use tekton_types::v1::{Param, ParamSpec, ParamValue, PipelineSpec, TaskSpec};

use super::{Result, fail};
use crate::text::list;
use crate::vars::{array_index_references, extract, trim_array_index};

/// References to elements of array parameters in a pipeline stay within the arrays.
pub fn pipeline_param_array_index(pipeline: &PipelineSpec, given: &[Param]) -> Result {
    let mut references = BTreeSet::new();
    let mut add = |text: &str| references.extend(array_index_references(text).into_iter().map(str::to_owned));
    for (task, is_task) in pipeline.tasks.iter().map(|t| (t, true)).chain(pipeline.r#finally.iter().map(|t| (t, false)))
    {
        let matrix = task.matrix.iter().flat_map(|m| &m.params);
        for param in task.params.iter().chain(matrix) {
            match &param.value {
                ParamValue::String(text) => add(text),
                ParamValue::Array(values) => values.iter().for_each(|v| add(v)),
                ParamValue::Object(values) => values.values().for_each(|v| add(v)),
            }
        }
        if is_task {
            task.workspaces.iter().for_each(|w| add(&w.sub_path));
        }
        for guard in &task.when {
            add(&guard.input);
            guard.values.iter().for_each(|v| add(v));
        }
    }
    array_bounds(&pipeline.params, given, &references)
}

/// References to elements of array parameters in a task stay within the arrays.
pub fn task_param_array_index(task: &TaskSpec, given: &[Param]) -> Result {
    let mut references = BTreeSet::new();
    crate::rules::task_texts::visit(task, &mut |text| {
        references.extend(array_index_references(text).into_iter().map(str::to_owned));
    });
    array_bounds(&task.params, given, &references)
}

fn array_bounds(declared: &[ParamSpec], given: &[Param], references: &BTreeSet<String>) -> Result {
    let mut lengths: HashMap<&str, usize> = HashMap::new();
    for (name, value) in declared
        .iter()
        .filter_map(|p| p.default.as_ref().map(|d| (&p.name, d)))
        .chain(given.iter().map(|p| (&p.name, &p.value)))
    {
        if let ParamValue::Array(values) = value {
            lengths.insert(name, values.len());
        }
    }
    let outside: Vec<&str> = references
        .iter()
        .filter(|reference| {
            let plain = trim_array_index(reference);
            let Some(name) = extract(&plain, "params").ok().and_then(|names| names.first().copied()) else {
                return false;
            };
            let index = first_index(reference).unwrap_or(usize::MAX);
            lengths.get(name).is_some_and(|length| index >= *length)
        })
        .map(String::as_str)
        .collect();
    if outside.is_empty() {
        return Ok(());
    }
    fail(format!("non-existent param references:{}", list(outside)))
}

fn first_index(reference: &str) -> Option<usize> {
    reference.match_indices('[').find_map(|(at, _)| {
        let inner = &reference[at + 1..];
        let end = inner.find(']')?;
        inner[..end].bytes().all(|b| b.is_ascii_digit()).then(|| inner[..end].parse().ok()).flatten()
    })
}
