//! EmbeddedTask: a task, or a custom task, written inside a pipeline.

use k8s_openapi::api::core::v1::Volume;

use super::{ParamSpec, PipelineTaskMetadata, Sidecar, Step, StepTemplate, TaskResult, TaskSpec, WorkspaceDeclaration};

crate::wire::embedded_task! {}

impl crate::wire::Empty for PipelineTaskMetadata {
    fn is_empty_value(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}
