//! What the watches have told: the newest known version of each run and Pod, with an index from a PipelineRun to its
//! children.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

use k8s_openapi::api::core::v1::Pod;
use tekton_contract::labels;
use tekton_engine::{Kind, Object, ObjectKey, Stored};

/// Kinds that are watched and so answered from memory.
pub(crate) const CACHED: [Kind; 5] =
    [Kind::TaskRun, Kind::PipelineRun, Kind::CustomRun, Kind::Pod, Kind::ResolutionRequest];

/// The newest known objects of the watched kinds.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: HashMap<ObjectKey, Object>,
    /// By (kind, namespace, name of the PipelineRun): names of the children.
    children: HashMap<(Kind, String, String), BTreeSet<String>>,
}

impl Cache {
    /// Takes in an object that was seen or written; one that is older than what is known changes nothing.
    pub(crate) fn insert(&self, mut object: Object) {
        let key = object.key();
        if !CACHED.contains(&key.kind) {
            return;
        }
        if object.metadata().managed_fields.is_some() {
            object.metadata_mut().managed_fields = None;
        }
        let mut inner = self.inner.write().expect("no thread panics while it holds the cache");
        if let Some(known) = inner.objects.get(&key)
            && known.metadata().uid == object.metadata().uid
            && version(known) > version(&object)
        {
            return;
        }
        if let Some(run) = pipeline_run(&object) {
            let index = (key.kind, key.namespace.clone(), run.to_owned());
            inner.children.entry(index).or_default().insert(key.name.clone());
        }
        inner.objects.insert(key, object);
    }

    /// Forgets an object that is gone.
    pub(crate) fn remove(&self, key: &ObjectKey) {
        let mut inner = self.inner.write().expect("no thread panics while it holds the cache");
        let Some(object) = inner.objects.remove(key) else { return };
        if let Some(run) = pipeline_run(&object) {
            let index = (key.kind, key.namespace.clone(), run.to_owned());
            if let Some(names) = inner.children.get_mut(&index) {
                names.remove(&key.name);
                if names.is_empty() {
                    inner.children.remove(&index);
                }
            }
        }
    }

    /// The keys of all known objects of a kind.
    pub(crate) fn keys(&self, kind: Kind) -> Vec<ObjectKey> {
        let inner = self.inner.read().expect("no thread panics while it holds the cache");
        inner.objects.keys().filter(|key| key.kind == kind).cloned().collect()
    }

    /// The newest known version of an object.
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Object> {
        self.inner.read().expect("no thread panics while it holds the cache").objects.get(key).cloned()
    }

    /// A Pod that is known to have ended: nothing about it changes any more.
    pub(crate) fn ended_pod(&self, key: &ObjectKey) -> Option<Object> {
        let object = self.get(key)?;
        let phase = Pod::from_object(&object)?.status.as_ref()?.phase.as_deref();
        matches!(phase, Some("Succeeded" | "Failed")).then_some(object)
    }

    /// The newest known version of an object of a known kind.
    pub(crate) fn typed<R: Stored>(&self, key: &ObjectKey) -> Option<Arc<R>> {
        R::from_object(&self.get(key)?).cloned()
    }

    /// All objects of a kind in a namespace with these labels, sorted by name.
    pub(crate) fn list(&self, kind: Kind, namespace: &str, selector: &BTreeMap<String, String>) -> Vec<Object> {
        let inner = self.inner.read().expect("no thread panics while it holds the cache");
        let matches = |object: &&Object| {
            selector.iter().all(|(key, value)| {
                object.metadata().labels.as_ref().and_then(|labels| labels.get(key)).is_some_and(|have| have == value)
            })
        };
        if let Some(run) = selector.get(labels::PIPELINE_RUN) {
            let names = inner.children.get(&(kind, namespace.to_owned(), run.clone()));
            return names
                .into_iter()
                .flatten()
                .filter_map(|name| inner.objects.get(&ObjectKey::new(kind, namespace, name)))
                .filter(matches)
                .cloned()
                .collect();
        }
        let mut found: Vec<Object> = inner
            .objects
            .iter()
            .filter(|(key, _)| key.kind == kind && key.namespace == namespace)
            .map(|(_, object)| object)
            .filter(matches)
            .cloned()
            .collect();
        found.sort_by(|a, b| a.metadata().name.cmp(&b.metadata().name));
        found
    }
}

fn pipeline_run(object: &Object) -> Option<&str> {
    object.metadata().labels.as_ref()?.get(labels::PIPELINE_RUN).map(String::as_str)
}

/// Versions are opaque by contract and numbers in practice; one that is no number is older than all.
fn version(object: &Object) -> u64 {
    object.metadata().resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use tekton_types::v1::TaskRun;

    use super::*;

    fn task_run(version: &str, run: &str) -> Object {
        TaskRun {
            metadata: ObjectMeta {
                name: Some("t".to_owned()),
                namespace: Some("ns".to_owned()),
                resource_version: Some(version.to_owned()),
                labels: Some([(labels::PIPELINE_RUN.to_owned(), run.to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..TaskRun::default()
        }
        .into_object()
    }

    #[test]
    fn an_older_version_does_not_replace_a_newer_one() {
        let cache = Cache::default();
        cache.insert(task_run("10", "p"));
        cache.insert(task_run("9", "p"));
        let key = ObjectKey::new(Kind::TaskRun, "ns", "t");
        let known = cache.get(&key).expect("the object is known");
        assert_eq!(known.metadata().resource_version.as_deref(), Some("10"));
    }

    #[test]
    fn children_are_found_by_their_run_until_they_are_gone() {
        let cache = Cache::default();
        cache.insert(task_run("10", "p"));
        let selector = BTreeMap::from([(labels::PIPELINE_RUN.to_owned(), "p".to_owned())]);
        assert_eq!(cache.list(Kind::TaskRun, "ns", &selector).len(), 1);
        cache.remove(&ObjectKey::new(Kind::TaskRun, "ns", "t"));
        assert!(cache.list(Kind::TaskRun, "ns", &selector).is_empty());
    }
}
