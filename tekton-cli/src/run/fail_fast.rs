//! `--fail-fast`: when a task of a PipelineRun has failed for good, its siblings that still run are cancelled.

use std::collections::{HashMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tekton_contract::labels;
use tekton_types::reason;
use tekton_types::v1::{PipelineRun, TaskRun, on_error, pipelinerun_spec_status, taskrun_spec_status};
use tekton_types::v1beta1::{CustomRun, customrun_spec_status};

use super::world::{Ending, RunKey, World};

/// Which tasks have failed, and which children were told to stop.
pub(crate) struct FailFast<'a> {
    client: &'a kube::Client,
    namespace: &'a str,
    runs: &'a [RunKey],
    /// By name of the PipelineRun: the task of it that failed first.
    failed: HashMap<String, String>,
    /// A child is told once.
    told: HashSet<RunKey>,
}

impl<'a> FailFast<'a> {
    /// Nothing has failed yet in `runs` nor in their child PipelineRuns.
    pub(crate) fn new(client: &'a kube::Client, namespace: &'a str, runs: &'a [RunKey]) -> Self {
        Self { client, namespace, runs, failed: HashMap::new(), told: HashSet::new() }
    }

    /// Looks at the new state of one run and cancels what is to be cancelled for it; returns what a person is told.
    ///
    /// Errors: the API server does not answer.
    pub(crate) async fn observe(&mut self, world: &World, key: &RunKey) -> kube::Result<Vec<String>> {
        let Some((parent, task)) = world.metadata(key).and_then(parent_and_task) else { return Ok(Vec::new()) };
        if !self.follows(world, parent) {
            return Ok(Vec::new());
        }
        // What the controller created before it knew of the failure is seen after it.
        let children = if self.failed.contains_key(parent) {
            vec![(key.clone(), task)]
        } else if has_failed(world, key) && self.stops(parent, task).await? {
            self.failed.insert(parent.to_owned(), task.to_owned());
            children(world, parent)
        } else {
            return Ok(Vec::new());
        };
        let culprit = self.failed[parent].clone();
        let (mut cancelled, mut said) = (Vec::new(), Vec::new());
        for (child, task) in children {
            if world.ending(&child).is_some() || !self.told.insert(child.clone()) {
                continue;
            }
            match self.cancel(&child, &culprit).await {
                Ok(()) => cancelled.push(format!("{task:?}")),
                // It ended meanwhile, most often: the API server says so.
                Err(kube::Error::Api(status)) => {
                    said.push(format!("--fail-fast: task {task:?} was not cancelled: {}", status.message));
                }
                Err(error) => return Err(error),
            }
        }
        cancelled.dedup();
        if !cancelled.is_empty() {
            let cancelled = cancelled.join(", ");
            said.push(format!("--fail-fast: task {culprit:?} of PipelineRun {parent} failed; cancelling {cancelled}"));
        }
        Ok(said)
    }

    /// Whether a PipelineRun was asked for, or is below one that was.
    fn follows(&self, world: &World, name: &str) -> bool {
        let mut key = RunKey::Pipeline(name.to_owned());
        loop {
            if self.runs.contains(&key) {
                return true;
            }
            match world.metadata(&key).and_then(owner) {
                Some(parent) => key = RunKey::Pipeline(parent.to_owned()),
                None => return false,
            }
        }
    }

    /// Whether the failure of a task is one of its PipelineRun, which is not being stopped already.
    async fn stops(&self, run: &str, task: &str) -> kube::Result<bool> {
        // Asked for anew: the watch of PipelineRuns may lag behind that of their children.
        let runs: Api<PipelineRun> = Api::namespaced(self.client.clone(), self.namespace);
        let Some(run) = runs.get_opt(run).await? else { return Ok(false) };
        let tasks = run.status.pipeline_spec.iter().flat_map(|spec| &spec.tasks);
        let ignored = tasks.into_iter().any(|known| known.name == task && known.on_error == on_error::CONTINUE);
        Ok(run.spec.status.is_empty() && !ignored)
    }

    async fn cancel(&self, child: &RunKey, culprit: &str) -> kube::Result<()> {
        let (client, namespace, params) = (self.client.clone(), self.namespace, PatchParams::default());
        let patch = |kind: &str, status: &str| {
            let why = format!(
                "{kind} cancelled as task {culprit:?} of the PipelineRun it belongs to has failed (--fail-fast)."
            );
            Patch::Merge(json!({"spec": {"status": status, "statusMessage": why}}))
        };
        match child {
            RunKey::Task(name) => {
                let api: Api<TaskRun> = Api::namespaced(client, namespace);
                api.patch(name, &params, &patch("TaskRun", taskrun_spec_status::CANCELLED)).await.map(drop)
            }
            RunKey::Custom(name) => {
                let api: Api<CustomRun> = Api::namespaced(client, namespace);
                api.patch(name, &params, &patch("CustomRun", customrun_spec_status::CANCELLED)).await.map(drop)
            }
            RunKey::Pipeline(name) => {
                let api: Api<PipelineRun> = Api::namespaced(client, namespace);
                let patch = Patch::Merge(json!({"spec": {"status": pipelinerun_spec_status::CANCELLED}}));
                api.patch(name, &params, &patch).await.map(drop)
            }
        }
    }
}

/// The PipelineRun that owns an object.
fn owner(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.kind == "PipelineRun").map(|owner| owner.name.as_str())
}

/// PipelineRun and task of a child that stands under `tasks`.
fn parent_and_task(metadata: &ObjectMeta) -> Option<(&str, &str)> {
    let label = |key: &str| Some(metadata.labels.as_ref()?.get(key)?.as_str());
    if label(labels::MEMBER_OF)? != labels::MEMBER_OF_TASKS {
        return None;
    }
    Some((owner(metadata)?, label(labels::PIPELINE_TASK)?))
}

/// All known children of a PipelineRun under `tasks`, each with its task.
fn children<'w>(world: &'w World, parent: &str) -> Vec<(RunKey, &'w str)> {
    let tasks = world.task_runs.iter().map(|(name, run)| (RunKey::Task(name.clone()), &run.metadata));
    let customs = world.custom_runs.iter().map(|(name, run)| (RunKey::Custom(name.clone()), &run.metadata));
    let pipelines = world.pipeline_runs.iter().map(|(name, run)| (RunKey::Pipeline(name.clone()), &run.metadata));
    let all = tasks.chain(customs).chain(pipelines);
    all.filter_map(|(key, metadata)| {
        let (owner, task) = parent_and_task(metadata)?;
        (owner == parent).then_some((key, task))
    })
    .collect()
}

/// Whether a run failed; one that was cancelled did not.
fn has_failed(world: &World, key: &RunKey) -> bool {
    let cancelled = match key {
        RunKey::Task(_) => reason::taskrun::CANCELLED,
        RunKey::Custom(_) => reason::customrun::CANCELLED,
        RunKey::Pipeline(_) => reason::pipelinerun::CANCELLED,
    };
    world.ending(key) == Some(Ending::Failure) && world.condition(key).is_some_and(|known| known.reason != cancelled)
}
