//! Suite `pipeline-substitution`: the passes that put values in the place of references in pipelines.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tekton_contract::var::Table;
use tekton_dag::pipeline_results::{self, Sources};
use tekton_dag::{apply, results};
use tekton_engine::scope::pipeline;
use tekton_types::v1::{PipelineResult, PipelineRun, PipelineRunStatus, PipelineSpec, PipelineTask, WorkspaceBinding};

use super::pipelines::{RecordedTask, references, resolved};
use super::recorded::{compare, field, op};
use crate::Case;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let ours = match op(case) {
        "applyParameters" => spec(case, |spec, case| pipeline::apply_parameters(spec, &run(case)?))?,
        "applyContexts" => spec(case, |spec, case| {
            let name = case.input["pipelineName"].as_str().unwrap_or_default();
            pipeline::apply_contexts(spec, name, &run(case)?);
            Ok(())
        })?,
        "applyWorkspaces" => spec(case, |spec, case| {
            pipeline::apply_workspaces(spec, &run(case)?);
            Ok(())
        })?,
        "applyReplacements" => spec(case, |spec, case| {
            pipeline::apply_table(spec, &table(case)?);
            Ok(())
        })?,
        "applyPipelineTaskContexts" => task_contexts(case)?,
        "applyTaskResults" => {
            let table = results::table(&references(&case.input["refs"])?);
            tasks(case, |task| apply::results(task, &table))?
        }
        "applyPipelineTaskStateContext" => {
            let table = table(case)?;
            tasks(case, |task| apply::task_state(task, &table))?
        }
        "propagateResults" => propagate(case, |tasks| pipeline::results_table(&results::task_run_results(tasks)))?,
        "propagateArtifacts" => {
            propagate(case, |tasks| pipeline::artifacts_table(&results::task_run_artifacts(tasks)))?
        }
        "applyTaskResultsToPipelineResults" => pipeline_results_of(case)?,
        "applyParametersToWorkspaceBindings" => {
            let mut workspaces: Vec<WorkspaceBinding> = field(case, "workspaces")?;
            pipeline::apply_parameters_to_workspaces(&field::<Vec<_>>(case, "params")?, &mut workspaces);
            json!({ "workspaces": workspaces })
        }
        "applyResultsToWorkspaceBindings" => {
            let mut workspaces: Vec<WorkspaceBinding> = field(case, "workspaces")?;
            pipeline::apply_results_to_workspaces(&lists(&case.input["taskRunResults"])?, &mut workspaces);
            json!({ "workspaces": workspaces })
        }
        other => return Err(format!("unknown op {other:?}")),
    };
    compare(&normal(case), ours)
}

/// Tasks are compared as our types write them: the recording has fields that Go always writes.
fn normal(case: &Case) -> Case {
    let mut case = case.clone();
    if let Ok(spec) = super::recorded::typed::<PipelineSpec>(&case.expect["pipelineSpec"])
        && !case.expect["pipelineSpec"].is_null()
    {
        case.expect["pipelineSpec"] = json!(spec);
    }
    case
}

fn run(case: &Case) -> Result<PipelineRun, String> {
    field(case, "pipelineRun")
}

fn spec(case: &Case, pass: impl Fn(&mut PipelineSpec, &Case) -> Result<(), String>) -> Result<Value, String> {
    let mut spec: PipelineSpec = field(case, "pipelineSpec")?;
    Ok(match pass(&mut spec, case) {
        Ok(()) => json!({ "pipelineSpec": spec }),
        Err(error) => json!({ "error": error }),
    })
}

fn tasks(case: &Case, pass: impl Fn(&mut PipelineTask)) -> Result<Value, String> {
    let mut tasks: Vec<PipelineTask> = field(case, "tasks")?;
    tasks.iter_mut().for_each(pass);
    Ok(json!({ "tasks": tasks }))
}

fn table(case: &Case) -> Result<Table, String> {
    let mut table = Table::new();
    for (key, value) in field::<BTreeMap<String, String>>(case, "replacements")? {
        table.set(key, value);
    }
    for (key, values) in field::<BTreeMap<String, Option<Vec<String>>>>(case, "arrayReplacements")? {
        table.set_array(key, values.unwrap_or_default());
    }
    for (key, members) in field::<BTreeMap<String, Option<BTreeMap<String, String>>>>(case, "objectReplacements")? {
        table.set_object(key, members.unwrap_or_default());
    }
    Ok(table)
}

fn task_contexts(case: &Case) -> Result<Value, String> {
    let mut task: PipelineTask = field(case, "pipelineTask")?;
    let status: PipelineRunStatus = field(case, "pipelineRunStatus")?;
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let mut tasks = resolved(&recorded);
    pipeline::apply_task_contexts(&mut task, status.pipeline_spec.as_ref(), &mut tasks);
    Ok(json!({ "pipelineTask": task }))
}

fn propagate(case: &Case, table: impl Fn(&[tekton_dag::child::ResolvedTask<'_>]) -> Table) -> Result<Value, String> {
    use tekton_types::substitute::Substitute;
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let target: RecordedTask = field(case, "task")?;
    let mut ours = case.input["task"].clone();
    if let Some(mut spec) = target.resolved_task.and_then(|task| task.task_spec) {
        spec.substitute(&table(&resolved(&recorded)));
        ours["resolvedTask"]["taskSpec"] = json!(spec);
    }
    Ok(json!({ "task": ours }))
}

fn lists<T: serde::de::DeserializeOwned>(value: &Value) -> Result<BTreeMap<String, Vec<T>>, String> {
    let lists: BTreeMap<String, Option<Vec<T>>> = super::recorded::typed(value)?;
    Ok(lists.into_iter().map(|(name, list)| (name, list.unwrap_or_default())).collect())
}

fn pipeline_results_of(case: &Case) -> Result<Value, String> {
    let declared: Vec<PipelineResult> = field(case, "results")?;
    let (task_runs, custom_runs) = (lists(&case.input["taskRunResults"])?, lists(&case.input["customRunResults"])?);
    let task_status = field(case, "taskStatus")?;
    let sources = Sources { task_runs: &task_runs, custom_runs: &custom_runs, task_status: &task_status };
    let (computed, invalid) = pipeline_results::compute(&declared, sources);
    let error = if invalid.is_empty() { Value::Null } else { json!(pipeline_results::invalid_message(&invalid)) };
    Ok(json!({ "results": computed, "error": error }))
}
