//! The controllers of workloads: StatefulSets, ReplicaSets, Deployments and Jobs become pods, and count them.
//!
//! One task looks at what has changed in the store and reconciles only the workloads that a change concerns: the object
//! itself, or the controller of a pod. Writes go through the API as anybody's do.

mod deployment;
mod job;
mod pods;
mod replicaset;
mod statefulset;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use kube::Client;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::Api;
use crate::store::{Key, Object};

const DEPLOYMENTS: &str = "apps/deployments";
const REPLICA_SETS: &str = "apps/replicasets";
const STATEFUL_SETS: &str = "apps/statefulsets";
const JOBS: &str = "batch/jobs";
const PODS: &str = "/pods";
const KINDS: [&str; 5] = [DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, JOBS, PODS];
/// How long after a failure a workload is looked at again.
const RETRY: Duration = Duration::from_millis(500);

/// What the controllers work with.
#[derive(Clone)]
struct Cluster {
    api: Arc<Api>,
    client: Client,
}

/// When a workload has to be looked at again although nothing changes.
type Wake = Option<Duration>;

/// Reconciles until told to stop.
pub(crate) async fn run(api: Arc<Api>, client: Client, mut stopped: watch::Receiver<bool>) {
    let resources = KINDS.map(Arc::<str>::from);
    let ticks = resources.each_ref().map(|resource| api.store.subscribe(resource));
    let mut ticks = stream::select_all(ticks.map(|tick| {
        stream::unfold(tick, |mut tick| async move { tick.changed().await.ok().map(|()| ((), tick)) }).boxed()
    }));
    let mut dirty: BTreeSet<Key> = BTreeSet::new();
    let mut seen = api.store.revision();
    for resource in &resources {
        dirty.extend(api.store.list(resource, None).1.iter().filter_map(|object| concerned(&api, resource, object)));
    }
    let cluster = Cluster { api, client };
    let mut later: BTreeMap<Key, Instant> = BTreeMap::new();
    loop {
        for key in std::mem::take(&mut dirty) {
            match reconcile(&cluster, &key).await {
                Ok(None) => drop(later.remove(&key)),
                Ok(Some(wait)) => drop(later.insert(key, Instant::now() + wait)),
                // Refused by a quota or overtaken by another write: it is tried again.
                Err(_) => drop(later.insert(key, Instant::now() + RETRY)),
            }
        }
        let next = later.values().min().copied();
        tokio::select! {
            _ = ticks.next() => {}
            () = async { tokio::time::sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {}
            _ = stopped.changed() => return,
        }
        let now = Instant::now();
        dirty.extend(later.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()));
        let until = cluster.api.store.revision();
        for resource in &resources {
            match cluster.api.store.changes(resource, seen) {
                Ok(changes) => {
                    let objects = changes.iter().map(|change| &change.object);
                    dirty.extend(objects.filter_map(|object| concerned(&cluster.api, resource, object)));
                }
                // So much has happened that everything is looked at.
                Err(_compacted) => {
                    let all = cluster.api.store.list(resource, None).1;
                    dirty.extend(all.iter().filter_map(|object| concerned(&cluster.api, resource, object)));
                }
            }
        }
        seen = until;
    }
}

/// The workload that a changed object concerns: its controller, or itself.
fn concerned(api: &Api, resource: &Arc<str>, object: &Object) -> Option<Key> {
    let itself = || Key {
        resource: Arc::clone(resource),
        namespace: object.meta("namespace").to_owned(),
        name: object.meta("name").to_owned(),
    };
    let controller = pods::controller(&object.value).and_then(|uid| api.store.by_uid(uid));
    let controller = controller.filter(|key| KINDS.contains(&&*key.resource));
    if &**resource == PODS { controller } else { Some(itself()) }
}

async fn reconcile(cluster: &Cluster, key: &Key) -> Result<Wake, kube::Error> {
    let Some(object) = cluster.api.store.get(key) else { return Ok(None) };
    if !object.value["metadata"]["deletionTimestamp"].is_null() {
        return Ok(None);
    }
    match &*key.resource {
        DEPLOYMENTS => deployment::reconcile(cluster, key, &object.value).await.map(|()| None),
        REPLICA_SETS => {
            replicaset::reconcile(cluster, key, &object.value).await?;
            // The Deployment counts what its sets count.
            match pods::controller(&object.value).and_then(|uid| cluster.api.store.by_uid(uid)) {
                Some(owner) if &*owner.resource == DEPLOYMENTS => Box::pin(reconcile(cluster, &owner)).await,
                _ => Ok(None),
            }
        }
        STATEFUL_SETS => statefulset::reconcile(cluster, key, &object.value).await.map(|()| None),
        JOBS => job::reconcile(cluster, key, &object.value).await,
        _ => Ok(None),
    }
}
