//! JSON Schemas of every kind, for editors and other checkers of manifests.
//!
//! ```
//! let task = tekton_types::schema::of("tekton.dev/v1", "Task").expect("a kind of Tekton's");
//! assert_eq!(task["properties"]["kind"]["const"], "Task");
//! ```
//!
//! They are stricter than the CustomResourceDefinitions: fields that no type has are refused, at any depth. As in
//! Kubernetes, `null` stands for what is left out.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::kubernetes::newer;
use crate::object::{KINDS, schemas};

/// What every schema names as its own language.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of one kind.
pub fn of(api_version: &str, kind: &str) -> Option<Value> {
    let Kinds { definitions, names } = all_kinds();
    let at = KINDS.iter().position(|known| *known == (api_version, kind))?;
    let mut schema = definitions[&names[at]].clone();
    let mut needed = Map::new();
    collect(&schema, &definitions, &mut needed);
    schema["$schema"] = DRAFT.into();
    schema["title"] = format!("{kind} {api_version}").into();
    schema["definitions"] = needed.into();
    Some(schema)
}

/// The schema of any kind: apiVersion and kind choose. Documents of other APIs pass.
pub fn any() -> Value {
    let Kinds { definitions, names } = all_kinds();
    let choices: Vec<Value> = KINDS
        .iter()
        .zip(&names)
        .map(|((api_version, kind), name)| {
            json!({
                "if": {
                    "type": "object",
                    "properties": {"apiVersion": {"const": api_version}, "kind": {"const": kind}},
                    "required": ["apiVersion", "kind"],
                },
                "then": {"$ref": format!("#/definitions/{name}")},
            })
        })
        .collect();
    json!({
        "$schema": DRAFT,
        "title": "Tekton",
        "type": ["object", "null"],
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}},
        "allOf": choices,
        "definitions": definitions,
    })
}

/// A file name for the schema of a kind: `task.json`, and `task-v1beta1.json` for versions that are not the stored one.
pub fn file_name(api_version: &str, kind: &str) -> String {
    let first = KINDS.iter().find(|(_, known)| *known == kind);
    let name = kind.to_lowercase();
    match (first, api_version.rsplit('/').next()) {
        (Some((stored, _)), Some(version)) if *stored != api_version => format!("{name}-{version}.json"),
        _ => format!("{name}.json"),
    }
}

/// The definitions of all types.
struct Kinds {
    definitions: Map<String, Value>,
    /// The name of the definition of each of [`KINDS`].
    names: Vec<String>,
}

fn all_kinds() -> Kinds {
    let mut generator = SchemaSettings::draft07().into_generator();
    let found = schemas(&mut generator);
    let mut definitions = generator.take_definitions(true);
    for (name, schema) in &mut definitions {
        if let Some(type_) = name.strip_prefix("io.k8s.").and_then(|name| name.rsplit('.').next())
            && let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut)
        {
            properties.retain(|field, _| !newer(type_).contains(&field.as_str()));
        }
        strict(schema);
    }
    let name = |schema: &schemars::Schema| {
        let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
        reference.trim_start_matches("#/definitions/").to_owned()
    };
    let names: Vec<String> = found.iter().map(name).collect();
    for ((api_version, kind), name) in KINDS.iter().zip(&names) {
        let schema = &mut definitions[name];
        schema["properties"]["apiVersion"] = json!({"const": api_version, "description": "Group and version."});
        schema["properties"]["kind"] = json!({"const": kind, "description": "Kind of the object."});
        schema["required"] = json!(["apiVersion", "kind"]);
    }
    Kinds { definitions, names }
}

/// Refuses fields that are not known, and takes `null` for what is left out. What must be given is a rule that
/// validation knows, not a question of shape.
fn strict(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    let quantity =
        fields.get("description").and_then(Value::as_str).is_some_and(|text| text.starts_with("Quantity is"));
    if quantity || fields.contains_key("x-kubernetes-int-or-string") {
        fields.insert("type".to_owned(), json!(["string", "number"]));
        fields.remove("format");
    }
    fields.retain(|key, _| !key.starts_with("x-kubernetes-") && key != "default" && key != "required");
    if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
        fields.insert("additionalProperties".to_owned(), false.into());
    }
    for (key, field) in fields.iter_mut() {
        match (key.as_str(), field) {
            ("properties", Value::Object(properties)) => {
                for property in properties.values_mut() {
                    strict(property);
                    or_null(property);
                }
            }
            ("items" | "additionalProperties", inner) => strict(inner),
            ("anyOf" | "allOf" | "oneOf", Value::Array(choices)) => choices.iter_mut().for_each(strict),
            _ => {}
        }
    }
}

/// The schema, or `null`.
fn or_null(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if let Some(type_) = fields.get_mut("type") {
        match type_ {
            Value::Array(names) if !names.contains(&"null".into()) => names.push("null".into()),
            Value::String(name) => *type_ = json!([name, "null"]),
            _ => {}
        }
    } else if fields.keys().any(|key| key != "description") {
        let description = fields.remove("description");
        let inner = std::mem::take(fields);
        fields.extend(description.map(|text| ("description".to_owned(), text)));
        fields.insert("anyOf".to_owned(), json!([inner, {"type": "null"}]));
    }
}

/// The definitions that a schema refers to, and those that these refer to.
fn collect(schema: &Value, definitions: &Map<String, Value>, needed: &mut Map<String, Value>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).map(|r| r.trim_start_matches("#/definitions/"))
                && !needed.contains_key(name)
                && let Some(definition) = definitions.get(name)
            {
                needed.insert(name.to_owned(), definition.clone());
                collect(definition, definitions, needed);
            }
            fields.values().for_each(|field| collect(field, definitions, needed));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, definitions, needed)),
        _ => {}
    }
}
