//! One pipeline task: name, reference or spec, kind, onError, workspaces.

use tekton_types::v1::{NAMESPACED_TASK_KIND, PipelineTask, on_error};

use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Stage};
use crate::names::is_dns_label;
use crate::rules::params::is_param_ref;
use crate::rules::{pipeline, reference, task};
use crate::text::quote;
use crate::vars::Names;

/// A list of pipeline tasks; names are unique over all lists that share `names`.
pub(crate) fn validate_list<'a>(
    gates: &Gates<'_>,
    tasks: &'a [PipelineTask],
    names: &mut Names<'a>,
    field: &str,
) -> Errors {
    let mut errors = Errors::none();
    for (index, task) in tasks.iter().enumerate() {
        let mut found = validate_name(&task.name);
        if !names.insert(&task.name) {
            found.push(FieldError::multiple_one_of(&["name"]));
        }
        found.also(validate(gates, task));
        errors.also(found.via_field_index(field, index));
    }
    errors
}

/// The name is a DNS label.
pub(crate) fn validate_name(name: &str) -> Errors {
    if is_dns_label(name) {
        return Errors::none();
    }
    FieldError::new(format!("invalid value {}", quote(name)), &["name"])
        .details("Pipeline Task name must be a valid DNS Label.For more info refer to https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names")
        .into()
}

fn is_task_kind(kind: &str) -> bool {
    kind.is_empty() || kind == NAMESPACED_TASK_KIND
}

/// Everything about one task but its name.
pub(crate) fn validate(gates: &Gates<'_>, task: &PipelineTask) -> Errors {
    let mut errors = validate_ref_or_spec(gates, task);
    if gates.inline_spec_disabled("pipeline") {
        if task.task_spec.is_some() {
            errors.push(FieldError::disallowed(&["taskSpec"]));
        }
        if task.pipeline_spec.is_some() {
            errors.push(FieldError::disallowed(&["pipelineSpec"]));
        }
    }
    errors.also(validate_embedded_or_type(task));
    errors.also(validate_on_error(gates, task));
    let custom_ref = task.task_ref.as_ref().is_some_and(|r| !is_task_kind(&r.kind) || !r.api_version.is_empty());
    let custom_spec = task.task_spec.as_ref().is_some_and(|s| !is_task_kind(&s.kind) || !s.api_version.is_empty());
    errors.also(if custom_ref || custom_spec { validate_custom(task) } else { validate_task(gates, task) });
    errors
}

/// Exactly one of the four ways to say what runs.
pub(crate) fn validate_ref_or_spec(gates: &Gates<'_>, task: &PipelineTask) -> Errors {
    let mut errors = Errors::none();
    let mut given = Vec::new();
    if task.task_ref.is_some() {
        given.push("taskRef");
    }
    if task.task_spec.is_some() {
        given.push("taskSpec");
    }
    if task.pipeline_ref.is_some() {
        errors.also(gates.require("pipelineRef", Stage::Alpha));
        given.push("pipelineRef");
    }
    if task.pipeline_spec.is_some() {
        errors.also(gates.require("pipelineSpec", Stage::Alpha));
        given.push("pipelineSpec");
    }
    if given.len() > 1 {
        errors.push(FieldError::new("expected exactly one, got multiple", &given));
    } else if given.is_empty() {
        errors.push(if gates.api_fields == "alpha" {
            FieldError::missing_one_of(&["taskRef", "taskSpec", "pipelineRef", "pipelineSpec"])
        } else {
            FieldError::missing_one_of(&["taskRef", "taskSpec"])
        });
    }
    errors
}

/// A task in place has steps or a kind, not both.
pub(crate) fn validate_embedded_or_type(task: &PipelineTask) -> Errors {
    let mut errors = Errors::none();
    let Some(spec) = task.task_spec.as_ref().filter(|s| !s.task_spec.steps.is_empty()) else { return errors };
    if !spec.api_version.is_empty() {
        errors.push(FieldError::new(
            "taskSpec.apiVersion cannot be specified when using taskSpec.steps",
            &["taskSpec.apiVersion"],
        ));
    }
    if !spec.kind.is_empty() {
        errors.push(FieldError::new("taskSpec.kind cannot be specified when using taskSpec.steps", &["taskSpec.kind"]));
    }
    errors
}

/// `onError` is behind a gate, one of two values, and no companion of retries.
pub(crate) fn validate_on_error(gates: &Gates<'_>, task: &PipelineTask) -> Errors {
    if task.on_error.is_empty() || is_param_ref(&task.on_error) {
        return Errors::none();
    }
    let mut errors = gates.require("OnError", Stage::Beta);
    if task.on_error != on_error::CONTINUE && task.on_error != on_error::STOP_AND_FAIL {
        errors.push(
            FieldError::invalid_value(&task.on_error, "OnError")
                .details("PipelineTask OnError must be either \"continue\" or \"stopAndFail\""),
        );
    }
    if task.on_error == on_error::CONTINUE && task.retries > 0 {
        errors.push(FieldError::new(
            "PipelineTask OnError cannot be set to \"continue\" when Retries is greater than 0",
            &[],
        ));
    }
    errors
}

/// A custom task names a kind and an API version with a group.
pub(crate) fn validate_custom(task: &PipelineTask) -> Errors {
    let mut errors = Errors::none();
    let parts = [
        ("taskRef", "ref", task.task_ref.as_ref().map(|r| (r.kind.as_str(), r.api_version.as_str()))),
        ("taskSpec", "spec", task.task_spec.as_ref().map(|s| (s.kind.as_str(), s.api_version.as_str()))),
    ];
    for (field, word, part) in parts {
        let Some((kind, api_version)) = part else { continue };
        if kind.is_empty() {
            errors.push(FieldError::invalid_value(
                format!("custom task {word} must specify kind"),
                &format!("{field}.kind"),
            ));
        }
        let path = format!("{field}.apiVersion");
        if api_version.is_empty() {
            errors.push(FieldError::invalid_value(format!("custom task {word} must specify apiVersion"), &path));
        } else if !is_group_version(api_version) {
            let given = quote(api_version);
            errors.push(FieldError::invalid_value(
                format!("invalid apiVersion format {given}, must be in the format \"group/version\""),
                &path,
            ));
        }
    }
    errors
}

fn is_group_version(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(group, version)| !group.is_empty() && !version.is_empty() && !version.contains('/'))
}

/// The referent or the spec of a task that is not custom.
pub(crate) fn validate_task(gates: &Gates<'_>, pt: &PipelineTask) -> Errors {
    let mut errors = Errors::none();
    if let Some(spec) = &pt.task_spec {
        errors.also(task::validate_spec(gates, &spec.task_spec).via_field("taskSpec"));
    }
    if let Some(r) = &pt.task_ref {
        let found = reference::validate(gates, &r.name, &r.resolver, reference::given(&r.params));
        errors.also(found.via_field("taskRef"));
    }
    if gates.is_beta_version() {
        return errors;
    }
    if let Some(r) = &pt.pipeline_ref {
        let found = reference::validate(gates, &r.name, &r.resolver, reference::given(&r.params));
        errors.also(found.via_field("pipelineRef"));
    }
    if let Some(spec) = &pt.pipeline_spec {
        errors.also(pipeline::validate_spec(gates, spec).via_field("pipelineSpec"));
    }
    errors
}

/// Workspaces that a task uses exist in the pipeline, each under one name.
pub(crate) fn validate_workspaces(task: &PipelineTask, declared: &Names<'_>) -> Errors {
    let mut errors = Errors::none();
    let mut bound = Names::new();
    for (index, workspace) in task.workspaces.iter().enumerate() {
        let mut add = |error: FieldError| {
            errors.also(Errors::from(error).via_field_index("workspaces", index));
        };
        if !bound.insert(&workspace.name) {
            add(FieldError::new(format!("workspace name {} must be unique", quote(&workspace.name)), &[""]));
        }
        let wanted = if workspace.workspace.is_empty() { &workspace.name } else { &workspace.workspace };
        if !declared.contains(wanted.as_str()) {
            let message = format!(
                "pipeline task {} expects workspace with name {} but none exists in pipeline spec",
                quote(&task.name),
                quote(wanted)
            );
            add(FieldError::invalid_value(message, "").about(wanted));
        }
    }
    errors
}
