//! PipelineRuns.

use std::collections::HashMap;

use tekton_types::condition;
use tekton_types::defaults::SetDefaults;
use tekton_types::v1::{
    Param, PipelineRun, PipelineRunSpec, PipelineTaskRunSpec, TimeoutFields, WorkspaceBinding,
    pipelinerun_spec_status as status,
};

use crate::errors::{Errors, FieldError};
use crate::gates::Gates;
use crate::rules::result_refs::{ResultRef, looks_like_result, of_param};
use crate::rules::{metadata, params, pipeline, pipeline_task, propagated, reference, taskrun, timeouts, workspace};
use crate::text::{list, quote};
use crate::vars::Names;

/// A PipelineRun; `old` is what an update replaces.
pub(crate) fn validate(gates: &Gates<'_>, run: &PipelineRun, old: Option<&PipelineRun>) -> Errors {
    let mut errors = metadata::validate(&run.metadata).via_field("metadata");
    if run.spec.status == status::PENDING && run.status.start_time.is_some() {
        errors.push(FieldError::invalid_value("PipelineRun cannot be Pending after it is started", "spec.status"));
    }
    errors.also(validate_spec(gates, &run.spec, old).via_field("spec"));
    errors
}

/// What a PipelineRun runs and how.
pub(crate) fn validate_spec(gates: &Gates<'_>, spec: &PipelineRunSpec, old: Option<&PipelineRun>) -> Errors {
    let mut errors = validate_update(gates, spec, old);
    match (&spec.pipeline_ref, &spec.pipeline_spec) {
        (None, None) => errors.push(FieldError::missing_one_of(&["pipelineRef", "pipelineSpec"])),
        (Some(_), Some(_)) => errors.push(FieldError::multiple_one_of(&["pipelineRef", "pipelineSpec"])),
        _ => {}
    }
    if let Some(r) = &spec.pipeline_ref {
        let found = reference::validate(gates, &r.name, &r.resolver, reference::given(&r.params));
        errors.also(found.via_field("pipelineRef"));
    }
    if let Some(inline) = &spec.pipeline_spec {
        if gates.inline_spec_disabled("pipelinerun") {
            errors.push(FieldError::disallowed(&["pipelineSpec"]));
        }
        errors.also(pipeline::validate_spec(gates, inline).via_field("pipelineSpec"));
    }
    errors.also(given_params(&spec.params));
    if let Some(inline) = &spec.pipeline_spec {
        errors.also(propagated::in_pipeline(gates, &spec.params, inline));
    }
    if gates.is_beta_version() {
        errors.also(propagated_workspaces(spec));
    }
    if let Some(given) = &spec.timeouts {
        errors.also(timeouts::validate(gates, given));
    }
    for (index, task) in spec.task_run_specs.iter().enumerate() {
        errors.also(task_run_spec(gates, task, spec.timeouts.as_ref()).via_field_index("taskRunSpecs", index));
    }
    errors.also(validate_status(&spec.status));
    errors.also(workspaces(&spec.workspaces));
    let found = taskrun::pod_template(gates, spec.task_run_template.pod_template.as_ref());
    errors.also(if gates.is_beta_version() { found } else { found.via_field("taskRunTemplate") });
    errors
}

/// A spec may change only before the run has started, apart from its status.
pub(crate) fn validate_update(gates: &Gates<'_>, spec: &PipelineRunSpec, old: Option<&PipelineRun>) -> Errors {
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
        errors.push(FieldError::invalid_value("Once the PipelineRun is complete, no updates are allowed", ""));
        return errors;
    }
    let mut expected = old.spec.clone();
    expected.status.clone_from(&spec.status);
    expected.managed_by.clone_from(&spec.managed_by);
    if expected != *spec {
        errors.push(FieldError::invalid_value("Once the PipelineRun has started, only status updates are allowed", ""));
    }
    errors
}

fn given_params(given: &[Param]) -> Errors {
    let mut errors = params::validate_given(given).via_field("params");
    for param in given {
        let expressions: Vec<&str> = of_param(param).into_iter().filter(|e| looks_like_result(e)).collect();
        if expressions.iter().any(|e| ResultRef::parse(e).is_some()) {
            let message =
                format!("cannot use result expressions in {} as PipelineRun parameter values", list(expressions));
            errors.also(Errors::from(FieldError::invalid_value(message, "value")).via_field_key("params", &param.name));
        }
    }
    errors
}

/// Workspaces that tasks in place name somewhere exist somewhere.
fn propagated_workspaces(spec: &PipelineRunSpec) -> Errors {
    let mut errors = Errors::none();
    let Some(inline) = &spec.pipeline_spec else { return errors };
    let mut names: Names<'_> = spec.workspaces.iter().map(|w| w.name.as_str()).collect();
    names.extend(inline.workspaces.iter().map(|w| w.name.as_str()));
    for tasks in [&inline.tasks, &inline.r#finally] {
        for (index, task) in tasks.iter().enumerate() {
            names.extend(task.workspaces.iter().map(|w| w.name.as_str()));
            errors.also(pipeline_task::validate_workspaces(task, &names).via_index(index));
        }
    }
    errors
}

fn task_run_spec(gates: &Gates<'_>, task: &PipelineTaskRunSpec, run: Option<&TimeoutFields>) -> Errors {
    let mut errors = taskrun::overrides(gates, &task.step_specs, &task.sidecar_specs, task.compute_resources.as_ref());
    errors.also(taskrun::pod_template(gates, task.pod_template.as_ref()));
    errors.also(timeouts::of_task_run_spec(gates, task.timeout.as_ref(), run));
    errors
}

fn validate_status(text: &str) -> Errors {
    match text {
        "" | status::PENDING | status::CANCELLED | status::CANCELLED_RUN_FINALLY | status::STOPPED_RUN_FINALLY => {
            Errors::none()
        }
        other => FieldError::invalid_value(
            format!(
                "{other} should be {}, {}, {} or {}",
                status::CANCELLED,
                status::CANCELLED_RUN_FINALLY,
                status::STOPPED_RUN_FINALLY,
                status::PENDING
            ),
            "status",
        )
        .into(),
    }
}

fn workspaces(bindings: &[WorkspaceBinding]) -> Errors {
    let mut errors = Errors::none();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, binding) in bindings.iter().enumerate() {
        errors.also(workspace::validate(binding).via_field_index("workspaces", index));
        if let Some(before) = seen.insert(&binding.name, index) {
            let message = format!(
                "workspace {} provided by pipelinerun more than once, at index {before} and {index}",
                quote(&binding.name)
            );
            errors.also(Errors::from(FieldError::new(message, &["name"])).via_field_index("workspaces", index));
        }
    }
    errors
}

/// An old spec with today's defaults.
fn defaulted(spec: &PipelineRunSpec, gates: &Gates<'_>) -> PipelineRunSpec {
    let mut spec = spec.clone();
    spec.set_defaults(gates.config);
    spec
}
