//! Suite `convert`: objects and their parts between API versions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tekton_types::v1beta1::convert::ConvertError;
use tekton_types::{decode, resolution, v1, v1alpha1, v1beta1};

use crate::Case;
use crate::diff;

/// Runs one case.
pub(crate) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    if text("operation") == "delete" {
        return diff::equal(&case.expect["object"], input.get("sink").unwrap_or(&Value::Null));
    }
    // Wrong kinds and versions cannot be expressed: each conversion is between two types.
    if input.get("fromType").is_some() || text("from") == text("to") {
        return if case.expect.get("error").is_some() { Ok(()) } else { Err("expected no error".to_owned()) };
    }
    let object = &input["object"];
    let kind = text("type");
    let got = match (text("from"), text("to"), kind) {
        ("tekton.dev/v1beta1", "tekton.dev/v1", "Task") => run::<v1beta1::Task, v1::Task>(object),
        ("tekton.dev/v1beta1", "tekton.dev/v1", "TaskRun") => run::<v1beta1::TaskRun, v1::TaskRun>(object),
        ("tekton.dev/v1beta1", "tekton.dev/v1", "Pipeline") => run::<v1beta1::Pipeline, v1::Pipeline>(object),
        ("tekton.dev/v1beta1", "tekton.dev/v1", "PipelineRun") => run::<v1beta1::PipelineRun, v1::PipelineRun>(object),
        ("tekton.dev/v1", "tekton.dev/v1beta1", "Task") => run::<v1::Task, v1beta1::Task>(object),
        ("tekton.dev/v1", "tekton.dev/v1beta1", "TaskRun") => run::<v1::TaskRun, v1beta1::TaskRun>(object),
        ("tekton.dev/v1", "tekton.dev/v1beta1", "Pipeline") => run::<v1::Pipeline, v1beta1::Pipeline>(object),
        ("tekton.dev/v1", "tekton.dev/v1beta1", "PipelineRun") => run::<v1::PipelineRun, v1beta1::PipelineRun>(object),
        ("tekton.dev/v1", "tekton.dev/v1beta1", "TaskRef") => infallible::<v1::TaskRef, v1beta1::TaskRef>(object),
        ("tekton.dev/v1beta1", "tekton.dev/v1", "TaskRef") => infallible::<v1beta1::TaskRef, v1::TaskRef>(object),
        (_, _, "Param") => infallible::<v1::Param, v1::Param>(object),
        (_, _, "WorkspaceBinding") => infallible::<v1::WorkspaceBinding, v1::WorkspaceBinding>(object),
        ("tekton.dev/v1alpha1", _, "StepAction") => infallible::<v1alpha1::StepAction, v1beta1::StepAction>(object),
        ("tekton.dev/v1beta1", _, "StepAction") => infallible::<v1beta1::StepAction, v1alpha1::StepAction>(object),
        ("resolution.tekton.dev/v1alpha1", ..) => {
            infallible::<resolution::v1alpha1::ResolutionRequest, resolution::v1beta1::ResolutionRequest>(object)
        }
        ("resolution.tekton.dev/v1beta1", ..) => {
            run::<resolution::v1beta1::ResolutionRequest, resolution::v1alpha1::ResolutionRequest>(object)
        }
        (from, to, kind) => return Err(format!("no binding for {kind} from {from} to {to}")),
    };
    match (got, case.expect.get("error").and_then(Value::as_str)) {
        (Err(error), Some(expected)) => diff::equal_text(expected, &error),
        (Err(error), None) => Err(error),
        (Ok(_), Some(expected)) => Err(format!("expected the error {expected:?}")),
        (Ok(got), None) => {
            let mut expected = case.expect["object"].clone();
            let mut got = got;
            for object in [&mut expected, &mut got] {
                normalise(object, kind);
            }
            diff::equal(&expected, &got)
        }
    }
}

fn run<From, To>(object: &Value) -> Result<Value, String>
where
    From: DeserializeOwned,
    To: TryFrom<From, Error = ConvertError> + Serialize,
{
    let old: From = decode::from_json(object).map_err(|errors| format!("{errors:?}"))?;
    let new = To::try_from(old).map_err(|error| error.to_string())?;
    serde_json::to_value(new).map_err(|error| error.to_string())
}

fn infallible<Old, New>(object: &Value) -> Result<Value, String>
where
    Old: DeserializeOwned,
    New: From<Old> + Serialize,
{
    let old: Old = decode::from_json(object).map_err(|errors| format!("{errors:?}"))?;
    serde_json::to_value(New::from(old)).map_err(|error| error.to_string())
}

/// Upstream's converter does not set apiVersion and kind; annotations that hold JSON are compared parsed.
fn normalise(object: &mut Value, kind: &str) {
    let Some(map) = object.as_object_mut() else { return };
    if kind != "TaskRef" {
        map.remove("apiVersion");
        map.remove("kind");
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        for (key, value) in annotations.iter_mut().filter(|(key, _)| key.starts_with("tekton.dev/v1beta1")) {
            let _ = key;
            let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
            *value = parsed.unwrap_or_else(|| json!(value));
        }
    }
}
