//! Suite `task-substitution`: the passes over a task, its Pod template, its bindings and its StepActions.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Volume;
use serde_json::{Value, json};
use tekton_engine::scope::task;
use tekton_types::pod::PodTemplate;
use tekton_types::substitute::Substitute;
use tekton_types::v1::{Param, ParamSpec, Step, TaskRun, TaskSpec, WorkspaceBinding, WorkspaceDeclaration};

use super::podgen_support as support;
use crate::{Case, diff};

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let ours = answer(&case.input)?;
    let (mut expect, mut ours) = (case.expect.clone(), ours);
    for side in [&mut expect, &mut ours] {
        support::strip_type(&mut side["taskRun"]);
    }
    diff::equal(&expect, &ours)
}

fn answer(input: &Value) -> Result<Value, String> {
    let run: TaskRun = support::read_or_default(&input["taskRun"])?;
    let mut spec: TaskSpec = support::read_or_default(&input["taskSpec"])?;
    match input["op"].as_str().unwrap_or_default() {
        "applyParameters" => {
            let declared: Vec<ParamSpec> = support::read_or_default(&input["defaults"])?;
            task::apply_params(&mut spec, &run, &declared);
        }
        "applyContexts" => task::apply_context(&mut spec, &support::text(&input["taskName"]), &run),
        "applyResults" => task::apply_results(&mut spec),
        "applyArtifacts" => task::apply_artifacts(&mut spec),
        "applyStepExitCodePath" => task::apply_exit_code_paths(&mut spec),
        "applyCredentialsPath" => task::apply_credentials_path(&mut spec, &support::text(&input["path"])),
        "applyWorkspaces" => {
            let declarations: Vec<WorkspaceDeclaration> = support::read_or_default(&input["declarations"])?;
            let bindings: Vec<WorkspaceBinding> = support::read_or_default(&input["bindings"])?;
            let volumes: BTreeMap<String, Volume> = support::read_or_default(&input["volumes"])?;
            task::apply_workspaces(&mut spec, &declarations, &bindings, &volumes);
        }
        "applyParametersToWorkspaceBindings" => {
            let mut run = run;
            task::apply_workspace_bindings(&mut run, &spec);
            return Ok(json!({"taskRun": run}));
        }
        "applyPodTemplateReplacements" => {
            let declared: Vec<ParamSpec> = support::read_or_default(&input["defaults"])?;
            let mut template: Option<PodTemplate> = support::read_or_default(&input["podTemplate"])?;
            if let Some(template) = &mut template {
                task::apply_pod_template(template, &run, &declared);
            }
            return Ok(json!({"podTemplate": template}));
        }
        "applyStepActionParameters" => {
            let mut step: Step = support::read(&input["step"])?;
            let given: Vec<Param> = support::read_or_default(&input["stepParams"])?;
            let declared: Vec<ParamSpec> = support::read_or_default(&input["stepActionParams"])?;
            return Ok(match task::apply_step_action(&mut step, &spec, &run, &given, &declared) {
                Ok(()) => json!({"step": step}),
                Err(fault) => json!({"error": fault.to_string()}),
            });
        }
        "applyParametersInResolverParams" => {
            let mut step: Step = support::read(&input["step"])?;
            let declared: Vec<ParamSpec> = support::read_or_default(&input["taskSpecParams"])?;
            if let Some(reference) = &mut step.r#ref {
                reference.params.substitute(&task::params(&declared, &run.spec.params));
            }
            return Ok(json!({"step": step}));
        }
        other => return Err(format!("unknown operation {other:?}")),
    }
    Ok(json!({"taskSpec": spec}))
}
