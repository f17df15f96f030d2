//! Checks of a run against what it runs, made when it starts: in upstream's words, the first error only.

mod arrays;
mod params;
mod results;
mod specs;
mod workspaces;

use std::fmt;

pub use arrays::{pipeline_param_array_index, task_param_array_index};
pub use params::{
    enum_param, matrix_param_types, object_param_required_keys, param_types_matching, required_parameters_provided,
    resolved_task, step_action_parameters, task_params,
};
pub use results::{ResolvedTask, pipeline_results, pipeline_task_results, task_run_results};
pub use specs::{overrides, request_resources, task_run_specs};
pub use workspaces::{one_persistent_volume_claim, optional_workspaces, pipeline_workspaces, task_workspaces};

/// Why a run does not fit what it runs. Prints as upstream's plain text, without the `[User error] ` of conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingError(pub String);

impl fmt::Display for BindingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BindingError {}

/// The verdict of a check.
pub type Result<T = ()> = std::result::Result<T, BindingError>;

fn fail<T>(text: String) -> Result<T> {
    Err(BindingError(text))
}
