//! Pipelines.

use tekton_types::v1::{ParamSpec, Pipeline, PipelineSpec, PipelineTask, PipelineWorkspaceDeclaration};

use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Stage};
use crate::rules::result_refs::all_params;
use crate::rules::step_fields::usage_of_declared;
use crate::rules::{
    graph, matrix, merge, metadata, params, pipeline_params, pipeline_results, pipeline_task, status_refs, when,
};
use crate::text::quote;
use crate::vars::{Names, has_named_task_artifacts, unknown};

/// A Pipeline. What its tasks refer to must be declared, as nothing is propagated into it.
pub(crate) fn validate(gates: &Gates<'_>, pipeline: &Pipeline) -> Errors {
    let mut errors = metadata::validate(&pipeline.metadata).via_field("metadata");
    let spec = &pipeline.spec;
    let mut found = validate_spec(gates, spec);
    for (field, tasks) in [("tasks", &spec.tasks), ("finally", &spec.r#finally)] {
        found.also(embedded_usage(gates, tasks, &spec.params, field));
        found.also(pipeline_params::usage(tasks, &spec.params).via_field(field));
        found.also(workspaces_usage(&spec.workspaces, tasks).via_field(field));
    }
    errors.also(found.via_field("spec"));
    errors
}

/// What a pipeline does, also in place.
pub(crate) fn validate_spec(gates: &Gates<'_>, spec: &PipelineSpec) -> Errors {
    let (tasks, finally) = (&spec.tasks, &spec.r#finally);
    let mut errors = Errors::none();
    for task in tasks.iter().chain(finally) {
        if let Some(task_ref) = &task.task_ref {
            if !task_ref.resolver.is_empty() {
                errors.also(gates.require("taskref.resolver", Stage::Beta));
            }
            if !task_ref.params.is_empty() {
                errors.also(gates.require("taskref.params", Stage::Beta));
            }
        }
    }
    if *spec == PipelineSpec::default() {
        errors.push(FieldError::new(
            "expected at least one, got none",
            &["description", "params", "resources", "tasks", "workspaces"],
        ));
    }
    errors.also(validate_tasks(gates, tasks, finally));
    errors.also(graph::validate(gates.version, tasks));
    errors.also(pipeline_params::declarations(gates, tasks, &spec.params).via_field("tasks"));
    errors.also(pipeline_params::declarations(gates, finally, &spec.params).via_field("finally"));
    errors.also(context_variables(tasks).via_field("tasks"));
    errors.also(context_variables(finally).via_field("finally"));
    errors.also(status_refs::validate(tasks, finally));
    errors.also(declared_workspaces(&spec.workspaces));
    errors.also(pipeline_results::validate(&spec.results, tasks, finally));
    errors.also(pipeline_results::not_of_pipelines(tasks, finally));
    errors.also(finally_needs_tasks(spec));
    errors.also(pipeline_results::finally_tasks(tasks, finally));
    for (field, tasks) in [("tasks", tasks), ("finally", finally)] {
        for (index, task) in tasks.iter().enumerate() {
            errors.also(when::validate(gates, &task.when).via_field_index(field, index));
        }
    }
    errors.also(artifacts(gates, tasks, finally));
    errors.also(matrix::validate(gates, tasks).via_field("tasks"));
    errors.also(matrix::validate(gates, finally).via_field("finally"));
    errors.also(status_refs::prefixes(tasks, "tasks"));
    errors.also(status_refs::prefixes(finally, "finally"));
    errors
}

/// Tasks and finally tasks, with names unique over both.
pub(crate) fn validate_tasks(gates: &Gates<'_>, tasks: &[PipelineTask], finally: &[PipelineTask]) -> Errors {
    let mut names = Names::new();
    let mut errors = pipeline_task::validate_list(gates, tasks, &mut names, "tasks");
    errors.also(pipeline_task::validate_list(gates, finally, &mut names, "finally"));
    errors
}

/// Finally tasks need something to come after.
pub(crate) fn finally_needs_tasks(spec: &PipelineSpec) -> Errors {
    if spec.tasks.is_empty() && !spec.r#finally.is_empty() {
        let message = format!("spec.tasks is empty but spec.finally has {} tasks", spec.r#finally.len());
        return FieldError::invalid_value(message, "finally").into();
    }
    Errors::none()
}

/// Steps of tasks in place refer to parameters that the task or the pipeline declares.
fn embedded_usage(gates: &Gates<'_>, tasks: &[PipelineTask], specs: &[ParamSpec], field: &str) -> Errors {
    let mut errors = Errors::none();
    for (index, task) in tasks.iter().enumerate() {
        let Some(task) = task.task_spec.as_ref().map(|t| &t.task_spec) else { continue };
        let steps = merge::merged(task.step_template.as_ref(), &task.steps);
        errors.also(
            usage_of_declared(gates.version, &steps, task.params.iter().chain(specs)).via_field_index(field, index),
        );
    }
    errors
}

/// Workspaces of the pipeline have names, each its own.
pub(crate) fn declared_workspaces(workspaces: &[PipelineWorkspaceDeclaration]) -> Errors {
    let mut errors = Errors::none();
    let mut names = Names::new();
    for (index, workspace) in workspaces.iter().enumerate() {
        let mut add = |message: String| {
            errors.also(Errors::from(FieldError::invalid_value(message, "")).via_field_index("workspaces", index));
        };
        if workspace.name.is_empty() {
            add(format!("workspace {index} has empty name"));
        }
        if !names.insert(&workspace.name) {
            add(format!("workspace with name {} appears more than once", quote(&workspace.name)));
        }
    }
    errors
}

/// Workspaces that tasks use are declared.
pub(crate) fn workspaces_usage(workspaces: &[PipelineWorkspaceDeclaration], tasks: &[PipelineTask]) -> Errors {
    let names: Names<'_> = workspaces.iter().map(|w| w.name.as_str()).collect();
    let mut errors = Errors::none();
    for (index, task) in tasks.iter().enumerate() {
        errors.also(pipeline_task::validate_workspaces(task, &names).via_index(index));
    }
    errors
}

/// Context variables exist. As upstream has it, only the parameters of the last task are looked at.
pub(crate) fn context_variables(tasks: &[PipelineTask]) -> Errors {
    let mut errors = Errors::none();
    let Some(last) = tasks.last() else { return errors };
    let run: Names<'_> = ["name", "namespace", "uid"].into();
    let pipeline: Names<'_> = ["name"].into();
    let task: Names<'_> = ["retries"].into();
    for value in all_params(last).flat_map(|p| params::strings(&p.value)) {
        for (prefix, names) in
            [("context\\.pipelineRun", &run), ("context\\.pipeline", &pipeline), ("context\\.pipelineTask", &task)]
        {
            errors.also(unknown(value, prefix, names).via_field("value"));
        }
    }
    errors
}

/// Artifacts are behind a gate; the first use is told.
fn artifacts(gates: &Gates<'_>, tasks: &[PipelineTask], finally: &[PipelineTask]) -> Errors {
    if gates.artifacts {
        return Errors::none();
    }
    for (field, tasks) in [("tasks", tasks), ("finally", finally)] {
        for (index, task) in tasks.iter().enumerate() {
            if task.params.iter().flat_map(|p| params::strings(&p.value)).any(has_named_task_artifacts) {
                let message = "feature flag enable-artifacts should be set to true to use artifacts feature.";
                let error = Errors::from(FieldError::new(message, &[""]));
                return error.via_field("params").via_field_index(field, index);
            }
        }
    }
    Errors::none()
}
