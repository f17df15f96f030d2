//! Lists that are given empty where that differs from leaving them out: the parameters of references.

use serde_json::Value;

use crate::errors::Errors;
use crate::gates::Gates;
use crate::rules::reference;

/// A reference with `params: []`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmptyParams {
    path: String,
    name: String,
    resolver: String,
}

impl EmptyParams {
    /// Replaces the errors of a reference without parameters by those of one with none given.
    pub(crate) fn correct(&self, gates: &Gates<'_>, errors: &mut Errors) {
        let of = |params| reference::validate(gates, &self.name, &self.resolver, params).via_field(&self.path);
        let absent = of(None);
        if !absent.0.iter().all(|e| errors.0.contains(e)) {
            // No rule looked at this reference.
            return;
        }
        for error in &absent.0 {
            if let Some(at) = errors.0.iter().position(|e| e == error) {
                errors.0.remove(at);
            }
        }
        errors.also(of(Some(&[])));
    }
}

/// All references with `params: []`.
pub(crate) fn empty_params(value: &Value) -> Vec<EmptyParams> {
    let mut found = Vec::new();
    walk(value, String::new(), &mut found);
    found
}

/// One reference that stands alone.
pub(crate) fn empty_params_of_reference(value: &Value) -> Option<EmptyParams> {
    let is_empty = value["params"].as_array().is_some_and(Vec::is_empty);
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    is_empty.then(|| EmptyParams { path: String::new(), name: text("name"), resolver: text("resolver") })
}

fn walk(value: &Value, path: String, found: &mut Vec<EmptyParams>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if matches!(key.as_str(), "ref" | "taskRef" | "pipelineRef") {
                    found.extend(empty_params_of_reference(value).map(|r| EmptyParams { path, ..r }));
                } else {
                    walk(value, path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}
