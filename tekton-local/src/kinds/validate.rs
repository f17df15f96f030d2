//! Validation of built-in kinds.

use serde_json::Value;

use super::{pod, structural};
use crate::api::Target;
use crate::api::error::Cause;

const IMMUTABLE: &str = "field is immutable when `immutable` is set";
const STATEFUL_SET: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

/// What is wrong with an object that is to be stored.
pub(crate) fn validate(target: &Target, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    if target.resource.custom {
        if let Some(schema) = &target.declared().schema {
            structural::validate(object, schema, "", &mut causes);
        }
        return causes;
    }
    match (target.resource.group.as_str(), target.resource.kind.as_str()) {
        ("", "ConfigMap") => config_map(object, old, &mut causes),
        ("", "Secret") => {
            super::secret::validate(object, &mut causes);
            immutable(object, old, &["data", "type"], &mut causes);
            if old.is_some_and(|old| old["type"] != object["type"] && old["immutable"] != true) {
                causes.push(Cause::invalid("type", &object["type"], "field is immutable"));
            }
        }
        ("", "Pod") if old.is_none() => pod::spec(&object["spec"], "spec", &mut causes),
        ("", "PersistentVolumeClaim") => claim(object, old, &mut causes),
        ("", "Event") => event(object, &mut causes),
        ("events.k8s.io", "Event") if old.is_none() => new_event(object, &mut causes),
        ("apps", kind @ ("StatefulSet" | "Deployment" | "ReplicaSet" | "DaemonSet")) => {
            pod::workload(kind, object, &mut causes);
        }
        ("coordination.k8s.io", "Lease") => lease(object, &mut causes),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object, &mut causes),
        (group, kind) => super::checks::validate(group, kind, object, old, &mut causes),
    }
    causes
}

fn config_map(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    for field in ["data", "binaryData"] {
        for key in object[field].as_object().into_iter().flatten().map(|(key, _)| key) {
            config_key(field, key, causes);
        }
    }
    for key in object["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
        if object["binaryData"].get(key).is_some() {
            let at = format!("data[{key}]");
            causes.push(Cause::invalid(at, &key.as_str().into(), "duplicate of key present in binaryData"));
        }
    }
    immutable(object, old, &["data", "binaryData"], causes);
}

fn immutable(object: &Value, old: Option<&Value>, fields: &[&str], causes: &mut Vec<Cause>) {
    let Some(old) = old else { return };
    if old["immutable"] != true {
        return;
    }
    if object["immutable"] != true {
        causes.push(Cause::forbidden("immutable", IMMUTABLE));
    }
    for field in fields {
        if old[*field] != object[*field] {
            causes.push(Cause::forbidden(*field, IMMUTABLE));
        }
    }
}

fn claim(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if spec["accessModes"].as_array().is_none_or(Vec::is_empty) {
        causes.push(Cause::required("spec.accessModes", "at least 1 access mode is required"));
    }
    for mode in spec["accessModes"].as_array().into_iter().flatten() {
        let known = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
        if !known.iter().any(|k| mode == *k) {
            let mut sorted = known;
            sorted.sort_unstable();
            causes.push(Cause::not_supported("spec.accessModes", mode, &sorted));
        }
    }
    let modes = spec["accessModes"].as_array().map_or(&[][..], Vec::as_slice);
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        causes.push(Cause::forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"));
    }
    match spec["resources"]["requests"].get("storage") {
        None => causes.push(Cause::required("spec.resources[storage]", "")),
        Some(size) if super::quantity::is_negative(size) || size == "0" => {
            causes.push(Cause::invalid("spec.resources[storage]", size, "must be greater than zero"));
        }
        Some(_) => {}
    }
    if let Some(old) = old {
        let fixed = |claim: &Value| {
            let mut spec = claim["spec"].clone();
            if let Some(fields) = spec.as_object_mut() {
                for field in ["resources", "volumeName", "volumeAttributesClassName"] {
                    fields.remove(field);
                }
            }
            spec
        };
        if fixed(old) != fixed(object) {
            let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
            causes.push(Cause::forbidden("spec", detail));
        }
    }
}

fn event(object: &Value, causes: &mut Vec<Cause>) {
    let own = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let involved = object["involvedObject"]["namespace"].as_str().unwrap_or_default();
    // Events about objects of the cluster are kept in `default`.
    let wrong = if involved.is_empty() { !matches!(own, "default" | "kube-system") } else { involved != own };
    if wrong {
        causes.push(Cause::invalid("involvedObject.namespace", &involved.into(), "does not match event.namespace"));
    }
}

fn new_event(object: &Value, causes: &mut Vec<Cause>) {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    if object["eventTime"].is_null() {
        causes.push(Cause::required("eventTime", ""));
        return;
    }
    for (field, shown) in [
        ("reportingController", "reportingController"),
        ("reportingInstance", "reportingInstance"),
        ("action", "action"),
        ("reason", "reason"),
    ] {
        if text(field).is_empty() {
            causes.push(Cause::required(shown, ""));
        }
    }
    if !matches!(text("type"), "Normal" | "Warning") {
        causes.push(Cause::invalid("type", &text("type").into(), ""));
    }
}

fn lease(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if let Some(n) = spec["leaseDurationSeconds"].as_i64().filter(|n| *n <= 0) {
        causes.push(Cause::invalid("spec.leaseDurationSeconds", &n.into(), "must be greater than 0"));
    }
    if let Some(n) = spec["leaseTransitions"].as_i64().filter(|n| *n < 0) {
        causes.push(Cause::invalid("spec.leaseTransitions", &n.into(), "must be greater than or equal to 0"));
    }
}

fn definition(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, group, plural) =
        (text(&object["metadata"]["name"]), text(&spec["group"]), text(&spec["names"]["plural"]));
    if name != format!("{plural}.{group}") {
        causes.push(Cause::invalid(
            "metadata.name",
            &name.as_str().into(),
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    if group.is_empty() {
        causes.push(Cause::required("spec.group", ""));
    }
    if !matches!(text(&spec["scope"]).as_str(), "Cluster" | "Namespaced") {
        causes.push(Cause::not_supported("spec.scope", &spec["scope"], &["Cluster", "Namespaced"]));
    }
    let versions = spec["versions"].as_array().map_or(&[][..], Vec::as_slice);
    if versions.iter().filter(|v| v["storage"] == true).count() != 1 {
        causes.push(Cause::invalid(
            "spec.versions",
            &spec["versions"],
            "must have exactly one version marked as storage version",
        ));
    }
    for (i, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            causes.push(Cause::required(format!("spec.versions[{i}].schema.openAPIV3Schema"), "schemas are required"));
        }
    }
    if text(&spec["names"]["kind"]).is_empty() {
        causes.push(Cause::required("spec.names.kind", ""));
    }
}

/// What an update may not do.
pub(crate) fn update_forbidden(target: &Target, old: &Value, new: &Value, subresource: &str) -> Option<Vec<Cause>> {
    if subresource == "status" {
        return None;
    }
    let causes = match (target.resource.group.as_str(), target.resource.kind.as_str()) {
        ("", "Pod") => pod::update_forbidden(old, new),
        ("apps", "StatefulSet") => {
            let fixed = |object: &Value| {
                let mut spec = object["spec"].clone();
                if let Some(fields) = spec.as_object_mut() {
                    for field in [
                        "replicas",
                        "ordinals",
                        "template",
                        "updateStrategy",
                        "revisionHistoryLimit",
                        "persistentVolumeClaimRetentionPolicy",
                        "minReadySeconds",
                    ] {
                        fields.remove(field);
                    }
                }
                spec
            };
            if fixed(old) == fixed(new) { Vec::new() } else { vec![Cause::forbidden("spec", STATEFUL_SET)] }
        }
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet") if old["spec"]["selector"] != new["spec"]["selector"] => {
            vec![Cause::invalid("spec.selector", &new["spec"]["selector"], "field is immutable")]
        }
        ("batch", "Job") => super::checks::job_update(old, new),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") if old["roleRef"] != new["roleRef"] => {
            vec![Cause::invalid("roleRef", &new["roleRef"], "cannot change roleRef")]
        }
        ("storage.k8s.io", "StorageClass") => super::checks::class_update(old, new),
        _ => Vec::new(),
    };
    (!causes.is_empty()).then_some(causes)
}

/// A key of a ConfigMap or Secret.
pub(super) fn config_key(field: &str, key: &str, causes: &mut Vec<Cause>) {
    let at = format!("{field}[{key}]");
    if key.len() > 253 {
        causes.push(Cause::invalid(&at, &key.into(), "must be no more than 253 bytes"));
    }
    if key.is_empty() || !key.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c)) {
        causes.push(Cause::invalid(
            &at,
            &key.into(),
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ));
    } else if key == "." || key == ".." || key.starts_with("..") {
        causes.push(Cause::invalid(&at, &key.into(), format!("must not be '{key}'")));
    }
}
