//! Drives the engine with no cluster: a few dozen lines of world, a clock that jumps, and a TaskRun's whole life.
//!
//! `cargo run -p tekton-examples --example drive_engine`

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use tekton_engine::{
    ApiFault, ClusterFacts, Decision, Effect, Env, Fact, Facts, Images, Kind, Need, Object, ObjectKey, Outcome, Run,
    Snapshot, Value,
};
use tekton_types::config::Config;
use tekton_types::v1::{TaskRun, TaskRunStatus};

/// The whole cluster.
#[derive(Default)]
struct World {
    objects: BTreeMap<ObjectKey, Object>,
}

impl World {
    /// Answers what the engine wants to know.
    fn answer(&self, need: &Need) -> Fact {
        match need {
            Need::Object(key) | Need::Fresh(key) => match self.objects.get(key) {
                Some(object) => Fact::Known(Value::Object(object.clone())),
                None => Fact::Denied(ApiFault::not_found(key)),
            },
            Need::List { kind, .. } => Fact::Known(Value::List(
                self.objects.iter().filter(|(key, _)| key.kind == *kind).map(|(_, object)| object.clone()).collect(),
            )),
            other => Fact::Denied(ApiFault { text: format!("nobody knows {other:?}"), ..ApiFault::default() }),
        }
    }

    /// Does what the engine wants done.
    fn apply(&mut self, effect: &Effect) -> Outcome {
        match effect {
            Effect::Create(object) => {
                println!("  create {}", object.key());
                self.objects.insert(object.key(), object.clone());
                Outcome::Done(Some(object.clone()))
            }
            other => {
                println!("  {:?}", other.key());
                Outcome::Done(self.objects.get(&other.key().object).cloned())
            }
        }
    }
}

/// One pass: decide, fetch and apply until nothing is left to do, then keep the status.
fn pass(world: &mut World, run: &mut TaskRun, env: &Env<'_>) -> Decision<TaskRunStatus> {
    let mut facts = Facts::new();
    loop {
        let decision = TaskRun::decide(&Snapshot { run, facts: &facts }, env);
        if decision.is_settled() {
            run.status = decision.status.clone();
            return decision;
        }
        for need in &decision.needs {
            facts.set(need.clone(), world.answer(need));
        }
        for effect in &decision.effects {
            facts.set_outcome(effect.key(), world.apply(effect));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut run: TaskRun = serde_json::from_value(json!({
        "metadata": {"name": "hello", "namespace": "demo", "uid": "1"},
        "spec": {"taskSpec": {
            "results": [{"name": "greeting", "type": "string"}],
            "steps": [{"name": "say", "image": "busybox", "script": "printf hello > $(results.greeting.path)"}],
        }},
    }))?;
    let (mut world, config) = (World::default(), Config::default());
    let account = json!({"metadata": {"name": "default", "namespace": "demo"}});
    let account = Object::from_json(Kind::ServiceAccount, account)?;
    world.objects.insert(account.key(), account);
    let images = Images { entrypoint: "entrypoint".into(), shell: "shell".into(), ..Images::default() };
    let cluster = ClusterFacts { images, ..ClusterFacts::default() };
    let start: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let env = |minutes| Env { now: start + SignedDuration::from_mins(minutes), config: &config, cluster: &cluster };

    println!("at 00:00");
    let decision = pass(&mut world, &mut run, &env(0));
    println!("  {}, wakes at {:?}", reason(&run), decision.wake_at);

    // A kubelet would run the Pod; here it ends at once.
    for object in world.objects.values_mut() {
        if let Object::Pod(pod) = object {
            let message = json!([{"key": "greeting", "value": "hello", "type": 1}]).to_string();
            let status: Json = json!({"phase": "Succeeded", "containerStatuses": [{
                "name": "step-say", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "message": message}},
            }]});
            Arc::make_mut(pod).status = serde_json::from_value(status)?;
        }
    }
    println!("at 00:05");
    let decision = pass(&mut world, &mut run, &env(5));
    println!("  {}", reason(&run));
    for event in decision.transitions.iter().filter_map(tekton_engine::Transition::event) {
        println!("  event: {} {} {}", event.type_, event.reason, event.message);
    }
    for result in &run.status.results {
        println!("  result {} = {:?}", result.name, result.value.as_string().unwrap_or_default());
    }
    Ok(())
}

fn reason(run: &TaskRun) -> &str {
    run.status.conditions.first().map_or("?", |condition| &condition.reason)
}
