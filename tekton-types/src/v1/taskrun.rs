//! TaskRun: one execution of a task.

use k8s_openapi::api::core::v1::ResourceRequirements;

use super::{Param, TaskRef, TaskRunStatus, TaskSpec, WorkspaceBinding};
use crate::duration::GoDuration;
use crate::pod::PodTemplate;
use crate::wire::{kind, wire};

kind! {
    /// One execution of a task.
    pub struct TaskRun("tekton.dev", "v1", "taskruns") {
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
        /// Service account of the pod.
        pub always service_account_name: String,
        /// The task by reference.
        pub task_ref: Option<TaskRef>,
        /// The task in place.
        #[schemars(schema_with = "crate::wire::open::<Option<TaskSpec>>")]
        pub task_spec: Option<TaskSpec>,
        /// One of [`taskrun_spec_status`], to cancel or hold the run.
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
        pub step_specs: Vec<TaskRunStepSpec>,
        /// Per-sidecar overrides.
        pub sidecar_specs: Vec<TaskRunSidecarSpec>,
        /// Requests and limits of the whole pod.
        pub compute_resources: Option<ResourceRequirements>,
        /// The controller that is responsible, when it is not Tekton's.
        pub managed_by: Option<String>,
    }
}

/// Values of `TaskRunSpec::status`.
pub mod taskrun_spec_status {
    /// Cancel the run.
    pub const CANCELLED: &str = "TaskRunCancelled";
    /// Do not start the run yet.
    pub const PENDING: &str = "TaskRunPending";
}

/// Values of `TaskRunSpec::status_message`.
pub mod taskrun_status_message {
    /// The pipeline was cancelled.
    pub const CANCELLED_BY_PIPELINE: &str = "TaskRun cancelled as the PipelineRun it belongs to has been cancelled.";
    /// The pipeline timed out.
    pub const CANCELLED_BY_PIPELINE_TIMEOUT: &str = "TaskRun cancelled as the PipelineRun it belongs to has timed out.";
}

wire! {
    /// Where a TaskRun stops for a person to look.
    pub struct TaskRunDebug {
        /// The breakpoints.
        pub breakpoints: Option<TaskBreakpoints>,
    }
}

wire! {
    /// Breakpoints of a TaskRun.
    pub struct TaskBreakpoints {
        /// `enabled` stops after a step has failed.
        pub on_failure: String,
        /// Steps to stop before.
        pub before_steps: Vec<String>,
    }
}

/// The one value of `TaskBreakpoints::on_failure`.
pub const ENABLED_ON_FAILURE_BREAKPOINT: &str = "enabled";

impl TaskRunDebug {
    /// Whether a failed step keeps its pod for a look.
    pub fn needs_debug_on_failure(&self) -> bool {
        self.breakpoints.as_ref().is_some_and(|b| b.on_failure == ENABLED_ON_FAILURE_BREAKPOINT)
    }

    /// Whether there is a breakpoint before this step.
    pub fn needs_debug_before_step(&self, step: &str) -> bool {
        self.breakpoints.as_ref().is_some_and(|b| b.before_steps.iter().any(|s| s == step))
    }

    /// Whether this step needs debug handling at all.
    pub fn step_needs_debug(&self, step: &str) -> bool {
        self.needs_debug_on_failure() || self.needs_debug_before_step(step)
    }

    /// Whether any breakpoint is set.
    pub fn needs_debug(&self) -> bool {
        self.needs_debug_on_failure() || self.breakpoints.as_ref().is_some_and(|b| !b.before_steps.is_empty())
    }
}

wire! {
    /// Overrides of one step.
    pub struct TaskRunStepSpec {
        /// Name of the step.
        pub always name: String,
        /// Requests and limits.
        pub always compute_resources: ResourceRequirements,
    }
}

wire! {
    /// Overrides of one sidecar.
    pub struct TaskRunSidecarSpec {
        /// Name of the sidecar.
        pub always name: String,
        /// Requests and limits.
        pub always compute_resources: ResourceRequirements,
    }
}
