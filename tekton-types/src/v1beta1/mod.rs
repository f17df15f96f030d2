//! `tekton.dev/v1beta1`: StepAction and CustomRun.

mod customrun;
mod stepaction;

pub use customrun::{
    CustomRun, CustomRunResult, CustomRunSpec, CustomRunStatus, EmbeddedCustomRunSpec, customrun_spec_status,
    customrun_status_message,
};
pub use stepaction::{StepAction, StepActionSpec};
