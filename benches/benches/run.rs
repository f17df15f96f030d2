//! Whole runs through `tekton run`: 20 tasks of three steps in a row, and 50 tasks side by side.
//!
//! Each step prints its clock, so that hand-offs are seen from within: between two steps of a Pod, and between the last
//! step of a task and the first of the next (that is: status, decision, Pod, two init containers, first step).
//! Needs the release build of the command: `cargo build --release -p tekton-cli`.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const TASKS_IN_A_ROW: usize = 20;
const STEPS: usize = 3;
const TASKS_SIDE_BY_SIDE: usize = 50;

fn main() {
    let tekton = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.parent()?.join("tekton")))
        .filter(|path| path.exists())
        .expect("the command is built: cargo build --release -p tekton-cli");
    let tasks: Vec<Value> = (0..TASKS_IN_A_ROW).map(|i| task(i, STEPS, i.checked_sub(1))).collect();
    let row = pipeline_run("row", &tasks);
    let (clocks, wall) = run(&tekton, &row);
    let mut steps: Vec<Duration> = Vec::new();
    let mut tasks: Vec<Duration> = Vec::new();
    for pair in clocks.windows(2) {
        let between = Duration::from_nanos(pair[1].1.saturating_sub(pair[0].1));
        if pair[0].0 == pair[1].0 { steps.push(between) } else { tasks.push(between) }
    }
    println!("{TASKS_IN_A_ROW} tasks of {STEPS} steps in a row: {wall:.2?} in all");
    report("step to step", &mut steps);
    report("task to task", &mut tasks);

    let tasks: Vec<Value> = (0..TASKS_SIDE_BY_SIDE).map(|i| task(i, 1, None)).collect();
    let side = pipeline_run("side", &tasks);
    let (clocks, wall) = run(&tekton, &side);
    assert_eq!(clocks.len(), TASKS_SIDE_BY_SIDE, "every task ran");
    println!("{TASKS_SIDE_BY_SIDE} tasks side by side: {wall:.2?} in all, {:.2?} a task", wall / 50);
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    println!("  {what}: median {:.2?}, p95 {:.2?}", times[times.len() / 2], times[times.len() * 95 / 100]);
}

fn task(index: usize, steps: usize, after: Option<usize>) -> Value {
    let steps: Vec<Value> = (0..steps)
        .map(|step| json!({"name": format!("s{step}"), "image": "busybox", "script": "date +%s%N"}))
        .collect();
    let after: Vec<String> = after.iter().map(|before| format!("t{before}")).collect();
    json!({"name": format!("t{index}"), "runAfter": after, "taskSpec": {"steps": steps}})
}

fn pipeline_run(name: &str, tasks: &[Value]) -> Value {
    json!({"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": {"name": name},
           "spec": {"pipelineSpec": {"tasks": tasks}}})
}

/// The task and clock of each line that a step printed, by clock, and the wall time of the whole command.
fn run(tekton: &PathBuf, manifest: &Value) -> (Vec<(String, u64)>, Duration) {
    let file = std::env::temp_dir().join(format!("tekton-bench-{}.json", std::process::id()));
    std::fs::write(&file, manifest.to_string()).expect("the folder for temporary files can be written");
    let began = Instant::now();
    let output =
        Command::new(tekton).args(["run", "--no-history"]).arg("-f").arg(&file).output().expect("the command starts");
    let wall = began.elapsed();
    drop(std::fs::remove_file(&file));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let mut clocks: Vec<(String, u64)> = text
        .lines()
        .filter_map(|line| {
            let (head, clock) = line.strip_prefix('[')?.split_once("] ")?;
            Some((head.split(" : ").next()?.to_owned(), clock.parse().ok()?))
        })
        .collect();
    clocks.sort_by_key(|(_, clock)| *clock);
    (clocks, wall)
}
