//! The status of a PipelineRun.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{PipelineSpec, Provenance, ResultValue, WhenExpression};
use crate::condition::Condition;
use crate::wire::wire;

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
        /// Produced results.
        pub results: Vec<PipelineRunResult>,
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
    /// A run that a PipelineRun created.
    pub struct ChildStatusReference {
        /// API version of the child.
        pub api_version: String,
        /// Kind of the child.
        pub kind: String,
        /// Name of the child.
        pub name: String,
        /// Name of the pipeline task, for people.
        pub display_name: String,
        /// Name of the pipeline task.
        pub pipeline_task_name: String,
        /// The guards of the pipeline task, as evaluated.
        pub when_expressions: Vec<WhenExpression>,
    }
}

wire! {
    /// A task that did not run.
    pub struct SkippedTask {
        /// Name of the pipeline task.
        pub always name: String,
        /// Why: one of [`crate::reason::skip`].
        pub always reason: String,
        /// The guards of the pipeline task, as evaluated.
        pub when_expressions: Vec<WhenExpression>,
    }
}

wire! {
    /// A result of a PipelineRun.
    pub struct PipelineRunResult {
        /// Name of the result.
        pub always name: String,
        /// Its value.
        pub always value: ResultValue,
    }
}
