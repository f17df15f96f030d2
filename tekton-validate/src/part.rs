//! The parts of objects that upstream validates alone.

use k8s_openapi::api::core::v1::Volume;
use tekton_types::config::Config;
use tekton_types::v1::{
    ParamSpec, PipelineRef, PipelineResult, PipelineRun, PipelineRunSpec, PipelineSpec, PipelineTask,
    PipelineWorkspaceDeclaration, Ref, Sidecar, Step, StepResult, TaskRef, TaskResult, TaskRun, TaskRunSpec, TaskSpec,
    WhenExpression, WorkspaceBinding,
};
use tekton_types::v1beta1::StepActionSpec;

use crate::beta::{self, Shape};
use crate::diagnostic::{Diagnostic, from_errors};
use crate::errors::Errors;
use crate::gates::{Gates, Version};
use crate::presence;
use crate::rules::{
    container, customrun, graph, matrix, pipeline, pipeline_params, pipeline_results, pipeline_task, pipelinerun,
    reference, results, status_refs, step_fields, stepaction, task, taskrun, when, workspace,
};
use crate::vars::{self, Names};

/// A part of an object, or one group of rules about it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Part<'a> {
    /// What a task does.
    TaskSpec(&'a TaskSpec),
    /// What a TaskRun runs; with the older TaskRun on update.
    TaskRunSpec(&'a TaskRunSpec, Option<&'a TaskRun>),
    /// Whether a TaskRun may change so.
    TaskRunUpdate(&'a TaskRunSpec, &'a TaskRun),
    /// What a pipeline does.
    PipelineSpec(&'a PipelineSpec),
    /// What a PipelineRun runs; with the older PipelineRun on update.
    PipelineRunSpec(&'a PipelineRunSpec, Option<&'a PipelineRun>),
    /// Whether a PipelineRun may change so.
    PipelineRunUpdate(&'a PipelineRunSpec, &'a PipelineRun),
    /// What a StepAction does; whether at v1alpha1.
    StepActionSpec(&'a StepActionSpec, bool),
    /// A step.
    Step(&'a Step),
    /// A sidecar.
    Sidecar(&'a Sidecar),
    /// A reference to a StepAction.
    Ref(&'a Ref),
    /// A reference to a task.
    TaskRef(&'a TaskRef),
    /// A reference to a pipeline.
    PipelineRef(&'a PipelineRef),
    /// A declared result of a task.
    TaskResult(&'a TaskResult),
    /// A declared result of a step.
    StepResult(&'a StepResult),
    /// Guards.
    When(&'a [WhenExpression]),
    /// A volume for a workspace.
    WorkspaceBinding(&'a WorkspaceBinding),
    /// Volumes of a task.
    Volumes(&'a [Volume]),
    /// A pipeline task, but its name.
    PipelineTask(&'a PipelineTask),
    /// The name of a pipeline task.
    PipelineTaskName(&'a PipelineTask),
    /// `onError` of a pipeline task.
    PipelineTaskOnError(&'a PipelineTask),
    /// A pipeline task as a custom task.
    PipelineTaskCustom(&'a PipelineTask),
    /// A pipeline task as a task.
    PipelineTaskTask(&'a PipelineTask),
    /// A pipeline task: in place or of a kind, not both.
    PipelineTaskEmbedded(&'a PipelineTask),
    /// A pipeline task: exactly one way to say what runs.
    PipelineTaskRefOrSpec(&'a PipelineTask),
    /// The matrix of a pipeline task.
    PipelineTaskMatrix(&'a PipelineTask),
    /// A list of pipeline tasks under a field name, with names that are taken.
    PipelineTaskList(&'a [PipelineTask], &'a [String], &'a str),
    /// Tasks and finally tasks.
    PipelineTasks(&'a [PipelineTask], &'a [PipelineTask]),
    /// The graph of tasks.
    Graph(&'a [PipelineTask]),
    /// The matrices of tasks.
    Matrices(&'a [PipelineTask]),
    /// Declared parameters and what steps do with arrays.
    ParameterVariables(&'a [Step], &'a [ParamSpec]),
    /// Parameters in steps are declared.
    UsageOfDeclaredParameters(&'a [Step], &'a [ParamSpec]),
    /// Declared parameters of a pipeline.
    PipelineParameters(&'a [PipelineTask], &'a [ParamSpec]),
    /// Parameters in pipeline tasks are declared.
    PipelineParameterUsage(&'a [PipelineTask], &'a [ParamSpec]),
    /// Context variables in pipeline tasks exist.
    PipelineContextVariables(&'a [PipelineTask]),
    /// Status variables of tasks and finally tasks.
    StatusVariables(&'a [PipelineTask], &'a [PipelineTask]),
    /// Finally tasks.
    FinallyTasks(&'a [PipelineTask], &'a [PipelineTask]),
    /// Results of pipelines in a pipeline.
    ResultsOfPipelines(&'a [PipelineTask], &'a [PipelineTask]),
    /// Results of a pipeline, its tasks and its finally tasks.
    PipelineResults(&'a [PipelineResult], &'a [PipelineTask], &'a [PipelineTask]),
    /// Workspaces of a pipeline in its tasks.
    PipelineWorkspacesUsage(&'a [PipelineWorkspaceDeclaration], &'a [PipelineTask]),
    /// Workspaces that a pipeline declares.
    PipelineWorkspaces(&'a [PipelineWorkspaceDeclaration]),
    /// Finally tasks only beside tasks.
    TasksAndFinally(&'a PipelineSpec),
}

/// Parts that are read from JSON by the name of their type, with what their types cannot hold.
///
/// Errors: the value has a wrong type, or no part has this name.
pub fn validate_json(
    name: &str,
    value: &serde_json::Value,
    config: &Config,
    version: Version,
) -> Result<Vec<Diagnostic>, String> {
    fn read<T: serde::de::DeserializeOwned + Default>(value: &serde_json::Value) -> Result<T, String> {
        if value.is_null() { Ok(T::default()) } else { T::deserialize(value).map_err(|e| e.to_string()) }
    }
    let gates = &Gates::new(config, version);
    let mut value = value.clone();
    let shape = match name {
        "TaskSpec" => Some(Shape::TaskSpec),
        "PipelineSpec" => Some(Shape::PipelineSpec),
        "TaskRunSpec" => Some(Shape::TaskRunSpec),
        "PipelineRunSpec" => Some(Shape::PipelineRunSpec),
        "PipelineTask" => Some(Shape::PipelineTask),
        "TaskRef" | "PipelineRef" => Some(Shape::Reference),
        _ => None,
    };
    let left = match shape.filter(|_| version == Version::V1beta1) {
        Some(shape) => beta::adapt(shape, &mut value, ""),
        None => beta::Leftovers::default(),
    };
    let mut found = match name {
        "TaskSpec" => errors(Part::TaskSpec(&read(&value)?), gates),
        "PipelineSpec" => errors(Part::PipelineSpec(&read(&value)?), gates),
        "TaskRunSpec" => errors(Part::TaskRunSpec(&read(&value)?, None), gates),
        "PipelineRunSpec" => errors(Part::PipelineRunSpec(&read(&value)?, None), gates),
        "PipelineTask" => errors(Part::PipelineTask(&read(&value)?), gates),
        "TaskRef" => errors(Part::TaskRef(&read(&value)?), gates),
        "PipelineRef" => errors(Part::PipelineRef(&read(&value)?), gates),
        "Ref" => errors(Part::Ref(&read(&value)?), gates),
        "Run" => customrun::validate(&read(&former_run(value.clone()))?, customrun::RUN),
        other => return Err(format!("no part has the name {other:?}")),
    };
    found.also(left.always);
    found.also(left.on_create);
    if name.ends_with("Ref") {
        if let Some(reference) = presence::empty_params_of_reference(&value) {
            reference.correct(gates, &mut found);
        }
    } else {
        presence::correct(gates, &value, &mut found);
    }
    Ok(from_errors(found))
}

/// The former Run in the shape of a CustomRun.
fn former_run(mut value: serde_json::Value) -> serde_json::Value {
    value["apiVersion"] = "tekton.dev/v1beta1".into();
    value["kind"] = "CustomRun".into();
    if let Some(spec) = value["spec"].as_object_mut() {
        for (old, new) in [("ref", "customRef"), ("spec", "customSpec")] {
            if let Some(part) = spec.remove(old) {
                spec.insert(new.to_owned(), part);
            }
        }
    }
    value
}

/// Checks one part. Paths begin at the part.
pub fn validate_part(part: Part<'_>, config: &Config, version: Version) -> Vec<Diagnostic> {
    from_errors(errors(part, &Gates::new(config, version)))
}

fn errors(part: Part<'_>, gates: &Gates<'_>) -> Errors {
    match part {
        Part::TaskSpec(spec) => task::validate_spec(gates, spec),
        Part::TaskRunSpec(spec, old) => taskrun::validate_spec(gates, spec, old),
        Part::TaskRunUpdate(spec, old) => taskrun::validate_update(gates, spec, Some(old)),
        Part::PipelineSpec(spec) => pipeline::validate_spec(gates, spec),
        Part::PipelineRunSpec(spec, old) => pipelinerun::validate_spec(gates, spec, old),
        Part::PipelineRunUpdate(spec, old) => pipelinerun::validate_update(gates, spec, Some(old)),
        Part::StepActionSpec(spec, is_alpha) => stepaction::validate_spec(gates, spec, is_alpha),
        Part::Step(step) => container::validate_step(gates, step, false),
        Part::Sidecar(sidecar) => container::validate_sidecar(sidecar),
        Part::Ref(r) => reference::validate(gates, &r.name, &r.resolver, reference::given(&r.params)),
        Part::TaskRef(r) => reference::validate(gates, &r.name, &r.resolver, reference::given(&r.params)),
        Part::PipelineRef(r) => reference::validate(gates, &r.name, &r.resolver, reference::given(&r.params)),
        Part::TaskResult(result) => results::validate_task_result(result),
        Part::StepResult(result) => results::validate_step_result(result),
        Part::When(guards) => when::validate(gates, guards),
        Part::WorkspaceBinding(binding) => workspace::validate(binding),
        Part::Volumes(volumes) => task::volumes(volumes),
        Part::PipelineTask(pt) => pipeline_task::validate(gates, pt),
        Part::PipelineTaskName(pt) => pipeline_task::validate_name(&pt.name),
        Part::PipelineTaskOnError(pt) => pipeline_task::validate_on_error(gates, pt),
        Part::PipelineTaskCustom(pt) => pipeline_task::validate_custom(pt),
        Part::PipelineTaskTask(pt) => pipeline_task::validate_task(gates, pt),
        Part::PipelineTaskEmbedded(pt) => pipeline_task::validate_embedded_or_type(pt),
        Part::PipelineTaskRefOrSpec(pt) => pipeline_task::validate_ref_or_spec(gates, pt),
        Part::PipelineTaskMatrix(pt) => matrix::validate_task(gates, pt),
        Part::PipelineTaskList(tasks, taken, field) => {
            let mut names: Names<'_> = taken.iter().map(String::as_str).collect();
            pipeline_task::validate_list(gates, tasks, &mut names, field)
        }
        Part::PipelineTasks(tasks, finally) => pipeline::validate_tasks(gates, tasks, finally),
        Part::Graph(tasks) => graph::validate(gates.version, tasks),
        Part::Matrices(tasks) => matrix::validate(gates, tasks),
        Part::ParameterVariables(steps, specs) => task::parameter_variables(gates, steps, specs),
        Part::UsageOfDeclaredParameters(steps, specs) => step_fields::usage_of_declared(gates.version, steps, specs),
        Part::PipelineParameters(tasks, specs) => pipeline_params::declarations(gates, tasks, specs),
        Part::PipelineParameterUsage(tasks, specs) => pipeline_params::usage(tasks, specs),
        Part::PipelineContextVariables(tasks) => pipeline::context_variables(tasks),
        Part::StatusVariables(tasks, finally) => status_refs::validate(tasks, finally),
        Part::FinallyTasks(tasks, finally) => pipeline_results::finally_tasks(tasks, finally),
        Part::ResultsOfPipelines(tasks, finally) => pipeline_results::not_of_pipelines(tasks, finally),
        Part::PipelineResults(results, tasks, finally) => pipeline_results::validate(results, tasks, finally),
        Part::PipelineWorkspacesUsage(workspaces, tasks) => pipeline::workspaces_usage(workspaces, tasks),
        Part::PipelineWorkspaces(workspaces) => pipeline::declared_workspaces(workspaces),
        Part::TasksAndFinally(spec) => pipeline::finally_needs_tasks(spec),
    }
}

/// How a text may refer to variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VariableRule {
    /// Only to the named ones.
    Known,
    /// Only to the named ones; the error names the offender.
    KnownWithDetail,
    /// Not to the named ones, other than by index.
    NotNamed,
    /// Not to the named ones as a whole.
    NotWhole,
    /// To the named ones only alone.
    Isolated,
}

/// Checks the references in one text. In the prefix `\.` is a dot and a bare `.` any character.
pub fn validate_variables(rule: VariableRule, text: &str, prefix: &str, names: &[String]) -> Vec<Diagnostic> {
    let names: Names<'_> = names.iter().map(String::as_str).collect();
    from_errors(match rule {
        VariableRule::Known => vars::unknown(text, prefix, &names),
        VariableRule::KnownWithDetail => vars::unknown_with_detail(text, prefix, &names),
        VariableRule::NotNamed => vars::prohibited(text, prefix, &names),
        VariableRule::NotWhole => vars::prohibited_as_whole(text, prefix, &names),
        VariableRule::Isolated => vars::isolated(text, prefix, &names),
    })
}
