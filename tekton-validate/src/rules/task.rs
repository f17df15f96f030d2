//! Tasks.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::Volume;
use tekton_types::v1::{ParamSpec, Step, StepTemplate, Task, TaskResult, TaskSpec, WorkspaceDeclaration};

use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Stage, Version};
use crate::rules::params::{self, by_type};
use crate::rules::step_fields::{Texts, array_usage, usage_of_declared};
use crate::rules::{container, merge, metadata, results};
use crate::text::{clean_path, quote};
use crate::vars::{Names, unknown, unknown_with_detail};

/// A Task. Its parameters must be declared, as nothing is propagated into it.
pub(crate) fn validate(gates: &Gates<'_>, task: &Task) -> Errors {
    let mut errors = metadata::validate(&task.metadata).via_field("metadata");
    errors.also(validate_spec(gates, &task.spec).via_field("spec"));
    let steps = merge::merged(task.spec.step_template.as_ref(), &task.spec.steps);
    errors.also(usage_of_declared(gates.version, &steps, &task.spec.params).via_field("spec"));
    errors
}

/// What a task does, also in place.
pub(crate) fn validate_spec(gates: &Gates<'_>, spec: &TaskSpec) -> Errors {
    let mut errors = Errors::none();
    if spec.steps.is_empty() {
        errors.push(FieldError::missing(&["steps"]));
    }
    errors.also(volumes(&spec.volumes).via_field("volumes"));
    errors
        .also(declared_workspaces(&spec.workspaces, &spec.steps, spec.step_template.as_ref()).via_field("workspaces"));
    errors.also(workspace_usages(gates, spec));
    let steps = merge::merged(spec.step_template.as_ref(), &spec.steps);
    errors.also(container::validate_steps(gates, &steps).via_field("steps"));
    errors.also(container::validate_sidecars(gates, &spec.sidecars));
    errors.also(params::types(&spec.params).via_field("params"));
    errors.also(parameter_variables(gates, &steps, &spec.params));
    errors.also(context_variables(gates.version, &steps));
    errors.also(result_variables(gates.version, &steps, &spec.results));
    errors.also(results::validate_task_results(&spec.results).via_field("results"));
    errors
}

/// Declarations and the use of arrays.
pub(crate) fn parameter_variables(gates: &Gates<'_>, steps: &[Step], specs: &[ParamSpec]) -> Errors {
    let mut errors = params::no_duplicates(specs);
    errors.also(params::enums(gates, specs).via_field("params"));
    let sorted = by_type(specs);
    errors.also(params::name_formats(&sorted));
    errors.also(array_usage(steps, &sorted.arrays));
    errors
}

/// Volume names are unique.
pub(crate) fn volumes(volumes: &[Volume]) -> Errors {
    let mut errors = Errors::none();
    let mut names = HashSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        if !names.insert(volume.name.as_str()) {
            let message = format!("multiple volumes with same name {}", quote(&volume.name));
            errors.also(Errors::from(FieldError::new(message, &["name"])).via_index(index));
        }
    }
    errors
}

/// Workspaces have names and mount paths of their own.
fn declared_workspaces(workspaces: &[WorkspaceDeclaration], steps: &[Step], template: Option<&StepTemplate>) -> Errors {
    let mut errors = Errors::none();
    if workspaces.is_empty() {
        return errors;
    }
    let mut paths: HashSet<String> = steps
        .iter()
        .flat_map(|s| &s.volume_mounts)
        .chain(template.iter().flat_map(|t| &t.volume_mounts))
        .map(|m| clean_path(&m.mount_path))
        .collect();
    let mut names = HashSet::new();
    for (index, workspace) in workspaces.iter().enumerate() {
        if !names.insert(workspace.name.as_str()) {
            let message = format!("workspace name {} must be unique", quote(&workspace.name));
            errors.also(Errors::from(FieldError::new(message, &["name"])).via_index(index));
        }
        let path = if workspace.mount_path.is_empty() {
            clean_path(&format!("/workspace/{}", workspace.name))
        } else {
            clean_path(&workspace.mount_path)
        };
        if paths.contains(&path) {
            let message = format!("workspace mount path {} must be unique", quote(&path));
            errors.also(Errors::from(FieldError::new(message, &["mountpath"])).via_index(index));
        }
        paths.insert(path);
    }
    errors
}

/// Workspaces that steps and sidecars name are declared.
fn workspace_usages(gates: &Gates<'_>, spec: &TaskSpec) -> Errors {
    let mut errors = Errors::none();
    let names: Names<'_> = spec.workspaces.iter().map(|w| w.name.as_str()).collect();
    let usages = spec
        .steps
        .iter()
        .enumerate()
        .map(|(i, s)| ("steps", "step workspaces", i, &s.workspaces))
        .chain(spec.sidecars.iter().enumerate().map(|(i, s)| ("sidecars", "sidecar workspaces", i, &s.workspaces)));
    for (field, feature, index, workspaces) in usages {
        if !workspaces.is_empty() {
            errors.also(gates.require(feature, Stage::Beta).via_field_index(field, index));
        }
        for (at, workspace) in workspaces.iter().enumerate() {
            if !names.contains(workspace.name.as_str()) {
                let message = format!("undefined workspace {}", quote(&workspace.name));
                errors.also(
                    Errors::from(FieldError::new(message, &["name"]))
                        .via_field_index("workspaces", at)
                        .via_field_index(field, index),
                );
            }
        }
    }
    errors
}

fn context_variables(version: Version, steps: &[Step]) -> Errors {
    let run: Names<'_> = ["name", "namespace", "uid"].into();
    let task: Names<'_> = ["name", "retry-count"].into();
    let mut errors = Errors::none();
    for (index, step) in steps.iter().enumerate() {
        if step.may_refer() {
            errors.also(step.unknown(version, "context\\.taskRun", &run).via_field_index("steps", index));
            errors.also(step.unknown(version, "context\\.task", &task).via_field_index("steps", index));
        }
    }
    errors
}

fn result_variables(version: Version, steps: &[Step], results: &[TaskResult]) -> Errors {
    let names: Names<'_> = results.iter().map(|r| r.name.as_str()).collect();
    let mut errors = Errors::none();
    for (index, step) in steps.iter().enumerate() {
        let found = match version {
            Version::V1 => unknown(&step.script, "results", &names),
            Version::V1beta1 => unknown_with_detail(&step.script, "results", &names),
        };
        errors.also(found.via_field("script").via_field_index("steps", index));
    }
    errors
}
