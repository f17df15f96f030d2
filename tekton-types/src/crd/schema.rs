//! From the schema of a type to what a CustomResourceDefinition may hold: structural, without references.

use k8s_openapi::Resource;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::kubernetes::{default, is_atomic, list_keys, newer};
use crate::wire::OPEN;

/// The structural schema of a kind.
pub(super) fn of<K: JsonSchema + Resource>() -> JSONSchemaProps {
    // What is written in any case must be given: the schema is that of objects as they are written.
    let mut root = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<K>().to_value();
    let definitions = root.as_object_mut().and_then(|root| root.remove("definitions")).unwrap_or(Value::Null);
    let mut walk = Walk { definitions: &definitions, open: Vec::new() };
    let mut schema = walk.structural(&root, false);
    // Only one kind says so of its spec.
    schema["required"] = if K::KIND == "VerificationPolicy" { json!(["spec"]) } else { Value::Null };
    let properties = schema["properties"].as_object_mut().expect("a kind has properties");
    properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
    properties.insert("kind".to_owned(), json!({"type": "string"}));
    // The API server knows it and refuses schemas for it.
    properties.insert("metadata".to_owned(), json!({"type": "object"}));
    serde_json::from_value(schema).expect("the walk leaves nothing that a definition cannot hold")
}

/// Fields that are written in any case and may be left out all the same: the type and the field.
const OPTIONAL: &[(&str, &str)] = &[
    ("CloudEventDelivery", "status"),
    ("CustomRunSpec", "serviceAccountName"),
    ("CustomRunStatus", "extraFields"),
    ("EmbeddedCustomRunSpec", "metadata"),
    ("EmbeddedCustomRunSpec", "spec"),
    ("PipelineResult", "description"),
    ("PipelineRunSpec", "taskRunTemplate"),
    ("Sidecar", "computeResources"),
    ("Sidecar", "resources"),
    ("Step", "computeResources"),
    ("Step", "resources"),
    ("StepTemplate", "computeResources"),
    ("StepTemplate", "resources"),
    ("TaskRunSpec", "serviceAccountName"),
];

struct Walk<'d> {
    definitions: &'d Value,
    /// Names of the definitions that are being written out.
    open: Vec<String>,
}

impl Walk<'_> {
    /// A schema with its references written out; `foreign` ones, of Kubernetes itself, lose their long texts.
    fn structural(&mut self, schema: &Value, foreign: bool) -> Value {
        let Value::Object(schema) = schema else { return anything() };
        if schema.get(OPEN) == Some(&Value::Bool(true)) {
            let mut open = anything();
            describe(&mut open, schema.get("description"), foreign);
            return open;
        }
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return self.referred(name.trim_start_matches("#/definitions/"), schema.get("description"), foreign);
        }
        if let Some(inner) = nullable(schema) {
            let mut inner = self.structural(inner, foreign);
            describe(&mut inner, schema.get("description"), foreign);
            return inner;
        }
        if is_quantity(schema) {
            return quantity();
        }
        let mut out = Map::new();
        for (key, value) in schema {
            match key.as_str() {
                "type" => {
                    out.insert(key.clone(), json!(single_type(value)));
                }
                "properties" => {
                    let Value::Object(properties) = value else { continue };
                    let properties = properties.iter().map(|(name, value)| {
                        let mut schema = self.structural(value, foreign);
                        if let (Some(keys), "array") = (list_keys(name), schema["type"].as_str().unwrap_or_default()) {
                            schema["x-kubernetes-list-type"] = "map".into();
                            schema["x-kubernetes-list-map-keys"] = json!(keys);
                        }
                        (name.clone(), schema)
                    });
                    let properties: Map<_, _> = properties.collect();
                    out.insert(key.clone(), properties.into());
                }
                "items" | "additionalProperties" if !value.is_boolean() => {
                    out.insert(key.clone(), self.structural(value, foreign));
                }
                "description" if !foreign => {
                    out.insert(key.clone(), value.clone());
                }
                "format" => {
                    if matches!(value.as_str(), Some("int32" | "int64" | "date-time" | "byte" | "double" | "float")) {
                        out.insert(key.clone(), value.clone());
                    }
                }
                // Defaults of Tekton's types are set by admission, which knows the configuration.
                "enum" | "pattern" | "required" => {
                    out.insert(key.clone(), value.clone());
                }
                key if key.starts_with("x-kubernetes-") => {
                    out.insert(key.to_owned(), value.clone());
                }
                _ => {}
            }
        }
        if !out.contains_key("type")
            && !out.contains_key("x-kubernetes-int-or-string")
            && !out.contains_key("properties")
        {
            out.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
        }
        out.into()
    }

    fn referred(&mut self, name: &str, description: Option<&Value>, foreign: bool) -> Value {
        let name = name.replace("~1", "/").replace("%5B", "[");
        if self.open.contains(&name) {
            // A type within itself: its inside is checked by admission.
            return json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        }
        let Some(target) = self.definitions.get(&name) else { return anything() };
        self.open.push(name.clone());
        let type_ = name.strip_prefix("io.k8s.").and_then(|name| name.rsplit('.').next());
        let mut out = self.structural(target, foreign || type_.is_some());
        self.drop_optional(&mut out, target);
        if let Some(type_) = type_ {
            of_kubernetes(&mut out, type_);
        }
        self.open.pop();
        describe(&mut out, description, foreign);
        out
    }
}

impl Walk<'_> {
    /// Takes fields out of `required` that may be left out: ours by the list, those of Kubernetes by what they say.
    fn drop_optional(&self, schema: &mut Value, target: &Value) {
        let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) else { return };
        // Upstream leaves these parts of a pod to the admission of pods.
        let left =
            |name: &String| [".Affinity", ".PodSecurityContext", ".Volume"].iter().any(|end| name.ends_with(end));
        let in_pod = self.open.iter().any(|name| name == "PodTemplate") && self.open.iter().any(left);
        let type_ = self.open.last().map(String::as_str).unwrap_or_default();
        required.retain(|field| {
            let name = field.as_str().unwrap_or_default();
            let text = target["properties"][name]["description"].as_str().unwrap_or_default();
            !in_pod && !text.contains("allowed to be empty") && !OPTIONAL.contains(&(type_, name))
        });
        if required.is_empty()
            && let Value::Object(schema) = schema
        {
            schema.remove("required");
        }
    }
}

/// What upstream's definitions say of a type of Kubernetes beyond its shape.
fn of_kubernetes(schema: &mut Value, type_: &str) {
    if is_atomic(type_) {
        schema["x-kubernetes-map-type"] = "atomic".into();
    }
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|name, _| !newer(type_).contains(&name.as_str()));
        if let Some((field, value)) = default(type_)
            && let Some(field) = properties.get_mut(field)
        {
            field["default"] = value;
        }
    }
}

fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}

/// The text of a field wins over that of its type.
fn describe(schema: &mut Value, description: Option<&Value>, foreign: bool) {
    if let (Some(text), false, Value::Object(schema)) = (description, foreign, schema) {
        schema.insert("description".to_owned(), text.clone());
    }
}

/// `T` of a schema that says "T or null" or wraps T alone.
fn nullable(schema: &Map<String, Value>) -> Option<&Value> {
    let choices = schema.get("anyOf").or_else(|| schema.get("allOf")).or_else(|| schema.get("oneOf"))?.as_array()?;
    let mut others = choices.iter().filter(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
    let first = others.next()?;
    others.next().is_none().then_some(first)
}

fn single_type(value: &Value) -> String {
    let named = match value {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        value => value.as_str(),
    };
    named.unwrap_or("object").to_owned()
}

/// The Quantity of the Kubernetes types is a string there; the API takes numbers as well.
fn is_quantity(schema: &Map<String, Value>) -> bool {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.starts_with("Quantity is a fixed-point representation")
}

fn quantity() -> Value {
    json!({
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        "x-kubernetes-int-or-string": true,
    })
}
