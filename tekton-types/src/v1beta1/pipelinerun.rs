//! PipelineRun at v1beta1.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    CustomRunStatus, PipelineRef, PipelineResourceBinding, PipelineSpec, Provenance, TaskRunSidecarOverride,
    TaskRunStatus, TaskRunStepOverride,
};
use crate::condition::Condition;
use crate::duration::GoDuration;
use crate::pod::PodTemplate;
use crate::v1::{
    ChildStatusReference, Param, PipelineRunResult, PipelineTaskMetadata, SkippedTask, TimeoutFields, WhenExpression,
    WorkspaceBinding,
};
use crate::wire::{kind, wire};

kind! {
    /// One execution of a pipeline.
    pub struct PipelineRun("tekton.dev", "v1beta1", "pipelineruns") {
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
        /// Deprecated, without effect.
        pub resources: Vec<PipelineResourceBinding>,
        /// Given parameters.
        pub params: Vec<Param>,
        /// Service account of the pods.
        pub service_account_name: String,
        /// To cancel, stop or hold the run.
        pub status: String,
        /// How long the run and its two parts may take.
        pub timeouts: Option<TimeoutFields>,
        /// Deprecated: how long the run may take.
        pub timeout: Option<GoDuration>,
        /// Settings of the pods.
        pub pod_template: Option<PodTemplate>,
        /// Volumes for the pipeline's workspaces.
        pub workspaces: Vec<WorkspaceBinding>,
        /// Settings per pipeline task.
        pub task_run_specs: Vec<PipelineTaskRunSpec>,
        /// The controller that is responsible, when it is not Tekton's.
        pub managed_by: Option<String>,
    }
}

wire! {
    /// Settings for the TaskRuns of one pipeline task.
    pub struct PipelineTaskRunSpec {
        /// Name of the pipeline task.
        pub pipeline_task_name: String,
        /// Service account of the pod.
        pub task_service_account_name: String,
        /// Settings of the pod.
        pub task_pod_template: Option<PodTemplate>,
        /// Per-step overrides.
        pub step_overrides: Vec<TaskRunStepOverride>,
        /// Per-sidecar overrides.
        pub sidecar_overrides: Vec<TaskRunSidecarOverride>,
        /// Labels and annotations of the TaskRun.
        pub metadata: Option<PipelineTaskMetadata>,
        /// Requests and limits of the whole pod.
        pub compute_resources: Option<ResourceRequirements>,
        /// How long one attempt may take.
        pub timeout: Option<GoDuration>,
    }
}

wire! {
    /// How a PipelineRun goes.
    pub struct PipelineRunStatus {
        /// Generation of the spec that this status is about.
        pub observed_generation: i64,
        /// The conditions; `Succeeded` is the one that counts.
        pub conditions: Vec<Condition>,
        /// Annotations of the status.
        pub annotations: BTreeMap<String, String>,
        /// When the run started.
        pub start_time: Option<Time>,
        /// When the run ended.
        pub completion_time: Option<Time>,
        /// Deprecated: status of the TaskRuns, by name.
        #[schemars(schema_with = "crate::wire::open::<BTreeMap<String, PipelineRunTaskRunStatus>>")]
        pub task_runs: BTreeMap<String, PipelineRunTaskRunStatus>,
        /// Deprecated: status of the custom runs, by name.
        #[schemars(schema_with = "crate::wire::open::<BTreeMap<String, PipelineRunRunStatus>>")]
        pub runs: BTreeMap<String, PipelineRunRunStatus>,
        /// Produced results.
        pub pipeline_results: Vec<PipelineRunResult>,
        /// The pipeline that runs, as resolved.
        #[schemars(schema_with = "crate::wire::open::<Option<PipelineSpec>>")]
        pub pipeline_spec: Option<PipelineSpec>,
        /// Tasks that did not run, and why.
        pub skipped_tasks: Vec<SkippedTask>,
        /// The runs that this run created.
        pub child_references: Vec<ChildStatusReference>,
        /// When the first finally task started.
        pub finally_start_time: Option<Time>,
        /// Where the pipeline came from and under which flags it ran.
        pub provenance: Option<Provenance>,
        /// Trace context, as propagated to children.
        pub span_context: BTreeMap<String, String>,
    }
}

wire! {
    /// Deprecated: status of a TaskRun within that of its PipelineRun.
    pub struct PipelineRunTaskRunStatus {
        /// Name of the pipeline task.
        pub pipeline_task_name: String,
        /// The status.
        pub status: Option<TaskRunStatus>,
        /// The guards of the pipeline task, as evaluated.
        pub when_expressions: Vec<WhenExpression>,
    }
}

wire! {
    /// Deprecated: status of a custom run within that of its PipelineRun.
    pub struct PipelineRunRunStatus {
        /// Name of the pipeline task.
        pub pipeline_task_name: String,
        /// The status.
        pub status: Option<CustomRunStatus>,
        /// The guards of the pipeline task, as evaluated.
        pub when_expressions: Vec<WhenExpression>,
    }
}
