//! `tekton.dev/v1beta1`: StepAction and CustomRun, and the older wire shapes of Task, TaskRun, Pipeline, PipelineRun.
//!
//! v1 is the hub: the older shapes are converted on the way in and out and never run themselves.

mod container;
mod customrun;
mod embedded_task;
mod pipeline;
mod pipelinerun;
mod reference;
mod resource;
mod stepaction;
mod task;
mod taskrun;

pub mod convert;
mod defaults;

pub use container::{Sidecar, Step, StepTemplate};
pub use customrun::{
    CustomRun, CustomRunResult, CustomRunSpec, CustomRunStatus, EmbeddedCustomRunSpec, customrun_spec_status,
    customrun_status_message,
};
pub use embedded_task::EmbeddedTask;
pub use pipeline::{Pipeline, PipelineSpec, PipelineTask};
pub use pipelinerun::{
    PipelineRun, PipelineRunRunStatus, PipelineRunSpec, PipelineRunStatus, PipelineRunTaskRunStatus,
    PipelineTaskRunSpec,
};
pub use reference::{PipelineRef, TaskRef};
pub use resource::{
    PipelineDeclaredResource, PipelineResourceBinding, PipelineResourceRef, PipelineResourceResult,
    PipelineResourceSpec, PipelineTaskInputResource, PipelineTaskOutputResource, PipelineTaskResources, ResourceParam,
    ResultType, SecretParam, TaskResource, TaskResourceBinding, TaskResources, TaskRunResources,
};
pub use stepaction::{StepAction, StepActionSpec};
pub use task::{Task, TaskSpec};
pub use taskrun::{
    CloudEventDelivery, CloudEventDeliveryState, Provenance, StepState, TaskRun, TaskRunSidecarOverride, TaskRunSpec,
    TaskRunStatus, TaskRunStepOverride,
};
