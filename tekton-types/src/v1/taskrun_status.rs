//! The status of a TaskRun.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Artifact, Artifacts, Provenance, TaskRunResult, TaskSpec};
use crate::condition::Condition;
use crate::wire::wire;

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
        /// Status of the earlier attempts.
        #[schemars(schema_with = "crate::wire::open::<Vec<TaskRunStatus>>")]
        pub retries_status: Vec<TaskRunStatus>,
        /// Produced results.
        pub results: Vec<TaskRunResult>,
        /// Produced artifacts.
        pub artifacts: Option<Artifacts>,
        /// State of each sidecar.
        pub sidecars: Vec<SidecarState>,
        /// The task that ran, as resolved.
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
        /// Why the step ended, in Tekton's words.
        pub termination_reason: String,
        /// Artifacts that the step read.
        pub inputs: Vec<Artifact>,
        /// Artifacts that the step made.
        pub outputs: Vec<Artifact>,
    }
}

wire! {
    /// State of one sidecar.
    pub struct SidecarState {
        /// Set while the container waits.
        pub waiting: Option<ContainerStateWaiting>,
        /// Set while the container runs.
        pub running: Option<ContainerStateRunning>,
        /// Set after the container has ended.
        pub terminated: Option<ContainerStateTerminated>,
        /// Name of the sidecar.
        pub name: String,
        /// Name of the container.
        pub container: String,
        /// Digest of the image that ran.
        #[serde(rename = "imageID")]
        pub image_id: String,
    }
}
