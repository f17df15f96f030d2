//! TaskRuns.

use k8s_openapi::api::core::v1::ResourceRequirements;
use tekton_types::condition;
use tekton_types::defaults::SetDefaults;
use tekton_types::pod::PodTemplate;
use tekton_types::v1::{
    ENABLED_ON_FAILURE_BREAKPOINT, TaskRun, TaskRunDebug, TaskRunSidecarSpec, TaskRunSpec, TaskRunStepSpec,
    taskrun_spec_status,
};

use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Stage};
use crate::rules::{metadata, params, propagated, reference, task, timeouts, workspace};
use crate::vars::Names;

/// A TaskRun; `old` is what an update replaces.
pub(crate) fn validate(gates: &Gates<'_>, run: &TaskRun, old: Option<&TaskRun>) -> Errors {
    let mut errors = metadata::validate(&run.metadata).via_field("metadata");
    if run.spec.status == taskrun_spec_status::PENDING && run.status.start_time.is_some() {
        errors.push(FieldError::invalid_value("TaskRun cannot be Pending after it is started", "spec.status"));
    }
    errors.also(validate_spec(gates, &run.spec, old).via_field("spec"));
    errors
}

/// What a TaskRun runs and how.
pub(crate) fn validate_spec(gates: &Gates<'_>, spec: &TaskRunSpec, old: Option<&TaskRun>) -> Errors {
    let mut errors = validate_update(gates, spec, old);
    match (&spec.task_ref, &spec.task_spec) {
        (None, None) => errors.push(FieldError::missing_one_of(&["taskRef", "taskSpec"])),
        (Some(_), Some(_)) => errors.push(FieldError::multiple_one_of(&["taskRef", "taskSpec"])),
        _ => {}
    }
    if let Some(r) = &spec.task_ref {
        let found = reference::validate(gates, &r.name, &r.resolver, reference::given(&r.params));
        errors.also(found.via_field("taskRef"));
    }
    if let Some(task) = &spec.task_spec {
        if gates.inline_spec_disabled("taskrun") {
            errors.push(FieldError::disallowed(&["taskSpec"]));
        }
        errors.also(task::validate_spec(gates, task).via_field("taskSpec"));
    }
    errors.also(params::validate_given(&spec.params).via_field("params"));
    if let Some(task) = &spec.task_spec {
        errors.also(propagated::in_task(gates, &spec.params, task));
    }
    errors.also(workspace::validate_bindings(&spec.workspaces).via_field("workspaces"));
    if let Some(debug) = &spec.debug {
        errors.also(gates.require("debug", Stage::Alpha).via_field("debug"));
        errors.also(validate_debug(debug).via_field("debug"));
    }
    errors.also(overrides(gates, &spec.step_specs, &spec.sidecar_specs, spec.compute_resources.as_ref()));
    errors.also(validate_status(spec));
    if spec.retries < 0 && !gates.is_beta_version() {
        errors.push(FieldError::invalid_value(format!("{} should be >= 0", spec.retries), "retries"));
    }
    errors.also(pod_template(gates, spec.pod_template.as_ref()));
    errors.also(timeouts::not_negative(spec.timeout.as_ref(), "timeout"));
    errors
}

fn validate_status(spec: &TaskRunSpec) -> Errors {
    let mut errors = Errors::none();
    match spec.status.as_str() {
        taskrun_spec_status::CANCELLED | taskrun_spec_status::PENDING => {}
        "" => {
            if !spec.status_message.is_empty() {
                errors.push(FieldError::invalid_value(
                    format!(
                        "statusMessage should not be set if status is not set, but it is currently set to {}",
                        spec.status_message
                    ),
                    "statusMessage",
                ));
            }
        }
        other => errors.push(FieldError::invalid_value(
            format!("{other} should be {} or {}", taskrun_spec_status::CANCELLED, taskrun_spec_status::PENDING),
            "status",
        )),
    }
    errors
}

/// A spec may change only before the run has started, apart from its status.
pub(crate) fn validate_update(gates: &Gates<'_>, spec: &TaskRunSpec, old: Option<&TaskRun>) -> Errors {
    let Some(old) = old else { return Errors::none() };
    let mut errors = Errors::none();
    if old.spec.managed_by != spec.managed_by {
        errors.push(FieldError::invalid_value("managedBy is immutable", "spec.managedBy"));
    }
    let is_done = condition::succeeded(&old.status.conditions).is_some_and(|c| !c.is_unknown());
    if is_done {
        if old.spec == *spec || defaulted(&old.spec, gates) == *spec {
            return Errors::none();
        }
        errors.push(FieldError::invalid_value("Once the TaskRun is complete, no updates are allowed", ""));
        return errors;
    }
    let mut expected = old.spec.clone();
    expected.status.clone_from(&spec.status);
    expected.status_message.clone_from(&spec.status_message);
    expected.managed_by.clone_from(&spec.managed_by);
    if expected != *spec {
        errors.push(FieldError::invalid_value(
            "Once the TaskRun has started, only status and statusMessage updates are allowed",
            "",
        ));
    }
    errors
}

fn validate_debug(debug: &TaskRunDebug) -> Errors {
    let mut errors = Errors::none();
    let Some(breakpoints) = &debug.breakpoints else { return errors };
    if breakpoints.on_failure.is_empty() {
        errors.push(FieldError::invalid_value(
            "onFailure breakpoint is empty, it is only allowed to be set as enabled",
            "breakpoints.onFailure",
        ));
    } else if breakpoints.on_failure != ENABLED_ON_FAILURE_BREAKPOINT {
        errors.push(FieldError::invalid_value(
            format!("{} is not a valid onFailure breakpoint value, onFailure breakpoint is only allowed to be set as enabled", breakpoints.on_failure),
            "breakpoints.onFailure",
        ));
    }
    let mut seen = Names::new();
    for (index, step) in breakpoints.before_steps.iter().enumerate() {
        if !seen.insert(step) {
            errors.push(FieldError::new(
                format!("before step must be unique, the same step: {step} is defined multiple times at"),
                &[&format!("breakpoints.beforeSteps[{index}]")],
            ));
        }
    }
    errors
}

/// Overrides of steps, sidecars and of the whole pod.
pub(crate) fn overrides(
    gates: &Gates<'_>,
    steps: &[TaskRunStepSpec],
    sidecars: &[TaskRunSidecarSpec],
    resources: Option<&ResourceRequirements>,
) -> Errors {
    let (step_field, sidecar_field) =
        if gates.is_beta_version() { ("stepOverrides", "sidecarOverrides") } else { ("stepSpecs", "sidecarSpecs") };
    let mut errors = Errors::none();
    for (field, names) in [
        (step_field, steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>()),
        (sidecar_field, sidecars.iter().map(|s| s.name.as_str()).collect()),
    ] {
        if names.is_empty() {
            continue;
        }
        errors.also(gates.require(field, Stage::Beta).via_field(field));
        errors.also(override_names(&names).via_field(field));
    }
    if resources.is_some() {
        errors.also(gates.require("computeResources", Stage::Beta).via_field("computeResources"));
        if steps.iter().any(|s| s.compute_resources != ResourceRequirements::default()) {
            errors.push(FieldError::multiple_one_of(&[&format!("{step_field}.resources"), "computeResources"]));
        }
    }
    errors
}

fn override_names(names: &[&str]) -> Errors {
    let mut errors = Errors::none();
    for (index, _) in names.iter().enumerate().filter(|(_, name)| name.is_empty()) {
        errors.also(Errors::from(FieldError::missing(&["name"])).via_index(index));
    }
    // As upstream has it, indices count named overrides only.
    errors.also(params::no_duplicate_names(names.iter().copied().filter(|name| !name.is_empty()), true));
    errors
}

/// Pod templates leave forbidden environment variables alone.
pub(crate) fn pod_template(gates: &Gates<'_>, template: Option<&PodTemplate>) -> Errors {
    let mut errors = Errors::none();
    for var in template.iter().flat_map(|t| &t.env) {
        if gates.forbidden_env.contains(&var.name) {
            errors.push(FieldError::invalid_value(
                format!("PodTemplate cannot update a forbidden env: {}", var.name),
                "PodTemplate.Env",
            ));
        }
    }
    errors
}

/// An old spec with today's defaults.
fn defaulted(spec: &TaskRunSpec, gates: &Gates<'_>) -> TaskRunSpec {
    let mut spec = spec.clone();
    spec.set_defaults(gates.config);
    spec
}
