//! What every namespace has, and what the ServiceAccount admission plugin adds to pods.

use serde_json::{Value, json};

use crate::api::names;
use crate::api::{Api, ApiError, Target};
use crate::store::Key;

const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Gives a new namespace its ServiceAccount and the cluster's certificate.
pub(crate) fn furnish(api: &Api, namespace: &str) {
    api.ensure(
        "/serviceaccounts",
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}),
    );
    api.ensure(
        "/configmaps",
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": namespace}, "data": {"ca.crt": api.certificate()}}),
    );
}

/// Sets the service account of a pod and mounts its token.
pub(super) fn admit(api: &Api, target: &Target, pod: &mut Value) -> Result<(), ApiError> {
    let name = match pod["spec"]["serviceAccountName"].as_str().filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => pod["spec"]["serviceAccount"].as_str().filter(|name| !name.is_empty()).unwrap_or("default").to_owned(),
    };
    let namespace = target.namespace.clone().unwrap_or_default();
    pod["spec"]["serviceAccountName"] = name.clone().into();
    pod["spec"]["serviceAccount"] = name.clone().into();
    let key = Key { resource: "/serviceaccounts".into(), namespace: namespace.clone(), name: name.clone() };
    let Some(account) = api.store.get(&key) else {
        let text = format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found");
        return Err(ApiError::forbidden(&target.resource, pod["metadata"]["name"].as_str().unwrap_or_default(), &text));
    };
    if pod["spec"]["imagePullSecrets"].as_array().is_none_or(Vec::is_empty)
        && let Some(secrets) = account.value["imagePullSecrets"].as_array().filter(|list| !list.is_empty())
    {
        pod["spec"]["imagePullSecrets"] = secrets.clone().into();
    }
    let mounts = pod["spec"]["automountServiceAccountToken"]
        .as_bool()
        .or_else(|| account.value["automountServiceAccountToken"].as_bool())
        .unwrap_or(true);
    if mounts {
        mount_token(pod);
    }
    Ok(())
}

fn mount_token(pod: &mut Value) {
    let has_token = |volume: &Value| {
        volume["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-"))
            && volume["projected"]["sources"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|s| s["serviceAccountToken"].is_object())
    };
    let existing = pod["spec"]["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|v| has_token(v))
        .and_then(|v| v["name"].as_str())
        .map(str::to_owned);
    let is_new = existing.is_none();
    let volume = existing.unwrap_or_else(|| names::generate("kube-api-access-"));
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let taken = container["volumeMounts"].as_array().into_iter().flatten().any(|m| m["mountPath"] == MOUNT);
            if taken {
                continue;
            }
            mounted = true;
            let mount = json!({"name": volume, "readOnly": true, "mountPath": MOUNT});
            match container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                Some(mounts) => mounts.push(mount),
                None => container["volumeMounts"] = json!([mount]),
            }
        }
    }
    if !is_new || !mounted {
        return;
    }
    let projected = json!({"name": volume, "projected": {"sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ], "defaultMode": 420}});
    match pod["spec"].get_mut("volumes").and_then(Value::as_array_mut) {
        Some(volumes) => volumes.push(projected),
        None => pod["spec"]["volumes"] = json!([projected]),
    }
}
