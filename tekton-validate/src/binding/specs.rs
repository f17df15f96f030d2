//! Settings of runs that name parts of what they run, and resources.

use std::collections::HashSet;

use tekton_types::quantity::Quantity;
use tekton_types::v1::{PipelineRunSpec, PipelineSpec, TaskRunSpec, TaskSpec};

use super::{Result, fail};
use crate::text::quote;

/// Requests of steps are within limits, their own or the template's.
pub fn request_resources(task: &TaskSpec) -> Result {
    let template = task.step_template.as_ref().and_then(|t| t.compute_resources.limits.as_ref());
    for step in &task.steps {
        let limits = step.compute_resources.limits.as_ref();
        for (name, request) in step.compute_resources.requests.iter().flatten() {
            let limit = limits.and_then(|l| l.get(name)).or_else(|| template.and_then(|t| t.get(name)));
            let Some(limit) = limit else { continue };
            let (limit, request) = (Quantity::of(limit), Quantity::of(request));
            if limit < request {
                return fail(format!(
                    "invalid request resource value: {request} must be less or equal to limit {limit}"
                ));
            }
        }
    }
    Ok(())
}

/// Overrides of a TaskRun name steps and sidecars that exist.
pub fn overrides(task: &TaskSpec, run: &TaskRunSpec) -> Result {
    let steps: HashSet<&str> = task.steps.iter().map(|s| s.name.as_str()).collect();
    let sidecars: HashSet<&str> = task.sidecars.iter().map(|s| s.name.as_str()).collect();
    let mut lines = Vec::new();
    for step in run.step_specs.iter().filter(|s| !steps.contains(s.name.as_str())) {
        lines.push(format!("invalid StepOverride: No Step named {}", step.name));
    }
    for sidecar in run.sidecar_specs.iter().filter(|s| !sidecars.contains(s.name.as_str())) {
        lines.push(format!("invalid SidecarOverride: No Sidecar named {}", sidecar.name));
    }
    if lines.is_empty() { Ok(()) } else { fail(lines.join("\n")) }
}

/// Settings per pipeline task name tasks that exist.
pub fn task_run_specs(pipeline: &PipelineSpec, run: &PipelineRunSpec) -> Result {
    let names: HashSet<&str> = pipeline.tasks.iter().chain(&pipeline.r#finally).map(|t| t.name.as_str()).collect();
    match run.task_run_specs.iter().find(|s| !names.contains(s.pipeline_task_name.as_str())) {
        Some(wrong) => fail(format!(
            "pipelineRun's taskrunSpecs defined wrong taskName: {}, does not exist in Pipeline",
            quote(&wrong.pipeline_task_name)
        )),
        None => Ok(()),
    }
}
