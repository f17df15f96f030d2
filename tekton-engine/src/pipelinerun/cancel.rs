//! Stopping the children of a PipelineRun: because it is cancelled, or because time is over.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tekton_dag::graph::quote;
use tekton_types::condition::{self, Condition};
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{ChildStatusReference, PipelineRun, taskrun_spec_status, taskrun_status_message};
use tekton_types::v1beta1::{customrun_spec_status, customrun_status_message};

use super::life;
use crate::effect::{Effect, PatchType, Purpose};
use crate::object::{Kind, ObjectKey};
use crate::pass::{Pass, Stop};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Cancels the run and all of its children.
pub(super) fn cancel(pass: &mut Pass<'_>, run: &mut PipelineRun) -> Result<(), Stop> {
    let errors = stop_children(pass, run, Purpose::Cancel, |_| true)?;
    if !errors.is_empty() {
        return Err(couldnt_cancel(pass, run, &errors));
    }
    let now = pass.now();
    let message = format!("PipelineRun {} was cancelled", quoted_name(run));
    life::set(&mut run.status, Condition::succeeded(condition::FALSE, reasons::CANCELLED, message), now);
    run.status.completion_time = Some(Time(now));
    Ok(())
}

/// Cancels the children; what stands under `finally` runs afterwards.
pub(super) fn cancel_gracefully(pass: &mut Pass<'_>, run: &mut PipelineRun) -> Result<(), Stop> {
    let errors = stop_children(pass, run, Purpose::Cancel, |_| true)?;
    if errors.is_empty() { Ok(()) } else { Err(couldnt_cancel(pass, run, &errors)) }
}

fn couldnt_cancel(pass: &Pass<'_>, run: &mut PipelineRun, errors: &[String]) -> Stop {
    let errors = errors.join("\n");
    let message = format!(
        "PipelineRun {} was cancelled but had errors trying to cancel TaskRuns and/or Runs: {errors}",
        quoted_name(run)
    );
    life::mark_running(&mut run.status, reasons::COULDNT_CANCEL, message, pass.now());
    Stop::transient(format!("error(s) from cancelling TaskRun(s) from PipelineRun {}: {errors}", name(run)))
}

/// The time for the whole run is over: stops the children and fails the run.
pub(super) fn time_out(pass: &mut Pass<'_>, run: &mut PipelineRun) -> Result<(), Stop> {
    let errors = stop_children(pass, run, Purpose::Timeout, |_| true)?;
    let now = pass.now();
    if !errors.is_empty() {
        let errors = errors.join("\n");
        let message = format!(
            "PipelineRun {} was timed out but had errors trying to time out TaskRuns and/or Runs: {errors}",
            quoted_name(run)
        );
        life::mark_running(&mut run.status, reasons::COULDNT_TIME_OUT, message, now);
        return Err(Stop::transient(format!(
            "error(s) from timing out TaskRun(s) from PipelineRun {}: {errors}",
            name(run)
        )));
    }
    let timeout = run.spec.timeouts.as_ref().and_then(|timeouts| timeouts.pipeline);
    let timeout = timeout.unwrap_or_else(|| life::default_timeout(pass.env.config)).to_string();
    let message = format!("PipelineRun {} failed to finish within {}", quoted_name(run), quote(&timeout));
    life::set(&mut run.status, Condition::succeeded(condition::FALSE, reasons::TIMED_OUT, message), now);
    run.status.completion_time = Some(Time(now));
    Ok(())
}

/// The time for some tasks is over: stops their children.
pub(super) fn time_out_tasks(pass: &mut Pass<'_>, run: &PipelineRun, tasks: &[String]) -> Result<(), Stop> {
    if tasks.is_empty() {
        return Ok(());
    }
    let errors = stop_children(pass, run, Purpose::Timeout, |task| tasks.iter().any(|name| name == task))?;
    if errors.is_empty() {
        return Ok(());
    }
    Err(Stop::transient(format!(
        "error(s) from cancelling TaskRun(s) from PipelineRun {}: {}",
        name(run),
        errors.join("\n")
    )))
}

/// The children that can be stopped, by kind, and the text about those that cannot.
#[derive(Debug, Default)]
pub(super) struct Stoppable<'r> {
    pub(super) task_runs: Vec<&'r str>,
    pub(super) custom_runs: Vec<&'r str>,
    pub(super) unknown: Option<String>,
}

/// The children of the chosen tasks.
pub(super) fn children_of(references: &[ChildStatusReference], chosen: impl Fn(&str) -> bool) -> Stoppable<'_> {
    let mut objects = Stoppable::default();
    let mut unknown = BTreeMap::new();
    for child in references.iter().filter(|child| chosen(&child.pipeline_task_name)) {
        match child.kind.as_str() {
            kind if kind == Kind::TaskRun.as_str() => objects.task_runs.push(&child.name),
            kind if kind == Kind::CustomRun.as_str() => objects.custom_runs.push(&child.name),
            kind => {
                unknown.insert(child.name.as_str(), kind);
            }
        }
    }
    if !unknown.is_empty() {
        let listed: Vec<String> = unknown.iter().map(|(name, kind)| format!("{name}:{kind}")).collect();
        objects.unknown = Some(format!("found child objects of unknown kinds: map[{}]", listed.join(" ")));
    }
    objects
}

/// Patches the children of the chosen tasks; what went wrong, one text each.
fn stop_children(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    purpose: Purpose,
    chosen: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Stop> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let mut errors = Vec::new();
    let mut waiting = false;
    let objects = children_of(&run.status.child_references, chosen);
    errors.extend(objects.unknown);
    for (kind, names) in [(Kind::TaskRun, objects.task_runs), (Kind::CustomRun, objects.custom_runs)] {
        for name in names {
            let effect = Effect::Patch {
                key: ObjectKey::new(kind, &namespace, name),
                purpose,
                patch_type: PatchType::Json,
                body: stop_patch(kind, purpose),
            };
            match pass.effect(effect) {
                Err(Stop::Wait) => waiting = true,
                Err(stop) => return Err(stop),
                Ok(Ok(_)) => {}
                // The child is gone, or it has ended meanwhile.
                Ok(Err(fault)) if fault.is_not_found() => {}
                Ok(Err(fault))
                    if kind == Kind::TaskRun
                        && fault.is_bad_request()
                        && fault.text.contains("no updates are allowed") => {}
                Ok(Err(fault)) => {
                    let what = if purpose == Purpose::Cancel { "cancellation" } else { "timeout" };
                    errors.push(format!("failed to patch {} `{}` with {what}: {}", kind.as_str(), name, fault.text));
                }
            }
        }
    }
    if waiting { Err(Stop::Wait) } else { Ok(errors) }
}

fn stop_patch(kind: Kind, purpose: Purpose) -> Value {
    let (status, message) = match (kind, purpose) {
        (Kind::CustomRun, Purpose::Cancel) => {
            (customrun_spec_status::CANCELLED, customrun_status_message::CANCELLED_BY_PIPELINE)
        }
        (Kind::CustomRun, _) => {
            (customrun_spec_status::CANCELLED, customrun_status_message::CANCELLED_BY_PIPELINE_TIMEOUT)
        }
        (_, Purpose::Cancel) => (taskrun_spec_status::CANCELLED, taskrun_status_message::CANCELLED_BY_PIPELINE),
        _ => (taskrun_spec_status::CANCELLED, taskrun_status_message::CANCELLED_BY_PIPELINE_TIMEOUT),
    };
    json!([
        {"op": "add", "path": "/spec/status", "value": status},
        {"op": "add", "path": "/spec/statusMessage", "value": message},
    ])
}

fn name(run: &PipelineRun) -> &str {
    run.metadata.name.as_deref().unwrap_or_default()
}

fn quoted_name(run: &PipelineRun) -> String {
    quote(name(run))
}
