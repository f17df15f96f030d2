//! StatefulSets: numbered pods with claims of their own, one after the other unless they may come at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::{Cluster, pods};
use crate::store::{Key, Object};

pub(super) async fn reconcile(cluster: &Cluster, key: &Key, set: &Value) -> Result<(), kube::Error> {
    let replicas = pods::number(set, "/spec/replicas", 1);
    let one_by_one = set["spec"]["podManagementPolicy"] != "Parallel";
    let there = numbered(cluster, key, set);
    for index in 0..replicas {
        match there.get(&index) {
            // One that has ended is made anew under the same name.
            Some(pod) if !pods::is_active(&pod.value) => {
                pods::delete(cluster, pod).await?;
                break;
            }
            Some(pod) if one_by_one && !pods::is_ready(&pod.value) => break,
            Some(_) => {}
            None => {
                create(cluster, key, set, index).await?;
                if one_by_one {
                    break;
                }
            }
        }
    }
    for (_, pod) in there.iter().rev().filter(|(index, _)| **index >= replicas) {
        pods::delete(cluster, pod).await?;
        if one_by_one {
            break;
        }
    }
    let live: Vec<Arc<Object>> = numbered(cluster, key, set).into_values().collect();
    let ready = live.iter().filter(|pod| pods::is_ready(&pod.value)).count();
    let status = json!({
        "replicas": live.len(), "readyReplicas": ready, "availableReplicas": ready, "currentReplicas": live.len(),
        "updatedReplicas": live.len(), "observedGeneration": set["metadata"]["generation"], "collisionCount": 0,
    });
    pods::write_status(cluster, key, ("apps", "StatefulSet"), set, status).await
}

/// The pods of a set by their number.
fn numbered(cluster: &Cluster, key: &Key, set: &Value) -> BTreeMap<i64, Arc<Object>> {
    let number = |pod: &Object| pod.meta("name").strip_prefix(&key.name)?.strip_prefix('-')?.parse().ok();
    pods::of(cluster, set).into_iter().filter_map(|pod| Some((number(&pod)?, pod))).collect()
}

async fn create(cluster: &Cluster, key: &Key, set: &Value, index: i64) -> Result<(), kube::Error> {
    let name = format!("{}-{index}", key.name);
    let volumes = claims(cluster, key, set, index).await?;
    let created = pods::create(cluster, set, |pod| {
        let meta = &mut pod["metadata"];
        meta["name"] = name.as_str().into();
        meta["labels"]["statefulset.kubernetes.io/pod-name"] = name.as_str().into();
        meta["labels"]["apps.kubernetes.io/pod-index"] = index.to_string().into();
        pod["spec"]["hostname"] = name.as_str().into();
        if let Some(service) = set["spec"]["serviceName"].as_str().filter(|service| !service.is_empty()) {
            pod["spec"]["subdomain"] = service.into();
        }
        if !volumes.is_empty() {
            match pod["spec"].get_mut("volumes").and_then(Value::as_array_mut) {
                Some(list) => list.extend(volumes),
                None => pod["spec"]["volumes"] = volumes.into(),
            }
        }
    })
    .await;
    match created {
        // A pod of this name that is somebody else's, or still going, is in the way for now.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other,
    }
}

/// Makes the claims of a replica; answers the volumes by which its pod has them.
async fn claims(cluster: &Cluster, key: &Key, set: &Value, index: i64) -> Result<Vec<Value>, kube::Error> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(cluster.client.clone(), &key.namespace);
    let mut volumes = Vec::new();
    for template in set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let volume = template["metadata"]["name"].as_str().unwrap_or_default();
        let name = format!("{volume}-{}-{index}", key.name);
        if api.get_opt(&name).await?.is_none() {
            let mut claim = template.clone();
            claim["metadata"]["name"] = name.as_str().into();
            if let Some(fields) = claim.as_object_mut() {
                fields.remove("status");
            }
            let claim = serde_json::from_value(claim).map_err(kube::Error::SerdeError)?;
            api.create(&PostParams::default(), &claim).await?;
        }
        volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": name}}));
    }
    Ok(volumes)
}
