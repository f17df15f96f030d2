//! Pipeline at v1beta1.

use super::{EmbeddedTask, PipelineDeclaredResource, PipelineRef, PipelineTaskResources, TaskRef};
use crate::duration::GoDuration;
use crate::v1::{
    Matrix, Param, ParamSpec, PipelineResult, PipelineWorkspaceDeclaration, WhenExpression,
    WorkspacePipelineTaskBinding,
};
use crate::wire::{kind, wire};

kind! {
    /// A reusable graph of tasks.
    pub struct Pipeline("tekton.dev", "v1beta1", "pipelines") {
        /// What the pipeline does.
        pub spec: PipelineSpec,
    }
}

wire! {
    /// What a pipeline does.
    pub struct PipelineSpec {
        /// Name for people.
        pub display_name: String,
        /// What the pipeline is for.
        pub description: String,
        /// Deprecated, without effect.
        pub resources: Vec<PipelineDeclaredResource>,
        /// The tasks; their references and `runAfter` make the graph.
        pub tasks: Vec<PipelineTask>,
        /// Declared parameters.
        pub params: Vec<ParamSpec>,
        /// Declared workspaces.
        pub workspaces: Vec<PipelineWorkspaceDeclaration>,
        /// Results of the pipeline.
        pub results: Vec<PipelineResult>,
        /// Tasks that run after all others, come what may.
        pub r#finally: Vec<PipelineTask>,
    }
}

wire! {
    /// One node of a pipeline.
    pub struct PipelineTask {
        /// Name of the node, unique in its pipeline.
        pub name: String,
        /// Name for people.
        pub display_name: String,
        /// What the node is for.
        pub description: String,
        /// The task by reference.
        pub task_ref: Option<TaskRef>,
        /// The task in place.
        #[schemars(schema_with = "crate::wire::open::<Option<EmbeddedTask>>")]
        pub task_spec: Option<EmbeddedTask>,
        /// Guards: the node is skipped when one is false.
        pub when: Vec<WhenExpression>,
        /// How many times a failure is tried again.
        pub retries: i64,
        /// Nodes that must have ended before this one starts.
        pub run_after: Vec<String>,
        /// Deprecated, without effect.
        pub resources: Option<PipelineTaskResources>,
        /// Given parameters.
        pub params: Vec<Param>,
        /// Parameters that fan the node out.
        pub matrix: Option<Matrix>,
        /// Workspaces handed to the task.
        pub workspaces: Vec<WorkspacePipelineTaskBinding>,
        /// How long one attempt may take.
        pub timeout: Option<GoDuration>,
        /// A pipeline by reference, instead of a task.
        pub pipeline_ref: Option<PipelineRef>,
        /// A pipeline in place, instead of a task.
        #[schemars(schema_with = "crate::wire::open::<Option<Box<PipelineSpec>>>")]
        pub pipeline_spec: Option<Box<PipelineSpec>>,
        /// What a failure means for the pipeline.
        pub on_error: String,
    }
}
