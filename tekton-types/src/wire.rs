//! How API structs look on the wire: the `wire!` and `kind!` macros and the reading rules of Go's JSON.
//!
//! A field is written when it is not empty; a field marked `always` is written in any case, as the Go
//! types without `omitempty` do. On reading, absent and `null` are the zero value.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer};

/// Whether a value is what Go's `omitempty` leaves out.
pub(crate) trait Empty {
    fn is_empty_value(&self) -> bool;
}

impl Empty for String {
    fn is_empty_value(&self) -> bool {
        self.is_empty()
    }
}

impl Empty for bool {
    fn is_empty_value(&self) -> bool {
        !*self
    }
}

impl Empty for i64 {
    fn is_empty_value(&self) -> bool {
        *self == 0
    }
}

impl<T> Empty for Vec<T> {
    fn is_empty_value(&self) -> bool {
        self.is_empty()
    }
}

impl<T> Empty for Option<T> {
    fn is_empty_value(&self) -> bool {
        self.is_none()
    }
}

impl<K, V> Empty for BTreeMap<K, V> {
    fn is_empty_value(&self) -> bool {
        self.is_empty()
    }
}

impl<K, V> Empty for IndexMap<K, V> {
    fn is_empty_value(&self) -> bool {
        self.is_empty()
    }
}

/// `skip_serializing_if` of every field that is not `always`.
pub(crate) fn skip<T: Empty>(value: &T) -> bool {
    value.is_empty_value()
}

/// Reads a value where `null` is the zero value, as Go does.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// What marks the schema of a field whose inside definitions leave to admission, as upstream's do.
pub(crate) const OPEN: &str = "x-kubernetes-preserve-unknown-fields";

/// The schema of a field whose inside definitions leave to admission; editors see the inside.
pub(crate) fn open<T: schemars::JsonSchema>(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = generator.subschema_for::<T>();
    schema.insert(OPEN.to_owned(), true.into());
    schema
}

/// Declares an API struct: camel-case keys, fields skipped when empty unless marked `always`.
macro_rules! wire {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($body:tt)* }) => {
        $crate::wire::wire! { @munch [$(#[$meta])*] [$vis] $name [] $($body)* }
    };
    (@munch [$($meta:tt)*] [$vis:vis] $name:ident [$($done:tt)*]) => {
        $($meta)*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        $vis struct $name { $($done)* }
    };
    (@munch $meta:tt $vis:tt $name:ident [$($done:tt)*]
        $(#[$field_meta:meta])* pub always $field:ident: $ty:ty, $($rest:tt)*) => {
        $crate::wire::wire! { @munch $meta $vis $name [$($done)*
            $(#[$field_meta])*
            #[serde(deserialize_with = "crate::wire::lenient")]
            pub $field: $ty,
        ] $($rest)* }
    };
    (@munch $meta:tt $vis:tt $name:ident [$($done:tt)*]
        $(#[$field_meta:meta])* pub $field:ident: $ty:ty, $($rest:tt)*) => {
        $crate::wire::wire! { @munch $meta $vis $name [$($done)*
            $(#[$field_meta])*
            #[serde(deserialize_with = "crate::wire::lenient", skip_serializing_if = "crate::wire::skip")]
            pub $field: $ty,
        ] $($rest)* }
    };
}

/// Declares a kind: `metadata`, then the listed parts; apiVersion and kind follow from the type.
macro_rules! kind {
    ($(#[$meta:meta])* pub struct $name:ident($group:literal, $version:literal, $plural:literal) {
        $($(#[$part_meta:meta])* pub $part:ident: $part_ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, schemars::JsonSchema)]
        pub struct $name {
            /// Name, namespace, labels, annotations, owners.
            pub metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            $($(#[$part_meta])* pub $part: $part_ty,)*
        }

        impl k8s_openapi::Resource for $name {
            const API_VERSION: &'static str = concat!($group, "/", $version);
            const GROUP: &'static str = $group;
            const KIND: &'static str = stringify!($name);
            const VERSION: &'static str = $version;
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = k8s_openapi::NamespaceResourceScope;
        }

        impl k8s_openapi::ListableResource for $name {
            const LIST_KIND: &'static str = concat!(stringify!($name), "List");
        }

        impl k8s_openapi::Metadata for $name {
            type Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
            fn metadata(&self) -> &Self::Ty {
                &self.metadata
            }
            fn metadata_mut(&mut self) -> &mut Self::Ty {
                &mut self.metadata
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let parts: usize = 0 $(+ { let _ = stringify!($part); 1 })*;
                let mut out = serializer.serialize_struct(stringify!($name), 3 + parts)?;
                out.serialize_field("apiVersion", <Self as k8s_openapi::Resource>::API_VERSION)?;
                out.serialize_field("kind", <Self as k8s_openapi::Resource>::KIND)?;
                out.serialize_field("metadata", &self.metadata)?;
                $(out.serialize_field(stringify!($part), &self.$part)?;)*
                out.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Default, serde::Deserialize)]
                #[serde(rename = $plural, rename_all = "camelCase", default)]
                struct Wire {
                    #[serde(deserialize_with = "crate::wire::lenient")]
                    api_version: String,
                    #[serde(deserialize_with = "crate::wire::lenient")]
                    kind: String,
                    #[serde(deserialize_with = "crate::wire::lenient")]
                    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
                    $(#[serde(deserialize_with = "crate::wire::lenient")] $part: $part_ty,)*
                }
                let Wire { api_version, kind, metadata, $($part),* } = Wire::deserialize(deserializer)?;
                $crate::wire::expect_type::<Self, D::Error>(&api_version, &kind)?;
                Ok(Self { metadata, $($part),* })
            }
        }
    };
}

/// Refuses an object of another apiVersion or kind; absent ones are accepted.
pub(crate) fn expect_type<K: k8s_openapi::Resource, E: serde::de::Error>(
    api_version: &str,
    kind: &str,
) -> Result<(), E> {
    use serde::de::Unexpected;
    if !api_version.is_empty() && api_version != K::API_VERSION {
        return Err(E::invalid_value(Unexpected::Str(api_version), &K::API_VERSION));
    }
    if !kind.is_empty() && kind != K::KIND {
        return Err(E::invalid_value(Unexpected::Str(kind), &K::KIND));
    }
    Ok(())
}

/// Declares EmbeddedTask: the fields of TaskSpec stand beside `apiVersion`, `kind`, `spec` and `metadata` on the wire.
macro_rules! embedded_task {
    ($($(#[$extra_meta:meta])* $extra:ident: $extra_ty:ty,)*) => {
        /// A task in place: the fields of [`TaskSpec`] stand beside these on the wire.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct EmbeddedTask {
            /// API version of a custom task.
            pub api_version: String,
            /// Kind of a custom task.
            pub kind: String,
            /// The spec of a custom task, as given.
            pub spec: Option<serde_json::Value>,
            /// Labels and annotations for the created run.
            pub metadata: PipelineTaskMetadata,
            /// The task itself.
            pub task_spec: TaskSpec,
        }

        $crate::wire::wire! {
            /// The shape of an EmbeddedTask on the wire.
            struct WireEmbeddedTask {
                /// API version of a custom task.
                pub api_version: String,
                /// Kind of a custom task.
                pub kind: String,
                /// The spec of a custom task, as given.
                pub spec: Option<serde_json::Value>,
                /// Labels and annotations for the created run.
                pub metadata: PipelineTaskMetadata,
                $($(#[$extra_meta])* pub $extra: $extra_ty,)*
                /// Declared parameters.
                pub params: Vec<ParamSpec>,
                /// Name for people.
                pub display_name: String,
                /// What the task is for.
                pub description: String,
                /// Steps, in the order in which they run.
                pub steps: Vec<Step>,
                /// Volumes that steps and sidecars may mount.
                pub volumes: Vec<Volume>,
                /// What every step starts from.
                pub step_template: Option<StepTemplate>,
                /// Containers beside the steps.
                pub sidecars: Vec<Sidecar>,
                /// Declared workspaces.
                pub workspaces: Vec<WorkspaceDeclaration>,
                /// Declared results.
                pub results: Vec<TaskResult>,
            }
        }

        impl<'de> serde::Deserialize<'de> for EmbeddedTask {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let wire = WireEmbeddedTask::deserialize(deserializer)?;
                Ok(Self {
                    api_version: wire.api_version,
                    kind: wire.kind,
                    spec: wire.spec,
                    metadata: wire.metadata,
                    task_spec: TaskSpec {
                        $($extra: wire.$extra,)*
                        params: wire.params,
                        display_name: wire.display_name,
                        description: wire.description,
                        steps: wire.steps,
                        volumes: wire.volumes,
                        step_template: wire.step_template,
                        sidecars: wire.sidecars,
                        workspaces: wire.workspaces,
                        results: wire.results,
                    },
                })
            }
        }

        impl serde::Serialize for EmbeddedTask {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let Self { api_version, kind, spec, metadata, task_spec } = self;
                let TaskSpec {
                    $($extra,)*
                    params,
                    display_name,
                    description,
                    steps,
                    volumes,
                    step_template,
                    sidecars,
                    workspaces,
                    results,
                } = task_spec;
                let mut out = serializer.serialize_map(None)?;
                $crate::wire::put(&mut out, "kind", kind)?;
                $crate::wire::put(&mut out, "apiVersion", api_version)?;
                out.serialize_entry("spec", spec)?;
                out.serialize_entry("metadata", metadata)?;
                $($crate::wire::put(&mut out, stringify!($extra), $extra)?;)*
                $crate::wire::put(&mut out, "params", params)?;
                $crate::wire::put(&mut out, "displayName", display_name)?;
                $crate::wire::put(&mut out, "description", description)?;
                $crate::wire::put(&mut out, "steps", steps)?;
                $crate::wire::put(&mut out, "volumes", volumes)?;
                $crate::wire::put(&mut out, "stepTemplate", step_template)?;
                $crate::wire::put(&mut out, "sidecars", sidecars)?;
                $crate::wire::put(&mut out, "workspaces", workspaces)?;
                $crate::wire::put(&mut out, "results", results)?;
                out.end()
            }
        }

        impl schemars::JsonSchema for EmbeddedTask {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "EmbeddedTask".into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::EmbeddedTask").into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                WireEmbeddedTask::json_schema(generator)
            }
        }

        impl EmbeddedTask {
            /// Whether this is a custom task: it names an API version and a kind of its own.
            pub fn is_custom_task(&self) -> bool {
                !self.api_version.is_empty() && !self.kind.is_empty()
            }
        }
    };
}

/// Writes an entry unless it is empty.
pub(crate) fn put<M: serde::ser::SerializeMap, T: serde::Serialize + Empty>(
    out: &mut M,
    key: &'static str,
    value: &T,
) -> Result<(), M::Error> {
    if value.is_empty_value() { Ok(()) } else { out.serialize_entry(key, value) }
}

pub(crate) use {embedded_task, kind, wire};
