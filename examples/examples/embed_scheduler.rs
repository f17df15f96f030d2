//! Runs a PipelineRun with an executor of your own: here each task is a closure that gets params and returns a result.
//! No cluster, no Pods, no threads: the engine decides what runs, what is skipped and why, and how it ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use tekton_engine::k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_engine::{ClusterFacts, Effect, Env, Fact, Facts, Need, Object, Outcome, Run, Snapshot, Stored, Value};
use tekton_types::condition::{Condition, FALSE, TRUE};
use tekton_types::config::Config;
use tekton_types::v1::{PipelineRun, TaskRun, TaskRunResult};

/// What a task does: from the values of its params to its result `out`, or why it failed.
type Executor = fn(Vec<&str>) -> Result<String, &'static str>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spec =
        json!({"params": [{"name": "in", "default": ""}], "results": [{"name": "out"}], "steps": [{"image": "-"}]});
    let mut run: PipelineRun = serde_json::from_value(json!({
        "metadata": {"name": "release", "namespace": "demo", "uid": "1"},
        "spec": {"pipelineSpec": {"tasks": [
            {"name": "version", "taskSpec": spec},
            {"name": "build", "taskSpec": spec, "params": [{"name": "in", "value": "$(tasks.version.results.out)"}]},
            {"name": "publish", "taskSpec": spec, "runAfter": ["build"],
             "when": [{"input": "$(tasks.version.results.out)", "operator": "in", "values": ["2.0"]}]},
        ]}},
    }))?;
    let executors = BTreeMap::from([
        ("version", (|_| Ok("1.4.2".to_owned())) as Executor),
        ("build", |params| Ok(format!("app:{}", params[0]))),
        ("publish", |_| Err("nobody may publish")),
    ]);
    let mut children = Vec::new();
    while run.status.completion_time.is_none() {
        pass(&mut run, &mut children, &executors);
    }
    println!("{}: {}", run.status.conditions[0].reason, run.status.conditions[0].message);
    Ok(())
}

/// One pass: what the engine asks for is answered, what it wants created is run on the spot.
fn pass(run: &mut PipelineRun, children: &mut Vec<Object>, all: &BTreeMap<&str, Executor>) {
    let (mut facts, config, cluster) = (Facts::new(), Config::default(), ClusterFacts::default());
    loop {
        let env = Env { now: Timestamp::now(), config: &config, cluster: &cluster };
        let decision = PipelineRun::decide(&Snapshot { run, facts: &facts }, &env);
        if decision.is_settled() {
            decision.notes.iter().for_each(|note| println!("  {} {}", note.subject, note.text));
            return run.status = decision.status;
        }
        for need in decision.needs {
            let Need::List { kind, .. } = &need else { panic!("nobody can answer {need:?}") };
            let found = children.iter().filter(|child| child.kind() == *kind).cloned().collect();
            facts.set(need, Fact::Known(Value::List(found)));
        }
        for effect in decision.effects {
            let Effect::Create(Object::TaskRun(child)) = &effect else { panic!("nobody can do {:?}", effect.key()) };
            children.push(execute(TaskRun::clone(child), all));
            facts.set_outcome(effect.key(), Outcome::Done(children.last().cloned()));
        }
    }
}

/// The TaskRun when it is over; an executor of threads or jobs would return it as it is and change it later.
fn execute(mut run: TaskRun, all: &BTreeMap<&str, Executor>) -> Object {
    run.metadata.creation_timestamp = Some(Time(Timestamp::now()));
    let task = run.metadata.labels.as_ref().map_or("", |labels| &labels["tekton.dev/pipelineTask"]);
    println!("run {task}");
    let condition = match all[task](run.spec.params.iter().filter_map(|param| param.value.as_string()).collect()) {
        Ok(out) => {
            run.status.results = vec![TaskRunResult { name: "out".into(), type_: "string".into(), value: out.into() }];
            Condition::succeeded(TRUE, "Succeeded", "")
        }
        Err(why) => Condition::succeeded(FALSE, "Failed", why),
    };
    run.status.conditions.push(condition);
    run.into_object()
}
