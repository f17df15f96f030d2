//! Pipelines: references that mean something else, and variables of finally tasks that lead nowhere.

use std::collections::HashSet;

use tekton_types::refs::result_refs;
use tekton_types::v1::{PipelineSpec, PipelineTask};
use tekton_types::yaml::edit::Edits;

use super::{Found, Given, warning};
use crate::fix::Fix;
use crate::locate::node_at;

/// Warns of a reference whose apiVersion makes a custom task of a Task.
pub(super) fn reference(task: &PipelineTask, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    let Some(reference) = &task.task_ref else { return };
    let is_task = reference.kind.is_empty() || reference.kind == "Task";
    if !reference.api_version.starts_with("tekton.dev/") || !is_task {
        return;
    }
    let message =
        format!("apiVersion makes this reference to Task {:?} a custom task that nobody runs", reference.name);
    let diagnostic = warning("custom-task-of-tekton", message, format!("{path}.taskRef.apiVersion"))
        .with_help("leave apiVersion out");
    let fix = node_at(given.root, &format!("{path}.taskRef")).and_then(|node| {
        let mut edits = Edits::new(given.text);
        edits.remove(node, &[node.entry("apiVersion")?]);
        Some(Fix::of("take `apiVersion` away", &edits))
    });
    found.push(Found { diagnostic, fix });
}

/// What `$(tasks.x.status)` can be in a finally task.
const STATUS: [&str; 3] = ["Succeeded", "Failed", "None"];
/// What `$(tasks.status)` can be.
const AGGREGATE: [&str; 4] = ["Succeeded", "Failed", "Completed", "None"];

/// Warns of finally tasks that read what may never be there, or wait for a status that no task has.
pub(super) fn check(spec: &PipelineSpec, path: &str, found: &mut Vec<Found>) {
    let guarded: HashSet<&str> = spec.tasks.iter().filter(|t| !t.when.is_empty()).map(|t| t.name.as_str()).collect();
    for (index, task) in spec.r#finally.iter().enumerate() {
        let path = format!("{path}.finally[{index}]");
        if let Some(reference) = result_refs(task).into_iter().find(|r| guarded.contains(r.pipeline_task)) {
            let message = format!(
                "finally task {:?} is skipped whenever the `when` of task {:?} is false: its result {:?} is missing then",
                task.name, reference.pipeline_task, reference.result
            );
            found.push(
                warning("finally-missing-result", message, path.clone())
                    .with_about(format!("$(tasks.{}.results.{}", reference.pipeline_task, reference.result))
                    .with_help("read the result in a task that is always run, or move this work behind that task")
                    .into(),
            );
        }
        for (number, guard) in task.when.iter().enumerate() {
            let known: &[&str] = match guard.input.strip_prefix("$(tasks.").and_then(|rest| rest.strip_suffix(')')) {
                Some("status") => &AGGREGATE,
                Some(rest) if rest.ends_with(".status") => &STATUS,
                _ => continue,
            };
            let is_reachable = |value: &str| value.contains("$(") || known.contains(&value);
            for (value_index, value) in guard.values.iter().enumerate().filter(|(_, value)| !is_reachable(value)) {
                let message = format!("{} is never {value:?}", guard.input);
                found.push(
                    warning("finally-status-value", message, format!("{path}.when[{number}].values[{value_index}]"))
                        .with_help(format!("it is one of {}", known.join(", ")))
                        .into(),
                );
            }
        }
    }
}
