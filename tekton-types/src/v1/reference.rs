//! References to tasks, pipelines and StepActions, by name or through a resolver.

use super::Param;
use crate::wire::wire;

wire! {
    /// Names a Task, or a custom task, or says which resolver brings it.
    pub struct TaskRef {
        /// Name of the referent.
        pub name: String,
        /// Kind of the referent; `Task` when defaulted.
        pub kind: String,
        /// API version of the referent; set for custom tasks.
        pub api_version: String,
        /// Resolver that brings the task.
        pub resolver: String,
        /// Parameters of the resolver.
        pub params: Vec<Param>,
    }
}

wire! {
    /// Names a Pipeline or says which resolver brings it.
    pub struct PipelineRef {
        /// Name of the referent.
        pub name: String,
        /// API version of the referent.
        pub api_version: String,
        /// Resolver that brings the pipeline.
        pub resolver: String,
        /// Parameters of the resolver.
        pub params: Vec<Param>,
    }
}

wire! {
    /// Names a StepAction or says which resolver brings it.
    pub struct Ref {
        /// Name of the referent.
        pub name: String,
        /// Resolver that brings the StepAction.
        pub resolver: String,
        /// Parameters of the resolver.
        pub params: Vec<Param>,
    }
}

/// The kind that a task reference has by default.
pub const NAMESPACED_TASK_KIND: &str = "Task";

impl TaskRef {
    /// Whether the reference is to a custom task: it names an API version and a kind.
    ///
    /// `tekton.dev/v1beta1` with `Task` counts as one too, as upstream has it (issue 6457 there).
    pub fn is_custom_task(&self) -> bool {
        !self.api_version.is_empty() && !self.kind.is_empty()
    }
}
