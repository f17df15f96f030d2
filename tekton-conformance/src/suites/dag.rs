//! Suite `dag`: dependencies, graphs, candidates, result references.

use serde_json::{Value, json};
use tekton_dag::edges;
use tekton_dag::graph::{Dependencies, Graph};
use tekton_types::refs::{self, ResultRef};
use tekton_types::v1::PipelineTask;

use super::recorded::{compare, field, graph, graph_json, op};
use crate::Case;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let ours = match op(case) {
        "deps" => json!({ "deps": edges::dependencies(&field::<Vec<PipelineTask>>(case, "tasks")?) }),
        "resultRefs" => {
            let task: PipelineTask = field(case, "task")?;
            let found: Vec<Value> = refs::result_refs(&task).into_iter().map(reference_json).collect();
            json!({ "resultRefs": found })
        }
        "build" => build(case)?,
        "candidates" => candidates(case)?,
        other => return Err(format!("unknown op {other:?}")),
    };
    compare(case, ours)
}

fn build(case: &Case) -> Result<Value, String> {
    let tasks: Vec<PipelineTask> = field(case, "tasks")?;
    let mut dependencies = Dependencies::new();
    for (task, waits_for) in case.input["deps"].as_object().into_iter().flatten() {
        let waits_for = waits_for.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        dependencies.insert(task.as_str(), waits_for);
    }
    Ok(match Graph::build(tasks.iter().map(|task| task.name.as_str()), &dependencies) {
        Ok(graph) => json!({ "graph": graph_json(&graph) }),
        Err(error) => json!({ "error": error.to_string() }),
    })
}

fn candidates(case: &Case) -> Result<Value, String> {
    let graph = graph(&case.input["graph"])?.unwrap_or_default();
    let done = case.input["done"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(match graph.candidates(done) {
        Ok(found) => {
            let mut names: Vec<&str> = found.into_iter().map(|task| graph.name(task)).collect();
            names.sort_unstable();
            json!({ "candidates": names })
        }
        Err(error) => json!({ "error": error.to_string() }),
    })
}

/// A reference as it is recorded.
pub(super) fn reference_json(reference: ResultRef<'_>) -> Value {
    let ResultRef { pipeline_task, result, results_index, property } = reference;
    json!({ "pipelineTask": pipeline_task, "result": result, "resultsIndex": results_index, "property": property })
}
