//! Whether a new document says what the conversion of the old one says.

use serde_json::{Map, Value, json};

use super::kinds::items;
use crate::Object;
use crate::config::Config;
use crate::v1beta1::convert::to_hub;
use crate::yaml::Node;

/// Compares the objects of a document with those of its new text.
pub(super) fn is_conversion(old: &Node<'_>, new: &Node<'_>) -> bool {
    let lists = ["items", "resourcetemplates", "resourceTemplates"];
    let within = |node: &Node<'_>, key: &str| items(node.get(key).or_else(|| node.get("spec")?.get(key))).len();
    if let Some(key) = lists.iter().find(|key| within(old, key) > 0) {
        let of = |node| -> Vec<Value> {
            let node: &Node<'_> = node;
            items(node.get(key).or_else(|| node.get("spec")?.get(key))).iter().map(Node::to_json).collect()
        };
        let (old, new) = (of(old), of(new));
        return old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| same_object(old, new));
    }
    same_object(&old.to_json(), &new.to_json())
}

fn same_object(old: &Value, new: &Value) -> bool {
    if old == new {
        return true;
    }
    if Object::from_json(new).1.len() < Object::from_json(old).1.len() {
        // Fields of an older version in an object of a newer one have found their place.
        return true;
    }
    let mut expected = old.clone();
    upgrade_references(&mut expected);
    match (hub(&expected), hub(new)) {
        (Some(expected), Some(new)) => loose(expected) == loose(new),
        // Kinds that were removed have no type to convert: the new one must be readable.
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

/// The object at the version that is stored, defaulted.
fn hub(value: &Value) -> Option<Value> {
    let mut object = to_hub(Object::from_json(value).0?).ok()?;
    object.set_defaults(&Config::default(), true);
    if let Object::ResolutionRequest(request) = &mut object {
        // Its older parameters are a map, which has no order.
        request.spec.params.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Some(object.to_json())
}

/// What conversion does not do and migration does: references to bundles and ClusterTasks.
fn upgrade_references(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(upgrade_references),
        Value::Object(entries) => {
            for (key, value) in entries {
                match key.as_str() {
                    "taskRef" => upgrade(value, "task"),
                    "pipelineRef" => upgrade(value, "pipeline"),
                    _ => upgrade_references(value),
                }
            }
        }
        _ => {}
    }
}

fn upgrade(reference: &mut Value, kind: &str) {
    let text = |key: &str| reference[key].as_str().filter(|text| !text.is_empty());
    let param = |name: &str, value: &str| json!({"name": name, "value": value});
    let name = text("name").map(|name| param("name", name));
    let new = match (text("resolver"), text("bundle"), text("kind")) {
        (None, Some(bundle), _) => {
            let params: Vec<Value> =
                [Some(param("bundle", bundle)), name, Some(param("kind", kind))].into_iter().flatten().collect();
            json!({"resolver": "bundles", "params": params})
        }
        (None, None, Some("ClusterTask")) => {
            let params: Vec<Value> = [Some(param("kind", kind)), name].into_iter().flatten().collect();
            json!({"resolver": "cluster", "params": params})
        }
        _ => return,
    };
    *reference = new;
}

/// Without what conversion parks or loses, and with variables spelled in one way.
fn loose(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let is_cluster = entries.get("resolver").is_some_and(|resolver| resolver == "cluster");
            let entries = entries.into_iter().filter(|(key, value)| {
                let parked = key.starts_with("tekton.dev/v1beta1");
                let lost = ["managedBy", "pipelineRef", "pipelineSpec", "status"].contains(&key.as_str())
                    && !(key == "pipelineRef" && value.get("resolver").is_some());
                !parked && !lost
            });
            let mut entries: Map<String, Value> = entries.map(|(key, value)| (key, loose(value))).collect();
            if is_cluster && let Some(Value::Array(params)) = entries.get_mut("params") {
                params.retain(|param| param["name"] != "namespace");
            }
            entries.retain(|key, value| {
                let empty = value.as_object().is_some_and(Map::is_empty);
                !(empty && ["annotations", "matrix"].contains(&key.as_str()))
            });
            entries.into()
        }
        Value::Array(items) => items.into_iter().map(loose).collect(),
        Value::String(text) if text.contains("$(inputs.params") => text.replace("$(inputs.params", "$(params").into(),
        value => value,
    }
}
