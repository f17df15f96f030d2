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

pub(crate) use {kind, wire};
