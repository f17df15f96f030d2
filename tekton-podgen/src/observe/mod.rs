//! Reads the status of a TaskRun off its Pod: the inverse of building it.

mod completion;
mod failure;
mod results;
mod sidecar_log;
mod sidecars;
mod steps;
mod time;

pub use completion::{
    did_fail, exceeds_node_resources, is_archived, is_subpath_directory_error, sidecars_ready, update_incomplete,
};
pub use failure::{Failure, failure};
pub use sidecar_log::{step_results, task_results};
pub use sidecars::stopped_sidecars;
pub use steps::sort_statuses;

use crate::facts::Fact;
use crate::init;
use crate::names::{self, PIPELINE_TASK_ON_ERROR_ANNOTATION};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::borrow::Cow;
use tekton_types::condition::{self, Condition};
use tekton_types::config::Config;
use tekton_types::reason::taskrun as reason;
use tekton_types::v1::{TaskRun, TaskRunResult, TaskRunStatus, TaskSpec};

const RUNNING_MESSAGE: &str = "Not all Steps in the Task have finished executing";
const SUCCESS_MESSAGE: &str = "All Steps have completed executing";
pub(crate) const SIDECAR_LOGS: &str = "sidecar-logs";

/// A TaskRun and what is seen of its Pod.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The TaskRun with its status so far.
    pub task_run: &'a TaskRun,
    /// Its Pod.
    pub pod: &'a Pod,
    /// The task that it runs, resolved.
    pub task_spec: Option<&'a TaskSpec>,
    /// Feature flags and defaults.
    pub config: &'a Config,
    /// The time of the observation.
    pub now: &'a Time,
    /// The log of the results sidecar, if [`needs_sidecar_log`] asks for it.
    pub sidecar_log: Option<&'a Fact<String>>,
}

/// What was read off a Pod.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Observed {
    /// The new status.
    pub status: TaskRunStatus,
    /// What could not be read; the status holds everything else.
    pub errors: Vec<String>,
    /// Among the errors is a result that is larger than `max-result-size`: the TaskRun shall fail for it.
    pub is_oversized: bool,
}

impl Observed {
    /// All errors as one text, or `None`.
    pub fn error(&self) -> Option<String> {
        (!self.errors.is_empty()).then(|| self.errors.join("\n"))
    }
}

/// Whether results come through the log of the results sidecar and it has one by now.
pub fn needs_sidecar_log(run: &TaskRun, pod: &Pod, task_spec: Option<&TaskSpec>, config: &Config) -> bool {
    if config.feature_flags.result_extraction_method != SIDECAR_LOGS {
        return false;
    }
    let pending = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending");
    let declares_results = run.status.task_spec.as_ref().or(task_spec).is_some_and(|spec| !spec.results.is_empty());
    let has_artifacts = task_spec.is_some_and(|spec| init::any_refers_to_artifacts(&spec.steps));
    !pending && (declares_results || has_artifacts)
}

/// Derives the status of a TaskRun from its Pod.
///
/// Reasons and messages are upstream's. A status that was done stays done: only a missing or unknown condition is
/// overwritten by "running".
pub fn observe(observation: &Observation<'_>) -> Observed {
    let Observation { task_run, pod, config, now, .. } = *observation;
    let mut status = task_run.status.clone();
    let pod_status = in_order(pod);

    if condition::succeeded(&status.conditions).is_none_or(Condition::is_unknown) {
        mark(&mut status, condition::UNKNOWN, reason::RUNNING, RUNNING_MESSAGE, now);
    }
    if completion::is_complete(&pod_status, config) {
        let ignored = task_run
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(PIPELINE_TASK_ON_ERROR_ANNOTATION))
            .is_some_and(|on_error| on_error == "continue");
        complete(&mut status, &pod_status, ignored, now);
    } else {
        completion::update_incomplete(&mut status, &pod_status, now);
    }
    status.pod_name = pod.metadata.name.clone().unwrap_or_default();

    let container_statuses = pod_status.container_statuses.as_deref().unwrap_or_default();
    let init_statuses = pod_status.init_container_statuses.as_deref().unwrap_or_default();
    let steps: Vec<&ContainerStatus> =
        container_statuses.iter().filter(|status| names::is_step(&status.name)).collect();
    let mut errors = Vec::new();
    let is_oversized = steps::set_steps(&mut status, observation, &steps, &mut errors);
    status.sidecars = sidecars::states(container_statuses.iter().chain(init_statuses));
    status.results = without_duplicates(std::mem::take(&mut status.results));
    Observed { status, errors, is_oversized }
}

/// The status of a Pod with its containers in the order of the spec; a copy only where they are in another.
fn in_order(pod: &Pod) -> Cow<'_, PodStatus> {
    let Some(status) = &pod.status else { return Cow::Owned(PodStatus::default()) };
    let containers = pod.spec.as_ref().map_or(&[][..], |spec| spec.containers.as_slice());
    let statuses = status.container_statuses.as_deref().unwrap_or_default();
    if statuses.iter().zip(containers).all(|(status, container)| status.name == container.name) {
        return Cow::Borrowed(status);
    }
    let mut status = status.clone();
    sort_statuses(status.container_statuses.as_deref_mut().unwrap_or_default(), containers);
    Cow::Owned(status)
}

/// Only the part of [`observe`] that concerns steps, for statuses that were gathered elsewhere.
pub fn observe_steps(observation: &Observation<'_>, steps: &[ContainerStatus]) -> Observed {
    let mut status = observation.task_run.status.clone();
    let mut errors = Vec::new();
    let steps: Vec<&ContainerStatus> = steps.iter().collect();
    let is_oversized = steps::set_steps(&mut status, observation, &steps, &mut errors);
    Observed { status, errors, is_oversized }
}

fn complete(status: &mut TaskRunStatus, pod_status: &PodStatus, ignored: bool, now: &Time) {
    if completion::did_fail(pod_status) {
        let failure = failure(pod_status);
        let reason = if ignored { reason::FAILURE_IGNORED } else { failure.reason };
        mark(status, condition::FALSE, reason, &failure.message, now);
    } else {
        mark(status, condition::TRUE, reason::SUCCESSFUL, SUCCESS_MESSAGE, now);
    }
    status.completion_time = Some(now.clone());
}

pub(crate) fn mark(status: &mut TaskRunStatus, state: &str, reason: &str, message: &str, now: &Time) {
    let new = Condition { last_transition_time: Some(now.clone()), ..Condition::succeeded(state, reason, message) };
    condition::set(&mut status.conditions, new);
}

/// Each name once, at its first place and with its last value.
fn without_duplicates(results: Vec<TaskRunResult>) -> Vec<TaskRunResult> {
    let mut unique: indexmap::IndexMap<String, TaskRunResult> = indexmap::IndexMap::with_capacity(results.len());
    for result in results {
        unique.insert(result.name.clone(), result);
    }
    unique.into_values().collect()
}
