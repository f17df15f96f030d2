//! The state of a pipeline run: its tasks, and what each came to or why it does not start.
//!
//! [`PipelineState::classify`] visits every task once, in topological order, and nothing asks again.

use std::collections::{BTreeMap, HashMap};

use tekton_types::refs;
use tekton_types::v1::{ParamValue, PipelineTask, pipelinerun_spec_status};

use crate::child::{Outcome, ResolvedTask};
use crate::deadline::Deadlines;
use crate::graph::{Graph, GraphError};
use crate::skip::SkipReason;
use crate::{apply, matrix, results, when};

/// Number of each task by its name.
#[derive(Debug, Clone, Default)]
pub struct Lookup(HashMap<String, usize>);

impl Lookup {
    /// Numbers tasks in their order; of two with one name the later one counts.
    pub fn new(tasks: &[ResolvedTask<'_>]) -> Self {
        Self(tasks.iter().enumerate().map(|(index, task)| (task.name().to_owned(), index)).collect())
    }

    /// The number of the task called `name`.
    pub fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

/// Everything that decides what a pipeline run does next. Upstream calls it the facts of the run.
#[derive(Debug, Clone)]
pub struct PipelineState<'a> {
    /// Tasks and finally tasks, in the order in which they are reported.
    pub tasks: Vec<ResolvedTask<'a>>,
    /// The graph of the tasks.
    pub graph: &'a Graph,
    /// The graph of the finally tasks.
    pub finally: &'a Graph,
    /// `spec.status` of the run.
    pub spec_status: &'a str,
    /// Timeouts and the time.
    pub deadlines: Deadlines,
    /// Tasks whose result references turned out to be wrong, with upstream's text about each.
    pub validation_failed: BTreeMap<String, String>,
}

/// What one task came to.
#[expect(clippy::struct_excessive_bools, reason = "each is a question that upstream asks on its own")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskState {
    /// It stands under `tasks`.
    pub in_tasks: bool,
    /// It stands under `finally`.
    pub in_finally: bool,
    /// What its runs came to.
    pub outcome: Outcome,
    /// Its result references turned out to be wrong.
    pub validation_failed: bool,
    /// Why it is skipped, as a task.
    pub skip: Option<SkipReason>,
    /// Why it is skipped, as a finally task.
    pub finally_skip: Option<SkipReason>,
    /// A task that it waits for was skipped, and not because of a guard.
    pub parent_skipped: bool,
    /// It succeeded, failed, was skipped as a task, or failed validation.
    pub done: bool,
}

/// What all tasks came to: the same order as [`PipelineState::tasks`].
#[expect(clippy::struct_excessive_bools, reason = "each is a question that upstream asks on its own")]
#[derive(Debug, Clone, Default)]
pub struct States {
    /// One state a task.
    pub tasks: Vec<TaskState>,
    /// Number of each task.
    pub lookup: Lookup,
    /// A task failed and nothing new starts.
    pub stopping: bool,
    /// A task is running.
    pub running: bool,
    /// All tasks are done.
    pub tasks_done: bool,
    /// All finally tasks are done; a skipped one is not.
    pub finally_done: bool,
}

impl PipelineState<'_> {
    /// Classifies every task once, and replaces the results that each uses once they are known.
    pub fn classify(&mut self) -> States {
        let mut states = self.observe();
        let order: Vec<usize> =
            self.graph.order().iter().filter_map(|node| states.lookup.get(self.graph.name(*node))).collect();
        for index in order {
            self.classify_task(index, &mut states);
        }
        states.tasks_done = states.tasks.iter().all(|task| !task.in_tasks || task.done);
        for index in 0..self.tasks.len() {
            if states.tasks[index].in_finally {
                self.classify_finally(index, &mut states);
            }
        }
        states.finally_done = states.tasks.iter().all(|task| !task.in_finally || task.done);
        states
    }

    /// What each task's runs came to, before anything is said about skipping.
    fn observe(&self) -> States {
        let specless_failed =
            self.tasks.iter().any(|task| task.task_spec.is_none() && self.validation_failed.contains_key(task.name()));
        let mut states = States { lookup: Lookup::new(&self.tasks), ..States::default() };
        states.tasks = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            let outcome = task.outcome();
            // Upstream compares the resolved specs, so that tasks without one fail together.
            let validation_failed = !self.validation_failed.is_empty()
                && (self.validation_failed.contains_key(task.name()) || specless_failed && task.task_spec.is_none());
            let in_tasks = self.graph.index_of(task.name()).is_some();
            if in_tasks {
                states.stopping |=
                    (outcome.failure || validation_failed) && task.pipeline_task.on_error != ON_ERROR_CONTINUE;
                states.running |= outcome.running();
            }
            states.tasks.push(TaskState {
                in_tasks,
                in_finally: self.finally.index_of(task.name()).is_some(),
                done: outcome.done() || validation_failed,
                outcome,
                validation_failed,
                ..TaskState::default()
            });
        }
        states
    }

    pub(crate) fn classify_task(&mut self, index: usize, states: &mut States) {
        let node = self.graph.index_of(self.tasks[index].name()).expect("the order holds names of the graph");
        let parents = || self.graph.parents(node).filter_map(|parent| states.lookup.get(self.graph.name(parent)));
        let parents_done = parents().all(|parent| states.tasks[parent].done);
        let parent_skipped =
            parents().any(|parent| states.tasks[parent].skip.is_some_and(|skip| skip != SkipReason::WhenExpressions));
        states.tasks[index].parent_skipped = parent_skipped;
        let task = &states.tasks[index];
        if task.in_finally || task.outcome.scheduled || task.validation_failed {
            return;
        }
        let skip = SkipReason::OF_TASKS.into_iter().find(|reason| match reason {
            SkipReason::ParentTasks => parent_skipped,
            _ => self.applies(*reason, index, parents_done, states),
        });
        states.tasks[index].skip = skip;
        states.tasks[index].done |= skip.is_some();
    }

    pub(crate) fn classify_finally(&mut self, index: usize, states: &mut States) {
        if states.tasks[index].outcome.scheduled || !states.tasks_done {
            return;
        }
        let skip = SkipReason::OF_FINALLY.into_iter().find(|reason| self.applies(*reason, index, true, states));
        states.tasks[index].finally_skip = skip;
    }

    /// Whether a reason to skip holds for a task whose parents are done or not.
    fn applies(&mut self, reason: SkipReason, index: usize, parents_done: bool, states: &States) -> bool {
        match reason {
            SkipReason::Stopping => states.stopping,
            SkipReason::GracefullyCancelled => self.spec_status == pipelinerun_spec_status::CANCELLED_RUN_FINALLY,
            SkipReason::GracefullyStopped => self.spec_status == pipelinerun_spec_status::STOPPED_RUN_FINALLY,
            SkipReason::WhenExpressions => {
                let task = &self.tasks[index];
                parents_done && !when::allows_execution(&task.pipeline_task.when, &task.evaluated_cel)
            }
            SkipReason::ParentTasks => states.tasks[index].parent_skipped,
            SkipReason::MissingResults => parents_done && self.results_missing(index, states),
            SkipReason::PipelineTimedOut => parents_done && self.deadlines.pipeline_passed(),
            SkipReason::TasksTimedOut => parents_done && self.deadlines.tasks_passed(),
            SkipReason::FinallyTimedOut => self.deadlines.finally_passed(),
            SkipReason::EmptyArrayInMatrixParams => has_empty_array(&self.tasks[index].pipeline_task),
        }
    }

    /// Replaces the results that a task uses. True when one is missing and the task is to be skipped for it, which
    /// holds for finally tasks, tasks with `onError: continue`, and results of tasks that a guard skipped.
    fn results_missing(&mut self, index: usize, states: &States) -> bool {
        if !mentions_results(&self.tasks[index].pipeline_task) {
            return false;
        }
        let target = self.tasks[index].pipeline_task.clone();
        match results::resolve(&mut self.tasks, &states.lookup, &target) {
            Ok(resolved) => {
                apply::results(self.tasks[index].pipeline_task.to_mut(), &results::table(&resolved));
                false
            }
            Err(unresolved) => states.lookup.get(&unresolved.pipeline_task).is_some_and(|maker| {
                target.on_error == ON_ERROR_CONTINUE
                    || states.tasks[index].in_finally
                    || states.tasks[maker].skip == Some(SkipReason::WhenExpressions)
            }),
        }
    }

    /// Names of the finally tasks and then of all others, in order.
    pub fn names(&self) -> (Vec<&str>, Vec<&str>) {
        self.tasks.iter().map(ResolvedTask::name).partition(|name| self.finally.index_of(name).is_some())
    }

    /// True when there are no runs at all.
    pub fn is_before_first_run(&self) -> bool {
        !self.tasks.iter().any(ResolvedTask::has_runs)
    }
}

/// The value of `onError` with which a task's failure does not fail the run.
pub const ON_ERROR_CONTINUE: &str = "continue";

impl States {
    /// Numbers of the tasks that may start now.
    ///
    /// Errors: a task is done although one that it waits for is not.
    pub fn queue(&self, state: &PipelineState<'_>) -> Result<Vec<usize>, GraphError> {
        if matches!(
            state.spec_status,
            pipelinerun_spec_status::CANCELLED | pipelinerun_spec_status::CANCELLED_RUN_FINALLY
        ) {
            return Ok(Vec::new());
        }
        let candidates = state.graph.candidates(self.completed_or_skipped(state))?;
        if self.stopping || state.spec_status == pipelinerun_spec_status::STOPPED_RUN_FINALLY {
            return Ok(Vec::new());
        }
        let is_candidate = |name| state.graph.index_of(name).is_some_and(|node| candidates.contains(&node));
        Ok((0..state.tasks.len())
            .filter(|index| !state.tasks[*index].has_runs() && is_candidate(state.tasks[*index].name()))
            .collect())
    }

    /// Numbers of the finally tasks that may start now: those without runs, once all tasks are done.
    pub fn finally_queue(&self, state: &PipelineState<'_>) -> Vec<usize> {
        (0..state.tasks.len())
            .filter(|index| self.tasks_done && self.tasks[*index].in_finally && !state.tasks[*index].has_runs())
            .collect()
    }

    /// All tasks are done and a finally task has runs.
    pub fn finally_started(&self) -> bool {
        self.tasks_done && self.tasks.iter().any(|task| task.in_finally && task.outcome.scheduled)
    }

    /// Names of the tasks that are done.
    pub fn completed_or_skipped<'s>(&'s self, state: &'s PipelineState<'_>) -> impl Iterator<Item = &'s str> {
        self.tasks.iter().zip(&state.tasks).filter(|(s, _)| s.in_tasks && s.done).map(|(_, task)| task.name())
    }
}

/// Whether params or guards of a task look like they use results.
fn mentions_results(task: &PipelineTask) -> bool {
    task.params.iter().flat_map(|param| refs::value_expressions(&param.value)).any(refs::looks_like_result_ref)
        || task.when.iter().flat_map(refs::when_expressions).any(refs::looks_like_result_ref)
}

fn has_empty_array(task: &PipelineTask) -> bool {
    matrix::is_matrixed(task)
        && task
            .matrix
            .iter()
            .flat_map(|matrix| &matrix.params)
            .any(|param| matches!(&param.value, ParamValue::Array(items) if items.is_empty()))
}

#[cfg(test)]
mod tests;
