//! The recorded encoding of a pipeline run's state, shared by `pipeline-state` and `pipeline-substitution`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tekton_dag::child::ResolvedTask;
use tekton_dag::results::ResolvedResultRef;
use tekton_types::refs::ResultRef;
use tekton_types::v1::{ParamValue, PipelineRun, PipelineSpec, PipelineTask, TaskRun, TaskSpec};
use tekton_types::v1beta1::CustomRun;

use super::dag::reference_json;

/// A task as it is recorded.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RecordedTask {
    pub(super) pipeline_task: Option<PipelineTask>,
    task_run_names: Vec<String>,
    #[serde(deserialize_with = "of_any_version")]
    task_runs: Vec<TaskRun>,
    custom_task: bool,
    custom_run_names: Vec<String>,
    custom_runs: Vec<CustomRun>,
    child_pipeline_run_names: Vec<String>,
    child_pipeline_runs: Vec<PipelineRun>,
    pub(super) resolved_task: Option<RecordedSpec>,
    pub(super) resolved_pipeline: Option<RecordedPipeline>,
    results_cache: BTreeMap<String, Vec<String>>,
    #[serde(rename = "evaluatedCEL")]
    evaluated_cel: BTreeMap<String, bool>,
}

/// Reads objects whose recorded apiVersion may be one that upstream's tests made up.
fn of_any_version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<TaskRun>, D::Error> {
    let mut objects = Vec::<Value>::deserialize(deserializer)?;
    for object in objects.iter_mut().filter_map(Value::as_object_mut) {
        object.remove("apiVersion");
    }
    objects.into_iter().map(|object| TaskRun::deserialize(object).map_err(serde::de::Error::custom)).collect()
}

/// The resolved task of a recorded task.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RecordedSpec {
    pub(super) task_name: String,
    pub(super) task_spec: Option<TaskSpec>,
}

/// The resolved child pipeline of a recorded task.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RecordedPipeline {
    pub(super) pipeline_spec: Option<PipelineSpec>,
}

impl RecordedTask {
    /// The task as `tekton-dag` takes it.
    pub(super) fn resolved(&self) -> ResolvedTask<'_> {
        let task = self.pipeline_task.as_ref().map_or_else(|| Cow::Owned(PipelineTask::default()), Cow::Borrowed);
        let mut resolved = ResolvedTask::new(task);
        resolved.custom_task = self.custom_task;
        resolved.names = [&self.task_run_names, &self.custom_run_names, &self.child_pipeline_run_names]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        resolved.task_runs = self.task_runs.iter().collect();
        resolved.custom_runs = self.custom_runs.iter().collect();
        resolved.pipeline_runs = self.child_pipeline_runs.iter().collect();
        if let Some(spec) = &self.resolved_task {
            resolved.task_name.clone_from(&spec.task_name);
            resolved.task_spec = spec.task_spec.as_ref().map(Into::into);
        }
        resolved.results_cache.clone_from(&self.results_cache);
        resolved.evaluated_cel.clone_from(&self.evaluated_cel);
        resolved
    }
}

/// All tasks as `tekton-dag` takes them.
pub(super) fn resolved(tasks: &[RecordedTask]) -> Vec<ResolvedTask<'_>> {
    tasks.iter().map(RecordedTask::resolved).collect()
}

/// Reads recorded result references.
pub(super) fn references(value: &Value) -> Result<Vec<ResolvedResultRef>, String> {
    value.as_array().into_iter().flatten().map(reference).collect()
}

fn reference(value: &Value) -> Result<ResolvedResultRef, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reference = &value["reference"];
    Ok(ResolvedResultRef {
        value: ParamValue::deserialize(&value["value"]).map_err(|e| e.to_string())?,
        pipeline_task: text(&reference["pipelineTask"]),
        result: text(&reference["result"]),
        results_index: reference["resultsIndex"].as_i64(),
        property: text(&reference["property"]),
        from_task_run: text(&value["fromTaskRun"]),
        from_run: text(&value["fromRun"]),
    })
}

/// Writes a result reference as it is recorded.
pub(super) fn resolved_json(resolved: &ResolvedResultRef) -> Value {
    let ResolvedResultRef { value, pipeline_task, result, results_index, property, from_task_run, from_run } = resolved;
    let reference = ResultRef { pipeline_task, result, results_index: *results_index, property };
    json!({ "value": value, "reference": reference_json(reference), "fromTaskRun": from_task_run, "fromRun": from_run })
}
