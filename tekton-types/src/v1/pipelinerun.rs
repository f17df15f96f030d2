//! PipelineRun: one execution of a pipeline.

use k8s_openapi::api::core::v1::ResourceRequirements;

use super::{
    Param, PipelineRef, PipelineRunStatus, PipelineSpec, PipelineTaskMetadata, TaskRunSidecarSpec, TaskRunStepSpec,
    WorkspaceBinding,
};
use crate::duration::GoDuration;
use crate::pod::PodTemplate;
use crate::wire::{kind, wire};

kind! {
    /// One execution of a pipeline.
    pub struct PipelineRun("tekton.dev", "v1", "pipelineruns") {
        /// What to run.
        pub spec: PipelineRunSpec,
        /// How it goes.
        pub status: PipelineRunStatus,
    }
}

wire! {
    /// What a PipelineRun runs and how.
    pub struct PipelineRunSpec {
        /// The pipeline by reference.
        pub pipeline_ref: Option<PipelineRef>,
        /// The pipeline in place.
        #[schemars(schema_with = "crate::wire::open::<Option<PipelineSpec>>")]
        pub pipeline_spec: Option<PipelineSpec>,
        /// Given parameters.
        pub params: Vec<Param>,
        /// One of [`pipelinerun_spec_status`], to cancel, stop or hold the run.
        pub status: String,
        /// How long the run and its two parts may take.
        pub timeouts: Option<TimeoutFields>,
        /// Settings for every TaskRun.
        pub always task_run_template: PipelineTaskRunTemplate,
        /// Volumes for the pipeline's workspaces.
        pub workspaces: Vec<WorkspaceBinding>,
        /// Settings per pipeline task.
        pub task_run_specs: Vec<PipelineTaskRunSpec>,
        /// The controller that is responsible, when it is not Tekton's.
        pub managed_by: Option<String>,
    }
}

/// Values of `PipelineRunSpec::status`.
pub mod pipelinerun_spec_status {
    /// Cancel everything at once.
    pub const CANCELLED: &str = "Cancelled";
    /// Cancel the tasks, then run the finally tasks.
    pub const CANCELLED_RUN_FINALLY: &str = "CancelledRunFinally";
    /// Let running tasks end, then run the finally tasks.
    pub const STOPPED_RUN_FINALLY: &str = "StoppedRunFinally";
    /// Do not start the run yet.
    pub const PENDING: &str = "PipelineRunPending";
}

wire! {
    /// How long a PipelineRun and its two parts may take.
    pub struct TimeoutFields {
        /// The whole run.
        pub pipeline: Option<GoDuration>,
        /// The tasks.
        pub tasks: Option<GoDuration>,
        /// The finally tasks.
        pub r#finally: Option<GoDuration>,
    }
}

wire! {
    /// Settings for every TaskRun of a PipelineRun.
    pub struct PipelineTaskRunTemplate {
        /// Settings of the pods.
        pub pod_template: Option<PodTemplate>,
        /// Service account of the pods.
        pub service_account_name: String,
    }
}

wire! {
    /// Settings for the TaskRuns of one pipeline task.
    pub struct PipelineTaskRunSpec {
        /// Name of the pipeline task.
        pub pipeline_task_name: String,
        /// Service account of the pod.
        pub service_account_name: String,
        /// Settings of the pod.
        pub pod_template: Option<PodTemplate>,
        /// Per-step overrides.
        pub step_specs: Vec<TaskRunStepSpec>,
        /// Per-sidecar overrides.
        pub sidecar_specs: Vec<TaskRunSidecarSpec>,
        /// Labels and annotations of the TaskRun.
        pub metadata: Option<PipelineTaskMetadata>,
        /// Requests and limits of the whole pod.
        pub compute_resources: Option<ResourceRequirements>,
        /// How long one attempt may take.
        pub timeout: Option<GoDuration>,
    }
}
