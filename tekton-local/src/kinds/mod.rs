//! What the server knows of particular kinds: defaults, validation, and what follows a write.

mod bootstrap;
mod cells;
mod checks;
pub(crate) mod columns;
mod crd;
mod defaults;
mod limits;
mod pod;
mod podcells;
mod podchecks;
mod prune;
mod quantity;
pub(crate) mod quota;
mod rules;
pub(crate) mod schema;
mod secret;
mod serviceaccount;
mod stored;
mod structural;
mod validate;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Api, ApiError, Target};
use crate::gc::Signal;
use crate::resources::Resource;
use crate::store::{Key, Object};

pub(crate) use bootstrap::bootstrap;
pub(crate) use crd::{CLEANUP, removed as clean_up};
pub(crate) use prune::{go_kind, prune, undeclared};
pub(crate) use rules::{answers_deleted, counts_no_grace, creates_on_update, is_graceful, unconditional_update};
pub(crate) use serviceaccount::furnish;
pub(crate) use validate::{update_forbidden, validate};

/// Fills in what the kind leaves to the server.
pub(crate) fn default(target: &Target, object: &mut Value) {
    if let (true, Some(schema)) = (target.resource.custom, &target.declared().schema) {
        structural::default(object, schema);
    }
    defaults::apply(target, object);
}

/// Fills in what a Pod leaves to the server, as it is done when the Pod is created. The status is left alone.
pub fn default_pod(pod: &mut Value) {
    defaults::pod(pod);
    defaults::pod_admission(pod, None);
}

/// What Kubernetes' own admission plugins do.
///
/// Errors: the object is refused.
pub(crate) fn admission(api: &Api, target: &Target, object: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    if target.resource.group.is_empty() && target.resource.kind == "Pod" && old.is_none() {
        serviceaccount::admit(api, target, object)?;
        limits::admit(api, target, object)?;
        let class = priority_class(api, target, object)?;
        defaults::pod_admission(object, class.as_deref().map(|class| &class.value));
    }
    if let Some(old) = old.filter(|_| target.resource.group.is_empty() && target.resource.kind == "Pod") {
        defaults::pod_admission(
            object,
            Some(&json!({
                "value": old["spec"]["priority"], "preemptionPolicy": old["spec"]["preemptionPolicy"],
            })),
        );
    }
    if target.resource.group.is_empty() && target.resource.kind == "PersistentVolumeClaim" && old.is_none() {
        defaults::claim_admission(api, object);
        limits::admit_claim(api, target, object)?;
    }
    if target.resource.group.is_empty() && target.resource.kind == "PersistentVolume" && old.is_none() {
        defaults::protect(object, "kubernetes.io/pv-protection");
    }
    Ok(())
}

/// The priority class that a pod names.
///
/// Errors: it names one that is not there.
fn priority_class(api: &Api, target: &Target, pod: &Value) -> Result<Option<Arc<Object>>, ApiError> {
    let Some(name) = pod["spec"]["priorityClassName"].as_str().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let key =
        Key { resource: "scheduling.k8s.io/priorityclasses".into(), namespace: String::new(), name: name.to_owned() };
    match api.store.get(&key) {
        Some(class) => Ok(Some(class)),
        // Every cluster has these two.
        None if matches!(name, "system-cluster-critical" | "system-node-critical") => Ok(None),
        None => {
            let text = format!("no PriorityClass with name {name} was found");
            let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
            Err(ApiError::forbidden(&target.resource, pod, &text))
        }
    }
}

fn key_of(target: &Target, object: &Value) -> Key {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    Key { resource: Arc::clone(&target.resource.key), namespace: text("namespace"), name: text("name") }
}

fn signal(api: &Api, signal: Signal) {
    // The collector may have stopped; then nobody needs the signal.
    let _ = api.signals.send(signal);
}

/// Takes up what was left undone when the objects of the store were last served: definitions are served again, and
/// deletions that wait for something go on.
pub(crate) fn resume(api: &Api) {
    for definition in api.store.list("apiextensions.k8s.io/customresourcedefinitions", None).1 {
        crd::updated(api, &definition.value);
    }
    for resource in api.store.resources() {
        for object in api.store.list(&resource, None).1 {
            let meta = &object.value["metadata"];
            if !meta["deletionTimestamp"].is_null() || meta["ownerReferences"].is_array() {
                let text = |field: &str| object.meta(field).to_owned();
                let key = Key { resource: resource.clone(), namespace: text("namespace"), name: text("name") };
                signal(api, Signal::Look(key));
            }
        }
    }
}

/// Serves what a definition defines, unless the store has a definition of that name already.
pub(crate) fn define(api: &Api, definition: Value) {
    if let Some(stored) = api.ensure("apiextensions.k8s.io/customresourcedefinitions", definition) {
        crd::established(api, &stored.value);
    }
}

/// After an object was created.
pub(crate) fn created(api: &Api, target: &Target, object: &Value) {
    match (target.resource.group.as_str(), target.resource.kind.as_str()) {
        ("", "Namespace") => serviceaccount::furnish(api, object["metadata"]["name"].as_str().unwrap_or_default()),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::established(api, object),
        _ => {}
    }
    if object["metadata"]["ownerReferences"].is_array() {
        signal(api, Signal::Look(key_of(target, object)));
    }
    quota::count(api, object["metadata"]["namespace"].as_str().unwrap_or_default());
}

/// After an object was changed.
pub(crate) fn updated(api: &Api, target: &Target, object: &Value) {
    if target.resource.kind == "CustomResourceDefinition" && target.resource.group == "apiextensions.k8s.io" {
        crd::updated(api, object);
    }
    if !object["metadata"]["deletionTimestamp"].is_null() {
        signal(api, Signal::Look(key_of(target, object)));
    }
    if matches!(&*target.resource.key, "/pods" | "/resourcequotas") {
        quota::count(api, object["metadata"]["namespace"].as_str().unwrap_or_default());
    }
}

/// After an object was removed.
pub(crate) fn deleted(api: &Api, target: &Target, object: &Value) {
    if target.resource.kind == "CustomResourceDefinition" && target.resource.group == "apiextensions.k8s.io" {
        crd::removed(api, object);
    }
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    signal(api, Signal::Gone(uid, key_of(target, object)));
    quota::count(api, object["metadata"]["namespace"].as_str().unwrap_or_default());
}

/// What else a deletion changes in an object that stays for now.
pub(crate) fn deleting(resource: &Resource, object: &mut Value) {
    if resource.group.is_empty() && resource.kind == "Namespace" {
        object["status"]["phase"] = "Terminating".into();
    }
    if resource.kind == "CustomResourceDefinition" && resource.group == "apiextensions.k8s.io" {
        crd::terminating(object);
    }
}
