//! Graphs and state of pipeline runs: chain, fan-out and layered random graphs of 100 to 100,000 tasks.
//!
//! `cargo bench -p tekton-benches --bench dag` prints nanoseconds per task for each step; petgraph's topological
//! sort of the same graph stands beside them as the floor. The whole life starts every task as soon as it may
//! start and lets the tasks finish in virtual time.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BinaryHeap};
use std::hint::black_box;
use std::time::{Duration, Instant};

use tekton_dag::child::ResolvedTask;
use tekton_dag::deadline::Deadlines;
use tekton_dag::edges;
use tekton_dag::graph::{Frontier, Graph};
use tekton_dag::live::Live;
use tekton_dag::state::PipelineState;
use tekton_types::condition::{self, Condition};
use tekton_types::v1::{PipelineTask, TaskRun};

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const EDGES: usize = 5;
const LAYER: usize = 50;

fn main() {
    println!(
        "{:<8} {:>8} {:>9} | {:>9} {:>9} {:>9} {:>9} {:>9} | ns a task; life in ms at the end",
        "graph", "tasks", "edges", "toposort", "build", "frontier", "decide", "life"
    );
    for (name, make) in [("chain", chain as fn(usize) -> Vec<PipelineTask>), ("fan-out", fan_out), ("layered", layered)]
    {
        for size in SIZES {
            measure(name, &make(size));
        }
        if name != "fan-out" {
            measure(name, &make(3_000));
        }
    }
}

fn measure(name: &str, tasks: &[PipelineTask]) {
    let graph = edges::tasks_graph(tasks).expect("tasks wait for earlier ones only");
    let finally = Graph::default();
    let (running, succeeded) = (run(condition::UNKNOWN), run(condition::TRUE));
    let toposort = time(|| petgraph::algo::toposort(graph.petgraph(), None).map(|order| order.len()));
    let build = time(|| edges::tasks_graph(tasks).map(|graph| graph.len()));
    let frontier = time(|| frontier_life(&graph));
    let mut half = state(tasks, &graph, &finally);
    for index in 0..tasks.len() / 2 {
        half.tasks[index].task_runs = vec![&succeeded];
    }
    let decide = time(|| {
        let states = half.classify();
        states.queue(&half).map(|queue| queue.len())
    });
    let life = time(|| live_life(state(tasks, &graph, &finally), &running, &succeeded));
    let a_task = |time: Duration| time.as_nanos() / tasks.len() as u128;
    println!(
        "{name:<8} {:>8} {:>9} | {:>9} {:>9} {:>9} {:>9} {:>9} | {:.2} ms",
        tasks.len(),
        graph.edges().count(),
        a_task(toposort),
        a_task(build),
        a_task(frontier),
        a_task(decide),
        a_task(life),
        life.as_secs_f64() * 1000.0
    );
}

/// The best of several runs.
fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    let begun = Instant::now();
    for _ in 0..20 {
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed());
        if begun.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    best
}

/// Starts and finishes every task by the graph alone.
fn frontier_life(graph: &Graph) -> usize {
    let mut frontier = Frontier::new(graph);
    let mut started = 0;
    loop {
        let ready = frontier.take_ready();
        if ready.is_empty() {
            return started;
        }
        started += ready.len();
        for task in ready {
            frontier.finish(task);
        }
    }
}

/// Starts and finishes every task with its whole state, in virtual time.
fn live_life<'a>(state: PipelineState<'a>, running: &'a TaskRun, succeeded: &'a TaskRun) -> usize {
    let mut live = Live::new(state);
    let mut clock = BinaryHeap::new();
    let (mut now, mut started) = (0_u64, 0);
    loop {
        for index in live.take_ready() {
            live.update(index, |task| task.task_runs.push(running));
            let lasts = 1 + (index as u64).wrapping_mul(2_654_435_761) % 60;
            clock.push((std::cmp::Reverse(now + lasts), index));
            started += 1;
        }
        let Some((std::cmp::Reverse(end), index)) = clock.pop() else { return started };
        now = end;
        live.update(index, |task| task.task_runs[0] = succeeded);
    }
}

fn state<'a>(tasks: &'a [PipelineTask], graph: &'a Graph, finally: &'a Graph) -> PipelineState<'a> {
    PipelineState {
        tasks: tasks.iter().map(|task| ResolvedTask::new(Cow::Borrowed(task))).collect(),
        graph,
        finally,
        spec_status: "",
        deadlines: Deadlines::default(),
        validation_failed: BTreeMap::new(),
    }
}

fn run(status: &str) -> TaskRun {
    let mut run = TaskRun::default();
    run.status.conditions.push(Condition::succeeded(status, "", ""));
    run
}

fn task(number: usize, after: impl Iterator<Item = usize>) -> PipelineTask {
    PipelineTask {
        name: format!("task-{number}"),
        run_after: after.map(|number| format!("task-{number}")).collect(),
        ..PipelineTask::default()
    }
}

fn chain(size: usize) -> Vec<PipelineTask> {
    (0..size).map(|number| task(number, number.checked_sub(1).into_iter())).collect()
}

fn fan_out(size: usize) -> Vec<PipelineTask> {
    (0..size).map(|number| task(number, (number > 0).then_some(0).into_iter())).collect()
}

/// Layers of tasks, each of which waits for a few random ones of the layer before.
fn layered(size: usize) -> Vec<PipelineTask> {
    let mut seed = 42_u64;
    (0..size)
        .map(|number| {
            let first = (number / LAYER).saturating_sub(1) * LAYER;
            let count = if number < LAYER { 0 } else { EDGES };
            let after: Vec<usize> = (0..count)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    first + usize::try_from(seed >> 40).unwrap_or_default() % LAYER
                })
                .collect();
            task(number, after.into_iter())
        })
        .collect()
}
