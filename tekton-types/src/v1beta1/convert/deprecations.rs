//! Deprecated fields of steps and step templates, which v1 does not have.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::ConvertError;
use super::annotations::{self, TASK_DEPRECATIONS};
use crate::v1beta1::{Step, StepTemplate, TaskSpec};
use crate::wire::wire;

wire! {
    /// The deprecated fields of one task.
    struct TaskDeprecation {
        /// One step for each of the task's, with nothing but deprecated fields.
        pub deprecated_steps: Vec<Step>,
        /// The step template with nothing but deprecated fields.
        pub deprecated_step_template: Option<StepTemplate>,
    }
}

/// The deprecated fields of all tasks of an object, by the name of the task.
type TaskDeprecations = BTreeMap<String, TaskDeprecation>;

/// Writes the deprecated fields of a task into the annotations of its object.
pub(super) fn write(metadata: &mut ObjectMeta, spec: &TaskSpec, task: &str) -> Result<(), ConvertError> {
    let known = metadata.annotations.as_ref().and_then(|annotations| annotations.get(TASK_DEPRECATIONS));
    let mut all: TaskDeprecations = match known {
        Some(json) => parse(json, "serializing")?,
        None => TaskDeprecations::new(),
    };
    if !has_any(spec) {
        return Ok(());
    }
    let found = TaskDeprecation {
        deprecated_steps: spec.steps.iter().map(of_step).collect(),
        deprecated_step_template: spec.step_template.as_ref().map(of_template),
    };
    all.insert(task.to_owned(), found);
    annotations::write(metadata, TASK_DEPRECATIONS, &all)
}

/// Puts the deprecated fields of a task back from the annotations of its object.
pub(super) fn restore(metadata: &mut ObjectMeta, spec: &mut TaskSpec, task: &str) -> Result<(), ConvertError> {
    let Some(annotations) = &mut metadata.annotations else { return Ok(()) };
    let Some(json) = annotations.get(TASK_DEPRECATIONS) else { return Ok(()) };
    let mut all = parse(json, "deserializing")?;
    let Some(found) = all.remove(task) else { return Ok(()) };
    if spec.steps.len() != found.deprecated_steps.len() {
        return Err(ConvertError("length of deserialized steps mismatch the length of target steps".to_owned()));
    }
    for (step, found) in spec.steps.iter_mut().zip(found.deprecated_steps) {
        restore_step(step, found);
    }
    if let Some(found) = found.deprecated_step_template {
        restore_template(spec.step_template.get_or_insert_default(), found);
    }
    annotations.remove(TASK_DEPRECATIONS);
    if annotations.is_empty() {
        metadata.annotations = None;
    }
    if all.is_empty() { Ok(()) } else { annotations::write(metadata, TASK_DEPRECATIONS, &all) }
}

fn parse(json: &str, doing: &str) -> Result<TaskDeprecations, ConvertError> {
    serde_json::from_str(json)
        .map_err(|error| ConvertError(format!("error {doing} key {TASK_DEPRECATIONS} from metadata: {error}")))
}

fn has_any(spec: &TaskSpec) -> bool {
    let in_step = spec.steps.iter().any(|step| of_step(step) != Step::default());
    // A liveness probe alone does not count in a template; upstream forgets it.
    let in_template = spec.step_template.as_ref().is_some_and(|template| {
        StepTemplate { liveness_probe: None, ..of_template(template) } != StepTemplate::default()
    });
    in_step || in_template
}

fn of_step(step: &Step) -> Step {
    Step {
        ports: step.ports.clone(),
        liveness_probe: step.liveness_probe.clone(),
        readiness_probe: step.readiness_probe.clone(),
        startup_probe: step.startup_probe.clone(),
        lifecycle: step.lifecycle.clone(),
        termination_message_path: step.termination_message_path.clone(),
        termination_message_policy: step.termination_message_policy.clone(),
        stdin: step.stdin,
        stdin_once: step.stdin_once,
        tty: step.tty,
        ..Step::default()
    }
}

fn of_template(template: &StepTemplate) -> StepTemplate {
    StepTemplate {
        name: template.name.clone(),
        ports: template.ports.clone(),
        liveness_probe: template.liveness_probe.clone(),
        readiness_probe: template.readiness_probe.clone(),
        startup_probe: template.startup_probe.clone(),
        lifecycle: template.lifecycle.clone(),
        termination_message_path: template.termination_message_path.clone(),
        termination_message_policy: template.termination_message_policy.clone(),
        stdin: template.stdin,
        stdin_once: template.stdin_once,
        tty: template.tty,
        ..StepTemplate::default()
    }
}

fn restore_step(step: &mut Step, found: Step) {
    step.ports = found.ports;
    step.liveness_probe = found.liveness_probe;
    step.readiness_probe = found.readiness_probe;
    step.startup_probe = found.startup_probe;
    step.lifecycle = found.lifecycle;
    step.termination_message_path = found.termination_message_path;
    step.termination_message_policy = found.termination_message_policy;
    step.stdin = found.stdin;
    step.stdin_once = found.stdin_once;
    step.tty = found.tty;
}

fn restore_template(template: &mut StepTemplate, found: StepTemplate) {
    template.name = found.name;
    template.ports = found.ports;
    template.liveness_probe = found.liveness_probe;
    template.readiness_probe = found.readiness_probe;
    template.startup_probe = found.startup_probe;
    template.lifecycle = found.lifecycle;
    template.termination_message_path = found.termination_message_path;
    template.termination_message_policy = found.termination_message_policy;
    template.stdin = found.stdin;
    template.stdin_once = found.stdin_once;
    template.tty = found.tty;
}
