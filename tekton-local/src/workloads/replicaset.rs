//! ReplicaSets: as many pods as they say, whichever those are.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Cluster, pods};
use crate::store::{Key, Object};

pub(super) async fn reconcile(cluster: &Cluster, key: &Key, set: &Value) -> Result<(), kube::Error> {
    let mut active: Vec<Arc<Object>> =
        pods::of(cluster, set).into_iter().filter(|pod| pods::is_active(&pod.value)).collect();
    let wanted = usize::try_from(pods::number(set, "/spec/replicas", 1)).unwrap_or(0);
    let mut refused = None;
    for _ in active.len()..wanted {
        if let Err(error) = pods::create(cluster, set, |_| {}).await {
            refused = Some(error);
            break;
        }
    }
    // Those that serve stay longest, and of these the oldest.
    active.sort_by_key(|pod| (!pods::is_ready(&pod.value), pod.meta("creationTimestamp").to_owned()));
    for pod in active.iter().skip(wanted) {
        pods::delete(cluster, pod).await?;
    }
    let live: Vec<Arc<Object>> = pods::of(cluster, set).into_iter().filter(|pod| pods::is_active(&pod.value)).collect();
    let ready = pods::count(live.iter().filter(|pod| pods::is_ready(&pod.value)).count());
    let mut status = json!({
        "replicas": live.len(), "fullyLabeledReplicas": live.len(),
        "observedGeneration": set["metadata"]["generation"],
    });
    if ready > 0 {
        status["readyReplicas"] = ready.into();
        status["availableReplicas"] = ready.into();
    }
    if let Some(error) = &refused {
        status["conditions"] =
            json!([pods::condition(set, "ReplicaFailure", "True", "FailedCreate", &error.to_string())]);
    }
    pods::write_status(cluster, key, ("apps", "ReplicaSet"), set, status).await?;
    refused.map_or(Ok(()), Err)
}
