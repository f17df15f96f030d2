//! Which resources the server knows: the built-in table, and what CustomResourceDefinitions add, Tekton's among them.

pub mod columns;
pub mod crd;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use serde_json::Value;

pub use columns::Column;

/// One version of a resource.
#[derive(Debug, Clone)]
pub struct Version {
    /// `v1`, `v1beta1`, …
    pub name: String,
    /// Whether there is a `status` subresource.
    pub status: bool,
    /// The paths of the `scale` subresource, if there is one.
    pub scale: Option<ScalePaths>,
    /// The structural schema of a custom resource.
    pub schema: Option<Arc<Value>>,
    /// What `kubectl get` prints.
    pub columns: Vec<Column>,
}

/// Where the numbers of a `scale` subresource are in the object.
#[derive(Debug, Clone)]
pub struct ScalePaths {
    /// `.spec.replicas`.
    pub spec: String,
    /// `.status.replicas`.
    pub status: String,
    /// `.status.selector`, if any.
    pub selector: Option<String>,
}

/// A resource that is served.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The API group, "" for core.
    pub group: String,
    /// `configmaps`.
    pub plural: String,
    /// `configmap`.
    pub singular: String,
    /// `ConfigMap`.
    pub kind: String,
    /// `ConfigMapList`.
    pub list_kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// `cm`.
    pub short_names: Vec<String>,
    /// `all`, `tekton`, ….
    pub categories: Vec<String>,
    /// The served versions, preferred first.
    pub versions: Vec<Version>,
    /// The `apiVersion` under which objects are stored.
    pub storage: String,
    /// Whether it behaves as a custom resource does.
    pub custom: bool,
    /// The key of the resource in the store.
    pub key: Arc<str>,
}

impl Resource {
    /// `configmaps` or `widgets.example.com`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The `apiVersion` of a version of this resource.
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// A served version by name.
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// Whether objects of it count generations.
    pub fn has_generation(&self) -> bool {
        self.custom
            || matches!(
                self.group.as_str(),
                "apps"
                    | "batch"
                    | "apiextensions.k8s.io"
                    | "admissionregistration.k8s.io"
                    | "networking.k8s.io"
                    | "policy"
            )
    }
}

/// All served resources; CustomResourceDefinitions come and go at run time.
#[derive(Debug)]
pub struct Registry {
    resources: RwLock<BTreeMap<(String, String), Arc<Resource>>>,
}

impl Default for Registry {
    fn default() -> Self {
        let resources =
            table::builtin().into_iter().map(|r| ((r.group.clone(), r.plural.clone()), Arc::new(r))).collect();
        Self { resources: RwLock::new(resources) }
    }
}

impl Registry {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<(String, String), Arc<Resource>>> {
        self.resources.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The resource of a group by its plural name.
    pub fn get(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        self.read().get(&(group.to_owned(), plural.to_owned())).cloned()
    }

    /// The resource of a kind, as owner references name it.
    pub fn of_kind(&self, group: &str, kind: &str) -> Option<Arc<Resource>> {
        self.read().values().find(|r| r.group == group && r.kind == kind).cloned()
    }

    /// Every resource, by group and plural.
    pub fn all(&self) -> Vec<Arc<Resource>> {
        self.read().values().cloned().collect()
    }

    /// Adds or replaces a resource.
    pub fn put(&self, resource: Resource) {
        let id = (resource.group.clone(), resource.plural.clone());
        self.resources.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id, Arc::new(resource));
    }

    /// Removes a resource.
    pub fn remove(&self, group: &str, plural: &str) {
        self.resources
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(&(group.to_owned(), plural.to_owned()));
    }
}
