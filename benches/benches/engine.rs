//! One decision about a PipelineRun of 100 to 100,000 tasks: time, allocations and bytes.
//!
//! `cargo bench -p tekton-benches --bench engine` prints, for each size, the time of one decision, tasks a second, and what
//! was allocated. Half of the tasks have ended, the next ones run, the rest waits: the most common pass over a long run.
//! Divide by the number of tasks for nanoseconds and bytes a task.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use mimalloc::MiMalloc;
use serde_json::{Value as Json, json};
use tekton_engine::{ClusterFacts, Env, Fact, Facts, Kind, Need, Object, Run, Snapshot, Value};
use tekton_types::config::Config;
use tekton_types::v1::{PipelineRun, TaskRun};

#[global_allocator]
static ALLOCATIONS: AllocProfiler<MiMalloc> = AllocProfiler::new(MiMalloc);

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// Tasks in a row, and tasks that run at the same time.
const WIDTH: usize = 10;
const RUNNING: usize = 10;

fn main() {
    divan::main();
}

/// Tasks that stand in the pipeline itself.
#[divan::bench(args = SIZES)]
fn embedded(bencher: Bencher<'_, '_>, tasks: usize) {
    measure(
        bencher,
        tasks,
        &World::new(tasks, |_| {
            json!({"taskSpec": {"params": [{"name": "input"}], "results": [{"name": "out"}],
            "steps": [{"name": "work", "image": "busybox", "script": "echo $(params.input)"}]}})
        }),
    );
}

/// Tasks that are referred to by name.
#[divan::bench(args = SIZES)]
fn referenced(bencher: Bencher<'_, '_>, tasks: usize) {
    measure(bencher, tasks, &World::new(tasks, |_| json!({"taskRef": {"name": "work", "kind": "Task"}})));
}

fn measure(bencher: Bencher<'_, '_>, tasks: usize, world: &World) {
    let (config, cluster) = (Config::default(), ClusterFacts::default());
    let now = "2026-01-01T00:10:00Z".parse().expect("it is a time");
    let env = Env { now, config: &config, cluster: &cluster };
    let facts = world.facts(&env);
    let decide = || PipelineRun::decide(&Snapshot { run: &world.run, facts: &facts }, &env);
    assert!(decide().is_settled(), "the world answers everything that is asked");
    bencher.counter(ItemsCount::new(tasks)).bench(|| black_box(decide()));
}

/// A run, its children, and the Task that some refer to.
struct World {
    run: PipelineRun,
    children: Vec<Object>,
    task: Object,
}

impl World {
    fn new(size: usize, definition: impl Fn(usize) -> Json) -> Self {
        let name = |index: usize| format!("t{index}");
        let tasks: Vec<Json> = (0..size)
            .map(|index| {
                let mut task = definition(index);
                task["name"] = json!(name(index));
                // Each task uses a result of the task above it.
                let value = if index < WIDTH {
                    "$(params.seed)".to_owned()
                } else {
                    format!("$(tasks.t{}.results.out)", index - WIDTH)
                };
                task["params"] = json!([{"name": "input", "value": value}]);
                task
            })
            .collect();
        let ended = size / 2;
        let children: Vec<Object> = (0..ended + RUNNING).map(|index| child(&name(index), index < ended)).collect();
        let references: Vec<Json> = (0..children.len())
            .map(|index| {
                json!({"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": format!("ci-{}", name(index)),
                       "pipelineTaskName": name(index)})
            })
            .collect();
        let spec = json!({"params": [{"name": "seed", "type": "string"}], "tasks": tasks});
        let run = json!({
            "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
            "metadata": {"name": "ci", "namespace": "ns", "uid": "ci", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"params": [{"name": "seed", "value": "one"}], "pipelineSpec": spec},
            "status": {
                "startTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}],
                "pipelineSpec": spec,
                "childReferences": references,
            },
        });
        let task = json!({
            "metadata": {"name": "work", "namespace": "ns"},
            "spec": {"params": [{"name": "input", "type": "string"}], "results": [{"name": "out", "type": "string"}],
                     "steps": [{"name": "work", "image": "busybox"}]},
        });
        Self {
            run: serde_json::from_value(run).expect("it is a PipelineRun"),
            children,
            task: Object::from_json(Kind::Task, task).expect("it is a Task"),
        }
    }

    /// What a shell has answered by the time the decision settles.
    fn facts(&self, env: &Env<'_>) -> Facts {
        let mut facts = Facts::new();
        loop {
            let decision = PipelineRun::decide(&Snapshot { run: &self.run, facts: &facts }, env);
            if decision.needs.is_empty() {
                return facts;
            }
            for need in decision.needs {
                let answer = match &need {
                    Need::List { kind: Kind::TaskRun, .. } => Value::List(self.children.clone()),
                    Need::List { .. } => Value::List(Vec::new()),
                    Need::Fresh(_) => Value::Object(self.task.clone()),
                    other => panic!("nothing else is asked for: {other:?}"),
                };
                facts.set(need, Fact::Known(answer));
            }
        }
    }
}

fn child(task: &str, ended: bool) -> Object {
    let status = if ended { "True" } else { "Unknown" };
    let run: TaskRun = serde_json::from_value(json!({
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {
            "name": format!("ci-{task}"), "namespace": "ns", "creationTimestamp": "2026-01-01T00:00:01Z",
            "labels": {"tekton.dev/pipelineTask": task, "tekton.dev/pipelineRun": "ci"},
            "ownerReferences": [{"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "name": "ci", "uid": "ci",
                "controller": true}],
        },
        "spec": {"params": [{"name": "input", "value": "one"}]},
        "status": {
            "conditions": [{"type": "Succeeded", "status": status, "reason": "Succeeded"}],
            "results": if ended { json!([{"name": "out", "type": "string", "value": "made"}]) } else { json!([]) },
            "taskSpec": {"params": [{"name": "input", "type": "string"}], "results": [{"name": "out", "type": "string"}],
                "steps": [{"name": "work", "image": "busybox"}]},
        },
    }))
    .expect("it is a TaskRun");
    Object::TaskRun(Arc::new(run))
}
