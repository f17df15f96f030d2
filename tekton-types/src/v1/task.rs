//! Task: steps that run one after the other in one pod.

use k8s_openapi::api::core::v1::Volume;

use super::{ParamSpec, Sidecar, Step, StepTemplate, TaskResult, WorkspaceDeclaration};
use crate::wire::{kind, wire};

kind! {
    /// A reusable list of steps.
    pub struct Task("tekton.dev", "v1", "tasks") {
        /// What the task does.
        pub spec: TaskSpec,
    }
}

wire! {
    /// What a task does.
    pub struct TaskSpec {
        /// Declared parameters.
        pub params: Vec<ParamSpec>,
        /// Name for people.
        pub display_name: String,
        /// What the task is for.
        pub description: String,
        /// Steps, in the order in which they run.
        pub steps: Vec<Step>,
        /// Volumes that steps and sidecars may mount.
        #[schemars(schema_with = "crate::wire::open::<Vec<Volume>>")]
        pub volumes: Vec<Volume>,
        /// What every step starts from.
        pub step_template: Option<StepTemplate>,
        /// Containers beside the steps.
        pub sidecars: Vec<Sidecar>,
        /// Declared workspaces.
        pub workspaces: Vec<WorkspaceDeclaration>,
        /// Declared results.
        pub results: Vec<TaskResult>,
    }
}
