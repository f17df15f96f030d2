//! Runs a pipeline of 10,000 tasks in virtual time: hours of work pass in less than a second. Each task waits for up to
//! five of the layer before; 100 tasks run at a time; a guard skips some, and what depends on them runs anyway.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Instant;

use tekton_dag::child::ResolvedTask;
use tekton_dag::deadline::Deadlines;
use tekton_dag::edges;
use tekton_dag::live::Live;
use tekton_dag::state::PipelineState;
use tekton_dag::tally::{self, Counts};
use tekton_types::condition::{Condition, TRUE, UNKNOWN};
use tekton_types::v1::{PipelineRun, PipelineTask, TaskRun, WhenExpression};

const TASKS: u64 = 10_000;
const LAYER: u64 = 200;
const AT_A_TIME: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tasks: Vec<PipelineTask> = (0..TASKS).map(task).collect();
    let (running, succeeded) = (run(UNKNOWN), run(TRUE));
    let begun = Instant::now();
    let graph = edges::tasks_graph(&tasks)?;
    let finally = edges::finally_graph(&[])?;
    let mut live = Live::new(PipelineState {
        tasks: tasks.iter().map(ResolvedTask::new).collect(),
        graph: &graph,
        finally: &finally,
        spec_status: "",
        deadlines: Deadlines::default(),
        validation_failed: BTreeMap::new(),
    });
    let (mut now, mut waiting, mut ends) = (0, VecDeque::new(), BinaryHeap::new());
    loop {
        waiting.extend(live.take_ready());
        while ends.len() < AT_A_TIME
            && let Some(index) = waiting.pop_front()
        {
            live.update(index, |task| task.task_runs.push(&running));
            ends.push(Reverse((now + 1 + random(index as u64, 7) % 300, index)));
        }
        let Some(Reverse((end, index))) = ends.pop() else { break };
        now = end;
        live.update(index, |task| task.task_runs[0] = &succeeded);
    }
    let took = begun.elapsed();
    let (state, states) = (live.state(), live.states());
    let condition = tally::condition(state, states, &PipelineRun::default(), &state.deadlines);
    println!("{}: {}", condition.reason, condition.message);
    println!("{:?}", Counts::of(state, states));
    println!("{now} virtual seconds of {TASKS} tasks with {} edges in {took:?}", graph.edges().count());
    Ok(())
}

fn task(number: u64) -> PipelineTask {
    let mut task = PipelineTask { name: format!("task-{number}"), ..PipelineTask::default() };
    if number >= LAYER {
        let first = (number / LAYER - 1) * LAYER;
        task.run_after = (0..5).map(|edge| format!("task-{}", first + random(number, edge) % LAYER)).collect();
    }
    if random(number, 9).is_multiple_of(50) {
        let values = vec!["main".to_owned()];
        task.when.push(WhenExpression { input: "branch".into(), operator: "in".into(), values, cel: String::new() });
    }
    task
}

fn run(status: &str) -> TaskRun {
    let mut run = TaskRun::default();
    run.status.conditions.push(Condition::succeeded(status, "", ""));
    run
}

/// Always the same number for the same two.
fn random(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b << 32).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 31
}
