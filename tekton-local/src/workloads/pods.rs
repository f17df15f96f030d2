//! Pods of a workload: which there are, in what state, and how they are made and removed.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use super::{Cluster, PODS};
use crate::store::{Key, Object};

/// The uid of the controller of an object.
pub(super) fn controller(object: &Value) -> Option<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)?["uid"].as_str()
}

/// A reference by which an object says who controls it.
pub(super) fn owned_by(owner: &Value) -> Value {
    let meta = &owner["metadata"];
    json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }])
}

/// The objects of a resource that a workload controls, in the order of their names.
pub(super) fn controlled(cluster: &Cluster, owner: &Value, resource: &str) -> Vec<Arc<Object>> {
    let uid = owner["metadata"]["uid"].as_str().unwrap_or_default();
    let keys = cluster.api.store.dependents(uid);
    let objects = keys.iter().filter(|key| &*key.resource == resource).filter_map(|key| cluster.api.store.get(key));
    objects.filter(|object| controller(&object.value) == Some(uid)).collect()
}

/// The pods of a workload.
pub(super) fn of(cluster: &Cluster, owner: &Value) -> Vec<Arc<Object>> {
    controlled(cluster, owner, PODS)
}

/// Whether a pod has ended, and how.
pub(super) fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or("Pending")
}

/// Whether a pod still runs or will.
pub(super) fn is_active(pod: &Value) -> bool {
    !matches!(phase(pod), "Succeeded" | "Failed") && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a pod is ready to serve.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    is_active(pod) && conditions.clone().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Makes a pod of a workload's template; `change` has the last word.
pub(super) async fn create(
    cluster: &Cluster,
    owner: &Value,
    change: impl FnOnce(&mut Value),
) -> Result<(), kube::Error> {
    let template = &owner["spec"]["template"];
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    if !pod["metadata"].is_object() {
        pod["metadata"] = json!({});
    }
    let name = owner["metadata"]["name"].as_str().unwrap_or_default();
    pod["metadata"]["generateName"] = format!("{name}-").into();
    pod["metadata"]["ownerReferences"] = owned_by(owner);
    change(&mut pod);
    let pod: Pod = serde_json::from_value(pod).map_err(kube::Error::SerdeError)?;
    api(cluster, owner).create(&PostParams::default(), &pod).await.map(drop)
}

/// Deletes a pod; one that has gone already is no error.
pub(super) async fn delete(cluster: &Cluster, pod: &Object) -> Result<(), kube::Error> {
    match api(cluster, &pod.value).delete(pod.meta("name"), &DeleteParams::background()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

fn api(cluster: &Cluster, object: &Value) -> Api<Pod> {
    Api::namespaced(cluster.client.clone(), object["metadata"]["namespace"].as_str().unwrap_or("default"))
}

/// Calls about one kind in the namespace of a key.
pub(super) fn dynamic(cluster: &Cluster, key: &Key, group: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    Api::namespaced_with(cluster.client.clone(), &key.namespace, &resource)
}

/// Writes a workload's status if it says anything new. An absent field goes.
pub(super) async fn write_status(
    cluster: &Cluster,
    key: &Key,
    (group, kind): (&str, &str),
    old: &Value,
    status: Value,
) -> Result<(), kube::Error> {
    if old["status"] == status {
        return Ok(());
    }
    let mut patch = status;
    for (field, _) in old["status"].as_object().into_iter().flatten() {
        if patch[field.as_str()].is_null() {
            patch[field.as_str()] = Value::Null;
        }
    }
    let patch = Patch::Merge(json!({"status": patch}));
    dynamic(cluster, key, group, kind).patch_status(&key.name, &PatchParams::default(), &patch).await.map(drop)
}

/// A whole number of an object, or a default.
pub(super) fn number(object: &Value, pointer: &str, default: i64) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(default)
}

/// A list as a count.
pub(super) fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// A condition that keeps the time of its last change.
pub(super) fn condition(old: &Value, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let now = crate::api::now();
    let before = old["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == kind);
    let same = before
        .filter(|before| before["status"] == status && before["reason"] == reason && before["message"] == message);
    if let Some(same) = same {
        return same.clone();
    }
    let changed = before.filter(|before| before["status"] == status).map(|before| before["lastTransitionTime"].clone());
    json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastUpdateTime": now,
        "lastTransitionTime": changed.unwrap_or_else(|| now.clone().into()),
    })
}
