//! Follows pods and claims: a worker for each pod that is this node's, a directory for each claim.

use super::{Context, volumes, worker};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Api;
use kube::runtime::watcher;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What the node holds of a pod that runs.
struct Running {
    updates: watch::Sender<Option<Arc<Pod>>>,
    events: mpsc::UnboundedSender<worker::Event>,
    task: JoinHandle<()>,
}

type Workers = BTreeMap<String, Running>;

/// The scheduler whose part this node takes.
const SCHEDULER: &str = "default-scheduler";

/// Watches pods and keeps a worker for each that is this node's.
pub(super) async fn pods(
    ctx: Arc<Context>,
    mut stopped: watch::Receiver<bool>,
    mut evictions: mpsc::UnboundedReceiver<(String, String)>,
) {
    let mut workers = Workers::new();
    let mut events = pin!(watcher(Api::<Pod>::all(ctx.client.clone()), watcher::Config::default()));
    let mut listed: Option<Vec<String>> = None;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            Some((uid, message)) = evictions.recv() => {
                if let Some(running) = workers.get(&uid) {
                    // A worker that has ended has nothing left to evict.
                    drop(running.events.send(worker::Event::Evicted { message }));
                }
                continue;
            }
            _ = stopped.changed() => break,
        };
        match event {
            None => break,
            // The watcher tries again by itself.
            Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            Some(Ok(watcher::Event::Init)) => listed = Some(Vec::new()),
            Some(Ok(watcher::Event::InitApply(pod))) => {
                listed.get_or_insert_default().push(pod.metadata.uid.clone().unwrap_or_default());
                apply(&ctx, &mut workers, pod);
            }
            Some(Ok(watcher::Event::InitDone)) => {
                if let Some(listed) = listed.take() {
                    let gone: Vec<String> = workers.keys().filter(|uid| !listed.contains(uid)).cloned().collect();
                    for uid in &gone {
                        forget(&mut workers, uid);
                    }
                }
            }
            Some(Ok(watcher::Event::Apply(pod))) => apply(&ctx, &mut workers, pod),
            Some(Ok(watcher::Event::Delete(pod))) => {
                forget(&mut workers, pod.metadata.uid.as_deref().unwrap_or_default());
            }
        }
    }
    let ending: Vec<JoinHandle<()>> = workers
        .into_values()
        .map(|running| {
            drop(running.updates);
            running.task
        })
        .collect();
    for task in ending {
        // A worker that panicked has ended too.
        drop(task.await);
    }
}

fn apply(ctx: &Arc<Context>, workers: &mut Workers, pod: Pod) {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    if let Some(running) = workers.get(&uid) {
        running.updates.send_replace(Some(Arc::new(pod)));
        return;
    }
    let spec = pod.spec.as_ref();
    let node = spec.and_then(|s| s.node_name.as_deref()).filter(|n| !n.is_empty());
    let gated = spec.and_then(|s| s.scheduling_gates.as_ref()).is_some_and(|gates| !gates.is_empty());
    // A pod that asks for another scheduler waits for that one.
    let scheduler = spec.and_then(|s| s.scheduler_name.as_deref()).unwrap_or(SCHEDULER);
    if node.is_some_and(|node| node != ctx.node)
        || gated
        || (node.is_none() && scheduler != SCHEDULER)
        || (node.is_none() && pod.metadata.deletion_timestamp.is_some())
    {
        return;
    }
    let pod = Arc::new(pod);
    let (updates, receiver) = watch::channel(Some(pod.clone()));
    let (events, heard) = mpsc::unbounded_channel();
    let task = tokio::spawn(worker::Worker::new(ctx.clone(), pod, receiver, (events.clone(), heard)).run());
    workers.retain(|_, running| !running.task.is_finished());
    workers.insert(uid, Running { updates, events, task });
}

fn forget(workers: &mut Workers, uid: &str) {
    if let Some(running) = workers.get(uid) {
        running.updates.send_replace(None);
    }
}

/// Binds claims as they come, and removes the directories and volumes of those that have gone.
pub(super) async fn claims(ctx: Arc<Context>, mut stopped: watch::Receiver<bool>) {
    let mut events = pin!(watcher(Api::<PersistentVolumeClaim>::all(ctx.client.clone()), watcher::Config::default()));
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = stopped.changed() => return,
        };
        match event {
            None => return,
            Some(Ok(watcher::Event::Delete(claim))) => volumes::claims::release(&ctx, &claim).await,
            Some(Ok(watcher::Event::Apply(claim) | watcher::Event::InitApply(claim))) => {
                // A claim that can't be bound now is bound by the first pod that uses it, or that pod says why not.
                if volumes::claims::provisioned(&ctx, &claim).await {
                    drop(volumes::claims::ensure(&ctx, &claim).await);
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
        }
    }
}
