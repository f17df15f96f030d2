//! What is given empty, or not at all, where that makes a difference that types do not hold.

use serde_json::Value;

use crate::errors::{Errors, FieldError};
use crate::gates::Gates;
use crate::rules::reference;
use crate::vars::{Names, unknown};

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

/// Corrects errors by what the source says beyond its typed form.
pub(crate) fn correct(gates: &Gates<'_>, source: &Value, errors: &mut Errors) {
    let mut seen = Seen::default();
    seen.walk(source, "");
    for reference in &seen.references {
        reference.correct(gates, errors);
    }
    for (path, script) in &seen.steps_without_results {
        errors.also(unknown(script, "step.results", &Names::new()).via_field(&format!("{path}.script")));
    }
    if !seen.empty_properties.is_empty() {
        for error in errors.0.iter_mut().filter(|e| e.message == "missing field(s)") {
            error.paths.retain(|path| !seen.empty_properties.iter().any(|end| path.ends_with(end)));
        }
        errors.0.retain(|e| e.message != "missing field(s)" || !e.paths.is_empty());
    }
    errors.also(without_value(source));
}

/// Parameters of a run that have no value at all, which is not the same as an empty one: they have no type.
fn without_value(source: &Value) -> Errors {
    let mut errors = Errors::none();
    let spec = &source["spec"];
    let missing = |list: &Value| -> Vec<String> {
        let params = list.as_array().into_iter().flatten().filter(|p| p.is_object() && p.get("value").is_none());
        params.map(|p| p["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let has_items = |list: &Value| list.as_array().is_some_and(|items| !items.is_empty());
    let mut names = missing(&spec["params"]);
    let (mut in_steps, mut in_pipeline) = (false, false);
    match source["kind"].as_str() {
        Some("TaskRun") => in_steps = has_items(&spec["taskSpec"]["steps"]),
        Some("PipelineRun") => {
            let tasks = &spec["pipelineSpec"]["tasks"];
            in_pipeline = has_items(tasks);
            for task in tasks.as_array().into_iter().flatten() {
                in_steps |= has_items(&task["taskSpec"]["steps"]);
                names.extend(missing(&task["params"]));
            }
        }
        _ => {}
    }
    for name in names {
        if in_steps {
            errors.push(FieldError::invalid_value("", &format!("{name}.type")));
        }
        if in_pipeline {
            errors.push(FieldError::invalid_value("", &format!("params.{name}.type")));
        }
    }
    errors.via_field("spec")
}

/// One reference that stands alone.
pub(crate) fn empty_params_of_reference(value: &Value) -> Option<EmptyParams> {
    let is_empty = value["params"].as_array().is_some_and(Vec::is_empty);
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    is_empty.then(|| EmptyParams { path: String::new(), name: text("name"), resolver: text("resolver") })
}

/// What matters where it is given empty.
#[derive(Debug, Default)]
struct Seen {
    references: Vec<EmptyParams>,
    /// Path and script of steps with `results: []`.
    steps_without_results: Vec<(String, String)>,
    /// Ends of the paths at which `properties: {}` stands.
    empty_properties: Vec<String>,
}

impl Seen {
    fn walk(&mut self, value: &Value, path: &str) {
        match value {
            Value::Object(map) => {
                let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
                if map.get("properties").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
                    self.empty_properties.push(format!(".{}.properties", text("name")));
                }
                let no_results = map.get("results").and_then(Value::as_array).is_some_and(Vec::is_empty);
                if no_results && !text("script").is_empty() {
                    self.steps_without_results.push((path.to_owned(), text("script").to_owned()));
                }
                for (key, value) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    if matches!(key.as_str(), "ref" | "taskRef" | "pipelineRef") {
                        self.references.extend(empty_params_of_reference(value).map(|r| EmptyParams { path, ..r }));
                    } else {
                        self.walk(value, &path);
                    }
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    if value.is_object() {
                        self.walk(value, &format!("{path}[{index}]"));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Paths of given parameters and of pipeline results that have no `value` at all.
///
/// Admission refuses them before any rule: a value of no type cannot be written back.
pub fn without_a_value(source: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let declares = matches!(source["kind"].as_str(), Some("Task" | "Pipeline" | "StepAction"));
    let has_results = source["kind"] == "Pipeline";
    if !matches!(source["kind"].as_str(), Some("VerificationPolicy" | "ResolutionRequest")) {
        look(&source["spec"], "spec", declares, has_results, &mut found);
    }
    found
}

fn look(value: &Value, path: &str, declares: bool, has_results: bool, found: &mut Vec<String>) {
    let Some(map) = value.as_object() else { return };
    for (key, value) in map {
        let path = format!("{path}.{key}");
        let checked = (key == "params" && !declares) || (key == "results" && has_results);
        if checked {
            let items = value.as_array().into_iter().flatten().enumerate();
            let bare = items.filter(|(_, item)| item.is_object() && item.get("value").is_none());
            found.extend(bare.map(|(index, _)| format!("{path}[{index}]")));
        }
        match key.as_str() {
            "taskSpec" => look(value, &path, true, false, found),
            "pipelineSpec" => look(value, &path, true, true, found),
            "matrix" | "taskRef" | "pipelineRef" | "ref" => look(value, &path, false, false, found),
            "tasks" | "finally" | "include" | "steps" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    look(item, &format!("{path}[{index}]"), false, false, found);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_missed_where_they_are_given_not_where_they_are_declared() {
        let source = serde_json::json!({"kind": "PipelineRun", "spec": {
            "params": [{"name": "a"}, {"name": "b", "value": ""}],
            "pipelineSpec": {
                "params": [{"name": "declared"}],
                "results": [{"name": "r"}],
                "tasks": [{"params": [{"name": "c"}], "taskSpec": {"params": [{"name": "declared"}]}}]}}});
        let mut found = without_a_value(&source);
        found.sort();
        assert_eq!(found, ["spec.params[0]", "spec.pipelineSpec.results[0]", "spec.pipelineSpec.tasks[0].params[0]"]);
    }
}
