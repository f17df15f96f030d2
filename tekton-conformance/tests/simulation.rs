//! Random pipelines in a world with a virtual clock: Pods fail, controllers die in the middle of a pass, calls are
//! refused. Whatever happens, every run comes to an end, and what has ended stays as it is.
#![cfg(feature = "engine")]

#[cfg(feature = "local")]
#[path = "simulation/accepted.rs"]
mod accepted;
#[path = "simulation/consistent.rs"]
mod consistent;
#[path = "simulation/generate.rs"]
mod generate;
#[path = "simulation/restricted.rs"]
mod restricted;
#[path = "simulation/taskruns.rs"]
mod taskruns;

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tekton_conformance::world::{Failing, World};
use tekton_engine::{ApiFault, ClusterFacts, Images, Kind, Object};
use tekton_types::condition;
use tekton_types::v1::{PipelineRun, TaskRun};

const SEEDS: u64 = 150;
const NAMESPACE: &str = "sim";
/// Rounds after which a run counts as stuck.
const PATIENCE: usize = 400;

/// A small generator: the same seed tells the same story.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

fn object(kind: Kind, value: Value) -> Object {
    Object::from_json(kind, value).expect("the object has the shape of its kind")
}

/// A pipeline of up to nine tasks, each after some of the earlier ones.
fn pipeline_run(dice: &mut Dice) -> Object {
    let count = 2 + dice.roll(8);
    let mut tasks = Vec::new();
    for index in 0..count {
        let after: Vec<String> = (0..index).filter(|_| dice.one_in(3)).map(|parent| format!("t{parent}")).collect();
        let mut params = Vec::new();
        if index > 0 && dice.one_in(3) {
            let maker = dice.roll(index);
            params.push(json!({"name": "word", "value": format!("$(tasks.t{maker}.results.word)")}));
        }
        let when = if dice.one_in(8) { json!([{"input": "a", "operator": "in", "values": ["b"]}]) } else { json!([]) };
        tasks.push(json!({
            "name": format!("t{index}"), "runAfter": after, "params": params, "when": when,
            "retries": dice.roll(2),
            "taskSpec": {
                "params": [{"name": "word", "type": "string", "default": "none"}],
                "results": [{"name": "word", "type": "string"}],
                "steps": [{"name": "s", "image": "busybox", "script": "echo $(params.word)"}],
            },
        }));
    }
    let last = json!([{"name": "last", "taskSpec": {"steps": [{"name": "s", "image": "busybox", "script": "true"}]}}]);
    let finally = if dice.one_in(2) { last } else { json!([]) };
    let status = ["", "", "", "CancelledRunFinally", "StoppedRunFinally", "Cancelled"]
        [usize::try_from(dice.roll(6)).unwrap_or(0)];
    let (now, later) = if dice.one_in(2) { ("", status) } else { ("", "") };
    object(
        Kind::PipelineRun,
        json!({
            "metadata": {"name": "run", "namespace": NAMESPACE, "uid": "run", "annotations": {"later": later}},
            "spec": {"status": now, "pipelineSpec": {"tasks": tasks, "finally": finally}},
        }),
    )
}

fn world(dice: &mut Dice) -> World {
    let images = Images { entrypoint: "e".into(), shell: "s".into(), nop: "n".into(), ..Images::default() };
    let mut world = World {
        now: "2026-01-01T00:00:00Z".parse().expect("it is a time"),
        cluster: ClusterFacts { images, release: "sim".to_owned(), ..ClusterFacts::default() }.into(),
        fills_in: true,
        ..World::default()
    };
    world.put(object(Kind::ServiceAccount, json!({"metadata": {"name": "default", "namespace": NAMESPACE}})));
    world.put(pipeline_run(dice));
    world
}

fn names_of(world: &World, kind: Kind) -> Vec<String> {
    world.objects.keys().filter(|key| key.kind == kind).map(|key| key.name.clone()).collect()
}

/// What Pods do: most end well, some fail, some vanish.
fn turn_of_pods(world: &mut World, dice: &mut Dice) {
    for name in names_of(world, Kind::Pod) {
        let key = tekton_engine::ObjectKey::new(Kind::Pod, NAMESPACE, &name);
        if dice.one_in(40) {
            world.objects.remove(&key);
            continue;
        }
        let Some(Object::Pod(pod)) = world.objects.get_mut(&key) else { continue };
        if pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_some_and(|phase| phase != "Running") {
            continue;
        }
        let status = match dice.roll(6) {
            0 => json!({"phase": "Running", "containerStatuses": [{"name": "step-s", "state": {"running": {}}}]}),
            1 => {
                json!({"phase": "Failed", "containerStatuses": [{"name": "step-s", "state": {"terminated": {"exitCode": 1}}}]})
            }
            _ => {
                let message = json!([{"key": "word", "value": "w", "type": 1}]).to_string();
                json!({"phase": "Succeeded", "containerStatuses": [
                    {"name": "step-s", "state": {"terminated": {"exitCode": 0, "message": message}}}]})
            }
        };
        Arc::make_mut(pod).status = serde_json::from_value(status).expect("it is a status");
    }
}

/// Lives one story to its end; how it went wrong, if it did.
fn story(seed: u64) -> Result<(), String> {
    let mut dice = Dice(seed);
    let mut world = world(&mut dice);
    for round in 0..PATIENCE {
        world.failing.clear();
        if dice.one_in(10) {
            let refused = ApiFault {
                reason: "Conflict".into(),
                code: 409,
                text: "try again".into(),
                details_kind: "resourcequotas".into(),
            };
            let resource = if dice.one_in(2) { "pods" } else { "taskruns" };
            world.failing.push(Failing {
                verb: "create".into(),
                resource: resource.into(),
                name: String::new(),
                fault: refused,
            });
        }
        let mut task_runs = names_of(&world, Kind::TaskRun);
        if dice.one_in(2) {
            task_runs.reverse();
        }
        for name in task_runs {
            let before = world.get::<TaskRun>(NAMESPACE, &name).cloned();
            world.dies_after = dice.one_in(10).then_some(0);
            world.pass::<TaskRun>(NAMESPACE, &name);
            let after = world.get::<TaskRun>(NAMESPACE, &name).cloned();
            if let (Some(before), Some(after)) = (before, after)
                && condition::succeeded(&before.status.conditions).is_some_and(|c| !c.is_unknown())
                && before.status.conditions != after.status.conditions
            {
                return Err(format!(
                    "seed {seed}: TaskRun {name} had ended and changed: {:?}",
                    after.status.conditions
                ));
            }
        }
        let before = world.get::<PipelineRun>(NAMESPACE, "run").cloned().ok_or("the run is gone")?;
        if round == 3 {
            let mut told = (*before).clone();
            told.spec.status =
                told.metadata.annotations.as_ref().and_then(|all| all.get("later")).cloned().unwrap_or_default();
            world.put(Object::PipelineRun(Arc::new(told)));
        }
        world.dies_after = dice.one_in(6).then_some(usize::try_from(dice.roll(3)).unwrap_or(0));
        world.pass::<PipelineRun>(NAMESPACE, "run");
        let after = world.get::<PipelineRun>(NAMESPACE, "run").cloned().ok_or("the run is gone")?;
        if condition::succeeded(&before.status.conditions).is_some_and(|c| !c.is_unknown()) {
            if before.status != after.status {
                return Err(format!("seed {seed}: the run had ended and changed: {:?}", after.status.conditions));
            }
            return ended(seed, &world, &after);
        }
        turn_of_pods(&mut world, &mut dice);
        world.now += SignedDuration::from_secs(i64::try_from(dice.roll(120)).unwrap_or(0));
    }
    let run = world.get::<PipelineRun>(NAMESPACE, "run").ok_or("the run is gone")?;
    Err(format!("seed {seed}: the run is stuck: {:?}", run.status.conditions))
}

/// Every child was made once and is listed; nothing runs any more but what was cancelled.
fn ended(seed: u64, world: &World, run: &PipelineRun) -> Result<(), String> {
    let mut listed: Vec<String> = run.status.child_references.iter().map(|child| child.name.clone()).collect();
    listed.sort();
    let children = names_of(world, Kind::TaskRun);
    if listed != children {
        return Err(format!("seed {seed}: the run lists {listed:?}, there are {children:?}"));
    }
    for name in children {
        let child = world.get::<TaskRun>(NAMESPACE, &name).ok_or("a child is gone")?;
        let over = condition::succeeded(&child.status.conditions).is_some_and(|c| !c.is_unknown());
        if !over && child.spec.status.is_empty() {
            return Err(format!("seed {seed}: {name} still runs"));
        }
    }
    Ok(())
}

#[test]
fn every_run_ends_and_stays_as_it_ended() {
    let failures: Vec<String> = (0..SEEDS).filter_map(|seed| story(seed).err()).collect();
    assert!(failures.is_empty(), "{} of {SEEDS}:\n{}", failures.len(), failures[..failures.len().min(5)].join("\n"));
}
