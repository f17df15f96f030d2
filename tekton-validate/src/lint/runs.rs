//! Runs.

use tekton_types::v1::{PipelineRun, PipelineSpec, TaskRun};
use tekton_types::yaml::edit::Edits;

use super::{Found, Given, warning};
use crate::fix::Fix;

/// Warns of a run without a time-out of its own, and of parameters that hide those of the run.
pub(super) fn pipeline_run(run: &PipelineRun, given: &Given<'_>, found: &mut Vec<Found>) {
    if let Some(spec) = &run.spec.pipeline_spec {
        shadowed(run, spec, found);
    }
    let spec = given.root.get("spec");
    let has = |field: &str| spec.and_then(|spec| spec.get(field)).is_some_and(|node| !node.is_null());
    if !has("timeouts") && !has("timeout") {
        timeout("timeouts", "timeouts:\n{pad}  pipeline: {time}\n{pad}", given, found);
    }
}

/// Warns of a run without a time-out of its own.
pub(super) fn task_run(_: &TaskRun, given: &Given<'_>, found: &mut Vec<Found>) {
    if given.root.get("spec").and_then(|spec| spec.get("timeout")).is_none_or(tekton_types::yaml::Node::is_null) {
        timeout("timeout", "timeout: {time}\n{pad}", given, found);
    }
}

fn timeout(field: &str, entry: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    let minutes = given.config.defaults.default_timeout_minutes;
    let meaning = match minutes {
        0 => "it may run for ever".to_owned(),
        minutes => format!("it ends after the default of {minutes} minutes"),
    };
    let time = if minutes > 0 { format!("{minutes}m") } else { "1h".to_owned() };
    let diagnostic = warning("missing-timeout", format!("the run says nothing about its time-out: {meaning}"), "spec")
        .with_help(format!("set `spec.{field}`"));
    found.push(Found { diagnostic, fix: add(entry, &time, given) });
}

/// Writes the time-out before the first field of the spec.
fn add(entry: &str, time: &str, given: &Given<'_>) -> Option<Fix> {
    let spec = given.root.get("spec")?;
    let mut edits = Edits::new(given.text);
    let first = tekton_types::yaml::edit::own_entries(spec).first().copied()?;
    if edits.is_flow(spec) || given.root.entry("spec").is_some_and(|spec| edits.is_alias(spec)) {
        return None;
    }
    let pad = " ".repeat(edits.indent_of(first));
    let at = first.key_span.start;
    edits.replace(at..at, entry.replace("{pad}", &pad).replace("{time}", time));
    Some(Fix::of(format!("state the time-out of {time}"), &edits))
}

/// Warns of a task's parameter whose default hides the run's parameter of the same name.
fn shadowed(run: &PipelineRun, spec: &PipelineSpec, found: &mut Vec<Found>) {
    for (field, tasks) in [("tasks", &spec.tasks), ("finally", &spec.r#finally)] {
        for (index, task) in tasks.iter().enumerate() {
            let Some(embedded) = &task.task_spec else { continue };
            for declared in &embedded.task_spec.params {
                let is_given = task.params.iter().any(|p| p.name == declared.name);
                let is_propagated = run.spec.params.iter().any(|p| p.name == declared.name)
                    || spec.params.iter().any(|p| p.name == declared.name);
                if declared.default.is_none() || is_given || !is_propagated {
                    continue;
                }
                let message = format!(
                    "parameter {:?} of task {:?} shadows the run's parameter of the same name: its default is used",
                    declared.name, task.name
                );
                let path = format!("spec.pipelineSpec.{field}[{index}].taskSpec.params[{}]", declared.name);
                found.push(
                    warning("shadowed-param", message, path)
                        .with_help("give it to the task under `params`, or drop the declaration")
                        .into(),
                );
            }
        }
    }
}
