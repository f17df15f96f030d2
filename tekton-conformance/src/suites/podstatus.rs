//! Suite `podstatus`: a Pod becomes the status of its TaskRun; readiness, stopping and cancelling of Pods.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use tekton_contract::termination::{ResultType, RunResult};
use tekton_podgen::observe::{self, Observation, Observed};
use tekton_podgen::{Fact, patch};
use tekton_types::v1::{TaskRun, TaskRunStatus, TaskSpec};

use super::podgen_support as support;
use crate::{Case, diff};

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let ours = match input["op"].as_str().unwrap_or_default() {
        "makeTaskRunStatus" => observed(input, observe::observe)?,
        "setStepStatus" => {
            let statuses: Vec<ContainerStatus> = support::read_or_default(&input["stepStatuses"])?;
            let mut input = input.clone();
            input["pod"] = json!({"status": {"phase": input["podPhase"]}});
            observed(&input, |observation| observe::observe_steps(observation, &statuses))?
        }
        "updateIncompleteStatus" => {
            let mut status: TaskRunStatus = support::read_or_default(&input["status"])?;
            let pod: Pod = support::read(&input["pod"])?;
            observe::update_incomplete(&mut status, &pod.status.unwrap_or_default(), &now(input)?);
            json!({"status": value(&status)})
        }
        "failureInfo" => {
            let pod: Pod = support::read(&input["pod"])?;
            let failure = observe::failure(&pod.status.unwrap_or_default());
            json!({
                "reason": failure.reason, "message": failure.message, "isInit": failure.is_init,
                "container": failure.container,
            })
        }
        "sidecarsReady" => {
            let status: PodStatus = support::read_or_default(&input["podStatus"])?;
            json!({"result": observe::sidecars_ready(&status)})
        }
        "isPodArchived" => {
            let status: TaskRunStatus = support::read_or_default(&input["status"])?;
            let name = support::text(&input["pod"]["metadata"]["name"]);
            json!({"result": observe::is_archived(&name, &status)})
        }
        "isSubPathDirectoryError" => {
            let pod: Pod = support::read(&input["pod"])?;
            json!({"result": observe::is_subpath_directory_error(&pod.status.unwrap_or_default())})
        }
        "isPodExceedingNodeResources" => {
            let conditions: Vec<PodCondition> = support::read_or_default(&input["conditions"])?;
            json!({"result": observe::exceeds_node_resources(&conditions)})
        }
        "isSidecarStatusRunning" => {
            let run: TaskRun = support::read(&input["taskRun"])?;
            json!({"result": patch::has_running_sidecar(&run)})
        }
        "sortContainerStatuses" => {
            let mut statuses: Vec<ContainerStatus> = support::read_or_default(&input["containerStatuses"])?;
            let containers: Vec<Container> = support::read_or_default(&input["containers"])?;
            observe::sort_statuses(&mut statuses, &containers);
            json!({"containerStatuses": value(&statuses)})
        }
        "taskResultsFromSidecarLogs" => {
            json!({"runResults": results_value(&observe::task_results(&run_results(input)?))})
        }
        "stepResultsFromSidecarLogs" => {
            match observe::step_results(&run_results(input)?, &support::text(&input["containerName"])) {
                Ok(results) => json!({"runResults": results_value(&results)}),
                Err(error) => json!({"error": error}),
            }
        }
        "stopSidecars" => stop_sidecars(input)?,
        "updateReady" => update_ready(input)?,
        "cancelPod" => {
            let mut ours = json!({"patch": patch::cancel()});
            if find(input, &input["namespace"], &input["name"])?.is_none() {
                ours["error"] = json!(format!("pods {} not found", input["name"]));
            }
            ours
        }
        other => return Err(format!("unknown operation {other:?}")),
    };
    diff::equal(&case.expect, &ours)
}

fn observed(input: &Value, run: impl Fn(&Observation<'_>) -> Observed) -> Result<Value, String> {
    let task_run: TaskRun = support::read(&input["taskRun"])?;
    let pod: Pod = support::read(&input["pod"])?;
    let task_spec: Option<TaskSpec> = support::read_or_default(&input["taskSpec"])?;
    let config = support::config(&input["config"])?;
    let log = match (input["sidecarLogs"].as_str(), input["sidecarLogsError"].as_str()) {
        (_, Some(error)) => Some(Fact::Denied(error.to_owned())),
        (Some(log), None) => Some(Fact::Known(log.to_owned())),
        (None, None) => None,
    };
    let observed = run(&Observation {
        task_run: &task_run,
        pod: &pod,
        task_spec: task_spec.as_ref(),
        config: &config,
        now: &now(input)?,
        sidecar_log: log.as_ref(),
    });
    let error = observed.error();
    Ok(json!({"status": value(&observed.status), "error": error}))
}

fn now(input: &Value) -> Result<Time, String> {
    let text = support::text(&input["now"]);
    text.parse::<Timestamp>().map(Time).map_err(|error| error.to_string())
}

fn value(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).unwrap_or(Value::Null)
}

fn run_results(input: &Value) -> Result<Vec<RunResult>, String> {
    let items = input["runResults"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .map(|item| {
            Ok(RunResult::new(
                support::text(&item["key"]),
                support::text(&item["value"]),
                ResultType(item["type"].as_i64().unwrap_or(0)),
            ))
        })
        .collect()
}

fn results_value(results: &[RunResult]) -> Value {
    results.iter().map(|r| json!({"key": r.key, "value": r.value, "type": r.result_type.0})).collect()
}

fn find(input: &Value, namespace: &Value, name: &Value) -> Result<Option<Pod>, String> {
    let pods: Vec<Pod> = support::read_or_default(&input["pods"])?;
    Ok(pods.into_iter().find(|pod| {
        pod.metadata.name.as_deref().unwrap_or_default() == name.as_str().unwrap_or_default()
            && pod.metadata.namespace.as_deref().unwrap_or_default() == namespace.as_str().unwrap_or_default()
    }))
}

fn stop_sidecars(input: &Value) -> Result<Value, String> {
    let config = support::config(&input["config"])?;
    let Some(pod) = find(input, &input["namespace"], &input["name"])? else {
        return Ok(json!({"error": format!("pods {} not found", input["name"])}));
    };
    let patch = patch::stop_sidecars(&pod, &support::text(&input["nopImage"]), &config);
    let name = input["name"].as_str();
    let before =
        input["pods"].as_array().and_then(|pods| pods.iter().find(|pod| pod["metadata"]["name"].as_str() == name));
    let mut after = before.cloned().unwrap_or_default();
    apply(&mut after, patch.as_ref());
    support::strip_type(&mut after);
    Ok(json!({"pod": after, "patch": patch}))
}

fn update_ready(input: &Value) -> Result<Value, String> {
    let pod: Pod = support::read(&input["pod"])?;
    let patch = patch::ready(&pod);
    let metadata = &input["pod"]["metadata"];
    if patch.is_some() && find(input, &metadata["namespace"], &metadata["name"])?.is_none() {
        return Ok(json!({"patch": patch, "error": format!("pods {} not found", metadata["name"])}));
    }
    let mut pods = input["pods"].clone();
    for pod in pods.as_array_mut().into_iter().flatten() {
        if pod["metadata"]["name"] == metadata["name"] {
            apply(pod, patch.as_ref());
        }
    }
    Ok(json!({"patch": patch, "pods": pods}))
}

/// Applies a JSON patch that only replaces.
fn apply(object: &mut Value, patch: Option<&Value>) {
    for operation in patch.and_then(Value::as_array).into_iter().flatten() {
        if let Some(target) = object.pointer_mut(operation["path"].as_str().unwrap_or_default()) {
            *target = operation["value"].clone();
        }
    }
}
