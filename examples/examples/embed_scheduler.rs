//! Schedules a Tekton Pipeline with an executor of your own: here each task is a closure that returns its results.
//! No cluster, no Pods, no clock: `tekton-dag` says what starts next, what is skipped and why, and how it ended.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::json;
use tekton_dag::child::ResolvedTask;
use tekton_dag::deadline::Deadlines;
use tekton_dag::edges;
use tekton_dag::state::PipelineState;
use tekton_dag::tally::{self, Counts};
use tekton_types::condition::{Condition, FALSE, TRUE};
use tekton_types::reason;
use tekton_types::v1::{Param, ParamValue, PipelineSpec, TaskRun, TaskRunResult};

/// What a task does: gets its params with all results filled in, returns its own results or why it failed.
type Executor = fn(&[Param]) -> Result<Vec<(&'static str, String)>, String>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pipeline: PipelineSpec = serde_json::from_value(json!({
        "tasks": [
            {"name": "version", "taskRef": {"name": "version"}},
            {"name": "build", "taskRef": {"name": "build"},
             "params": [{"name": "version", "value": "$(tasks.version.results.number)"}]},
            {"name": "publish", "taskRef": {"name": "publish"}, "runAfter": ["build"],
             "when": [{"input": "$(tasks.version.results.number)", "operator": "in", "values": ["2.0"]}]},
        ],
    }))?;
    let executors: BTreeMap<&str, Executor> = BTreeMap::from([
        ("version", (|_params| Ok(vec![("number", "1.4.2".to_owned())])) as Executor),
        ("build", |params| {
            println!("  building with {:?}", params[0].value);
            Ok(Vec::new())
        }),
        ("publish", |_params| Err("nobody may publish".to_owned())),
    ]);

    let graph = edges::tasks_graph(&pipeline.tasks)?;
    let finally = edges::finally_graph(&pipeline.finally)?;
    let mut runs: BTreeMap<String, TaskRun> = BTreeMap::new();
    loop {
        let resolved = |task| {
            let mut resolved = ResolvedTask::new(Cow::Borrowed(task));
            resolved.task_runs.extend(runs.get(&resolved.pipeline_task.name));
            resolved
        };
        let mut state = PipelineState {
            tasks: pipeline.tasks.iter().map(resolved).collect(),
            graph: &graph,
            finally: &finally,
            spec_status: "",
            deadlines: Deadlines::default(),
            validation_failed: BTreeMap::new(),
        };
        let states = state.classify();
        let queue = states.queue(&state)?;
        let ready: Vec<(String, Vec<Param>)> = queue
            .into_iter()
            .filter(|&task| states.tasks[task].skip.is_none())
            .map(|task| (state.tasks[task].name().to_owned(), state.tasks[task].pipeline_task.params.clone()))
            .collect();
        if ready.is_empty() {
            for skipped in tally::skipped_tasks(&state, &states) {
                println!("skipped {}: {}", skipped.name, skipped.reason);
            }
            println!("{:?}", Counts::of(&state, &states));
            return Ok(());
        }
        // These may run at the same time; an executor of threads or jobs would start them all here.
        for (name, params) in ready {
            println!("run {name}");
            let outcome = executors[name.as_str()](&params);
            runs.insert(name, finished(outcome));
        }
    }
}

/// The TaskRun as the scheduler wants to see it when the task is over.
fn finished(outcome: Result<Vec<(&'static str, String)>, String>) -> TaskRun {
    let mut run = TaskRun::default();
    match outcome {
        Ok(results) => {
            run.status.results = results
                .into_iter()
                .map(|(name, value)| TaskRunResult {
                    name: name.to_owned(),
                    value: ParamValue::String(value),
                    ..TaskRunResult::default()
                })
                .collect();
            run.status.conditions.push(Condition::succeeded(TRUE, reason::taskrun::SUCCESSFUL, ""));
        }
        Err(why) => run.status.conditions.push(Condition::succeeded(FALSE, reason::taskrun::FAILED, why)),
    }
    run
}
