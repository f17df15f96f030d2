//! The garbage collector, and the controllers that finish deletions: namespaces and claims.
//!
//! Signals come from writes; nothing is polled.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::api::{Api, DeleteOptions, Propagation, Target};
use crate::store::{Key, Object};

/// Something that the collector has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signal {
    /// An object with this uid is gone; where it was.
    Gone(String, Key),
    /// An object has owners that may not exist, or is being deleted and waits for its dependents.
    Look(Key),
}

/// Runs until `closing` is true.
pub(crate) async fn run(api: Arc<Api>, mut closing: watch::Receiver<bool>) {
    let taken = api.signalled.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let Some(mut signals) = taken else { return };
    loop {
        let signal = tokio::select! {
            signal = signals.recv() => signal,
            _ = closing.changed() => None,
        };
        match signal {
            Some(Signal::Gone(uid, key)) => gone(&api, &uid, &key).await,
            Some(Signal::Look(key)) => look(&api, &key).await,
            None => return,
        }
    }
}

impl Api {
    /// The resource that a stored object belongs to, at its stored version.
    pub(crate) fn target_of(&self, key: &Key) -> Option<Target> {
        let (group, plural) = key.resource.split_once('/')?;
        let resource = self.registry.get(group, plural)?;
        let version = resource.storage.rsplit('/').next().unwrap_or_default().to_owned();
        let version =
            if resource.version(&version).is_some() { version } else { resource.versions.first()?.name.clone() };
        let namespace = (!key.namespace.is_empty()).then(|| key.namespace.clone());
        Some(Target { resource, version, namespace })
    }
}

async fn delete(api: &Api, key: &Key, propagation: Option<Propagation>) {
    let Some(target) = api.target_of(key) else { return };
    let options = DeleteOptions { propagation, ..DeleteOptions::default() };
    // Somebody else may have deleted it already; that is what is wanted.
    let _ = api.delete_object(&target, &key.name, &options).await;
}

/// Changes an object with nobody but the server behind it.
pub(crate) fn rewrite(api: &Api, key: &Key, change: impl Fn(&mut Value)) {
    loop {
        let Some(object) = api.store.get(key) else { return };
        let mut value = object.value.clone();
        change(&mut value);
        if value == object.value {
            return;
        }
        let ends = crate::api::finished_deleting(&value);
        let written = if ends {
            api.store.delete(key, object.revision, object.value.clone())
        } else {
            api.store.update(key, object.revision, value)
        };
        if let Ok(written) = written {
            if let Some(target) = api.target_of(key) {
                if ends {
                    crate::kinds::deleted(api, &target, &written.value);
                } else {
                    crate::kinds::updated(api, &target, &written.value);
                }
            }
            return;
        }
    }
}

fn drop_finalizer(api: &Api, key: &Key, finalizer: &str) {
    rewrite(api, key, |value| {
        let Some(meta) = value["metadata"].as_object_mut() else { return };
        let Some(Value::Array(list)) = meta.get_mut("finalizers") else { return };
        list.retain(|f| f != finalizer);
        if list.is_empty() {
            meta.remove("finalizers");
        }
    });
}

fn drop_owner(api: &Api, key: &Key, uid: &str) {
    rewrite(api, key, |value| {
        let Some(meta) = value["metadata"].as_object_mut() else { return };
        let Some(Value::Array(list)) = meta.get_mut("ownerReferences") else { return };
        list.retain(|owner| owner["uid"] != uid);
        if list.is_empty() {
            meta.remove("ownerReferences");
        }
    });
}

async fn gone(api: &Arc<Api>, uid: &str, key: &Key) {
    for dependent in api.store.dependents(uid) {
        look(api, &dependent).await;
    }
    // Whoever waits for this one to go may be done now.
    for object in waiting(api, &key.namespace) {
        look(api, &object).await;
    }
    if !key.namespace.is_empty() {
        let namespace = Key { resource: "/namespaces".into(), namespace: String::new(), name: key.namespace.clone() };
        if api.store.get(&namespace).is_some_and(|ns| !ns.value["metadata"]["deletionTimestamp"].is_null()) {
            Box::pin(look(api, &namespace)).await;
        }
    }
    if &*key.resource == "/pods" {
        for claim in api.store.list("/persistentvolumeclaims", Some(&key.namespace)).1 {
            protect_claim(api, &claim);
        }
    }
}

/// Objects of a namespace, or of the cluster, that wait for their dependents to go.
fn waiting(api: &Api, namespace: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    for uid in api.waiting_for_dependents() {
        if let Some(key) = api.store.by_uid(&uid)
            && (key.namespace == namespace || key.namespace.is_empty())
        {
            keys.push(key);
        }
    }
    keys
}

async fn look(api: &Arc<Api>, key: &Key) {
    let Some(object) = api.store.get(key) else { return };
    let meta = &object.value["metadata"];
    let deleting = !meta["deletionTimestamp"].is_null();
    let has = |finalizer: &str| meta["finalizers"].as_array().is_some_and(|list| list.iter().any(|f| f == finalizer));
    if deleting && has("orphan") {
        for dependent in api.store.dependents(object.meta("uid")) {
            drop_owner(api, &dependent, object.meta("uid"));
        }
        drop_finalizer(api, key, "orphan");
        return;
    }
    if deleting && has("foregroundDeletion") {
        foreground(api, key, &object).await;
        return;
    }
    if deleting && &*key.resource == "/namespaces" {
        Box::pin(empty_namespace(api, key)).await;
        return;
    }
    if deleting && has(crate::kinds::CLEANUP) {
        crate::kinds::clean_up(api, &object.value);
        drop_finalizer(api, key, crate::kinds::CLEANUP);
        return;
    }
    if deleting && &*key.resource == "/persistentvolumeclaims" {
        protect_claim(api, &object);
        return;
    }
    if deleting && &*key.resource == "/persistentvolumes" && object.value["status"]["phase"] != "Bound" {
        drop_finalizer(api, key, "kubernetes.io/pv-protection");
        return;
    }
    if !deleting {
        check_owners(api, key, &object).await;
    }
}

async fn foreground(api: &Arc<Api>, key: &Key, object: &Object) {
    let uid = object.meta("uid");
    let mut blocked = false;
    for dependent in api.store.dependents(uid) {
        let Some(found) = api.store.get(&dependent) else { continue };
        let blocks = found.value["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true);
        if found.value["metadata"]["deletionTimestamp"].is_null() {
            let propagation = if blocks { Propagation::Foreground } else { Propagation::Background };
            delete(api, &dependent, Some(propagation)).await;
        }
        blocked |= blocks && api.store.get(&dependent).is_some();
    }
    if blocked {
        api.wait_for_dependents(uid);
    } else {
        api.no_longer_waiting(uid);
        drop_finalizer(api, key, "foregroundDeletion");
    }
}

/// Deletes an object whose owners are all gone, and forgets those that are.
async fn check_owners(api: &Arc<Api>, key: &Key, object: &Object) {
    let owners = object.value["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    if owners.is_empty() {
        return;
    }
    let exists = |owner: &Value| {
        let Some(uid) = owner["uid"].as_str() else { return false };
        let (group, _) = owner["apiVersion"].as_str().unwrap_or_default().rsplit_once('/').unwrap_or_default();
        let known = api.registry.of_kind(group, owner["kind"].as_str().unwrap_or_default()).is_some();
        // An owner of a kind that is not served here cannot be looked up; its dependents stay.
        !known || api.store.by_uid(uid).is_some_and(|at| at.namespace.is_empty() || at.namespace == key.namespace)
    };
    let (live, dead): (Vec<&Value>, Vec<&Value>) = owners.iter().partition(|owner| exists(owner));
    if live.is_empty() {
        delete(api, key, Some(Propagation::Background)).await;
    } else {
        for owner in dead {
            drop_owner(api, key, owner["uid"].as_str().unwrap_or_default());
        }
    }
}

async fn empty_namespace(api: &Arc<Api>, key: &Key) {
    let mut left = false;
    for resource in api.store.resources() {
        for object in api.store.list(&resource, Some(&key.name)).1 {
            let at = Key {
                resource: Arc::clone(&resource),
                namespace: key.name.clone(),
                name: object.meta("name").to_owned(),
            };
            if object.value["metadata"]["deletionTimestamp"].is_null() {
                delete(api, &at, Some(Propagation::Background)).await;
            }
            left |= api.store.get(&at).is_some();
        }
    }
    if left {
        return;
    }
    rewrite(api, key, |value| {
        if let Some(spec) = value["spec"].as_object_mut() {
            spec.remove("finalizers");
        }
    });
}

/// A claim that is being deleted goes when no pod uses it.
fn protect_claim(api: &Api, claim: &Object) {
    if claim.value["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let (namespace, name) = (claim.meta("namespace"), claim.meta("name"));
    let uses = |pod: &Object| {
        !matches!(pod.value["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
            && pod.value["spec"]["volumes"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|v| v["persistentVolumeClaim"]["claimName"] == name)
    };
    if api.store.list("/pods", Some(namespace)).1.iter().any(|pod| uses(pod)) {
        return;
    }
    let key =
        Key { resource: "/persistentvolumeclaims".into(), namespace: namespace.to_owned(), name: name.to_owned() };
    drop_finalizer(api, &key, "kubernetes.io/pvc-protection");
}
