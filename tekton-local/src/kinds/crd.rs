//! CustomResourceDefinitions: what they define is served from the moment they exist.

use serde_json::{Value, json};

use crate::api::{Api, now};
use crate::gc::rewrite;
use crate::resources::crd::resource_of;
use crate::store::Key;

/// The finalizer behind which the objects of a definition are removed.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

fn key(crd: &Value) -> Key {
    Key {
        resource: "apiextensions.k8s.io/customresourcedefinitions".into(),
        namespace: String::new(),
        name: crd["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Serves what the definition defines and says so in its status.
pub(super) fn established(api: &Api, crd: &Value) {
    if let Some(resource) = resource_of(crd) {
        api.registry.put(resource);
    }
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now(), "reason": reason, "message": message});
    let names = crd["spec"]["names"].clone();
    let stored: Vec<Value> = crd["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|v| v["storage"] == true)
        .map(|v| v["name"].clone())
        .collect();
    let status = json!({
        "acceptedNames": names,
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
    rewrite(api, &key(crd), |value| {
        value["status"] = status.clone();
        value["metadata"]["finalizers"] = json!([CLEANUP]);
    });
}

/// Serves a changed definition.
pub(super) fn updated(api: &Api, crd: &Value) {
    if crd["metadata"]["deletionTimestamp"].is_null()
        && let Some(resource) = resource_of(crd)
    {
        api.registry.put(resource);
    }
}

/// Serves no longer what was defined, and removes its objects.
pub(crate) fn removed(api: &Api, crd: &Value) {
    let Some(resource) = resource_of(crd) else { return };
    for object in api.store.list(&resource.key, None).1 {
        let key = Key {
            resource: std::sync::Arc::clone(&resource.key),
            namespace: object.meta("namespace").to_owned(),
            name: object.meta("name").to_owned(),
        };
        // The object may have changed or gone meanwhile; it cannot be reached any more either way.
        let _ = api.store.delete(&key, object.revision, object.value.clone());
    }
    api.registry.remove(&resource.group, &resource.plural);
}

/// The condition of a definition that is being deleted.
pub(super) fn terminating(crd: &mut Value) {
    let condition = json!({"type": "Terminating", "status": "True", "lastTransitionTime": now(), "reason": "InstanceDeletionPending", "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"});
    if let Some(conditions) = crd["status"]["conditions"].as_array_mut()
        && !conditions.iter().any(|c| c["type"] == "Terminating")
    {
        conditions.push(condition);
    }
}
