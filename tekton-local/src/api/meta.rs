//! `metadata`: what is checked of it on every write.

use serde_json::Value;

use super::error::Cause;
use super::names;
use crate::resources::Resource;

/// How names of a resource are checked.
fn name_errors(resource: &Resource, name: &str) -> Vec<String> {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace" | "Service") => names::label(name),
        ("rbac.authorization.k8s.io", _) => names::path_segment(name),
        _ => names::subdomain(name),
    }
}

/// What is wrong with the metadata of an object that is to be stored.
pub(crate) fn validate(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let meta = &object["metadata"];
    let generate_name = meta["generateName"].as_str().unwrap_or_default();
    if !generate_name.is_empty() {
        // The prefix is checked as a name that ends in something valid.
        for text in name_errors(resource, &format!("{}a", generate_name.trim_end_matches('-'))) {
            causes.push(Cause::invalid("metadata.generateName", &generate_name.into(), text));
        }
    }
    let name = meta["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else {
        for text in name_errors(resource, name) {
            causes.push(Cause::invalid("metadata.name", &name.into(), text));
        }
    }
    owner_references(&meta["ownerReferences"], &mut causes);
    labels(&meta["labels"], "metadata.labels", &mut causes);
    annotations(&meta["annotations"], &mut causes);
    finalizers(resource, &meta["finalizers"], &mut causes);
    causes
}

/// What is wrong with the parts of metadata that an update may change.
pub(crate) fn validate_update(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let meta = &object["metadata"];
    owner_references(&meta["ownerReferences"], &mut causes);
    labels(&meta["labels"], "metadata.labels", &mut causes);
    annotations(&meta["annotations"], &mut causes);
    causes
}

/// Labels anywhere in an object.
pub(crate) fn labels(labels: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        for text in names::qualified(key) {
            causes.push(Cause::invalid(field, &key.as_str().into(), text));
        }
        for text in names::label_value(value.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid(field, value, text));
        }
    }
}

fn annotations(annotations: &Value, causes: &mut Vec<Cause>) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        for text in names::qualified(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &key.as_str().into(), text));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > 256 * 1024 {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: "Too long: may not be more than 262144 bytes".to_owned(),
            field: "metadata.annotations".to_owned(),
        });
    }
}

/// Groups of Kubernetes whose finalizers may have any name, as those of custom resources may.
const PLAIN_FINALIZERS: [&str; 4] =
    ["admissionregistration.k8s.io", "apiextensions.k8s.io", "coordination.k8s.io", "policy"];

/// Kinds of Kubernetes' other groups ask for a domain in front of names that Kubernetes does not have itself.
fn finalizers(resource: &Resource, finalizers: &Value, causes: &mut Vec<Cause>) {
    for (i, finalizer) in finalizers.as_array().into_iter().flatten().enumerate() {
        let field = format!("metadata.finalizers[{i}]");
        let text = finalizer.as_str().unwrap_or_default();
        let wrong = names::qualified(text);
        if !wrong.is_empty() {
            for detail in wrong {
                causes.push(Cause::invalid(&field, finalizer, detail));
            }
        } else if !resource.custom
            && !PLAIN_FINALIZERS.contains(&resource.group.as_str())
            && !text.contains('/')
            && !matches!(text, "kubernetes" | "orphan" | "foregroundDeletion")
        {
            causes.push(Cause::invalid(
                field,
                finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            ));
        }
    }
}

fn owner_references(owners: &Value, causes: &mut Vec<Cause>) {
    let mut controller: Option<String> = None;
    for owner in owners.as_array().into_iter().flatten() {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        if text("apiVersion").is_empty() {
            causes.push(Cause::invalid("metadata.ownerReferences.apiVersion", &"".into(), "version must not be empty"));
        }
        for (field, shown) in [("kind", "kind"), ("name", "name"), ("uid", "uid")] {
            if text(field).is_empty() {
                causes.push(Cause::invalid(
                    format!("metadata.ownerReferences.{field}"),
                    &"".into(),
                    format!("{shown} must not be empty"),
                ));
            }
        }
        if owner["controller"] == true {
            if let Some(first) = &controller {
                causes.push(Cause::invalid(
                    "metadata.ownerReferences",
                    owners,
                    format!("Only one reference can have Controller set to true. Found \"true\" in references for {first} and {}", text("name")),
                ));
            } else {
                controller = Some(text("name").to_owned());
            }
        }
    }
}
