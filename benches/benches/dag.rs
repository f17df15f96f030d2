//! Graphs and state of pipeline runs: chain, fan-out and layered random graphs of 100 to 100,000 tasks.
//!
//! `cargo bench -p tekton-benches --bench dag` prints time, tasks a second and memory of each step: `build` makes the
//! graph from the tasks, `decide` classifies a run that is half done and says what starts, `life` starts every task as
//! soon as it may start and lets it finish in virtual time. petgraph's topological sort of the same graph stands beside
//! them as the floor. `max alloc` over the number of tasks is the memory that a task takes.

use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use divan::Bencher;
use divan::counter::ItemsCount;
use tekton_dag::child::ResolvedTask;
use tekton_dag::deadline::Deadlines;
use tekton_dag::edges;
use tekton_dag::graph::Graph;
use tekton_dag::live::Live;
use tekton_dag::state::PipelineState;
use tekton_types::condition::{self, Condition};
use tekton_types::v1::{PipelineTask, TaskRun};

#[global_allocator]
static ALLOC: divan::AllocProfiler<mimalloc::MiMalloc> = divan::AllocProfiler::new(mimalloc::MiMalloc);

const EDGES: usize = 5;
const LAYER: usize = 50;

fn main() {
    divan::main();
}

/// A shape of graph and how many tasks it has.
#[derive(Clone, Copy)]
struct Sample(&'static str, usize);

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Sample {
    fn tasks(self) -> Vec<PipelineTask> {
        match self.0 {
            "chain" => (0..self.1).map(|number| task(number, number.checked_sub(1).into_iter())).collect(),
            "fan-out" => (0..self.1).map(|number| task(number, (number > 0).then_some(0).into_iter())).collect(),
            _ => layered(self.1),
        }
    }
}

fn samples() -> Vec<Sample> {
    let sizes = [100, 1_000, 3_000, 10_000, 100_000];
    ["chain", "fan-out", "layered"].into_iter().flat_map(|shape| sizes.map(|size| Sample(shape, size))).collect()
}

#[divan::bench(args = samples(), max_time = 1)]
fn petgraph_toposort(bencher: Bencher<'_, '_>, sample: Sample) {
    let graph = edges::tasks_graph(&sample.tasks()).expect("tasks wait for earlier ones only");
    bencher
        .counter(ItemsCount::new(sample.1))
        .bench(|| petgraph::algo::toposort(graph.petgraph(), None).map(|order| order.len()));
}

#[divan::bench(args = samples(), max_time = 1)]
fn build(bencher: Bencher<'_, '_>, sample: Sample) {
    let tasks = sample.tasks();
    bencher.counter(ItemsCount::new(sample.1)).bench(|| edges::tasks_graph(&tasks));
}

#[divan::bench(args = samples(), max_time = 1)]
fn decide(bencher: Bencher<'_, '_>, sample: Sample) {
    let tasks = sample.tasks();
    let graph = edges::tasks_graph(&tasks).expect("tasks wait for earlier ones only");
    let (finally, succeeded) = (Graph::default(), run(condition::TRUE));
    let mut half = state(&tasks, &graph, &finally);
    for index in 0..tasks.len() / 2 {
        half.tasks[index].task_runs = vec![&succeeded];
    }
    bencher.counter(ItemsCount::new(sample.1)).bench_local(|| {
        let states = half.classify();
        states.queue(&half).map(|queue| queue.len())
    });
}

#[divan::bench(args = samples(), max_time = 1)]
fn life(bencher: Bencher<'_, '_>, sample: Sample) {
    let tasks = sample.tasks();
    let graph = edges::tasks_graph(&tasks).expect("tasks wait for earlier ones only");
    let (finally, running, succeeded) = (Graph::default(), run(condition::UNKNOWN), run(condition::TRUE));
    bencher
        .counter(ItemsCount::new(sample.1))
        .bench(|| live_life(state(&tasks, &graph, &finally), &running, &succeeded));
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
        tasks: tasks.iter().map(ResolvedTask::new).collect(),
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
