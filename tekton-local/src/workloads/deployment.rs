//! Deployments: a ReplicaSet for each template, and a rollout from the old ones to the new one.

use std::sync::Arc;

use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{Cluster, REPLICA_SETS, pods};
use crate::store::{Key, Object};

/// The label that tells the sets of a Deployment apart.
const HASH: &str = "pod-template-hash";
/// The annotation that counts rollouts.
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) async fn reconcile(cluster: &Cluster, key: &Key, deployment: &Value) -> Result<(), kube::Error> {
    let mut sets = pods::controlled(cluster, deployment, REPLICA_SETS);
    let hash = hash(&deployment["spec"]["template"]);
    let is_new = |set: &Arc<Object>| set.value["metadata"]["labels"][HASH] == hash.as_str();
    let newest = sets.iter().map(|set| revision(set)).max().unwrap_or(0);
    let paused = deployment["spec"]["paused"] == true;
    if !sets.iter().any(is_new) && !paused {
        create(cluster, key, deployment, &hash, newest + 1).await?;
        sets = pods::controlled(cluster, deployment, REPLICA_SETS);
    }
    let (new, old): (Vec<_>, Vec<_>) = sets.into_iter().partition(is_new);
    if let Some(new) = new.first() {
        let current = if old.iter().any(|set| revision(set) > revision(new)) { newest + 1 } else { revision(new) };
        annotate(cluster, key, deployment, new, current).await?;
        if !paused {
            scale_all(cluster, key, deployment, new, &old).await?;
        }
    }
    prune(cluster, key, deployment, &old).await?;
    status(cluster, key, deployment, new.first(), &old).await
}

/// Characters of which no words are made.
const LETTERS: &[u8; 16] = b"bcdfghjklmnpqrst";

/// A short name for a template: equal templates have the same.
fn hash(template: &Value) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, template.to_string().as_bytes());
    digest.as_ref().iter().take(10).map(|byte| char::from(LETTERS[usize::from(byte % 16)])).collect()
}

fn revision(set: &Object) -> i64 {
    set.value["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn wanted(set: &Object) -> i64 {
    pods::number(&set.value, "/spec/replicas", 0)
}

async fn create(
    cluster: &Cluster,
    key: &Key,
    deployment: &Value,
    hash: &str,
    revision: i64,
) -> Result<(), kube::Error> {
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH] = hash.into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = hash.into();
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", key.name), "labels": template["metadata"]["labels"],
            "annotations": {REVISION: revision.to_string()}, "ownerReferences": pods::owned_by(deployment),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    });
    let set: DynamicObject = serde_json::from_value(set).map_err(kube::Error::SerdeError)?;
    match pods::dynamic(cluster, key, "apps", "ReplicaSet").create(&PostParams::default(), &set).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop),
    }
}

/// Counts the rollout on the Deployment and on its set.
async fn annotate(
    cluster: &Cluster,
    key: &Key,
    deployment: &Value,
    set: &Object,
    revision: i64,
) -> Result<(), kube::Error> {
    let text = revision.to_string();
    let patch = Patch::Merge(json!({"metadata": {"annotations": {REVISION: text}}}));
    let params = PatchParams::default();
    for (kind, name, object) in [("ReplicaSet", set.meta("name"), &set.value), ("Deployment", &key.name, deployment)] {
        if object["metadata"]["annotations"][REVISION] != text.as_str() {
            pods::dynamic(cluster, key, "apps", kind).patch(name, &params, &patch).await?;
        }
    }
    Ok(())
}

async fn scale(cluster: &Cluster, key: &Key, set: &Object, replicas: i64) -> Result<(), kube::Error> {
    if wanted(set) == replicas {
        return Ok(());
    }
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let api = pods::dynamic(cluster, key, "apps", "ReplicaSet");
    api.patch(set.meta("name"), &PatchParams::default(), &patch).await.map(drop)
}

/// A count, or a share of the replicas rounded up or down.
fn share(value: &Value, of: i64, up: bool) -> i64 {
    match value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok()) {
        Some(percent) if up => (percent * of + 99) / 100,
        Some(percent) => percent * of / 100,
        None => value.as_i64().unwrap_or(0),
    }
}

/// Takes the next step of the rollout; what follows from it brings the next one.
async fn scale_all(
    cluster: &Cluster,
    key: &Key,
    deployment: &Value,
    new: &Arc<Object>,
    old: &[Arc<Object>],
) -> Result<(), kube::Error> {
    let spec = &deployment["spec"];
    let replicas = pods::number(spec, "/replicas", 1);
    let of_old: i64 = old.iter().map(|set| wanted(set)).sum();
    if spec["strategy"]["type"] == "Recreate" {
        for set in old {
            scale(cluster, key, set, 0).await?;
        }
        let left = old.iter().any(|set| pods::of(cluster, &set.value).iter().any(|pod| !is_over(&pod.value)));
        return if left { Ok(()) } else { scale(cluster, key, new, replicas).await };
    }
    let rolling = &spec["strategy"]["rollingUpdate"];
    let surge = share(&rolling["maxSurge"], replicas, true);
    let unavailable = share(&rolling["maxUnavailable"], replicas, false);
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    let room = (replicas + surge - of_old).clamp(0, replicas);
    let up = if of_old == 0 { replicas } else { room.max(wanted(new).min(replicas)) };
    scale(cluster, key, new, up).await?;
    let ready = |set: &Object| pods::of(cluster, &set.value).iter().filter(|pod| pods::is_ready(&pod.value)).count();
    let ready_all: i64 = old.iter().chain([new]).map(|set| pods::count(ready(set))).sum();
    // Old pods that do not serve go first, then as many as others stand in for.
    let mut spare = ready_all - (replicas - unavailable);
    for set in old {
        let idle = wanted(set) - pods::count(ready(set));
        let down = (idle.max(0) + spare.max(0)).min(wanted(set));
        spare -= (down - idle.max(0)).max(0);
        scale(cluster, key, set, wanted(set) - down).await?;
    }
    Ok(())
}

fn is_over(pod: &Value) -> bool {
    matches!(pods::phase(pod), "Succeeded" | "Failed")
}

/// Removes empty old sets beyond those that are kept for a way back.
async fn prune(cluster: &Cluster, key: &Key, deployment: &Value, old: &[Arc<Object>]) -> Result<(), kube::Error> {
    let keep = usize::try_from(pods::number(deployment, "/spec/revisionHistoryLimit", 10)).unwrap_or(0);
    let mut empty: Vec<&Arc<Object>> =
        old.iter().filter(|set| wanted(set) == 0 && pods::of(cluster, &set.value).is_empty()).collect();
    empty.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    for set in empty.into_iter().skip(keep) {
        let api = pods::dynamic(cluster, key, "apps", "ReplicaSet");
        drop(api.delete(set.meta("name"), &kube::api::DeleteParams::background()).await);
    }
    Ok(())
}

async fn status(
    cluster: &Cluster,
    key: &Key,
    deployment: &Value,
    new: Option<&Arc<Object>>,
    old: &[Arc<Object>],
) -> Result<(), kube::Error> {
    let live = |set: &Arc<Object>| -> (i64, i64) {
        let pods = pods::of(cluster, &set.value);
        let active = pods.iter().filter(|pod| pods::is_active(&pod.value)).count();
        let ready = pods.iter().filter(|pod| pods::is_ready(&pod.value)).count();
        (pods::count(active), pods::count(ready))
    };
    let (updated, new_ready) = new.map(live).unwrap_or_default();
    let (others, old_ready) = old.iter().map(live).fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    let replicas = pods::number(deployment, "/spec/replicas", 1);
    let ready = new_ready + old_ready;
    let unavailable = share(&deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], replicas, false);
    let mut status = json!({"observedGeneration": deployment["metadata"]["generation"]});
    let counts = [
        ("replicas", updated + others),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
        ("unavailableReplicas", (updated + others).max(replicas) - ready),
    ];
    for (field, count) in counts {
        if count > 0 {
            status[field] = count.into();
        }
    }
    let available = if ready >= replicas - unavailable {
        pods::condition(
            deployment,
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        let message = "Deployment does not have minimum availability.";
        pods::condition(deployment, "Available", "False", "MinimumReplicasUnavailable", message)
    };
    let name = new.map(|set| set.meta("name").to_owned()).unwrap_or_default();
    let progressing = if updated == replicas && new_ready >= replicas && others == 0 {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        pods::condition(deployment, "Progressing", "True", "NewReplicaSetAvailable", &message)
    } else {
        let message = format!("ReplicaSet \"{name}\" is progressing.");
        pods::condition(deployment, "Progressing", "True", "ReplicaSetUpdated", &message)
    };
    status["conditions"] = json!([available, progressing]);
    pods::write_status(cluster, key, ("apps", "Deployment"), deployment, status).await
}
