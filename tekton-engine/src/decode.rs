//! Definitions as resolvers deliver them: YAML or JSON of any version.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tekton_types::config::Config;
use tekton_types::decode::{self, DecodeError, Mode, Problem};
use tekton_types::object::Object;
use tekton_types::v1::{Pipeline, Task};
use tekton_types::v1beta1::StepAction;
use tekton_types::yaml;

/// Reads one value leniently.
pub(crate) fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let documents = yaml::parse(text).map_err(|error| error.to_string())?;
    let document = documents.first().ok_or_else(|| "the text is empty".to_owned())?;
    decode::from_node(&document.root, Mode::Lenient).map_err(|errors| joined(&errors))
}

/// The object as a Task; `None` when it is of another kind.
pub(crate) fn task(object: Object) -> Result<Option<Task>, String> {
    Ok(match object {
        Object::Task(task) => Some(*task),
        Object::V1Beta1Task(task) => Some((*task).try_into().map_err(|error| format!("{error}"))?),
        _ => None,
    })
}

/// The object as a Pipeline; `None` when it is of another kind.
pub(crate) fn pipeline(object: Object) -> Result<Option<Pipeline>, String> {
    Ok(match object {
        Object::Pipeline(pipeline) => Some(*pipeline),
        Object::V1Beta1Pipeline(pipeline) => Some((*pipeline).try_into().map_err(|error| format!("{error}"))?),
        _ => None,
    })
}

/// The object as a StepAction; `None` when it is of another kind.
pub(crate) fn step_action(object: Object) -> Option<StepAction> {
    match object {
        Object::StepAction(action) => Some(*action),
        Object::V1Alpha1StepAction(action) => Some((*action).into()),
        _ => None,
    }
}

/// Reads a definition and fills in its defaults, as its version has them.
pub(crate) fn object(text: &str, config: &Config) -> Result<Object, String> {
    let documents = yaml::parse(text).map_err(|error| error.to_string())?;
    let document = documents.first().ok_or_else(|| missing("Kind", text))?;
    let (version, kind) = version_and_kind(&document.to_json(), text)?;
    if !is_registered(&version, &kind) {
        return Err(format!("no kind \"{kind}\" is registered for version \"{version}\" in scheme \"{SCHEME}\""));
    }
    let mut object = Object::decode(document, Mode::Strict).map_err(|errors| {
        let only_strict =
            errors.iter().all(|e| matches!(e.problem, Problem::UnknownField { .. } | Problem::DuplicateKey));
        if only_strict {
            return format!(
                "strict decoding error: {}",
                strict(&errors, text.trim_start().starts_with('{')).join(", ")
            );
        }
        joined(&errors)
    })?;
    // An older version has defaults of its own, which the conversion would hide; signatures are made over the defaults.
    object.set_defaults(config, false);
    Ok(object)
}

/// What upstream tells of fields that are unknown or stand twice: of JSON in the order of the text; of YAML first what
/// stands twice, then the rest in the order of the keys, because it is made JSON in between.
fn strict(errors: &[DecodeError], is_json: bool) -> Vec<String> {
    const WORDS: &str = "yaml: unmarshal errors:";
    if is_json {
        return errors.iter().map(|error| error.message.clone()).collect();
    }
    let (doubles, mut unknown): (Vec<&DecodeError>, Vec<_>) =
        errors.iter().partition(|error| error.problem == Problem::DuplicateKey);
    let lines: String =
        doubles.iter().map(|error| error.message.strip_prefix(WORDS).unwrap_or(&error.message)).collect();
    unknown.sort_by_cached_key(|error| key_order(&error.path));
    unknown.dedup_by_key(|error| &error.path);
    let doubles = (!lines.is_empty()).then(|| format!("{WORDS}{lines}"));
    doubles.into_iter().chain(unknown.into_iter().map(|error| error.message.clone())).collect()
}

/// A path as keys and indices, to be sorted by.
fn key_order(path: &str) -> Vec<(usize, &str)> {
    path.split(['.', '[', ']']).filter(|part| !part.is_empty()).map(|part| (part.parse().unwrap_or(0), part)).collect()
}

/// What upstream first reads a text into.
const META: &str =
    r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

/// How upstream's registry of kinds calls itself.
const SCHEME: &str = "pkg/client/clientset/versioned/scheme/register.go:32";

/// Whether upstream's registry knows the kind.
fn is_registered(version: &str, kind: &str) -> bool {
    match version {
        "tekton.dev/v1" => matches!(kind, "Task" | "TaskRun" | "Pipeline" | "PipelineRun"),
        "tekton.dev/v1beta1" => {
            matches!(kind, "Task" | "TaskRun" | "Pipeline" | "PipelineRun" | "CustomRun" | "StepAction")
        }
        "tekton.dev/v1alpha1" => matches!(kind, "Run" | "VerificationPolicy" | "StepAction"),
        _ => false,
    }
}

/// The apiVersion and kind of a definition. Errors: upstream's, when one is missing or no text.
fn version_and_kind(value: &Value, text: &str) -> Result<(String, String), String> {
    const NOT_READ: &str = "couldn't get version/kind; json parse error: json: cannot unmarshal";
    let fields = match value {
        Value::Object(fields) => Some(fields),
        Value::Null => None,
        other => return Err(format!("{NOT_READ} {} into Go value of type {META}", go_kind(other))),
    };
    let field = |name: &str| match fields.and_then(|fields| fields.get(name)) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("{NOT_READ} {} into Go struct field .{name} of type string", go_kind(other))),
    };
    let (version, kind) = (field("apiVersion")?, field("kind")?);
    if kind.is_empty() {
        return Err(missing("Kind", text));
    }
    if version.is_empty() {
        return Err(missing("apiVersion", text));
    }
    Ok((version, kind))
}

fn missing(field: &str, text: &str) -> String {
    format!("Object '{field}' is missing in '{text}'")
}

/// What Go calls the sort of a JSON value.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "object",
        Value::Null => "null",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Array(_) => "array",
    }
}

fn joined(errors: &[DecodeError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        object(text, &Config::default()).expect_err("it has fields that no task has")
    }

    #[test]
    fn unknown_fields_of_yaml_are_told_after_those_that_stand_twice_and_in_the_order_of_the_keys() {
        let text =
            "apiVersion: tekton.dev/v1\nkind: Task\nspec:\n  steps:\n  - z: 1\n    image: a\n    b: 1\n    image: c\n";
        assert_eq!(
            refusal(text),
            "strict decoding error: yaml: unmarshal errors:\n  line 8: key \"image\" already set in map, \
             unknown field \"spec.steps[0].b\", unknown field \"spec.steps[0].z\""
        );
    }

    #[test]
    fn unknown_fields_of_json_are_told_in_the_order_of_the_text() {
        let text = r#"{"apiVersion":"tekton.dev/v1","kind":"Task","spec":{"z":1,"steps":[{"y":1,"image":"y"}],"a":2}}"#;
        assert_eq!(
            refusal(text),
            "strict decoding error: unknown field \"spec.z\", unknown field \"spec.steps[0].y\", \
             unknown field \"spec.a\""
        );
    }
}
