//! Whether a Pod is done, what holds it up, and whether its sidecars are ready.

use crate::names::{self, RESULTS_SIDECAR_CONTAINER};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, PodCondition, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_contract::var::extract::go_quote;
use tekton_types::condition;
use tekton_types::config::Config;
use tekton_types::reason::taskrun as reason;
use tekton_types::v1::TaskRunStatus;

const PENDING: &str = "Pending";
const EXCEEDED_NODE_RESOURCES: &str = "ExceededNodeResources";
const PULL_IMAGE_FAILED: &str = "PullImageFailed";
const CONFIG_ERROR: &str = "CreateContainerConfigError";
const SUBPATH_ERROR: &str = "failed to create subPath directory";
const IMAGE_ERRORS: [&str; 6] = [
    "ImagePullBackOff",
    "ImageInspectError",
    "ErrImagePull",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "InvalidImageName",
];
pub(super) const OOM_KILLED: &str = "OOMKilled";

pub(super) fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status.state.as_ref()?.terminated.as_ref()
}

fn waiting(status: &ContainerStatus) -> Option<&ContainerStateWaiting> {
    status.state.as_ref()?.waiting.as_ref()
}

fn containers(status: &PodStatus) -> &[ContainerStatus] {
    status.container_statuses.as_deref().unwrap_or_default()
}

fn init_containers(status: &PodStatus) -> &[ContainerStatus] {
    status.init_container_statuses.as_deref().unwrap_or_default()
}

fn phase(status: &PodStatus) -> &str {
    status.phase.as_deref().unwrap_or_default()
}

fn is_oom_killed(status: &ContainerStatus) -> bool {
    terminated(status).is_some_and(|state| state.reason.as_deref() == Some(OOM_KILLED))
}

/// Whether nothing that the TaskRun waits for is still running.
pub(super) fn is_complete(status: &PodStatus, config: &Config) -> bool {
    let complete = containers_completed(status, config) || pod_completed(status);
    if config.feature_flags.enable_kubernetes_sidecar {
        return complete && init_containers_done(status);
    }
    complete
}

fn containers_completed(status: &PodStatus, config: &Config) -> bool {
    if containers(status).is_empty() || !matches!(phase(status), "Running" | "Succeeded") {
        return false;
    }
    // Results that come through the sidecar's log are there only when the sidecar has ended.
    let awaits_sidecar = config.feature_flags.result_extraction_method == super::SIDECAR_LOGS;
    containers(status)
        .iter()
        .filter(|c| names::is_step(&c.name) || (awaits_sidecar && c.name == RESULTS_SIDECAR_CONTAINER))
        .all(|c| terminated(c).is_some())
}

/// A step that was killed for memory ends the Pod, even where Kubernetes has not noticed yet.
fn pod_completed(status: &PodStatus) -> bool {
    matches!(phase(status), "Succeeded" | "Failed")
        || containers(status).iter().any(|c| names::is_step(&c.name) && is_oom_killed(c))
}

fn init_containers_done(status: &PodStatus) -> bool {
    match phase(status) {
        "Failed" => true,
        "Running" | "Succeeded" => {
            !init_containers(status).is_empty() && init_containers(status).iter().all(|c| terminated(c).is_some())
        }
        _ => false,
    }
}

/// Whether the Pod's state means that the TaskRun failed.
pub fn did_fail(status: &PodStatus) -> bool {
    phase(status) == "Failed"
        || containers(status).iter().any(|c| {
            names::is_step(&c.name) && terminated(c).is_some_and(|state| state.exit_code != 0 || is_oom_killed(c))
        })
}

/// Whether a Pod belongs to an attempt that was already archived.
pub fn is_archived(pod_name: &str, status: &TaskRunStatus) -> bool {
    status.retries_status.iter().any(|attempt| attempt.pod_name == pod_name)
}

/// Whether every container that is no step runs and is ready, or has ended.
pub fn sidecars_ready(status: &PodStatus) -> bool {
    phase(status) == "Running"
        && containers(status).iter().filter(|c| !names::is_step(&c.name)).all(|c| {
            let running = |state: &ContainerState| state.running.is_some();
            (c.state.as_ref().is_some_and(running) && c.ready) || terminated(c).is_some()
        })
}

/// Sets the condition of a TaskRun whose Pod is not done.
pub fn update_incomplete(status: &mut TaskRunStatus, pod_status: &PodStatus, now: &Time) {
    let mut running = |reason: &str, message: &str| {
        super::mark(status, condition::UNKNOWN, reason, message, now);
    };
    match phase(pod_status) {
        "Running" => running(reason::RUNNING, super::RUNNING_MESSAGE),
        PENDING => {
            let conditions = pod_status.conditions.as_deref().unwrap_or_default();
            if exceeds_node_resources(conditions) {
                running(EXCEEDED_NODE_RESOURCES, "TaskRun Pod exceeded available resources");
            } else if is_subpath_directory_error(pod_status) {
                running(PENDING, "Waiting for subPath directory creation to complete");
            } else if any_waiting(pod_status, is_config_error) {
                let message = "Failed to create pod due to config error";
                super::mark(status, condition::FALSE, CONFIG_ERROR, message, now);
            } else {
                let pull = any_waiting(pod_status, |state| {
                    IMAGE_ERRORS.contains(&state.reason.as_deref().unwrap_or_default())
                });
                let reason = if pull { PULL_IMAGE_FAILED } else { PENDING };
                running(reason, &waiting_message(pod_status));
            }
        }
        _ => {}
    }
}

/// Whether no node has room for the Pod.
pub fn exceeds_node_resources(conditions: &[PodCondition]) -> bool {
    conditions.iter().any(|condition| {
        condition.reason.as_deref() == Some("Unschedulable")
            && condition.message.as_deref().is_some_and(|message| message.contains("Insufficient"))
    })
}

/// Whether a container waits for the directory of a `subPath`, which may still come into being.
pub fn is_subpath_directory_error(status: &PodStatus) -> bool {
    containers(status)
        .iter()
        .filter_map(waiting)
        .any(|state| state.reason.as_deref() == Some(CONFIG_ERROR) && mentions_subpath(state))
}

fn is_config_error(state: &ContainerStateWaiting) -> bool {
    state.reason.as_deref() == Some(CONFIG_ERROR) && !mentions_subpath(state)
}

fn mentions_subpath(state: &ContainerStateWaiting) -> bool {
    state.message.as_deref().is_some_and(|message| message.contains(SUBPATH_ERROR))
}

fn any_waiting(status: &PodStatus, matches: impl Fn(&ContainerStateWaiting) -> bool) -> bool {
    init_containers(status).iter().chain(containers(status)).filter_map(waiting).any(matches)
}

fn waiting_message(status: &PodStatus) -> String {
    let stuck = containers(status).iter().find_map(|c| {
        let message = waiting(c)?.message.as_deref()?;
        (!message.is_empty()).then_some((&c.name, message))
    });
    if let Some((name, message)) = stuck {
        return format!("build step {} is pending with reason {}", go_quote(name), go_quote(message));
    }
    let conditions = status.conditions.iter().flatten();
    if let Some(condition) = conditions.into_iter().find(|c| c.status != "True") {
        return format!(
            "pod status {}:{}; message: {}",
            go_quote(&condition.type_),
            go_quote(&condition.status),
            go_quote(condition.message.as_deref().unwrap_or_default())
        );
    }
    match status.message.as_deref() {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => PENDING.to_owned(),
    }
}
