//! How lists and maps of an object merge: by key, as sets, or as a whole.
//!
//! Built-in kinds have a table by field name; custom resources say it in their schema.

use serde_json::{Value, json};

/// How a list merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListType {
    /// As a whole.
    Atomic,
    /// As a set of scalars.
    Set,
    /// As a map by these keys.
    Map(Vec<String>),
}

/// A place in an object, known by the field that led there or by its schema.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'a> {
    /// Of a built-in kind; the field that led here.
    Builtin(&'a str),
    /// Of a custom resource with this schema.
    Schema(&'a Value),
    /// Metadata of any object.
    Unknown,
}

impl<'a> Shape<'a> {
    /// The shape of a field of an object that has this shape.
    #[must_use]
    pub fn field(self, name: &'a str) -> Self {
        match self {
            Shape::Builtin(parent) => Shape::Builtin(match (parent, name) {
                ("spec", "ports") => SERVICE_PORTS,
                // Of a ServiceAccount; those of a Pod merge by name.
                ("", "imagePullSecrets") => "",
                _ => name,
            }),
            Shape::Schema(_) | Shape::Unknown if name == "metadata" => Shape::Builtin(name),
            Shape::Schema(schema) => {
                match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
                    Some(inner) => Shape::Schema(inner),
                    None => Shape::Unknown,
                }
            }
            Shape::Unknown => Shape::Unknown,
        }
    }

    /// The shape of the items of a list that has this shape.
    #[must_use]
    pub fn item(self) -> Self {
        match self {
            Shape::Schema(schema) => schema.get("items").map_or(Shape::Unknown, Shape::Schema),
            other => other,
        }
    }

    /// How a list of this shape merges.
    pub fn list(self) -> ListType {
        match self {
            Shape::Builtin(field) => builtin_list(field),
            Shape::Schema(schema) => match schema["x-kubernetes-list-type"].as_str() {
                Some("map") => ListType::Map(
                    schema["x-kubernetes-list-map-keys"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect(),
                ),
                Some("set") => ListType::Set,
                _ => ListType::Atomic,
            },
            Shape::Unknown => ListType::Atomic,
        }
    }

    /// Whether a map of this shape merges as a whole.
    pub fn atomic_map(self) -> bool {
        match self {
            Shape::Builtin(field) => matches!(
                field,
                "selector"
                    | "labelSelector"
                    | "nodeSelector"
                    | "involvedObject"
                    | "regarding"
                    | "related"
                    | "secretKeyRef"
                    | "configMapKeyRef"
                    | "fieldRef"
                    | "resourceFieldRef"
                    | "secretRef"
                    | "podSelector"
                    | "namespaceSelector"
                    | "claimRef"
                    | "targetRef"
                    | "roleRef"
                    | "nodePublishSecretRef"
                    | "scopeSelector"
                    | "dataSource"
                    | "secrets"
            ),
            Shape::Schema(schema) => schema["x-kubernetes-map-type"] == "atomic",
            Shape::Unknown => false,
        }
    }

    /// The default of a key of a list's items, which counts when an item leaves it out.
    pub fn key_default(self, key: &str) -> Option<Value> {
        match self {
            Shape::Builtin(_) => (key == "protocol").then(|| json!("TCP")),
            Shape::Schema(schema) => schema["items"]["properties"][key].get("default").cloned(),
            Shape::Unknown => None,
        }
    }
}

/// The ports of a Service, which have other keys than those of a container.
const SERVICE_PORTS: &str = "spec.ports";

fn builtin_list(field: &str) -> ListType {
    let keys: &[&str] = match field {
        "webhooks"
        | "claims"
        | "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets"
        | "resizePolicy" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "ports" => &["containerPort", "protocol"],
        SERVICE_PORTS => &["port", "protocol"],
        "hostAliases" | "podIPs" | "hostIPs" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "conditions" => &["type"],
        "ownerReferences" => &["uid"],

        "finalizers" => return ListType::Set,
        _ => return ListType::Atomic,
    };
    ListType::Map(keys.iter().map(|key| (*key).to_owned()).collect())
}
