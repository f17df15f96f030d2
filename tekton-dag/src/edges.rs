//! From pipeline tasks to a graph: what each task waits for.

use tekton_types::refs::{self, ResultRef};
use tekton_types::v1::PipelineTask;

use crate::graph::{Dependencies, Graph, GraphError};

/// What each task waits for: `runAfter`, and the tasks whose results occur in params, matrix, guards and inline
/// steps. Only tasks that wait for something are listed, in the order of `tasks`.
pub fn dependencies(tasks: &[PipelineTask]) -> Dependencies<'_> {
    waiting(tasks, refs::result_refs)
}

fn waiting<'a>(tasks: &'a [PipelineTask], uses: fn(&'a PipelineTask) -> Vec<ResultRef<'a>>) -> Dependencies<'a> {
    tasks
        .iter()
        .map(|task| (task.name.as_str(), refs::dependencies(task, &uses(task))))
        .filter(|(_, waits_for)| !waits_for.is_empty())
        .collect()
}

/// The graph of the `tasks` of a pipeline.
pub fn tasks_graph(tasks: &[PipelineTask]) -> Result<Graph, GraphError> {
    Graph::build(tasks.iter().map(|task| task.name.as_str()), &dependencies(tasks))
}

/// The graph of the `tasks` of a pipeline as v1beta1 checks it: results that inline steps use are not counted.
pub fn v1beta1_tasks_graph(tasks: &[PipelineTask]) -> Result<Graph, GraphError> {
    Graph::build(tasks.iter().map(|task| task.name.as_str()), &waiting(tasks, refs::declared_result_refs))
}

/// The graph of the `finally` tasks of a pipeline, which wait for nothing but the end of the others.
pub fn finally_graph(tasks: &[PipelineTask]) -> Result<Graph, GraphError> {
    Graph::build(tasks.iter().map(|task| task.name.as_str()), &Dependencies::new())
}
