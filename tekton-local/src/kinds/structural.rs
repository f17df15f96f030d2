//! Structural schemas of custom resources: pruning, defaults, validation with the texts of Kubernetes.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use regex::Regex;
use serde_json::{Map, Value};

use crate::api::error::Cause;

fn preserves(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

/// Drops fields that the schema does not know; adds the path of each to `unknown`.
pub(super) fn prune(value: &mut Value, schema: &Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let properties = schema["properties"].as_object();
            let additional = schema.get("additionalProperties").filter(|a| a.is_object());
            let keep = preserves(schema)
                || schema["additionalProperties"] == true
                || (path.is_empty() && properties.is_none());
            let root = path.is_empty() || schema["x-kubernetes-embedded-resource"] == true;
            fields.retain(|name, field| {
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                    return true;
                }
                match properties.and_then(|p| p.get(name)).or(additional) {
                    Some(inner) => prune(field, inner, &at, unknown),
                    None if keep => {}
                    None => {
                        unknown.push(at);
                        return false;
                    }
                }
                true
            });
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                for (i, item) in items.iter_mut().enumerate() {
                    prune(item, inner, &format!("{path}[{i}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

/// Sets the defaults of the schema; a null that the schema does not allow gives way to the default, or goes.
pub(super) fn default(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => default_fields(fields, schema),
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                for item in items {
                    default(item, inner);
                }
            }
        }
        _ => {}
    }
}

fn default_fields(fields: &mut Map<String, Value>, schema: &Value) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if inner["nullable"] != true && !inner_is_free(inner) && fields.get(name).is_some_and(Value::is_null) {
            fields.remove(name);
        }
        if let (None, Some(given)) = (fields.get(name), inner.get("default")) {
            fields.insert(name.clone(), given.clone());
        }
        if let Some(field) = fields.get_mut(name) {
            default(field, inner);
        }
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|a| a.is_object()) {
        let known = schema["properties"].as_object();
        for (_, field) in fields.iter_mut().filter(|(name, _)| !known.is_some_and(|k| k.contains_key(*name))) {
            default(field, inner);
        }
    }
}

/// Whether a schema says nothing of the type.
fn inner_is_free(schema: &Value) -> bool {
    schema["type"].is_null() && preserves(schema)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() && n.as_f64().is_some_and(|f| f.fract() != 0.0) => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn compiled(pattern: &str) -> Option<Regex> {
    static PATTERNS: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut patterns = PATTERNS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok()).clone()
}

/// What is wrong with a value.
pub(super) fn validate(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let body = |detail: String| format!("{path} in body {detail}");
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if !typed(value, schema, path, causes) {
        return;
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        let shown: Vec<String> =
            allowed.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
        causes.push(Cause::not_supported(path, value, &shown.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    match value {
        Value::Number(_) => {
            let number = value.as_f64().unwrap_or_default();
            if let Some(limit) = schema["minimum"].as_f64() {
                let exclusive = schema["exclusiveMinimum"] == true;
                if number < limit || (exclusive && number <= limit) {
                    let word = if exclusive { "greater than" } else { "greater than or equal to" };
                    causes.push(Cause::invalid(path, value, body(format!("should be {word} {}", schema["minimum"]))));
                }
            }
            if let Some(limit) = schema["maximum"].as_f64() {
                let exclusive = schema["exclusiveMaximum"] == true;
                if number > limit || (exclusive && number >= limit) {
                    let word = if exclusive { "less than" } else { "less than or equal to" };
                    causes.push(Cause::invalid(path, value, body(format!("should be {word} {}", schema["maximum"]))));
                }
            }
        }
        Value::String(text) => strings(value, text, schema, path, causes),
        Value::Array(items) => lists(value, items, schema, path, causes),
        Value::Object(fields) => objects(fields, schema, path, causes),
        _ => {}
    }
    for all in schema["allOf"].as_array().into_iter().flatten() {
        validate(value, all, path, causes);
    }
}

fn typed(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) -> bool {
    let have = type_name(value);
    if schema["x-kubernetes-int-or-string"] == true {
        if matches!(have, "integer" | "string") {
            return true;
        }
        causes.push(Cause::invalid(
            path,
            &have.into(),
            format!("{path} in body must be of type integer,string: \"{have}\""),
        ));
        return false;
    }
    let Some(want) = schema["type"].as_str() else { return true };
    if want == have || (want == "number" && have == "integer") {
        return true;
    }
    causes.push(Cause::invalid(path, &have.into(), format!("{path} in body must be of type {want}: \"{have}\"")));
    false
}

fn strings(value: &Value, text: &str, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    if let Some(limit) = schema["maxLength"].as_u64().filter(|limit| length > *limit) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {limit} bytes"),
            field: path.to_owned(),
        });
    }
    if let Some(limit) = schema["minLength"].as_u64().filter(|limit| length < *limit) {
        causes.push(Cause::invalid(path, value, format!("{path} in body should be at least {limit} chars long")));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && compiled(pattern).is_some_and(|regex| !regex.is_match(text))
    {
        causes.push(Cause::invalid(path, value, format!("{path} in body should match '{pattern}'")));
    }
}

fn lists(value: &Value, items: &[Value], schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
    if let Some(limit) = schema["maxItems"].as_u64().filter(|limit| count > *limit) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {count}: must have at most {limit} items"),
            field: path.to_owned(),
        });
    }
    if let Some(limit) = schema["minItems"].as_u64().filter(|limit| count < *limit) {
        causes.push(Cause::invalid(path, value, format!("{path} in body should have at least {limit} items")));
    }
    if let Some(inner) = schema.get("items") {
        for (i, item) in items.iter().enumerate() {
            validate(item, inner, &format!("{path}[{i}]"), causes);
        }
    }
    duplicates(items, schema, path, causes);
}

fn duplicates(items: &[Value], schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let id = |item: &Value| -> Option<Value> {
        match schema["x-kubernetes-list-type"].as_str()? {
            "set" => Some(item.clone()),
            "map" => {
                let keys = schema["x-kubernetes-list-map-keys"].as_array()?;
                Some(
                    keys.iter()
                        .filter_map(Value::as_str)
                        .filter_map(|k| item.get(k).map(|v| (k.to_owned(), v.clone())))
                        .collect::<Map<_, _>>()
                        .into(),
                )
            }
            _ => None,
        }
    };
    let ids: Vec<Option<Value>> = items.iter().map(id).collect();
    for (i, id) in ids.iter().enumerate() {
        if let Some(id) = id
            && ids[..i].iter().flatten().any(|earlier| earlier == id)
        {
            causes.push(Cause::duplicate(format!("{path}[{i}]"), id));
        }
    }
}

fn objects(fields: &Map<String, Value>, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            causes.push(Cause::required(below(name), ""));
        }
    }
    let properties = schema["properties"].as_object();
    let additional = schema.get("additionalProperties").filter(|a| a.is_object());
    for (name, field) in fields {
        if path.is_empty() && name == "metadata" {
            continue;
        }
        if let Some(inner) = properties.and_then(|p| p.get(name)).or(additional) {
            validate(field, inner, &below(name), causes);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer", "minimum": 1},
            "mode": {"type": "string", "enum": ["fast", "slow"], "default": "slow"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }}}})
    }

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let mut object = json!({"apiVersion": "v1", "spec": {"size": null, "free": {"x": 1}, "no": 1}});
        let mut unknown = Vec::new();
        prune(&mut object, &schema(), "", &mut unknown);
        default(&mut object, &schema());
        assert_eq!(object, json!({"apiVersion": "v1", "spec": {"mode": "slow", "free": {"x": 1}}}));
        assert_eq!(unknown, ["spec.no"]);
    }

    #[test]
    fn violations_are_told_as_kubernetes_tells_them() {
        let mut causes = Vec::new();
        validate(&json!({"spec": {"size": 0, "mode": "warp", "free": 1}}), &schema(), "", &mut causes);
        let texts: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        assert_eq!(
            texts,
            [
                "spec.free: Invalid value: \"integer\": spec.free in body must be of type object: \"integer\"",
                "spec.mode: Unsupported value: \"warp\": supported values: \"fast\", \"slow\"",
                "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
            ]
        );
    }
}
