//! Definitions as resolvers deliver them: YAML or JSON of any version.

use serde::de::DeserializeOwned;
use tekton_types::config::Config;
use tekton_types::decode::{self, Mode};
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
    let document = documents.first().ok_or_else(|| "the text is empty".to_owned())?;
    if let Some(kind) = not_an_object(&document.to_json()) {
        return Err(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {kind} into Go value of type {META}"
        ));
    }
    let mut object = Object::decode(document, Mode::Strict).map_err(|errors| joined(&errors))?;
    // An older version has defaults of its own, which the conversion would hide; signatures are made over the defaults.
    object.set_defaults(config, false);
    Ok(object)
}

/// What upstream first reads a text into.
const META: &str =
    r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

/// What Go calls a value that cannot be an API object.
fn not_an_object(value: &serde_json::Value) -> Option<&'static str> {
    match value {
        serde_json::Value::Object(_) | serde_json::Value::Null => None,
        serde_json::Value::String(_) => Some("string"),
        serde_json::Value::Number(_) => Some("number"),
        serde_json::Value::Bool(_) => Some("bool"),
        serde_json::Value::Array(_) => Some("array"),
    }
}

fn joined(errors: &[decode::DecodeError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
