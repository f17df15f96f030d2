//! The passes over a task before its Pod is built, in the order of the functions here: parameters, context, result
//! paths, artifacts, exit codes, workspaces, credentials; and the Pod template.
//!
//! Each pass owns its prefixes and leaves every other reference as it is.

mod params;
mod step_action;

pub use params::{declared, given, params};
pub use step_action::{StepActionFault, apply_step_action};

use k8s_openapi::api::core::v1::Volume;
use std::collections::BTreeMap;
use tekton_contract::var::{Table, extract::go_quote};
use tekton_contract::volumes::step_container;
use tekton_types::pod::PodTemplate;
use tekton_types::substitute::Substitute;
use tekton_types::v1::{
    ParamSpec, Sidecar, Step, TaskRun, TaskSpec, WorkspaceBinding, WorkspaceDeclaration, WorkspaceUsage,
};

const STEPS_DIR: &str = tekton_contract::paths::STEPS;
const RESULTS_DIR: &str = tekton_contract::paths::RESULTS;

/// Where credentials are written for the steps; the value of `$(credentials.path)`.
pub const CREDENTIALS_PATH: &str = tekton_contract::paths::CREDS;

/// T1: parameters of the run, and the defaults that the task declares.
pub fn apply_params(spec: &mut TaskSpec, run: &TaskRun, declared: &[ParamSpec]) {
    spec.substitute(&params(declared, &run.spec.params));
}

/// T2: names and ids of the run and its task.
pub fn apply_context(spec: &mut TaskSpec, task_name: &str, run: &TaskRun) {
    spec.substitute(&context(task_name, run));
}

/// The table of T2.
pub fn context(task_name: &str, run: &TaskRun) -> Table {
    let mut table = Table::new();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    table.set("context.taskRun.name", text(&run.metadata.name));
    table.set("context.task.name", task_name);
    table.set("context.taskRun.namespace", text(&run.metadata.namespace));
    table.set("context.taskRun.uid", text(&run.metadata.uid));
    table.set("context.task.retry-count", run.status.retries_status.len().to_string());
    table
}

/// T3: where steps write their results and those of the task.
pub fn apply_results(spec: &mut TaskSpec) {
    for (index, step) in spec.steps.iter_mut().enumerate() {
        let folder = format!("{STEPS_DIR}/{}/results", step_container(&step.name, index));
        let names = step.results.iter().map(|result| result.name.as_str());
        let table = paths("step.results", &folder, names);
        substitute_step(step, &table);
    }
    let names: Vec<String> = spec.results.iter().map(|result| result.name.clone()).collect();
    let table = paths("results", RESULTS_DIR, names.iter().map(String::as_str));
    spec.substitute(&table);
}

fn paths<'a>(prefix: &str, folder: &str, names: impl Iterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    for name in names {
        let path = format!("{folder}/{name}");
        table.set(format!("{prefix}.{name}.path"), path.clone());
        table.set(format!("{prefix}[{}].path", go_quote(name)), path.clone());
        table.set(format!("{prefix}['{name}'].path"), path);
    }
    table
}

/// T4: where steps describe the artifacts that they read and made.
pub fn apply_artifacts(spec: &mut TaskSpec) {
    for (index, step) in spec.steps.iter_mut().enumerate() {
        let container = step_container(&step.name, index);
        let mut table = Table::new();
        table.set("step.artifacts.path", format!("{STEPS_DIR}/{container}/artifacts/provenance.json"));
        table.set("artifacts.path", tekton_contract::paths::ARTIFACTS_PROVENANCE);
        substitute_step(step, &table);
    }
}

/// T5: where the exit codes of earlier steps are.
pub fn apply_exit_code_paths(spec: &mut TaskSpec) {
    let mut table = Table::new();
    for (index, step) in spec.steps.iter().enumerate() {
        let container = step_container(&step.name, index);
        table.set(format!("steps.{container}.exitCode.path"), format!("{STEPS_DIR}/{container}/exitCode"));
    }
    spec.substitute(&table);
}

/// T6: paths, volumes and claims of workspaces, and whether they are bound.
pub fn apply_workspaces(
    spec: &mut TaskSpec,
    declarations: &[WorkspaceDeclaration],
    bindings: &[WorkspaceBinding],
    volumes: &BTreeMap<String, Volume>,
) {
    let mut table = Table::new();
    for declaration in declarations {
        let name = &declaration.name;
        let bound = bindings.iter().any(|binding| binding.name == *name);
        if declaration.optional && !bound {
            table.set(format!("workspaces.{name}.bound"), "false");
            table.set(format!("workspaces.{name}.path"), "");
        } else {
            table.set(format!("workspaces.{name}.bound"), "true");
            apply_mount_path(spec, declaration);
        }
    }
    for (name, volume) in volumes {
        table.set(format!("workspaces.{name}.volume"), volume.name.clone());
    }
    for binding in bindings {
        let claim = binding.persistent_volume_claim.as_ref();
        let claim = claim.map(|claim| claim.claim_name.clone()).unwrap_or_default();
        table.set(format!("workspaces.{}.claim", binding.name), claim);
    }
    spec.substitute(&table);
}

/// A step or sidecar that mounts the workspace elsewhere sees that path, all others the declared one.
fn apply_mount_path(spec: &mut TaskSpec, declaration: &WorkspaceDeclaration) {
    let key = format!("workspaces.{}.path", declaration.name);
    let own_path = |usages: &[WorkspaceUsage]| {
        let usage = usages.iter().find(|usage| usage.name == declaration.name && !usage.mount_path.is_empty())?;
        let mut table = Table::new();
        table.set(key.clone(), usage.mount_path.clone());
        Some(table)
    };
    for step in &mut spec.steps {
        if let Some(table) = own_path(&step.workspaces) {
            substitute_step(step, &table);
        }
    }
    for sidecar in &mut spec.sidecars {
        let sidecar: &mut Sidecar = sidecar;
        if let Some(table) = own_path(&sidecar.workspaces) {
            sidecar.substitute(&table);
        }
    }
    let mut table = Table::new();
    table.set(key, tekton_podgen::workspace::mount_path(declaration));
    spec.substitute(&table);
}

/// T7: where credentials are.
pub fn apply_credentials_path(spec: &mut TaskSpec, path: &str) {
    let mut table = Table::new();
    table.set("credentials.path", path);
    spec.substitute(&table);
}

/// T8: parameters in the Pod template.
pub fn apply_pod_template(template: &mut PodTemplate, run: &TaskRun, declared: &[ParamSpec]) {
    template.substitute(&params(declared, &run.spec.params));
}

/// Parameters in the workspace bindings of the run, which come before volumes are made of them.
pub fn apply_workspace_bindings(run: &mut TaskRun, spec: &TaskSpec) {
    let table = params(&spec.params, &run.spec.params);
    run.spec.workspaces.substitute(&table);
}

/// The body of a step; parameters for a StepAction are left to passes over whole tasks.
fn substitute_step(step: &mut Step, table: &Table) {
    let params = std::mem::take(&mut step.params);
    step.substitute(table);
    step.params = params;
}
