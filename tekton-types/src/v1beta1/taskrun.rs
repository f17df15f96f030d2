//! TaskRun at v1beta1.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{PipelineResourceResult, TaskRef, TaskRunResources, TaskSpec};
use crate::condition::Condition;
use crate::config::FeatureFlags;
use crate::duration::GoDuration;
use crate::pod::PodTemplate;
use crate::v1::{Artifact, Param, RefSource, SidecarState, TaskRunDebug, TaskRunResult, WorkspaceBinding};
use crate::wire::{kind, wire};

kind! {
    /// One execution of a task.
    pub struct TaskRun("tekton.dev", "v1beta1", "taskruns") {
        /// What to run.
        pub spec: TaskRunSpec,
        /// How it goes.
        pub status: TaskRunStatus,
    }
}

wire! {
    /// What a TaskRun runs and how.
    pub struct TaskRunSpec {
        /// Where to stop for a person to look.
        pub debug: Option<TaskRunDebug>,
        /// Given parameters.
        pub params: Vec<Param>,
        /// Deprecated, without effect.
        pub resources: Option<TaskRunResources>,
        /// Service account of the pod.
        pub always service_account_name: String,
        /// The task by reference.
        pub task_ref: Option<TaskRef>,
        /// The task in place.
        #[schemars(schema_with = "crate::wire::open::<Option<TaskSpec>>")]
        pub task_spec: Option<TaskSpec>,
        /// To cancel or hold the run.
        pub status: String,
        /// Why `status` was set.
        pub status_message: String,
        /// How many times a failure is tried again.
        pub retries: i64,
        /// How long one attempt may take.
        pub timeout: Option<GoDuration>,
        /// Settings of the pod.
        pub pod_template: Option<PodTemplate>,
        /// Volumes for the task's workspaces.
        pub workspaces: Vec<WorkspaceBinding>,
        /// Per-step overrides.
        pub step_overrides: Vec<TaskRunStepOverride>,
        /// Per-sidecar overrides.
        pub sidecar_overrides: Vec<TaskRunSidecarOverride>,
        /// Requests and limits of the whole pod.
        pub compute_resources: Option<ResourceRequirements>,
        /// The controller that is responsible, when it is not Tekton's.
        pub managed_by: Option<String>,
    }
}

wire! {
    /// Overrides of one step.
    pub struct TaskRunStepOverride {
        /// Name of the step.
        pub always name: String,
        /// Requests and limits.
        pub always resources: ResourceRequirements,
    }
}

wire! {
    /// Overrides of one sidecar.
    pub struct TaskRunSidecarOverride {
        /// Name of the sidecar.
        pub always name: String,
        /// Requests and limits.
        pub always resources: ResourceRequirements,
    }
}

wire! {
    /// How a TaskRun goes.
    pub struct TaskRunStatus {
        /// Generation of the spec that this status is about.
        pub observed_generation: i64,
        /// The conditions; `Succeeded` is the one that counts.
        pub conditions: Vec<Condition>,
        /// Annotations of the status.
        pub annotations: BTreeMap<String, String>,
        /// Name of the pod.
        pub always pod_name: String,
        /// When the run started.
        pub start_time: Option<Time>,
        /// When the run ended.
        pub completion_time: Option<Time>,
        /// State of each step.
        pub steps: Vec<StepState>,
        /// Deprecated, without effect.
        pub cloud_events: Vec<CloudEventDelivery>,
        /// Status of the earlier attempts.
        #[schemars(schema_with = "crate::wire::open::<Vec<TaskRunStatus>>")]
        pub retries_status: Vec<TaskRunStatus>,
        /// Deprecated, without effect.
        pub resources_result: Vec<PipelineResourceResult>,
        /// Produced results.
        pub task_results: Vec<TaskRunResult>,
        /// State of each sidecar.
        pub sidecars: Vec<SidecarState>,
        /// The task that ran, as resolved.
        #[schemars(schema_with = "crate::wire::open::<Option<TaskSpec>>")]
        pub task_spec: Option<TaskSpec>,
        /// Where the task came from and under which flags it ran.
        pub provenance: Option<Provenance>,
        /// Trace context, as propagated to children.
        pub span_context: BTreeMap<String, String>,
    }
}

wire! {
    /// State of one step.
    pub struct StepState {
        /// Set while the container waits.
        pub waiting: Option<ContainerStateWaiting>,
        /// Set while the container runs.
        pub running: Option<ContainerStateRunning>,
        /// Set after the container has ended.
        pub terminated: Option<ContainerStateTerminated>,
        /// Name of the step.
        pub name: String,
        /// Name of the container.
        pub container: String,
        /// Digest of the image that ran.
        #[serde(rename = "imageID")]
        pub image_id: String,
        /// Results of the step.
        pub results: Vec<TaskRunResult>,
        /// Where the StepAction came from.
        pub provenance: Option<Provenance>,
        /// Artifacts that the step read.
        pub inputs: Vec<Artifact>,
        /// Artifacts that the step made.
        pub outputs: Vec<Artifact>,
    }
}

wire! {
    /// Where a definition came from and under which flags it ran.
    pub struct Provenance {
        /// Deprecated: the older name of `ref_source`.
        pub config_source: Option<RefSource>,
        /// Where the remote definition came from.
        pub ref_source: Option<RefSource>,
        /// The flags that were in force.
        pub feature_flags: Option<FeatureFlags>,
    }
}

wire! {
    /// Deprecated: how the sending of an event went.
    pub struct CloudEventDelivery {
        /// Where it went.
        pub target: String,
        /// How it went.
        pub always status: CloudEventDeliveryState,
    }
}

wire! {
    /// Deprecated: the state of an event.
    pub struct CloudEventDeliveryState {
        /// `Unknown`, `Sent` or `Failed`.
        pub condition: String,
        /// When it was sent.
        pub sent_at: Option<Time>,
        /// Why it failed.
        pub always message: String,
        /// How often it was tried.
        pub always retry_count: i64,
    }
}
