//! The graph of a pipeline: every dependency exists and there is no cycle.

use tekton_dag::edges;
use tekton_dag::graph::GraphError;
use tekton_types::v1::PipelineTask;

use crate::errors::{Errors, FieldError};
use crate::gates::Version;

/// The graph that results and `runAfter` make.
pub(crate) fn validate(version: Version, tasks: &[PipelineTask]) -> Errors {
    let graph = match version {
        Version::V1 => edges::tasks_graph(tasks),
        Version::V1beta1 => edges::v1beta1_tasks_graph(tasks),
    };
    match graph {
        Err(problem) => {
            let about = match &problem {
                GraphError::Unknown { missing: name, .. }
                | GraphError::Duplicate(name)
                | GraphError::Cycle { task: name, .. } => Some(name.clone()),
                _ => None,
            };
            FieldError { about, ..FieldError::invalid_value(problem, "tasks") }.into()
        }
        Ok(_) => Errors::none(),
    }
}
