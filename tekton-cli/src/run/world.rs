//! What is known of the runs: the last state of each object that a watch has reported.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_types::condition::Condition;
use tekton_types::v1::{PipelineRun, TaskRun};
use tekton_types::v1beta1::CustomRun;

/// A run that was asked for, by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RunKey {
    /// A `TaskRun`.
    Task(String),
    /// A `PipelineRun`.
    Pipeline(String),
    /// A `CustomRun`.
    Custom(String),
}

impl RunKey {
    /// Kind and name, as a person writes them.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Task(name) => format!("TaskRun {name}"),
            Self::Pipeline(name) => format!("PipelineRun {name}"),
            Self::Custom(name) => format!("CustomRun {name}"),
        }
    }
}

/// The last known state of all runs in the namespace.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// By name.
    pub(crate) pipeline_runs: BTreeMap<String, PipelineRun>,
    /// By name.
    pub(crate) task_runs: BTreeMap<String, TaskRun>,
    /// By name.
    pub(crate) custom_runs: BTreeMap<String, CustomRun>,
    /// When a run or step was first seen to begin and to end: times in objects are whole seconds.
    seen: HashMap<Timed, Span>,
}

/// Something whose time is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Timed {
    /// A run, by its uid.
    Run(String),
    /// A step of the TaskRun with the uid.
    Step(String, String),
}

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    begin: Option<Timestamp>,
    end: Option<Timestamp>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Condition `Succeeded` is true.
    Success,
    /// Condition `Succeeded` is false.
    Failure,
}

impl World {
    /// Takes in the new state of a TaskRun, seen at `now`.
    pub(crate) fn observe_task_run(&mut self, task_run: TaskRun, now: Timestamp) {
        let uid = task_run.metadata.uid.clone().unwrap_or_default();
        let status = &task_run.status;
        self.observe(Timed::Run(uid.clone()), status.start_time.is_some(), decided(&status.conditions), now);
        let mut previous_ended = true;
        for step in &status.steps {
            let begun = previous_ended && (step.running.is_some() || step.terminated.is_some());
            previous_ended = step.terminated.is_some();
            self.observe(Timed::Step(uid.clone(), step.name.clone()), begun, previous_ended, now);
        }
        self.task_runs.insert(task_run.metadata.name.clone().unwrap_or_default(), task_run);
    }

    /// Takes in the new state of a PipelineRun, seen at `now`.
    pub(crate) fn observe_pipeline_run(&mut self, run: PipelineRun, now: Timestamp) {
        let uid = run.metadata.uid.clone().unwrap_or_default();
        let status = &run.status;
        self.observe(Timed::Run(uid), status.start_time.is_some(), decided(&status.conditions), now);
        self.pipeline_runs.insert(run.metadata.name.clone().unwrap_or_default(), run);
    }

    /// Takes in the new state of a CustomRun, seen at `now`.
    pub(crate) fn observe_custom_run(&mut self, run: CustomRun, now: Timestamp) {
        let uid = run.metadata.uid.clone().unwrap_or_default();
        let status = &run.status;
        self.observe(Timed::Run(uid), status.start_time.is_some(), decided(&status.conditions), now);
        self.custom_runs.insert(run.metadata.name.clone().unwrap_or_default(), run);
    }

    fn observe(&mut self, what: Timed, begun: bool, ended: bool, now: Timestamp) {
        let span = self.seen.entry(what).or_default();
        if begun {
            span.begin.get_or_insert(now);
        }
        if ended {
            span.end.get_or_insert(now);
        }
    }

    /// How long it took, or has taken until `now`; `None` before it began.
    pub(crate) fn took(&self, what: &Timed, now: Timestamp) -> Option<SignedDuration> {
        let span = self.seen.get(what)?;
        Some(span.end.unwrap_or(now).duration_since(span.begin?))
    }

    /// The condition `Succeeded` of a run, once there is one.
    pub(crate) fn condition(&self, key: &RunKey) -> Option<&Condition> {
        let conditions = match key {
            RunKey::Task(name) => &self.task_runs.get(name)?.status.conditions,
            RunKey::Pipeline(name) => &self.pipeline_runs.get(name)?.status.conditions,
            RunKey::Custom(name) => &self.custom_runs.get(name)?.status.conditions,
        };
        succeeded(conditions)
    }

    /// How the run ended, or `None` while it goes on.
    pub(crate) fn ending(&self, key: &RunKey) -> Option<Ending> {
        match self.condition(key)?.status.as_str() {
            "True" => Some(Ending::Success),
            "False" => Some(Ending::Failure),
            _ => None,
        }
    }

    /// The uid of a run that has been seen.
    pub(crate) fn uid(&self, key: &RunKey) -> Option<String> {
        self.metadata(key)?.uid.clone()
    }

    /// The metadata of a run that has been seen.
    pub(crate) fn metadata(&self, key: &RunKey) -> Option<&ObjectMeta> {
        Some(match key {
            RunKey::Task(name) => &self.task_runs.get(name)?.metadata,
            RunKey::Pipeline(name) => &self.pipeline_runs.get(name)?.metadata,
            RunKey::Custom(name) => &self.custom_runs.get(name)?.metadata,
        })
    }
}

/// Children of a PipelineRun in the order in which it lists them: TaskRuns, CustomRuns and PipelineRuns.
pub(crate) fn children(run: &PipelineRun) -> Vec<RunKey> {
    run.status
        .child_references
        .iter()
        .map(|child| match child.kind.as_str() {
            "PipelineRun" => RunKey::Pipeline(child.name.clone()),
            "CustomRun" => RunKey::Custom(child.name.clone()),
            _ => RunKey::Task(child.name.clone()),
        })
        .collect()
}

/// Whether it is known how the run ended.
fn decided(conditions: &[Condition]) -> bool {
    succeeded(conditions).is_some_and(|condition| !condition.is_unknown())
}

/// The condition of type `Succeeded`.
pub(crate) fn succeeded(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == "Succeeded")
}
