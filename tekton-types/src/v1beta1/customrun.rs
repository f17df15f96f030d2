//! CustomRun: one execution of a task that another controller implements.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::TaskRef;
use crate::condition::Condition;
use crate::duration::GoDuration;
use crate::v1::{Param, PipelineTaskMetadata, WorkspaceBinding};
use crate::wire::{kind, wire};

kind! {
    /// One execution of a custom task.
    pub struct CustomRun("tekton.dev", "v1beta1", "customruns") {
        /// What to run.
        pub spec: CustomRunSpec,
        /// How it goes.
        pub status: CustomRunStatus,
    }
}

wire! {
    /// What a CustomRun runs and how.
    pub struct CustomRunSpec {
        /// The custom task by reference.
        pub custom_ref: Option<TaskRef>,
        /// The custom task in place.
        pub custom_spec: Option<EmbeddedCustomRunSpec>,
        /// Given parameters.
        pub params: Vec<Param>,
        /// One of [`customrun_spec_status`], to cancel the run.
        pub status: String,
        /// Why `status` was set.
        pub status_message: String,
        /// How many times a failure is tried again.
        pub retries: i64,
        /// Service account for the run.
        pub always service_account_name: String,
        /// How long one attempt may take.
        pub timeout: Option<GoDuration>,
        /// Volumes for the workspaces.
        pub workspaces: Vec<WorkspaceBinding>,
    }
}

wire! {
    /// A custom task in place.
    pub struct EmbeddedCustomRunSpec {
        /// API version of the custom task.
        pub api_version: String,
        /// Kind of the custom task.
        pub kind: String,
        /// Labels and annotations.
        pub always metadata: PipelineTaskMetadata,
        /// The spec, as given.
        pub always spec: Option<Value>,
    }
}

/// Values of `CustomRunSpec::status`.
pub mod customrun_spec_status {
    /// Cancel the run.
    pub const CANCELLED: &str = "RunCancelled";
}

/// Values of `CustomRunSpec::status_message`.
pub mod customrun_status_message {
    /// The pipeline was cancelled.
    pub const CANCELLED_BY_PIPELINE: &str = "CustomRun cancelled as the PipelineRun it belongs to has been cancelled.";
    /// The pipeline timed out.
    pub const CANCELLED_BY_PIPELINE_TIMEOUT: &str =
        "CustomRun cancelled as the PipelineRun it belongs to has timed out.";
}

wire! {
    /// How a CustomRun goes.
    pub struct CustomRunStatus {
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
        /// Produced results.
        pub results: Vec<CustomRunResult>,
        /// Status of the earlier attempts.
        #[schemars(schema_with = "crate::wire::open::<Vec<CustomRunStatus>>")]
        pub retries_status: Vec<CustomRunStatus>,
        /// What the other controller adds, as given.
        pub always extra_fields: Option<Value>,
    }
}

wire! {
    /// A result of a CustomRun; always a string.
    pub struct CustomRunResult {
        /// Name of the result.
        pub always name: String,
        /// Its value.
        pub always value: String,
    }
}
