//! Objects as a watch tells them: one that cannot be read must not hide the others.

use std::borrow::Cow;
use std::marker::PhantomData;

use kube::Resource;
use kube::api::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use tekton_engine::{Object, ObjectKey, Stored};

/// An object of kind `K`, or what is known of it when it does not have the shape of its kind.
///
/// Without admission anything may be stored that the schema lets through, such as a duration of `10 minutes`.
#[derive(Debug, Clone)]
pub(crate) struct Read<K> {
    object: Result<K, String>,
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Read<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = Json::deserialize(deserializer)?;
        if let Some(metadata) = json.get_mut("metadata").and_then(Json::as_object_mut) {
            // Who owns which field is a third of a small object, and nobody here asks.
            metadata.remove("managedFields");
        }
        let metadata = ObjectMeta::deserialize(&json["metadata"]).map_err(serde::de::Error::custom)?;
        Ok(Self { object: serde_json::from_value(json).map_err(|error| error.to_string()), metadata })
    }
}

impl<K: Stored> Read<K> {
    /// What the reflector keeps of it.
    pub(crate) fn named(&self) -> Named<K> {
        Named::new(&self.metadata)
    }

    /// The object, or why it cannot be read.
    pub(crate) fn into_object(self) -> Result<Object, Box<Unreadable>> {
        let Self { object, metadata } = self;
        object
            .map(Stored::into_object)
            .map_err(|reason| Box::new(Unreadable { key: Named::<K>::new(&metadata).key(), metadata, reason }))
    }
}

/// What is known of an object that does not have the shape of its kind.
#[derive(Debug, Clone)]
pub(crate) struct Unreadable {
    /// What it is called.
    pub(crate) key: ObjectKey,
    /// Its metadata.
    pub(crate) metadata: ObjectMeta,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// No more of an object of kind `K` than its name: the object itself is in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Named<K> {
    metadata: ObjectMeta,
    kind: PhantomData<fn() -> K>,
}

impl<K> Named<K> {
    fn new(metadata: &ObjectMeta) -> Self {
        let metadata = ObjectMeta {
            name: metadata.name.clone(),
            namespace: metadata.namespace.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            ..ObjectMeta::default()
        };
        Self { metadata, kind: PhantomData }
    }
}

impl<K: Stored> Named<K> {
    /// The key of the object.
    pub(crate) fn key(&self) -> ObjectKey {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        ObjectKey::new(K::KIND, self.metadata.namespace.as_deref().unwrap_or_default(), name)
    }
}

macro_rules! resource_of_its_kind {
    ($($wrapper:ident),*) => { $(
        impl<K: Resource<DynamicType = ()>> Resource for $wrapper<K> {
            type DynamicType = ();
            type Scope = K::Scope;

            fn kind((): &()) -> Cow<'_, str> {
                K::kind(&())
            }
            fn group((): &()) -> Cow<'_, str> {
                K::group(&())
            }
            fn version((): &()) -> Cow<'_, str> {
                K::version(&())
            }
            fn plural((): &()) -> Cow<'_, str> {
                K::plural(&())
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )* };
}

resource_of_its_kind!(Read, Named);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tekton_types::v1::TaskRun;

    use super::*;

    #[test]
    fn a_list_is_read_although_one_of_its_objects_has_not_the_shape_of_its_kind() {
        let run = |name: &str, timeout: &str| json!({"metadata": {"name": name}, "spec": {"timeout": timeout}});
        let list = json!([run("good", "10m"), run("bad", "10 minutes")]);
        let read: Vec<Read<TaskRun>> = serde_json::from_value(list).expect("a list");
        let read: Vec<_> = read.into_iter().map(Read::into_object).collect();
        assert!(read[0].is_ok());
        let unreadable = read[1].clone().expect_err("the duration has no unit that Go knows");
        assert_eq!(unreadable.key.name, "bad");
        assert!(unreadable.reason.contains("unknown unit"), "{}", unreadable.reason);
    }

    #[test]
    fn who_owns_which_field_is_not_kept() {
        let run = json!({"metadata": {"name": "r", "managedFields": [{"manager": "kubectl"}]}});
        let read: Read<TaskRun> = serde_json::from_value(run).expect("a TaskRun");
        assert_eq!(read.into_object().expect("a TaskRun").metadata().managed_fields, None);
    }
}
