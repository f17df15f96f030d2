//! Reads an object as its kind's type would: unknown fields and empty values go, quantities become canonical.

use serde_json::{Map, Value};

use super::{quantity, schema, structural};
use crate::api::{ApiError, Target};

/// Strings that are pointers in Go, so that an empty one stays.
const POINTER_STRINGS: &[&str] = &["storageClassName", "type", "service", "ip", "leaseTransitions", "holderIdentity"];
/// Booleans that are no pointers in Go, so that a false one goes.
const PLAIN_BOOLS: &[&str] = &[
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "stdin",
    "stdinOnce",
    "tty",
    "readOnly",
    "publishNotReadyAddresses",
    "unschedulable",
    "paused",
];
/// Numbers that are no pointers in Go, so that a zero goes.
const PLAIN_NUMBERS: &[&str] =
    &["hostPort", "initialDelaySeconds", "minReadySeconds", "signal", "observedGeneration", "generation", "count"];

/// Drops nulls and unknown fields; answers a text for each unknown field.
///
/// Errors: a field has a value of another type.
pub(crate) fn prune(target: &Target, object: &mut Value) -> Result<Vec<String>, ApiError> {
    let mut unknown = Vec::new();
    let kind = target.resource.kind.as_str();
    let wrong = |text: String| {
        ApiError::bad_request(format!("{kind} in version \"{}\" cannot be handled as a {kind}: {text}", target.version))
    };
    if target.resource.custom {
        if let Some(schema) = &target.declared().schema {
            structural::prune(object, schema, "", &mut unknown);
        }
        if let (Some(meta), Some(schema)) = (object.get_mut("metadata"), schema::named("ObjectMeta")) {
            decode(meta, schema, "metadata", "ObjectMeta", &mut unknown).map_err(wrong)?;
        }
    } else if target.resource.group == "events.k8s.io" {
        drop_nulls(object);
    } else if let Some(schema) = schema::definition(kind) {
        decode(object, schema, "", kind, &mut unknown).map_err(wrong)?;
    } else {
        drop_nulls(object);
    }
    Ok(unknown.into_iter().map(|path| format!("unknown field \"{path}\"")).collect())
}

/// The first field of an object that its kind does not have.
///
/// Errors: a field has a value of another type.
pub(crate) fn undeclared(target: &Target, object: &Value) -> Result<Option<String>, ApiError> {
    let unknown = prune(target, &mut object.clone())?;
    let first = unknown.into_iter().next();
    Ok(first.map(|text| text.trim_start_matches("unknown field ").trim_matches('"').to_owned()))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// The name that Go's decoder has for a kind of JSON value.
pub(crate) fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn mismatch(value: &Value, owner: &str, path: &str, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field {owner}.{path} of type {wanted}", go_kind(value))
}

/// Bytes are texts of the base 64.
///
/// Errors: this one is not, from this byte on.
fn check_base64(text: &str) -> Result<(), String> {
    let bytes: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let padding = bytes.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let digits = &bytes[..bytes.len() - padding];
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let wrong = match digits.iter().position(|byte| !digit(byte)) {
        Some(at) => Some(at),
        None if bytes.len().is_multiple_of(4) => None,
        None => Some(bytes.len()),
    };
    wrong.map_or(Ok(()), |at| Err(format!("illegal base64 data at input byte {at}")))
}

/// Times are in the form of RFC 3339.
///
/// Errors: this one is not.
fn check_time(text: &str) -> Result<(), String> {
    if text.is_empty() || text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(());
    }
    Err(format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as RFC 3339"))
}

fn decode(
    value: &mut Value,
    schema: &'static Value,
    path: &str,
    owner: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    let (name, schema) = schema::resolve(schema);
    match name {
        Some("Quantity") => {
            if let Some(canonical) = quantity::canonical(value) {
                *value = canonical.into();
                return Ok(());
            }
            return Err("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                .to_owned());
        }
        Some("IntOrString" | "JSON" | "RawExtension" | "FieldsV1") => return Ok(()),
        _ => {}
    }
    let owner = name.unwrap_or(owner);
    let wanted = schema["type"].as_str().unwrap_or_default();
    match (wanted, &mut *value) {
        ("object", Value::Object(fields)) => decode_fields(fields, schema, path, owner, unknown),
        ("array", Value::Array(items)) => {
            let Some(inner) = schema.get("items") else { return Ok(()) };
            for (i, item) in items.iter_mut().enumerate() {
                decode(item, inner, &format!("{path}[{i}]"), owner, unknown)?;
            }
            Ok(())
        }
        ("object", other) => Err(mismatch(other, owner, path, &format!("v1.{owner}"))),
        ("array", other) => {
            let items =
                schema::resolve(&schema["items"]).0.map_or_else(|| "string".to_owned(), |kind| format!("v1.{kind}"));
            Err(mismatch(other, owner, path, &format!("[]{items}")))
        }
        ("string", Value::String(text)) if schema["format"] == "byte" => check_base64(text),
        ("string", Value::String(text)) if schema["format"] == "date-time" => check_time(text),
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("integer" | "number", Value::Number(_)) => Ok(()),
        ("string", other) => Err(mismatch(other, owner, path, "string")),
        ("boolean", other) => Err(mismatch(other, owner, path, "bool")),
        ("integer", other) => {
            Err(mismatch(other, owner, path, if schema["format"] == "int64" { "int64" } else { "int32" }))
        }
        _ => Ok(()),
    }
}

fn decode_fields(
    fields: &mut Map<String, Value>,
    schema: &'static Value,
    path: &str,
    owner: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(inner) = schema.get("additionalProperties").filter(|a| a.is_object()) {
        for (name, field) in fields.iter_mut() {
            if field.is_null() {
                // A null in a map of texts is an empty text, as Go reads it.
                *field = if inner["type"] == "string" { "".into() } else { Value::Null };
                continue;
            }
            decode(field, inner, &below(name), owner, unknown)?;
        }
        return Ok(());
    }
    let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
    let required = |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|r| r == name));
    let names: Vec<String> = fields.keys().cloned().collect();
    for name in names {
        let Some(inner) = properties.get(&name) else {
            unknown.push(below(&name));
            fields.remove(&name);
            continue;
        };
        let Some(field) = fields.get_mut(&name) else { continue };
        if field.is_null() {
            if !(required(&name) && inner["format"] == "date-time") {
                fields.remove(&name);
            }
            continue;
        }
        decode(field, inner, &below(&name), owner, unknown)?;
        let gone = match &*field {
            Value::String(text) => text.is_empty() && !required(&name) && !POINTER_STRINGS.contains(&name.as_str()),
            Value::Array(items) => items.is_empty() && !required(&name),
            Value::Object(map) => map.is_empty() && !required(&name) && inner.get("additionalProperties").is_some(),
            Value::Bool(false) => !required(&name) && PLAIN_BOOLS.contains(&name.as_str()),
            Value::Number(n) => n.as_i64() == Some(0) && !required(&name) && PLAIN_NUMBERS.contains(&name.as_str()),
            _ => false,
        };
        if gone {
            fields.remove(&name);
        }
    }
    Ok(())
}
