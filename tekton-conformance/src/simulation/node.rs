//! What runs the Pods and CustomRuns of a story: scripted containers on a virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod,
    PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_contract::labels;
use tekton_engine::{Object, ObjectKey, Stored};
use tekton_types::condition::{self, Condition};
use tekton_types::reason::customrun as custom_reason;
use tekton_types::v1::TaskRun;
use tekton_types::v1beta1::{CustomRun, CustomRunResult, customrun_spec_status};

use super::dice::mix;
use super::objects::{NAMESPACE, RESULT, RUN, STEP};
use super::scenario::{Attempt, End, Scenario, TaskPlan};
use crate::world::World;

/// What a step leaves behind when it makes its result.
const MESSAGE: &str = r#"[{"key":"word","value":"w","type":1}]"#;

/// Where a scripted container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It starts at the given time.
    Starting,
    /// It runs and waits to be let go.
    Held,
    /// It works, and ends at the given time.
    Working,
    /// It works and never ends by itself.
    Hanging,
    /// Nothing more happens by itself.
    Over,
}

impl Stage {
    /// Something happens by itself.
    fn goes_on(self) -> bool {
        matches!(self, Self::Starting | Self::Working)
    }
}

#[derive(Debug, Clone, Copy)]
struct Life {
    stage: Stage,
    at: Timestamp,
    attempt: Attempt,
}

/// All Pods and CustomRuns that have something to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    lives: BTreeMap<ObjectKey, Life>,
}

impl Node {
    /// Takes on an object that was created.
    pub(super) fn adopt(&mut self, scenario: &Scenario, world: &World, key: &ObjectKey) {
        let Some(object) = world.objects.get(key) else { return };
        let retry = match object {
            Object::Pod(_) => {
                let owner = label(object, labels::TASK_RUN);
                world.get::<TaskRun>(NAMESPACE, owner).map_or(0, |run| run.status.retries_status.len())
            }
            Object::CustomRun(_) => 0,
            _ => return,
        };
        let run = Some(label(object, labels::PIPELINE_RUN)).filter(|run| !run.is_empty()).unwrap_or(RUN);
        let plan = scenario.plan(run, label(object, labels::PIPELINE_TASK));
        let attempt = attempt(plan, label(object, labels::TASK_RUN), retry);
        let life = Life { stage: Stage::Starting, at: world.now + SignedDuration::from_secs(1), attempt };
        // A Pod of a name that lives already is not another Pod.
        self.lives.entry(key.clone()).or_insert(life);
    }

    pub(super) fn forget(&mut self, key: &ObjectKey) {
        self.lives.remove(key);
    }

    /// The object changed: a Pod that is held may have been let go, a CustomRun may have been cancelled.
    pub(super) fn notice(&mut self, world: &World, key: &ObjectKey) {
        let Some(life) = self.lives.get_mut(key) else { return };
        match world.objects.get(key) {
            Some(Object::Pod(pod)) if life.stage == Stage::Held && is_ready(pod) => work(life, key, world.now),
            Some(Object::CustomRun(run)) if run.spec.status == customrun_spec_status::CANCELLED => {
                let soon = world.now + SignedDuration::from_secs(1);
                if life.stage == Stage::Hanging || life.stage != Stage::Over && life.at > soon {
                    life.stage = Stage::Working;
                    life.at = soon;
                }
            }
            _ => {}
        }
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.lives.values().filter(|life| life.stage.goes_on()).map(|life| life.at).min()
    }

    /// Lets everything happen that is due; the objects that changed.
    pub(super) fn turn(&mut self, world: &mut World) -> Vec<ObjectKey> {
        let now = world.now;
        let mut changed = Vec::new();
        for (key, life) in &mut self.lives {
            if life.at > now || !life.stage.goes_on() {
                continue;
            }
            match world.objects.get_mut(key) {
                Some(Object::Pod(pod)) => step_of_pod(Arc::make_mut(pod), life, key, now),
                Some(Object::CustomRun(run)) => step_of_custom_run(Arc::make_mut(run), life, key, now),
                _ => life.stage = Stage::Over,
            }
            changed.push(key.clone());
        }
        changed
    }
}

/// A Pod that is neither over nor new to the node is thrown off it.
pub(super) fn evict(world: &mut World, key: &ObjectKey) -> bool {
    let Some(Object::Pod(pod)) = world.objects.get_mut(key) else { return false };
    if is_over(pod) {
        return false;
    }
    let pod = Arc::make_mut(pod);
    pod.status = Some(evicted(pod.status.take().unwrap_or_default()));
    true
}

pub(super) fn is_over(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")))
}

fn label<'o>(object: &'o Object, key: &str) -> &'o str {
    object.metadata().labels.as_ref().and_then(|all| all.get(key)).map_or("", String::as_str)
}

/// The script for one attempt; it depends on names alone, so that it is the same whatever goes wrong around it.
fn attempt(plan: Option<&TaskPlan>, task_run: &str, retry: usize) -> Attempt {
    let fallback = Attempt { seconds: 1, end: End::Succeeds };
    let Some(plan) = plan.filter(|plan| !plan.attempts.is_empty()) else { return fallback };
    // The runs of a matrix differ in the number at the end of their names.
    let index = task_run.bytes().last().filter(|_| plan.matrix > 0).map_or(0, |digit| usize::from(digit % 10));
    plan.attempts[(retry + index) % plan.attempts.len()]
}

fn is_ready(pod: &Pod) -> bool {
    pod.metadata.annotations.as_ref().and_then(|all| all.get(labels::READY)).is_some_and(|v| v == labels::READY_VALUE)
}

/// No two containers end at one moment, so that what comes first does not depend on who looks first.
fn work(life: &mut Life, key: &ObjectKey, now: Timestamp) {
    let nanos = key.name.bytes().fold(7, |sum, byte| mix(sum ^ u64::from(byte))) % 900_000_000;
    life.stage = Stage::Working;
    life.at = now
        + SignedDuration::from_secs(i64::from(life.attempt.seconds))
        + SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(0));
    if life.attempt.end == End::Hangs {
        life.stage = Stage::Hanging;
    }
}

fn step_of_pod(pod: &mut Pod, life: &mut Life, key: &ObjectKey, now: Timestamp) {
    let ready = is_ready(pod);
    let status = pod.status.take().unwrap_or_default();
    pod.status = Some(match (life.stage, life.attempt.end) {
        (Stage::Starting, End::NoImage) => {
            life.stage = Stage::Over;
            let waiting = ContainerStateWaiting {
                reason: Some("ImagePullBackOff".to_owned()),
                message: Some("no such image".to_owned()),
            };
            container(status, "Pending", ContainerState { waiting: Some(waiting), ..ContainerState::default() })
        }
        (Stage::Starting, _) => {
            life.stage = Stage::Held;
            if ready {
                work(life, key, now);
            }
            let running = ContainerStateRunning { started_at: Some(Time(now)) };
            container(status, "Running", ContainerState { running: Some(running), ..ContainerState::default() })
        }
        (_, End::Evicted) => {
            life.stage = Stage::Over;
            evicted(status)
        }
        (_, end) => {
            life.stage = Stage::Over;
            let fails = end == End::Fails;
            let terminated = ContainerStateTerminated {
                exit_code: fails.into(),
                finished_at: Some(Time(now)),
                message: (end == End::Succeeds).then(|| MESSAGE.to_owned()),
                reason: Some(if fails { "Error" } else { "Completed" }.to_owned()),
                ..ContainerStateTerminated::default()
            };
            let state = ContainerState { terminated: Some(terminated), ..ContainerState::default() };
            container(status, if fails { "Failed" } else { "Succeeded" }, state)
        }
    });
}

fn container(status: PodStatus, phase: &str, state: ContainerState) -> PodStatus {
    let step = ContainerStatus { name: format!("step-{STEP}"), state: Some(state), ..ContainerStatus::default() };
    PodStatus { phase: Some(phase.to_owned()), container_statuses: Some(vec![step]), ..status }
}

fn evicted(status: PodStatus) -> PodStatus {
    PodStatus {
        phase: Some("Failed".to_owned()),
        reason: Some("Evicted".to_owned()),
        message: Some("The node was low on resource: memory.".to_owned()),
        ..status
    }
}

fn step_of_custom_run(run: &mut CustomRun, life: &mut Life, key: &ObjectKey, now: Timestamp) {
    let cancelled = run.spec.status == customrun_spec_status::CANCELLED;
    let (status, reason) = match (life.stage, life.attempt.end) {
        _ if cancelled => (condition::FALSE, custom_reason::CANCELLED),
        (Stage::Starting, _) => (condition::UNKNOWN, "Running"),
        (_, End::Fails | End::NoImage | End::Evicted) => (condition::FALSE, "Failed"),
        _ => (condition::TRUE, "Succeeded"),
    };
    if status == condition::UNKNOWN {
        run.status.start_time = Some(Time(now));
        work(life, key, now);
    } else {
        life.stage = Stage::Over;
        run.status.completion_time = Some(Time(now));
        if life.attempt.end == End::Succeeds && status == condition::TRUE {
            run.status.results = vec![CustomRunResult { name: RESULT.to_owned(), value: "w".to_owned() }];
        }
    }
    let new = Condition { last_transition_time: Some(Time(now)), ..Condition::succeeded(status, reason, "") };
    condition::set(&mut run.status.conditions, new);
}

/// The keys of all objects of a kind.
pub(super) fn keys_of<T: Stored>(world: &World) -> impl Iterator<Item = &ObjectKey> {
    world.objects.range(ObjectKey::new(T::KIND, "", "")..).map(|(key, _)| key).take_while(|key| key.kind == T::KIND)
}
