//! Patches to a running Pod: start it, cancel it, stop its sidecars.

use crate::names::{self, CANCEL_ANNOTATION, CANCEL_VALUE, READY_ANNOTATION, READY_VALUE, RESULTS_SIDECAR_CONTAINER};
use crate::observe::SIDECAR_LOGS;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tekton_types::config::Config;
use tekton_types::v1::TaskRun;

fn replace_annotation(annotation: &str, value: &str) -> Value {
    let path = format!("/metadata/annotations/{}", annotation.replace('/', "~1"));
    json!([{"op": "replace", "path": path, "value": value}])
}

/// The JSON patch that lets the first step start, or `None` when it may already.
pub fn ready(pod: &Pod) -> Option<Value> {
    let annotations = pod.metadata.annotations.as_ref();
    let value = annotations.and_then(|all| all.get(READY_ANNOTATION));
    (value.map(String::as_str) != Some(READY_VALUE)).then(|| replace_annotation(READY_ANNOTATION, READY_VALUE))
}

/// The JSON patch that tells the steps to stop; only Pods built with `keep-pod-on-cancel` listen to it.
pub fn cancel() -> Value {
    replace_annotation(CANCEL_ANNOTATION, CANCEL_VALUE)
}

/// The JSON patch that gives every running container that is no step an image that ends at once. `None` when there is
/// nothing to stop. The results sidecar is left to end by itself.
pub fn stop_sidecars(pod: &Pod, nop_image: &str, config: &Config) -> Option<Value> {
    let status = pod.status.as_ref()?;
    if status.phase.as_deref() != Some("Running") {
        return None;
    }
    let sidecar_logs = config.feature_flags.result_extraction_method == SIDECAR_LOGS;
    let containers = &pod.spec.as_ref()?.containers;
    let operations: Vec<Value> = status
        .container_statuses
        .iter()
        .flatten()
        .filter(|s| !(sidecar_logs && s.name == RESULTS_SIDECAR_CONTAINER))
        .filter(|s| !names::is_step(&s.name))
        .filter(|s| s.state.as_ref().is_some_and(|state| state.running.is_some()))
        .filter_map(|s| containers.iter().position(|c| c.name == s.name && c.image.as_deref() != Some(nop_image)))
        .map(|index| json!({"op": "replace", "path": format!("/spec/containers/{index}/image"), "value": nop_image}))
        .collect();
    (!operations.is_empty()).then_some(Value::Array(operations))
}

/// Whether a sidecar of the TaskRun is not known to have ended.
pub fn has_running_sidecar(run: &TaskRun) -> bool {
    run.status.sidecars.iter().any(|sidecar| sidecar.terminated.is_none())
}
