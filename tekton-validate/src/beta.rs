//! v1beta1 in the shape of v1: fields that only moved are moved, those that are gone become errors.
//!
//! The rules are the same for both versions but for some texts, so they run once, over v1.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tekton_types::Object;

use crate::errors::{Errors, FieldError};

/// What is left over when an object of v1beta1 is put into the shape of v1.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Leftovers {
    /// Errors on every operation.
    pub(crate) always: Errors,
    /// Errors on creation.
    pub(crate) on_create: Errors,
}

impl Leftovers {
    fn disallow(&mut self, path: &str, field: &str) {
        self.always.push(FieldError::disallowed(&[&join(path, field)]));
    }
}

/// The types of v1beta1 that differ from v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    TaskSpec,
    PipelineSpec,
    TaskRunSpec,
    PipelineRunSpec,
    PipelineTask,
    Reference,
}

/// An object of v1beta1 as its kind at v1.
pub(crate) fn read<T: DeserializeOwned>(object: &Object, shape: Shape) -> Result<(T, Leftovers), String> {
    let mut value = object.to_json();
    let left = adapt(shape, &mut value["spec"], "spec");
    value["apiVersion"] = "tekton.dev/v1".into();
    serde_json::from_value(value).map(|object| (object, left)).map_err(|e| e.to_string())
}

/// An object of v1beta1 at v1; `None` for others.
pub(crate) fn to_v1(object: &Object) -> Option<Object> {
    match object {
        Object::V1Beta1Task(_) => read(object, Shape::TaskSpec).ok().map(|(o, _)| Object::Task(o)),
        Object::V1Beta1TaskRun(_) => read(object, Shape::TaskRunSpec).ok().map(|(o, _)| Object::TaskRun(o)),
        Object::V1Beta1Pipeline(_) => read(object, Shape::PipelineSpec).ok().map(|(o, _)| Object::Pipeline(o)),
        Object::V1Beta1PipelineRun(_) => read(object, Shape::PipelineRunSpec).ok().map(|(o, _)| Object::PipelineRun(o)),
        _ => None,
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Whether a field is there with more than nothing in it.
fn given(map: &Map<String, Value>, field: &str) -> bool {
    map.get(field).is_some_and(|v| !v.is_null())
}

/// Puts a value into the shape of v1; paths in errors begin with `path`.
pub(crate) fn adapt(shape: Shape, value: &mut Value, path: &str) -> Leftovers {
    let mut left = Leftovers::default();
    adapt_into(shape, value, path, &mut left);
    left
}

fn adapt_into(shape: Shape, value: &mut Value, path: &str, left: &mut Leftovers) {
    let Some(map) = value.as_object_mut() else { return };
    let mut child = |map: &mut Map<String, Value>, field: &str, shape: Shape| {
        if let Some(value) = map.get_mut(field) {
            adapt_into(shape, value, &join(path, field), left);
        }
    };
    match shape {
        Shape::TaskSpec => {
            if given(map, "resources") {
                left.disallow(path, "resources");
            }
        }
        Shape::PipelineSpec => {
            child_list(map, "tasks", path, left);
            child_list(map, "finally", path, left);
            if map.get("resources").and_then(Value::as_array).is_some_and(|r| !r.is_empty()) {
                left.disallow(path, "resources");
            }
        }
        Shape::PipelineTask => {
            if !is_custom(map) {
                child(map, "taskRef", Shape::Reference);
                child(map, "taskSpec", Shape::TaskSpec);
            }
            if given(map, "resources") {
                left.disallow(path, "resources");
            }
        }
        Shape::Reference => {
            if map.get("bundle").and_then(Value::as_str).is_some_and(|b| !b.is_empty()) {
                left.on_create.push(FieldError::disallowed(&[&join(path, "bundle")]));
            }
        }
        Shape::TaskRunSpec => {
            child(map, "taskRef", Shape::Reference);
            child(map, "taskSpec", Shape::TaskSpec);
            if given(map, "resources") {
                left.disallow(path, "resources");
            }
            overrides(map);
        }
        Shape::PipelineRunSpec => {
            child(map, "pipelineRef", Shape::Reference);
            child(map, "pipelineSpec", Shape::PipelineSpec);
            pipeline_run(map, path, left);
        }
    }
}

fn child_list(map: &mut Map<String, Value>, field: &str, path: &str, left: &mut Leftovers) {
    for (index, task) in map.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
        adapt_into(Shape::PipelineTask, task, &join(path, &format!("{field}[{index}]")), left);
    }
}

/// Whether a pipeline task is a custom task, whose spec no rule looks into.
fn is_custom(task: &Map<String, Value>) -> bool {
    ["taskRef", "taskSpec"].iter().filter_map(|f| task.get(*f)).any(|part| {
        !part["apiVersion"].as_str().unwrap_or_default().is_empty()
            || !["", "Task"].contains(&part["kind"].as_str().unwrap_or_default())
    })
}

fn overrides(map: &mut Map<String, Value>) {
    for (old, new) in [("stepOverrides", "stepSpecs"), ("sidecarOverrides", "sidecarSpecs")] {
        let Some(mut list) = map.remove(old) else { continue };
        for item in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            if let Some(resources) = item.remove("resources") {
                item.insert("computeResources".to_owned(), resources);
            }
        }
        map.insert(new.to_owned(), list);
    }
}

fn pipeline_run(map: &mut Map<String, Value>, path: &str, left: &mut Leftovers) {
    if given(map, "resources") {
        left.disallow(path, "resources");
    }
    if let Some(timeout) = map.remove("timeout").filter(|t| !t.is_null()) {
        let negative = timeout.as_str().filter(|t| t.starts_with('-')).and_then(|t| t.parse().ok());
        if let Some(duration) = negative {
            let duration: tekton_types::duration::GoDuration = duration;
            if duration.0 < 0 {
                left.always
                    .push(FieldError::invalid_value(format!("{duration} should be >= 0"), &join(path, "timeout")));
            }
        }
        if given(map, "timeouts") {
            left.always.push(FieldError::disallowed(&[&join(path, "timeout"), &join(path, "timeouts")]));
        }
    }
    if let Some(template) = map.remove("podTemplate") {
        map.insert("taskRunTemplate".to_owned(), serde_json::json!({ "podTemplate": template }));
    }
    for task in map.get_mut("taskRunSpecs").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(task) = task.as_object_mut() else { continue };
        overrides(task);
        for (old, new) in [("taskPodTemplate", "podTemplate"), ("taskServiceAccountName", "serviceAccountName")] {
            if let Some(value) = task.remove(old) {
                task.insert(new.to_owned(), value);
            }
        }
    }
}
