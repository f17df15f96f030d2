//! The schemas of built-in kinds, from the types that k8s-openapi has.

use std::sync::LazyLock;

use k8s_openapi::api as k8s;
use k8s_openapi::schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Every definition by its name, and the name of the definition of each kind.
struct Schemas {
    definitions: Map<String, Value>,
    kinds: Vec<(&'static str, String)>,
}

macro_rules! schemas {
    ($($kind:literal => $type:ty),* $(,)?) => {{
        let mut generator = SchemaSettings::openapi3().with(|s| s.definitions_path = "/definitions".into()).into_generator();
        let mut kinds = Vec::new();
        $(
            let schema = generator.subschema_for::<$type>();
            let reference = serde_json::to_value(&schema).unwrap_or_default()["$ref"].as_str().unwrap_or_default().to_owned();
            kinds.push(($kind, reference.rsplit('/').next().unwrap_or_default().to_owned()));
        )*
        let definitions = generator.take_definitions(true).into_iter().collect();
        Schemas { definitions, kinds }
    }};
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    schemas! {
        "ConfigMap" => k8s::core::v1::ConfigMap,
        "Endpoints" => k8s::core::v1::Endpoints,
        "Event" => k8s::core::v1::Event,
        "LimitRange" => k8s::core::v1::LimitRange,
        "Namespace" => k8s::core::v1::Namespace,
        "Node" => k8s::core::v1::Node,
        "PersistentVolumeClaim" => k8s::core::v1::PersistentVolumeClaim,
        "PersistentVolume" => k8s::core::v1::PersistentVolume,
        "Pod" => k8s::core::v1::Pod,
        "PodTemplate" => k8s::core::v1::PodTemplate,
        "ReplicationController" => k8s::core::v1::ReplicationController,
        "ResourceQuota" => k8s::core::v1::ResourceQuota,
        "Secret" => k8s::core::v1::Secret,
        "ServiceAccount" => k8s::core::v1::ServiceAccount,
        "Service" => k8s::core::v1::Service,
        "MutatingWebhookConfiguration" => k8s::admissionregistration::v1::MutatingWebhookConfiguration,
        "ValidatingWebhookConfiguration" => k8s::admissionregistration::v1::ValidatingWebhookConfiguration,
        "ControllerRevision" => k8s::apps::v1::ControllerRevision,
        "DaemonSet" => k8s::apps::v1::DaemonSet,
        "Deployment" => k8s::apps::v1::Deployment,
        "ReplicaSet" => k8s::apps::v1::ReplicaSet,
        "StatefulSet" => k8s::apps::v1::StatefulSet,
        "CronJob" => k8s::batch::v1::CronJob,
        "Job" => k8s::batch::v1::Job,
        "Lease" => k8s::coordination::v1::Lease,
        "NetworkPolicy" => k8s::networking::v1::NetworkPolicy,
        "PodDisruptionBudget" => k8s::policy::v1::PodDisruptionBudget,
        "ClusterRole" => k8s::rbac::v1::ClusterRole,
        "ClusterRoleBinding" => k8s::rbac::v1::ClusterRoleBinding,
        "Role" => k8s::rbac::v1::Role,
        "RoleBinding" => k8s::rbac::v1::RoleBinding,
        "PriorityClass" => k8s::scheduling::v1::PriorityClass,
        "StorageClass" => k8s::storage::v1::StorageClass,
    }
});

/// The name of a kind's schema in OpenAPI documents.
pub(crate) fn name(group: &str, version: &str, kind: &str) -> String {
    match group {
        "" => format!("io.k8s.api.core.{version}.{kind}"),
        group if group.ends_with(".k8s.io") || !group.contains('.') => {
            format!("io.k8s.api.{}.{version}.{kind}", group.split('.').next().unwrap_or_default())
        }
        group => {
            let reversed: Vec<&str> = group.split('.').rev().collect();
            format!("{}.{version}.{kind}", reversed.join("."))
        }
    }
}

/// The definition of a kind, if it is one of k8s-openapi's.
pub(crate) fn definition(kind: &str) -> Option<&'static Value> {
    let (_, name) = SCHEMAS.kinds.iter().find(|(k, _)| *k == kind)?;
    SCHEMAS.definitions.get(name)
}

/// The definition whose name ends in `.name`.
pub(crate) fn named(name: &str) -> Option<&'static Value> {
    static META: LazyLock<Option<&'static Value>> = LazyLock::new(|| {
        SCHEMAS.definitions.iter().find(|(n, _)| n.ends_with(".ObjectMeta")).map(|(_, schema)| schema)
    });
    match name {
        "ObjectMeta" => *META,
        _ => SCHEMAS.definitions.iter().find(|(n, _)| n.rsplit('.').next() == Some(name)).map(|(_, schema)| schema),
    }
}

/// What a schema refers to, with the last part of its name; the schema itself when it is no reference.
pub(crate) fn resolve(schema: &'static Value) -> (Option<&'static str>, &'static Value) {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    let Some(full) = reference.and_then(|r| r.rsplit('/').next()) else { return (None, schema) };
    match SCHEMAS.definitions.get(full) {
        Some(found) => (full.rsplit('.').next(), found),
        None => (None, schema),
    }
}

/// The schema of a kind for an OpenAPI document whose definitions are under `prefix`; adds what it refers to.
pub(crate) fn of(kind: &str, prefix: &str, into: &mut Map<String, Value>) -> Value {
    match definition(kind) {
        Some(schema) => rebased(schema, prefix, into),
        None => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
    }
}

fn rebased(schema: &Value, prefix: &str, into: &mut Map<String, Value>) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| match field {
                Value::String(reference) if name == "$ref" => {
                    let target = reference.rsplit('/').next().unwrap_or_default();
                    if !into.contains_key(target)
                        && let Some(definition) = SCHEMAS.definitions.get(target)
                    {
                        into.insert(target.to_owned(), Value::Null);
                        let below = rebased(definition, prefix, into);
                        into.insert(target.to_owned(), below);
                    }
                    (name.clone(), format!("{prefix}{target}").into())
                }
                field => (name.clone(), rebased(field, prefix, into)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| rebased(item, prefix, into)).collect(),
        other => other.clone(),
    }
}
