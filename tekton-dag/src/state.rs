//! The state of a pipeline run: its tasks, and what each came to or why it does not start.
//!
//! [`PipelineState::classify`] visits every task once, in topological order, and nothing asks again.

use std::collections::BTreeMap;
use std::sync::Arc;

use tekton_types::refs;
use tekton_types::v1::{ParamValue, PipelineTask, pipelinerun_spec_status};

use crate::child::{Outcome, ResolvedTask};
use crate::deadline::Deadlines;
use crate::graph::{Graph, GraphError, Names};
use crate::skip::SkipReason;
use crate::{apply, matrix, results, when};

/// A node of a graph that is no task of the run.
const NO_TASK: u32 = u32::MAX;

/// Number of each task by its name. Names are not copied: they are those of the graphs.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// Names with their numbers, and the number of the task for each of them.
    parts: Vec<(Arc<Names>, Vec<u32>)>,
}

impl Lookup {
    /// Numbers tasks in their order; of two with one name the later one counts.
    pub fn new(tasks: &[ResolvedTask<'_>]) -> Self {
        let mut lookup = Self::default();
        tasks.iter().enumerate().for_each(|(index, task)| lookup.insert(task.name(), index));
        lookup
    }

    /// Numbers one more task; of two with one name the later one counts.
    pub fn insert(&mut self, name: &str, index: usize) {
        if self.parts.is_empty() {
            self.parts.push(Default::default());
        }
        let (names, task_of) = &mut self.parts[0];
        let (number, is_new) = Arc::make_mut(names).insert_full(name.into());
        if is_new {
            task_of.push(short(index));
        } else {
            task_of[number] = short(index);
        }
    }

    /// The number of the task called `name`.
    pub fn get(&self, name: &str) -> Option<usize> {
        let found = self.parts.iter().filter_map(|(names, task_of)| Some(task_of[names.get_index_of(name)?]));
        found.filter(|task| *task != NO_TASK).max().map(|task| task as usize)
    }
}

/// Tasks are numbered with 32 bits, as petgraph numbers nodes.
fn short(index: usize) -> u32 {
    u32::try_from(index).expect("a run has fewer than 2^32 tasks")
}

/// The node of each task in a graph. A name is looked up only where the order of the tasks is not that of the graph.
fn nodes(graph: &Graph, tasks: &[ResolvedTask<'_>]) -> (Vec<u32>, Vec<u32>) {
    let (mut node_of, mut task_of) = (vec![NO_TASK; tasks.len()], vec![NO_TASK; graph.len()]);
    let mut next = 0;
    for (index, task) in tasks.iter().enumerate().filter(|_| !graph.is_empty()) {
        let name = task.name();
        let node = if next < graph.len() && graph.name(next) == name { Some(next) } else { graph.index_of(name) };
        if let Some(node) = node {
            node_of[index] = short(node);
            task_of[node] = short(index);
            next = node + 1;
        }
    }
    (node_of, task_of)
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
    /// The node of each task in the graph of the tasks.
    pub(crate) node_of: Vec<u32>,
    /// The task of each node of that graph.
    pub(crate) task_of: Vec<u32>,
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
        let graph = self.graph;
        for node in graph.order() {
            if let Some(index) = states.task_of(*node) {
                self.classify_task(index, &mut states);
            }
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
        let (node_of, task_of) = nodes(self.graph, &self.tasks);
        let (finally_node_of, finally_task_of) = nodes(self.finally, &self.tasks);
        let mut lookup = Lookup {
            parts: vec![
                Default::default(),
                (Arc::clone(self.graph.numbered()), task_of.clone()),
                (Arc::clone(self.finally.numbered()), finally_task_of),
            ],
        };
        for (index, task) in self.tasks.iter().enumerate() {
            if node_of[index] == NO_TASK && finally_node_of[index] == NO_TASK {
                lookup.insert(task.name(), index);
            }
        }
        let mut states = States { lookup, ..States::default() };
        states.tasks = Vec::with_capacity(self.tasks.len());
        for (index, task) in self.tasks.iter().enumerate() {
            let outcome = task.outcome();
            // Upstream compares the resolved specs, so that tasks without one fail together.
            let validation_failed = !self.validation_failed.is_empty()
                && (self.validation_failed.contains_key(task.name()) || specless_failed && task.task_spec.is_none());
            let in_tasks = node_of[index] != NO_TASK;
            if in_tasks {
                states.stopping |=
                    (outcome.failure || validation_failed) && task.pipeline_task.on_error != ON_ERROR_CONTINUE;
                states.running |= outcome.running();
            }
            states.tasks.push(TaskState {
                in_tasks,
                in_finally: finally_node_of[index] != NO_TASK,
                done: outcome.done() || validation_failed,
                outcome,
                validation_failed,
                ..TaskState::default()
            });
        }
        states.node_of = node_of;
        states.task_of = task_of;
        states
    }

    pub(crate) fn classify_task(&mut self, index: usize, states: &mut States) {
        let node = states.node_of(index).expect("only tasks of the graph are classified as such");
        let (mut parents_done, mut parent_skipped) = (true, false);
        for parent in self.graph.parents(node).filter_map(|parent| states.task_of(parent)) {
            let parent = &states.tasks[parent];
            parents_done &= parent.done;
            parent_skipped |= parent.skip.is_some_and(|skip| skip != SkipReason::WhenExpressions);
        }
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
    /// The node of a task in the graph of the tasks.
    pub(crate) fn node_of(&self, task: usize) -> Option<usize> {
        Some(self.node_of[task]).filter(|node| *node != NO_TASK).map(|node| node as usize)
    }

    /// The task of a node of that graph.
    pub(crate) fn task_of(&self, node: usize) -> Option<usize> {
        Some(self.task_of[node]).filter(|task| *task != NO_TASK).map(|task| task as usize)
    }

    /// Numbers of the tasks that may start now.
    ///
    /// Errors: a task is done although one that it waits for is not.
    pub fn queue(&self, state: &PipelineState<'_>) -> Result<Vec<usize>, GraphError> {
        let (queue, too_early) = self.ordered_queue(state);
        if too_early.is_empty() { Ok(queue) } else { Err(GraphError::DoneOutOfOrder(too_early)) }
    }

    /// The same of a run that may have lost children: a task that is done stays done, and one that it waited for and
    /// that has no runs any more may start again.
    pub fn lenient_queue(&self, state: &PipelineState<'_>) -> Vec<usize> {
        self.ordered_queue(state).0
    }

    /// Numbers of the tasks that may start, and names of those that are done before their time.
    fn ordered_queue(&self, state: &PipelineState<'_>) -> (Vec<usize>, Vec<String>) {
        if matches!(
            state.spec_status,
            pipelinerun_spec_status::CANCELLED | pipelinerun_spec_status::CANCELLED_RUN_FINALLY
        ) {
            return (Vec::new(), Vec::new());
        }
        let is_done: Vec<bool> =
            self.task_of.iter().map(|task| *task != NO_TASK && self.tasks[*task as usize].done).collect();
        let (candidates, reached) = state.graph.reach(&is_done);
        let too_early: Vec<String> = (0..self.tasks.len())
            .filter(|task| self.tasks[*task].done && self.node_of(*task).is_some_and(|node| !reached[node]))
            .map(|task| state.tasks[task].name().to_owned())
            .collect();
        if self.stopping || state.spec_status == pipelinerun_spec_status::STOPPED_RUN_FINALLY {
            return (Vec::new(), too_early);
        }
        let mut queue: Vec<usize> = candidates.into_iter().filter_map(|node| self.task_of(node)).collect();
        queue.retain(|task| !state.tasks[*task].has_runs());
        queue.sort_unstable();
        (queue, too_early)
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
