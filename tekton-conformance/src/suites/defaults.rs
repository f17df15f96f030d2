//! Suite `defaults`: what objects and their parts get that was left open.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tekton_types::config::Config;
use tekton_types::decode;
use tekton_types::defaults::{SetDefaults, drop_reserved_annotations};
use tekton_types::{resolution, v1, v1alpha1, v1beta1};

use crate::Case;
use crate::diff;

/// Runs one case.
pub(crate) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let config = config(&input["config"])?;
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    let object = &input["object"];
    // Upstream was called on a nil pointer.
    if object.is_null() {
        return diff::equal(&case.expect["object"], object);
    }
    let mut got = match (text("apiVersion"), text("type")) {
        ("tekton.dev/v1", "Task") => run::<v1::Task>(object, &config),
        ("tekton.dev/v1", "TaskSpec") => run::<v1::TaskSpec>(object, &config),
        ("tekton.dev/v1", "TaskRun") => run::<v1::TaskRun>(object, &config),
        ("tekton.dev/v1", "TaskRunSpec") => run::<v1::TaskRunSpec>(object, &config),
        ("tekton.dev/v1", "Pipeline") => run::<v1::Pipeline>(object, &config),
        ("tekton.dev/v1", "PipelineSpec") => run::<v1::PipelineSpec>(object, &config),
        ("tekton.dev/v1", "PipelineTask") => run::<v1::PipelineTask>(object, &config),
        ("tekton.dev/v1", "PipelineRun") => run::<v1::PipelineRun>(object, &config),
        ("tekton.dev/v1", "PipelineRunSpec") => run::<v1::PipelineRunSpec>(object, &config),
        ("tekton.dev/v1beta1", "Task") => run::<v1beta1::Task>(object, &config),
        ("tekton.dev/v1beta1", "TaskSpec") => run::<v1beta1::TaskSpec>(object, &config),
        ("tekton.dev/v1beta1", "TaskRun") => run::<v1beta1::TaskRun>(object, &config),
        ("tekton.dev/v1beta1", "TaskRunSpec") => run::<v1beta1::TaskRunSpec>(object, &config),
        ("tekton.dev/v1beta1", "Pipeline") => run::<v1beta1::Pipeline>(object, &config),
        ("tekton.dev/v1beta1", "PipelineSpec") => run::<v1beta1::PipelineSpec>(object, &config),
        ("tekton.dev/v1beta1", "PipelineTask") => run::<v1beta1::PipelineTask>(object, &config),
        ("tekton.dev/v1beta1", "PipelineRun") => run::<v1beta1::PipelineRun>(object, &config),
        ("tekton.dev/v1beta1", "PipelineRunSpec") => run::<v1beta1::PipelineRunSpec>(object, &config),
        ("tekton.dev/v1beta1", "StepAction") => run::<v1beta1::StepAction>(object, &config),
        ("tekton.dev/v1alpha1", "StepAction") => run::<v1alpha1::StepAction>(object, &config),
        ("tekton.dev/v1beta1", "CustomRun") => run::<v1beta1::CustomRun>(object, &config),
        ("tekton.dev/v1beta1", "CustomRunSpec") => run::<v1beta1::CustomRunSpec>(object, &config),
        (_, "StepActionSpec") => run::<v1beta1::StepActionSpec>(object, &config),
        (_, "ParamSpec") => run::<v1::ParamSpec>(object, &config),
        (_, "TaskResult") => run::<v1::TaskResult>(object, &config),
        (_, "StepResult") => run::<v1::StepResult>(object, &config),
        ("tekton.dev/v1alpha1", "VerificationPolicy") => same::<v1alpha1::VerificationPolicy>(object),
        ("resolution.tekton.dev/v1alpha1", _) => same::<resolution::v1alpha1::ResolutionRequest>(object),
        ("resolution.tekton.dev/v1beta1", _) => same::<resolution::v1beta1::ResolutionRequest>(object),
        (version, kind) => return Err(format!("no binding for {version} {kind}")),
    }?;
    if text("operation") == "create" && matches!(text("type"), "TaskRun" | "PipelineRun") {
        let mut annotations = serde_json::from_value(got["metadata"]["annotations"].take()).unwrap_or_default();
        drop_reserved_annotations(&mut annotations);
        got["metadata"]["annotations"] = serde_json::to_value(annotations).unwrap_or_default();
    }
    diff::equal(&case.expect["object"], &got)
}

fn run<T: DeserializeOwned + Serialize + SetDefaults>(object: &Value, config: &Config) -> Result<Value, String> {
    let mut object: T = decode::from_json(object).map_err(|errors| format!("{errors:?}"))?;
    object.set_defaults(config);
    serde_json::to_value(object).map_err(|error| error.to_string())
}

fn same<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let object: T = decode::from_json(object).map_err(|errors| format!("{errors:?}"))?;
    serde_json::to_value(object).map_err(|error| error.to_string())
}

fn config(maps: &Value) -> Result<Config, String> {
    let maps: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_value(maps.clone()).unwrap_or_default();
    Config::from_config_maps(maps.iter().map(|(name, data)| (name.as_str(), data))).map_err(|error| error.to_string())
}
