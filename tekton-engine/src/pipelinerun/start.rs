//! What a PipelineRun creates for a task: TaskRuns, CustomRuns, child PipelineRuns.

mod custom_runs;
mod pipeline_runs;
mod task_runs;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels as keys;
use tekton_dag::child::{ChildKind, ResolvedTask};
use tekton_dag::deadline;
use tekton_dag::graph::quote;
use tekton_dag::matrix;
use tekton_dag::shared::Shared;
use tekton_podgen::affinity;
use tekton_types::config::Config;
use tekton_types::defaults::merge_pod_template;
use tekton_types::duration::GoDuration;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{Matrix, Param, PipelineRun, PipelineTask, PipelineTaskRunSpec};

use super::assistant;
use super::life;
use super::workspaces::{self, Handed};
use crate::decision::Class;
use crate::effect::ApiFault;
use crate::object::Stored;
use crate::owner;
use crate::pass::{Pass, Stop};

/// One task that starts.
#[derive(Debug)]
pub(super) struct Starting<'s, 'a> {
    pub(super) task: &'s mut ResolvedTask<'a>,
    /// The task without its own context put in: upstream fans a matrix out, and checks enums, before that.
    pub(super) written: Shared<'a, PipelineTask>,
    /// It stands under `finally`.
    pub(super) is_finally: bool,
    /// The name of the pipeline that a child PipelineRun runs; empty when it is written in the task.
    pub(super) pipeline: &'s str,
}

impl Starting<'_, '_> {
    /// The value of the label that says whether the task stands under `tasks` or under `finally`.
    fn member(&self) -> &'static str {
        if self.is_finally { keys::MEMBER_OF_FINALLY } else { keys::MEMBER_OF_TASKS }
    }
}

/// Has the children of the task created, and adds them to it.
pub(super) fn start<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let kind = starting.task.kind();
    let names = starting.task.names.clone();
    let end = match kind {
        ChildKind::Pipeline => pipeline_runs::pipeline_runs(pass, run, starting),
        ChildKind::CustomTask => custom_runs::custom_runs(pass, run, starting),
        ChildKind::Task => task_runs::task_runs(pass, run, starting),
    };
    let fault = match end {
        Ok(()) => return Ok(()),
        Err(Stop::Fault(fault)) => fault,
        Err(stop) => return Err(stop),
    };
    if fault.class == Class::Permanent && life::succeeded(run).is_none_or(|c| c.reason != reasons::INVALID_PARAM_VALUE)
    {
        life::mark_failed(&mut run.status, reasons::CREATE_RUN_FAILED, fault.text.as_str(), pass.now());
    }
    let (event, failed, what) = match kind {
        ChildKind::Pipeline => ("ChildPipelineRunsCreationFailed", "child (PIP) PipelineRuns", "child PipelineRuns"),
        ChildKind::CustomTask => ("RunsCreationFailed", "CustomRuns", "CustomRuns"),
        ChildKind::Task => ("TaskRunsCreationFailed", "TaskRuns", "TaskRuns"),
    };
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    pass.warn(event, format!("Failed to create {failed} [{}]: {}", quoted.join(" "), fault.text));
    let text = format!(
        "error creating {what} called [{}] for PipelineTask {} from PipelineRun {}: {}",
        names.join(" "),
        starting.task.name(),
        run.metadata.name.as_deref().unwrap_or_default(),
        fault.text
    );
    Err(Stop::Fault(crate::decision::Fault { class: fault.class, text }))
}

/// Has the children of a task created that are not `there` yet, in the order of their names; all children of the task.
fn create_each<'s, 'a: 's, T: Stored + 'a>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    task: &ResolvedTask<'s>,
    there: &[&'s T],
    meta: fn(&T) -> &ObjectMeta,
    child: impl Fn(&Pass<'a>, usize) -> Result<T, Stop>,
) -> Result<Vec<&'s T>, Stop> {
    let mut children = Vec::with_capacity(task.names.len());
    let mut waiting = false;
    for (index, name) in task.names.iter().enumerate() {
        let known = there.iter().copied().find(|child| meta(child).name.as_ref() == Some(name));
        if known.is_some() || is_lost(run, task, name) {
            children.extend(known);
            continue;
        }
        match create(pass, run, meta, child(pass, index)?) {
            Ok(child) => children.push(child),
            Err(Stop::Wait) => waiting = true,
            Err(stop) => return Err(stop),
        }
    }
    if waiting { Err(Stop::Wait) } else { Ok(children) }
}

/// Has one child created. One that exists and belongs to the run is as good as a new one.
fn create<'a, T: Stored + 'a>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    meta: impl Fn(&T) -> &ObjectMeta,
    child: T,
) -> Result<&'a T, Stop> {
    let name = meta(&child).name.clone().unwrap_or_default();
    let namespace = meta(&child).namespace.clone().unwrap_or_default();
    match pass.create(child)? {
        Ok(created) => Ok(created),
        Err(fault) => {
            if fault.is_already_exists()
                && let Ok(found) = pass.fresh::<T>(&namespace, &name)?
                && owner::is_controlled_by(meta(found), &run.metadata)
            {
                return Ok(found);
            }
            Err(refused(fault))
        }
    }
}

fn refused(fault: &ApiFault) -> Stop {
    if fault.is_invalid() || fault.is_bad_request() {
        Stop::permanent(&fault.text)
    } else {
        Stop::transient(&fault.text)
    }
}

/// The task has runs, and this one of them is gone: nobody makes it anew.
fn is_lost(run: &PipelineRun, task: &ResolvedTask<'_>, name: &str) -> bool {
    task.has_runs() && run.status.child_references.iter().any(|child| child.name == name)
}

/// The workspaces of a child; the annotation that ties it to its affinity assistant is added.
fn handed(
    pass: &Pass<'_>,
    run: &PipelineRun,
    task: &ResolvedTask<'_>,
    annotations: &mut std::collections::BTreeMap<String, String>,
) -> Result<Handed, Stop> {
    let behavior = assistant::behavior(pass)?;
    let handed = workspaces::of_child(run, task, behavior)?;
    let own = run.metadata.name.as_deref().unwrap_or_default();
    if let Some(value) = affinity::annotation(behavior, &handed.claim_workspace, own) {
        annotations.insert(keys::AFFINITY_ASSISTANT.to_owned(), value);
    }
    Ok(handed)
}

fn child_metadata(
    run: &PipelineRun,
    name: &str,
    labels: std::collections::BTreeMap<String, String>,
    annotations: std::collections::BTreeMap<String, String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: run.metadata.namespace.clone(),
        owner_references: Some(vec![owner::controller_of(run)]),
        labels: Some(labels),
        annotations: Some(annotations).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    }
}

fn combinations(task: &PipelineTask) -> Vec<Vec<Param>> {
    if matrix::is_matrixed(task) { task.matrix.iter().flat_map(Matrix::fan_out).collect() } else { Vec::new() }
}

/// The params of one child: those of its combination, then those of the task.
fn params_of(task: &PipelineTask, index: usize, combinations: &[Vec<Param>]) -> Vec<Param> {
    let mut params = combinations.get(index).cloned().unwrap_or_default();
    params.extend(task.params.iter().cloned());
    params
}

/// The settings of the run for one of its tasks, over those for all.
pub(super) fn settings_of(run: &PipelineRun, task: &str) -> PipelineTaskRunSpec {
    let template = &run.spec.task_run_template;
    let mut settings = PipelineTaskRunSpec {
        pipeline_task_name: task.to_owned(),
        service_account_name: template.service_account_name.clone(),
        pod_template: template.pod_template.clone(),
        ..PipelineTaskRunSpec::default()
    };
    for own in run.spec.task_run_specs.iter().filter(|own| own.pipeline_task_name == task) {
        let mut pod_template = own.pod_template.clone();
        merge_pod_template(&mut pod_template, settings.pod_template.as_ref());
        settings.pod_template = pod_template;
        if !own.service_account_name.is_empty() {
            settings.service_account_name.clone_from(&own.service_account_name);
        }
        settings.step_specs.clone_from(&own.step_specs);
        settings.sidecar_specs.clone_from(&own.sidecar_specs);
        settings.metadata.clone_from(&own.metadata);
        settings.compute_resources.clone_from(&own.compute_resources);
        settings.timeout = own.timeout;
    }
    settings
}

/// The timeout that the run gives to a child so that the default does not end it too early.
pub(super) fn long_timeout(run: &PipelineRun, is_finally: bool, config: &Config) -> Option<GoDuration> {
    let timeouts = run.spec.timeouts.as_ref()?;
    let timeout = if is_finally { deadline::finally_timeout(timeouts) } else { deadline::tasks_timeout(timeouts) }?;
    (timeout.is_zero() || timeout > life::default_timeout(config)).then_some(timeout)
}
