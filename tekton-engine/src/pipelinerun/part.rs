//! The parts of a PipelineRun's pass, for those who use or check one by itself.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_dag::child::ResolvedTask;
use tekton_podgen::affinity::Behavior;
use tekton_types::config::Config;
use tekton_types::duration::GoDuration;
use tekton_types::v1::{
    ChildStatusReference, PipelineRun, PipelineRunStatus, PipelineSpec, PipelineTask, RefSource, TaskRun,
    WorkspaceBinding, WorkspacePipelineTaskBinding,
};
use tekton_types::v1beta1::CustomRun;

use super::children::Children;
use super::find::Found;
use super::{assistant, cancel, find, labels, start, workspaces};
use crate::decision::{Class, Decision, Fault};
use crate::finish::finish;
use crate::pass::{Pass, Stop};
use crate::run::{Env, Snapshot};
use crate::trusted::Verification;

/// Labels and annotations.
pub type Metadata = (BTreeMap<String, String>, BTreeMap<String, String>);

/// A part of a pass that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Cancels the run and its children.
    Cancel,
    /// Cancels the children, so that what stands under `finally` can run.
    CancelGracefully,
    /// Stops the children and fails the run, because its time is over.
    TimeOut,
    /// Has claims and affinity assistants created.
    SetUpWorkspaces,
    /// Has affinity assistants and their claims deleted.
    CleanUpWorkspaces,
}

/// Decides one part of a pass only.
pub fn decide(step: Step, snapshot: &Snapshot<'_, PipelineRun>, env: &Env<'_>) -> Decision<PipelineRunStatus> {
    let mut pass = Pass::new(env, snapshot.facts);
    let mut run = snapshot.run.clone();
    let end = match step {
        Step::Cancel => cancel::cancel(&mut pass, &mut run),
        Step::CancelGracefully => cancel::cancel_gracefully(&mut pass, &mut run),
        Step::TimeOut => cancel::time_out(&mut pass, &mut run),
        Step::SetUpWorkspaces => assistant::set_up(&mut pass, &mut run),
        Step::CleanUpWorkspaces => assistant::clean_up(&mut pass, &run),
    };
    finish(pass, snapshot.run, run, end)
}

/// Decides how a claim of the run goes away, although Pods may still name it.
pub fn delete_claim(name: &str, snapshot: &Snapshot<'_, PipelineRun>, env: &Env<'_>) -> Decision<PipelineRunStatus> {
    let mut pass = Pass::new(env, snapshot.facts);
    let namespace = snapshot.run.metadata.namespace.as_deref().unwrap_or_default();
    let end = match assistant::delete_claim(&mut pass, namespace, name) {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(Stop::transient(error)),
        Err(stop) => Err(stop),
    };
    finish(pass, snapshot.run, snapshot.run.clone(), end)
}

/// Gives the run the label that names its pipeline.
///
/// Errors: the run has no pipeline.
pub fn name_pipeline(run: &mut PipelineRun) -> Result<(), Fault> {
    labels::name_pipeline(run).map_err(fault)
}

/// Freezes a definition in the status of the run; labels and annotations of the Pipeline go to the run, whose own win.
pub fn store_definition(
    run: &mut PipelineRun,
    pipeline: ObjectMeta,
    spec: PipelineSpec,
    source: Option<RefSource>,
    config: &Config,
) {
    let is_first = run.status.pipeline_spec.is_none();
    find::store(
        run,
        &Found { meta: pipeline, spec: spec.clone(), source, verification: Verification::Skipped },
        config,
        is_first,
    );
    run.status.pipeline_spec.get_or_insert(spec);
}

/// Labels of what the run creates for a task: its own, and those that tell whose it is.
pub fn labels_of_child(run: &PipelineRun, task: &str) -> BTreeMap<String, String> {
    labels::of_child(run, task, labels::member_of(run, task))
}

/// Annotations of what the run creates: its own, but for those that are reserved.
pub fn annotations_of_child(run: &PipelineRun) -> BTreeMap<String, String> {
    labels::annotations_of_child(run)
}

/// Labels and annotations of a TaskRun of a task: settings for the task over those of the run over the inline task's.
pub fn metadata_of_task_run(run: &PipelineRun, task: &PipelineTask) -> Metadata {
    labels::layered(
        start::settings_of(run, &task.name).metadata.as_ref(),
        (labels_of_child(run, &task.name), labels::annotations_of_child(run)),
        task.task_spec.as_ref().map(|embedded| &embedded.metadata),
    )
}

/// The workspaces of a child of a task, and the run's workspace with a claim that it uses last.
///
/// Errors: the run does not bind what the task cannot do without, or `coschedule` is unknown.
pub fn workspaces_of_child(
    run: &PipelineRun,
    task: &ResolvedTask<'_>,
    config: &Config,
) -> Result<(Vec<WorkspaceBinding>, String), Fault> {
    // Upstream does not call an unknown value permanent here.
    let behavior =
        Behavior::of(&config.feature_flags).map_err(|e| Fault { class: Class::Transient, text: e.to_string() })?;
    let handed = workspaces::of_child(run, task, behavior).map_err(fault)?;
    Ok((handed.bindings, handed.claim_workspace))
}

/// One workspace of a child, from the binding of the run.
pub fn workspace_of_child(
    run: &PipelineRun,
    binding: &WorkspaceBinding,
    wanted: &WorkspacePipelineTaskBinding,
    behavior: Behavior,
) -> WorkspaceBinding {
    workspaces::bind(run, binding, wanted, behavior)
}

/// The timeout that the run gives to a TaskRun so that the default does not end it too early.
pub fn timeout_of_task_run(run: &PipelineRun, is_finally: bool, config: &Config) -> Option<GoDuration> {
    start::long_timeout(run, is_finally, config)
}

/// Adds to the status the references of children that it does not list yet.
///
/// Errors: a reference in the status is of a kind that nobody knows.
pub fn recover_children(
    run: &mut PipelineRun,
    pipeline_runs: &[PipelineRun],
    task_runs: &[TaskRun],
    custom_runs: &[CustomRun],
) -> Result<(), Fault> {
    let children = Children {
        pipelines: pipeline_runs.iter().map(|run| (run.metadata.name.as_deref().unwrap_or_default(), run)).collect(),
        tasks: task_runs.iter().map(|run| (run.metadata.name.as_deref().unwrap_or_default(), run)).collect(),
        custom_tasks: custom_runs.iter().map(|run| (run.metadata.name.as_deref().unwrap_or_default(), run)).collect(),
    };
    children.recover(run).map_err(fault)
}

/// Names of the TaskRuns and CustomRuns among `references` that belong to `tasks`; to any when there are none. The
/// text says which of them are of a kind that cannot be stopped.
pub fn child_objects<'r>(
    references: &'r [ChildStatusReference],
    tasks: &[String],
) -> (Vec<&'r str>, Vec<&'r str>, Option<String>) {
    let chosen = |task: &str| tasks.is_empty() || tasks.iter().any(|name| name == task);
    let objects = cancel::children_of(references, chosen);
    (objects.task_runs, objects.custom_runs, objects.unknown)
}

fn fault(stop: Stop) -> Fault {
    match stop {
        Stop::Fault(fault) => fault,
        Stop::Wait | Stop::After(_) => Fault { class: Class::Transient, text: String::new() },
    }
}
