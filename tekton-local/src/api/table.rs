//! `Table`s: what `kubectl get` prints.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Target;
use super::get::partial;
use super::request::Request;
use crate::kinds::columns;

fn definitions(target: &Target) -> Value {
    columns::of(target)
        .iter()
        .map(|c| json!({"name": c.name, "type": c.kind, "format": c.format, "description": c.description, "priority": c.priority}))
        .collect()
}

fn row(version: &str, target: &Target, object: &Value, include: &Include) -> Value {
    let now = Timestamp::now();
    let cells = columns::cells(target, object, now);
    let mut row = json!({"cells": cells});
    match include {
        Include::Metadata => row["object"] = partial(version, object),
        Include::Object => row["object"] = object.clone(),
        Include::None => row["object"] = Value::Null,
    }
    row
}

enum Include {
    Metadata,
    Object,
    None,
}

impl Include {
    fn of(request: &Request) -> Self {
        match request.query.get("includeObject") {
            Some("Object") => Self::Object,
            Some("None") => Self::None,
            _ => Self::Metadata,
        }
    }
}

fn table(version: &str, definitions: &Value, meta: &Value, rows: &[Value]) -> Value {
    json!({"kind": "Table", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": meta, "columnDefinitions": definitions, "rows": rows})
}

/// The table of one object.
pub(super) fn of_object(version: &str, target: &Target, object: &Value, request: &Request) -> Value {
    let meta = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
    table(version, &definitions(target), &meta, &[row(version, target, object, &Include::of(request))])
}

/// The table of an object of a watch.
pub(super) fn of_value(version: &str, target: &Target, object: &Value, whole: bool) -> Value {
    let meta = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
    let include = if whole { Include::Object } else { Include::Metadata };
    table(version, &definitions(target), &meta, &[row(version, target, object, &include)])
}

/// The table of a list.
pub(super) fn of_list(
    version: &str,
    target: &Target,
    objects: &[&Value],
    meta: &Map<String, Value>,
    request: &Request,
) -> Value {
    let include = Include::of(request);
    let rows: Vec<Value> = objects.iter().map(|object| row(version, target, object, &include)).collect();
    table(version, &definitions(target), &Value::Object(meta.clone()), &rows)
}

/// A table without rows, as bookmarks are.
pub(super) fn empty(version: &str, target: &Target, meta: &Value) -> Value {
    table(version, &definitions(target), meta, &[])
}

/// An object of the kind with nothing but metadata, as bookmarks are.
pub(super) fn skeleton(target: &Target, meta: Value) -> Value {
    let mut meta = meta;
    if !target.resource.custom {
        meta["creationTimestamp"] = Value::Null;
    }
    let mut object = json!({"kind": target.resource.kind, "apiVersion": target.api_version(), "metadata": meta});
    if target.resource.group.is_empty() && target.resource.kind == "Pod" {
        object["spec"] = json!({"containers": null});
        object["status"] = json!({});
    }
    object
}
