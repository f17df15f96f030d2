//! EmbeddedTask at v1beta1.

use k8s_openapi::api::core::v1::Volume;

use super::{Sidecar, Step, StepTemplate, TaskResources, TaskSpec};
use crate::v1::{ParamSpec, PipelineTaskMetadata, TaskResult, WorkspaceDeclaration};

crate::wire::embedded_task! {
    /// Deprecated, without effect.
    resources: Option<TaskResources>,
}
