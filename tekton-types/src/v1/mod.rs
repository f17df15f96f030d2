//! `tekton.dev/v1`: Task, TaskRun, Pipeline and PipelineRun.

mod artifact;
mod container;
mod embedded_task;
pub mod matrix;
mod param;
mod param_value;
mod pipeline;
mod pipelinerun;
mod pipelinerun_status;
mod provenance;
mod reference;
mod result;
mod task;
mod taskrun;
mod taskrun_status;
mod when;
mod workspace;

pub use artifact::{Artifact, ArtifactValue, Artifacts, TaskRunStepArtifact};
pub use container::{Sidecar, Step, StepOutputConfig, StepTemplate, on_error};
pub use embedded_task::EmbeddedTask;
pub use matrix::{IncludeParams, Matrix};
pub use param::{Param, ParamSpec, Properties, PropertySpec, param_type};
pub use param_value::ParamValue;
pub(crate) use param_value::json_number;
pub use pipeline::{Pipeline, PipelineResult, PipelineSpec, PipelineTask, PipelineTaskMetadata};
pub use pipelinerun::{
    PipelineRun, PipelineRunSpec, PipelineTaskRunSpec, PipelineTaskRunTemplate, TimeoutFields, pipelinerun_spec_status,
};
pub use pipelinerun_status::{ChildStatusReference, PipelineRunResult, PipelineRunStatus, SkippedTask};
pub use provenance::{Provenance, RefSource};
pub use reference::{NAMESPACED_TASK_KIND, PipelineRef, Ref, TaskRef};
pub use result::{ResultValue, StepResult, TaskResult, TaskRunResult, TaskRunStepResult};
pub use task::{Task, TaskSpec};
pub use taskrun::{
    ENABLED_ON_FAILURE_BREAKPOINT, TaskBreakpoints, TaskRun, TaskRunDebug, TaskRunSidecarSpec, TaskRunSpec,
    TaskRunStepSpec, taskrun_spec_status, taskrun_status_message,
};
pub use taskrun_status::{SidecarState, StepState, TaskRunStatus};
pub use when::{WhenExpression, operator};
pub use workspace::{
    PipelineWorkspaceDeclaration, VolumeClaimTemplate, WorkspaceBinding, WorkspaceDeclaration,
    WorkspacePipelineTaskBinding, WorkspaceUsage,
};
