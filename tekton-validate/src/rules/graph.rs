//! The graph of a pipeline: every dependency exists and there is no cycle.

use tekton_types::v1::PipelineTask;

use crate::errors::{Errors, FieldError};

/// The graph that results and `runAfter` make.
pub(crate) fn validate(tasks: &[PipelineTask]) -> Errors {
    match tekton_dag::edges::tasks_graph(tasks) {
        Err(problem) => FieldError::invalid_value(problem, "tasks").into(),
        Ok(_) => Errors::none(),
    }
}
