//! Follows the runs to their end: watches, logs, the clock and Ctrl-C in one loop.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;
use tekton_local::custom_tasks;
use tekton_types::v1::{PipelineRun, TaskRun};
use tekton_types::v1beta1::CustomRun;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::fail_fast::FailFast;
use super::logs::Follower;
use super::view::View;
use super::world::{RunKey, World};

/// How often the times of a live tree move.
const TICK: Duration = Duration::from_millis(100);
/// How long the logs of ended steps may take to arrive.
const DRAIN: Duration = Duration::from_secs(1);

enum Event {
    Task(Box<TaskRun>),
    Pipeline(Box<PipelineRun>),
    Custom(Box<CustomRun>),
    Pod(Box<Pod>),
}

impl Event {
    /// The run that it is about.
    fn run(&self) -> Option<RunKey> {
        match self {
            Self::Task(run) => run.metadata.name.clone().map(RunKey::Task),
            Self::Pipeline(run) => run.metadata.name.clone().map(RunKey::Pipeline),
            Self::Custom(run) => run.metadata.name.clone().map(RunKey::Custom),
            Self::Pod(_) => None,
        }
    }
}

/// Follows `runs` until each has ended; returns what is known of the world then. With `fail_fast` the failure of a task
/// cancels its siblings.
///
/// Errors: the API server does not answer.
pub(crate) async fn to_the_end(
    client: &kube::Client,
    namespace: &str,
    runs: &[RunKey],
    fail_fast: bool,
    view: &mut View,
) -> kube::Result<World> {
    let mut world = World::default();
    let mut fail_fast = fail_fast.then(|| FailFast::new(client, namespace, runs));
    let mut interrupts = 0_usize;
    // Listened to from here on: a new listener in each round would miss what comes between two rounds.
    let mut interrupt = signal(SignalKind::interrupt()).expect("the runtime handles signals");
    let mut terminate = signal(SignalKind::terminate()).expect("the runtime handles signals");
    let (sender, mut lines) = mpsc::unbounded_channel();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut follower = Follower::new(pods.clone(), sender);
    let config = watcher::Config::default();
    let mut events = stream::select_all([
        watch::<TaskRun>(client, namespace, &config)
            .map(|found| found.map(|found| Event::Task(Box::new(found))))
            .boxed(),
        watch::<PipelineRun>(client, namespace, &config)
            .map(|found| found.map(|found| Event::Pipeline(Box::new(found))))
            .boxed(),
        watch::<CustomRun>(client, namespace, &config)
            .map(|found| found.map(|found| Event::Custom(Box::new(found))))
            .boxed(),
        watch::<Pod>(client, namespace, &config).map(|found| found.map(|found| Event::Pod(Box::new(found)))).boxed(),
    ]);
    let mut ticks = tokio::time::interval(TICK);
    let mut unknown = BTreeSet::new();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => {
                    let run = event.run();
                    if let Event::Custom(run) = &event && let Some(warning) = nobody_runs(run, &mut unknown) {
                        view.warn(&warning);
                    }
                    observe(&mut world, &mut follower, event);
                    view.show(&world, runs, Timestamp::now());
                    if let (Some(fail_fast), Some(run)) = (&mut fail_fast, run) {
                        for line in fail_fast.observe(&world, &run).await? {
                            view.say(&line);
                        }
                    }
                    if runs.iter().all(|run| world.ending(run).is_some()) {
                        break;
                    }
                }
                // The watcher starts over by itself; an error is not the end of a run.
                Some(Err(error)) => view.say(&format!("watching goes on after an error: {error}")),
                None => break,
            },
            Some(line) = lines.recv() => view.log(&line.task, &line.step, &line.text),
            _ = ticks.tick() => view.show(&world, runs, Timestamp::now()),
            Some(()) = async { tokio::select! { told = interrupt.recv() => told, told = terminate.recv() => told } } => {
                interrupts += 1;
                if interrupts > 2 {
                    view.say("leaving at once");
                    break;
                }
                view.say(if interrupts == 1 {
                    "cancelling; finally tasks still run (Ctrl-C again: not those either)"
                } else {
                    "cancelling everything"
                });
                for run in runs.iter().filter(|run| world.ending(run).is_none()) {
                    cancel(client, namespace, run, interrupts > 1).await?;
                }
            }
        }
    }
    let drained = async {
        let drain = follower.drain();
        tokio::pin!(drain);
        loop {
            tokio::select! {
                () = &mut drain => break,
                Some(line) = lines.recv() => view.log(&line.task, &line.step, &line.text),
            }
        }
    };
    // A log that never ends must not hold up the end of the run.
    let _late = tokio::time::timeout(DRAIN, drained).await;
    while let Ok(line) = lines.try_recv() {
        view.log(&line.task, &line.step, &line.text);
    }
    Ok(world)
}

fn watch<K>(
    client: &kube::Client,
    namespace: &str,
    config: &watcher::Config,
) -> impl stream::Stream<Item = Result<K, watcher::Error>> + Send + use<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static,
{
    watcher(Api::<K>::namespaced(client.clone(), namespace), config.clone()).default_backoff().applied_objects()
}

/// What to tell of a CustomRun that waits for a controller that is not here; once for each kind.
fn nobody_runs(run: &CustomRun, told: &mut BTreeSet<(String, String)>) -> Option<String> {
    let (api_version, kind) = custom_tasks::task_of(run);
    if custom_tasks::is_known(api_version, kind) || !told.insert((api_version.to_owned(), kind.to_owned())) {
        return None;
    }
    let name = run.metadata.name.as_deref().unwrap_or_default();
    Some(format!(
        "nothing here carries out CustomRuns of {kind} ({api_version}): {name} waits until its time-out; custom tasks that run here: {}",
        custom_tasks::KNOWN.map(|(api_version, kind)| format!("{kind} ({api_version})")).join(", ")
    ))
}

fn observe(world: &mut World, follower: &mut Follower, event: Event) {
    let now = Timestamp::now();
    match event {
        Event::Task(task_run) => world.observe_task_run(*task_run, now),
        Event::Pipeline(run) => world.observe_pipeline_run(*run, now),
        Event::Custom(run) => world.observe_custom_run(*run, now),
        Event::Pod(pod) => {
            let label = |key: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(key));
            let task =
                label(tekton_contract::labels::PIPELINE_TASK).or_else(|| label(tekton_contract::labels::TASK_RUN));
            if let Some(task) = task {
                follower.observe(&pod, task);
            }
        }
    }
}

async fn cancel(client: &kube::Client, namespace: &str, run: &RunKey, at_once: bool) -> kube::Result<()> {
    let params = PatchParams::default();
    let patch = |status: &str| Patch::Merge(json!({"spec": {"status": status}}));
    match run {
        RunKey::Task(name) => {
            let api: Api<TaskRun> = Api::namespaced(client.clone(), namespace);
            api.patch(name, &params, &patch("TaskRunCancelled")).await.map(drop)
        }
        RunKey::Pipeline(name) => {
            let api: Api<PipelineRun> = Api::namespaced(client.clone(), namespace);
            api.patch(name, &params, &patch(if at_once { "Cancelled" } else { "CancelledRunFinally" })).await.map(drop)
        }
        RunKey::Custom(name) => {
            let api: Api<CustomRun> = Api::namespaced(client.clone(), namespace);
            api.patch(name, &params, &patch("RunCancelled")).await.map(drop)
        }
    }
}
