//! A pipeline task with what is known about it: its runs, its spec, and what its runs came to.

use std::collections::BTreeMap;

use tekton_types::condition::{self, Condition};
use tekton_types::reason;
use tekton_types::v1::{PipelineRun, PipelineTask, TaskRun, TaskSpec, taskrun_status_message};
use tekton_types::v1beta1::{CustomRun, customrun_status_message};

use crate::shared::Shared;

/// What carries a pipeline task out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChildKind {
    /// TaskRuns.
    Task,
    /// CustomRuns.
    CustomTask,
    /// Child PipelineRuns.
    Pipeline,
}

/// A pipeline task with its runs. Upstream calls it a resolved pipeline task.
#[derive(Debug, Clone)]
pub struct ResolvedTask<'a> {
    /// The task, with the references replaced that could be replaced so far.
    pub pipeline_task: Shared<'a, PipelineTask>,
    /// Whether a custom task carries it out.
    pub custom_task: bool,
    /// The names that its runs have or will have.
    pub names: Vec<String>,
    /// Its TaskRuns.
    pub task_runs: Vec<&'a TaskRun>,
    /// Its CustomRuns.
    pub custom_runs: Vec<&'a CustomRun>,
    /// Its child PipelineRuns.
    pub pipeline_runs: Vec<&'a PipelineRun>,
    /// Name of the task that it refers to.
    pub task_name: String,
    /// The spec of the task; `None` for custom tasks and child pipelines.
    pub task_spec: Option<Shared<'a, TaskSpec>>,
    /// Values of the CEL guards, by text; one that is not here does not hold.
    pub evaluated_cel: BTreeMap<String, bool>,
    /// Its params got their results in an earlier pass; here they stand as written.
    pub results_applied_before: bool,
    /// Results of a matrixed task, gathered from all of its runs when something first asked for one.
    pub results_cache: BTreeMap<String, Vec<String>>,
}

impl<'a> ResolvedTask<'a> {
    /// A task without runs.
    pub fn new(pipeline_task: impl Into<Shared<'a, PipelineTask>>) -> Self {
        let pipeline_task = pipeline_task.into();
        let custom_task = is_custom_task(&pipeline_task);
        Self {
            pipeline_task,
            custom_task,
            names: Vec::new(),
            task_runs: Vec::new(),
            custom_runs: Vec::new(),
            pipeline_runs: Vec::new(),
            task_name: String::new(),
            task_spec: None,
            evaluated_cel: BTreeMap::new(),
            results_applied_before: false,
            results_cache: BTreeMap::new(),
        }
    }

    /// The name of the task in its pipeline.
    pub fn name(&self) -> &str {
        &self.pipeline_task.name
    }

    /// What carries it out.
    pub fn kind(&self) -> ChildKind {
        if self.pipeline_task.pipeline_spec.is_some() || self.pipeline_task.pipeline_ref.is_some() {
            ChildKind::Pipeline
        } else if self.custom_task {
            ChildKind::CustomTask
        } else {
            ChildKind::Task
        }
    }

    /// Whether it has any runs.
    pub fn has_runs(&self) -> bool {
        !self.task_runs.is_empty() || !self.custom_runs.is_empty() || !self.pipeline_runs.is_empty()
    }

    /// There are runs, and they are over: all succeeded, or all are done and one failed.
    pub fn is_done(&self) -> bool {
        let over =
            |conditions: &[Condition]| condition::succeeded(conditions).is_some_and(|c| c.is_true() || c.is_false());
        match self.kind() {
            ChildKind::Pipeline if self.pipeline_runs.len() == 1 => over(&self.pipeline_runs[0].status.conditions),
            ChildKind::CustomTask if self.custom_runs.len() == 1 => over(&self.custom_runs[0].status.conditions),
            ChildKind::Task if self.task_runs.len() == 1 => over(&self.task_runs[0].status.conditions),
            _ => self.outcome().done(),
        }
    }

    /// What its runs came to.
    pub fn outcome(&self) -> Outcome {
        match self.kind() {
            ChildKind::Pipeline => {
                let mut outcome = Outcome::of(self.pipeline_runs.iter().map(|run| (&*run.status.conditions, None)));
                // Upstream asks for TaskRuns here, so a child pipeline is never scheduled nor cancelled.
                outcome.scheduled = false;
                outcome
            }
            ChildKind::CustomTask => Outcome::of(self.custom_runs.iter().map(|run| {
                let stopped = Stopped {
                    reason: reason::customrun::CANCELLED,
                    by_timeout: run.spec.status_message == customrun_status_message::CANCELLED_BY_PIPELINE_TIMEOUT,
                };
                (&*run.status.conditions, Some(stopped))
            })),
            ChildKind::Task => Outcome::of(self.task_runs.iter().map(|run| {
                let stopped = Stopped {
                    reason: reason::taskrun::CANCELLED,
                    by_timeout: run.spec.status_message == taskrun_status_message::CANCELLED_BY_PIPELINE_TIMEOUT,
                };
                (&*run.status.conditions, Some(stopped))
            })),
        }
    }
}

/// Whether another controller carries the task out.
pub fn is_custom_task(task: &PipelineTask) -> bool {
    task.task_ref.as_ref().is_some_and(tekton_types::v1::TaskRef::is_custom_task)
        || task.task_spec.as_ref().is_some_and(tekton_types::v1::EmbeddedTask::is_custom_task)
}

/// How a cancelled run of a kind looks.
struct Stopped {
    reason: &'static str,
    by_timeout: bool,
}

/// What the runs of one pipeline task came to, taken together.
#[expect(clippy::struct_excessive_bools, reason = "each is a question that upstream asks on its own")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// There are runs.
    pub started: bool,
    /// There are TaskRuns or CustomRuns; child PipelineRuns do not count.
    pub scheduled: bool,
    /// There are runs and all of them succeeded.
    pub successful: bool,
    /// All runs are done and at least one of them failed.
    pub failure: bool,
    /// At least one run failed, whatever the others do.
    pub any_failed: bool,
    /// All runs are done and at least one of them was cancelled.
    pub cancelled: bool,
    /// All runs are done and at least one of them was cancelled because the pipeline run timed out.
    pub cancelled_for_timeout: bool,
    /// The reason of the first run that did not succeed, else that of the first run.
    pub reason: String,
}

impl Outcome {
    /// There are runs, and they are not all done.
    pub fn running(&self) -> bool {
        self.started && !self.successful && !self.failure
    }

    /// There are runs and they are over.
    pub fn done(&self) -> bool {
        self.successful || self.failure
    }

    fn of<'c>(runs: impl Iterator<Item = (&'c [Condition], Option<Stopped>)>) -> Self {
        let mut outcome = Self { successful: true, ..Self::default() };
        let (mut done, mut any_cancelled, mut any_timed_out) = (true, false, false);
        let (mut first_reason, mut unsuccessful_reason) = (None, None);
        for (conditions, stopped) in runs {
            let succeeded = condition::succeeded(conditions);
            let failed = succeeded.is_some_and(Condition::is_false);
            let ok = succeeded.is_some_and(Condition::is_true);
            let reason = conditions.first().map(|c| c.reason.as_str());
            if !outcome.started {
                first_reason = reason;
            }
            if !ok && unsuccessful_reason.is_none() {
                unsuccessful_reason = reason;
            }
            outcome.started = true;
            outcome.successful &= ok;
            outcome.any_failed |= failed;
            done &= succeeded.is_some_and(|c| c.status != condition::UNKNOWN);
            if let (true, Some(stopped)) = (failed, stopped)
                && succeeded.is_some_and(|c| c.reason == stopped.reason)
            {
                any_cancelled = true;
                any_timed_out |= stopped.by_timeout;
            }
        }
        outcome.scheduled = outcome.started;
        outcome.successful &= outcome.started;
        outcome.failure = done && outcome.any_failed;
        outcome.cancelled = done && any_cancelled;
        outcome.cancelled_for_timeout = done && any_timed_out;
        if let Some(reason) = unsuccessful_reason.or(first_reason) {
            reason.clone_into(&mut outcome.reason);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_done_when_its_run_succeeded_or_failed_and_not_when_its_condition_says_neither() {
        let task = PipelineTask { name: "t".to_owned(), ..PipelineTask::default() };
        for (status, done) in [("True", true), ("False", true), ("Unknown", false), ("", false)] {
            let mut run = TaskRun::default();
            run.status.conditions = vec![Condition::succeeded(status, "", "")];
            let mut resolved = ResolvedTask::new(&task);
            resolved.task_runs = vec![&run];
            assert_eq!((resolved.is_done(), resolved.outcome().done()), (done, done), "{status:?}");
        }
    }
}
