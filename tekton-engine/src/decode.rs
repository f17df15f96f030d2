//! Definitions as resolvers deliver them: YAML or JSON of any version.

use serde::de::DeserializeOwned;
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

/// Reads a Task; `None` when the text holds another kind.
pub(crate) fn task(text: &str) -> Result<Option<Task>, String> {
    Ok(match object(text)? {
        Object::Task(task) => Some(*task),
        Object::V1Beta1Task(task) => Some((*task).try_into().map_err(|error| format!("{error}"))?),
        _ => None,
    })
}

/// Reads a Pipeline; `None` when the text holds another kind.
pub(crate) fn pipeline(text: &str) -> Result<Option<Pipeline>, String> {
    Ok(match object(text)? {
        Object::Pipeline(pipeline) => Some(*pipeline),
        Object::V1Beta1Pipeline(pipeline) => Some((*pipeline).try_into().map_err(|error| format!("{error}"))?),
        _ => None,
    })
}

/// Reads a StepAction; `None` when the text holds another kind.
pub(crate) fn step_action(text: &str) -> Result<Option<StepAction>, String> {
    Ok(match object(text)? {
        Object::StepAction(action) => Some(*action),
        Object::V1Alpha1StepAction(action) => Some((*action).into()),
        _ => None,
    })
}

fn object(text: &str) -> Result<Object, String> {
    let documents = yaml::parse(text).map_err(|error| error.to_string())?;
    let document = documents.first().ok_or_else(|| "the text is empty".to_owned())?;
    Object::decode(document, Mode::Strict).map_err(|errors| joined(&errors))
}

fn joined(errors: &[decode::DecodeError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
