//! A pipeline run whose state is kept up to date as its tasks change: O(V+E) over the whole life of a run.
//!
//! [`PipelineState::classify`] looks at every task; an executor that keeps the run in memory and learns of one
//! change at a time tells a [`Live`] instead, which looks only at what the change can affect.

use tekton_types::v1::pipelinerun_spec_status;

use crate::child::ResolvedTask;
use crate::skip::SkipReason;
use crate::state::{PipelineState, States};

/// A pipeline run in memory, and which of its tasks may start.
#[derive(Debug, Clone)]
pub struct Live<'a> {
    state: PipelineState<'a>,
    states: States,
    /// How many of the tasks that each waits for are not done.
    waits_for: Vec<usize>,
    /// How many tasks are not done.
    open: usize,
    /// How many finally tasks are not done.
    open_finally: usize,
    /// How many tasks are running.
    running: usize,
    ready: Vec<usize>,
}

impl<'a> Live<'a> {
    /// Classifies every task once.
    pub fn new(state: PipelineState<'a>) -> Self {
        let mut live = Self {
            waits_for: Vec::new(),
            states: States::default(),
            open: 0,
            open_finally: 0,
            running: 0,
            ready: Vec::new(),
            state,
        };
        live.reclassify();
        live
    }

    /// The state of the run.
    pub fn state(&self) -> &PipelineState<'a> {
        &self.state
    }

    /// What every task came to.
    pub fn states(&self) -> &States {
        &self.states
    }

    /// Changes one task (new runs, or what runs came to), and everything that follows from it.
    pub fn update(&mut self, index: usize, change: impl FnOnce(&mut ResolvedTask<'a>)) {
        change(&mut self.state.tasks[index]);
        let task = &mut self.states.tasks[index];
        let was_done = task.done;
        let was_running = task.in_tasks && task.outcome.running();
        task.outcome = self.state.tasks[index].outcome();
        task.done |= task.outcome.done();
        let stops = task.in_tasks
            && task.outcome.failure
            && self.state.tasks[index].pipeline_task.on_error != crate::state::ON_ERROR_CONTINUE;
        self.running -= usize::from(was_running);
        self.running += usize::from(task.in_tasks && task.outcome.running());
        self.states.running = self.running > 0;
        if task.in_finally && task.done && !was_done {
            self.open_finally -= 1;
            self.states.finally_done = self.open_finally == 0;
        }
        if stops && !self.states.stopping {
            self.reclassify();
        } else if self.states.tasks[index].done && !was_done {
            self.finish(index);
        }
    }

    /// Changes what decides about all tasks, such as the time or `spec.status`, and looks at all of them again.
    pub fn update_all(&mut self, change: impl FnOnce(&mut PipelineState<'a>)) {
        change(&mut self.state);
        self.reclassify();
    }

    /// Numbers of the tasks that may start and were not told yet; finally tasks once all others are done.
    pub fn take_ready(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ready)
    }

    fn reclassify(&mut self) {
        self.states = self.state.classify();
        let graph = self.state.graph;
        let is_open = |node: usize| self.states.task_of(node).is_some_and(|task| !self.states.tasks[task].done);
        self.waits_for = (0..graph.len()).map(|node| graph.parents(node).filter(|p| is_open(*p)).count()).collect();
        self.open = self.states.tasks.iter().filter(|task| task.in_tasks && !task.done).count();
        self.open_finally = self.states.tasks.iter().filter(|task| task.in_finally && !task.done).count();
        self.running = self.states.tasks.iter().filter(|task| task.in_tasks && task.outcome.running()).count();
        self.ready = self.states.lenient_queue(&self.state);
        self.ready.extend(self.finally_ready());
    }

    /// Follows the end of one task to all that it decides.
    fn finish(&mut self, index: usize) {
        let mut ended = vec![index];
        while let Some(index) = ended.pop() {
            let Some(node) = self.states.node_of(index) else { continue };
            self.open -= 1;
            let skips_children = self.states.tasks[index].skip.is_some_and(|why| why != SkipReason::WhenExpressions);
            let graph = self.state.graph;
            for next in graph.children(node) {
                self.waits_for[next] -= 1;
                let Some(child) = self.states.task_of(next) else { continue };
                if self.states.tasks[child].done || self.waits_for[next] > 0 && !skips_children {
                    continue;
                }
                self.state.classify_task(child, &mut self.states);
                if self.states.tasks[child].done {
                    ended.push(child);
                } else if self.waits_for[next] == 0 && self.may_start(child) {
                    self.ready.push(child);
                }
            }
        }
        if self.open == 0 && !self.states.tasks_done {
            self.states.tasks_done = true;
            for index in 0..self.state.tasks.len() {
                if self.states.tasks[index].in_finally {
                    self.state.classify_finally(index, &mut self.states);
                }
            }
            self.ready.extend(self.finally_ready());
        }
    }

    fn may_start(&self, index: usize) -> bool {
        self.state.spec_status != pipelinerun_spec_status::CANCELLED && !self.state.tasks[index].has_runs()
    }

    fn finally_ready(&self) -> Vec<usize> {
        let mut ready = self.states.finally_queue(&self.state);
        ready.retain(|index| self.states.tasks[*index].finally_skip.is_none());
        ready
    }
}

#[cfg(test)]
mod tests {

    use tekton_types::condition::{self, Condition};
    use tekton_types::v1::{PipelineTask, TaskRun, WhenExpression};

    use super::*;
    use crate::edges;

    fn run(status: &str) -> TaskRun {
        let mut run = TaskRun::default();
        run.status.conditions.push(Condition::succeeded(status, "", ""));
        run
    }

    /// A small generator of numbers below `limit`; the same seed gives the same numbers.
    fn below(seed: &mut u64, limit: u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % limit
    }

    fn random_tasks(seed: &mut u64, count: u64) -> Vec<PipelineTask> {
        (0..count)
            .map(|number| {
                let mut task = PipelineTask { name: format!("t{number}"), ..PipelineTask::default() };
                for _ in 0..below(seed, 4).min(number) {
                    task.run_after.push(format!("t{}", below(seed, number)));
                }
                if below(seed, 6) == 0 {
                    task.when.push(WhenExpression { operator: "in".into(), ..WhenExpression::default() });
                }
                if below(seed, 3) == 0 {
                    "continue".clone_into(&mut task.on_error);
                }
                task
            })
            .collect()
    }

    #[test]
    fn what_is_kept_up_to_date_equals_what_is_classified_afresh() {
        let (running, succeeded, failed) = (run(condition::UNKNOWN), run(condition::TRUE), run(condition::FALSE));
        for seed in 0..200 {
            let seed = &mut (seed * 7919);
            let count = 1 + below(seed, 30);
            let tasks = random_tasks(seed, count);
            let last = [PipelineTask { name: "last".into(), ..PipelineTask::default() }];
            let graph = edges::tasks_graph(&tasks).expect("tasks wait for earlier ones only");
            let finally = edges::finally_graph(&last).expect("finally tasks wait for nothing");
            let state = PipelineState {
                tasks: tasks.iter().chain(&last).map(ResolvedTask::new).collect(),
                graph: &graph,
                finally: &finally,
                spec_status: "",
                deadlines: crate::deadline::Deadlines::default(),
                validation_failed: std::collections::BTreeMap::default(),
            };
            let mut live = Live::new(state);
            let mut open: Vec<usize> = Vec::new();
            loop {
                for index in live.take_ready() {
                    live.update(index, |task| task.task_runs = vec![&running]);
                    open.push(index);
                }
                let fresh = live.state().clone().classify();
                assert_eq!(live.states().tasks, fresh.tasks);
                let flags = |s: &States| (s.stopping, s.running, s.tasks_done, s.finally_done);
                assert_eq!(flags(live.states()), flags(&fresh));
                if open.is_empty() {
                    break;
                }
                let at = usize::try_from(below(seed, open.len() as u64)).expect("a small number");
                let index = open.swap_remove(at);
                let outcome = if below(seed, 8) == 0 { &failed } else { &succeeded };
                live.update(index, |task| task.task_runs = vec![outcome]);
            }
            assert!(live.states().tasks_done);
        }
    }
}
