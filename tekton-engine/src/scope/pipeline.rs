//! Puts values in the place of references in a pipeline: passes P1 (params), P2 (context), P3 (workspaces), and what
//! a task gets from tasks that ran before it: P6 (results, artifacts), P7 (its own context).

use std::collections::BTreeMap;

use tekton_contract::json;
use tekton_contract::var::Table;
use tekton_dag::{apply, child, results};
use tekton_types::refs;
use tekton_types::substitute::{Substitute, params};
use tekton_types::v1::{
    Artifact, Artifacts, Param, ParamValue, PipelineRun, PipelineSpec, PipelineTask, TaskRunResult, TaskSpec,
    WorkspaceBinding, param_type,
};

use super::pipeline_params::{self, spellings};

/// Pass P1: replaces params in a pipeline, where defaults may refer to other params.
///
/// Errors: upstream's text about a default that refers to nothing, to itself, or through too many others.
pub fn apply_parameters(spec: &mut PipelineSpec, run: &PipelineRun) -> Result<(), String> {
    let table = pipeline_params::table(&spec.params, &run.spec.params)?;
    apply_table(spec, &table);
    Ok(())
}

/// Pass P2: replaces `context.pipelineRun.*` and `context.pipeline.name`.
pub fn apply_contexts(spec: &mut PipelineSpec, pipeline: &str, run: &PipelineRun) {
    let metadata = &run.metadata;
    let mut table = Table::new();
    table.set("context.pipelineRun.name", metadata.name.as_deref().unwrap_or_default());
    table.set("context.pipeline.name", pipeline);
    table.set("context.pipelineRun.namespace", metadata.namespace.as_deref().unwrap_or_default());
    table.set("context.pipelineRun.uid", metadata.uid.as_deref().unwrap_or_default());
    for task in spec.tasks.iter_mut().chain(&mut spec.r#finally) {
        table.apply_to(&mut task.display_name);
    }
    apply_table(spec, &table);
}

/// Pass P3: replaces `workspaces.<workspace>.bound`.
pub fn apply_workspaces(spec: &mut PipelineSpec, run: &PipelineRun) {
    let mut table = Table::new();
    for declared in &spec.workspaces {
        table.set(format!("workspaces.{}.bound", declared.name), "false");
    }
    for bound in &run.spec.workspaces {
        table.set(format!("workspaces.{}.bound", bound.name), "true");
    }
    apply_table(spec, &table);
}

/// Applies a table to every task of a pipeline and to the specs that are written inside it.
///
/// Params of a task hide those of the pipeline inside its own spec.
pub fn apply_table(spec: &mut PipelineSpec, table: &Table) {
    if table.is_empty() {
        return;
    }
    for task in spec.tasks.iter_mut().chain(&mut spec.r#finally) {
        apply::pipeline(task, table);
        if let Some(embedded) = &mut task.task_spec {
            match hidden(&task.params, table) {
                Some(own) => embedded.task_spec.substitute(&own),
                None => embedded.task_spec.substitute(table),
            }
        }
    }
}

/// The table inside the spec of a task with `params`; `None` when they hide nothing.
fn hidden(params: &[Param], table: &Table) -> Option<Table> {
    let mut own: Option<Table> = None;
    for Param { name, value } in params {
        for key in spellings(name) {
            let is_known = table.string(&key).is_some() || table.array(&key).is_some() || table.object(&key).is_some();
            if !is_known {
                continue;
            }
            let own = own.get_or_insert_with(|| table.clone());
            if table.string(&key).is_some() {
                own.set(key.as_str(), value.as_string().unwrap_or_default());
            }
            if table.array(&key).is_some() {
                own.set_array(key.as_str(), value.as_array().unwrap_or_default().iter().map(String::as_str));
            }
            if table.object(&key).is_some() {
                let entries = || value.as_object().into_iter().flatten();
                own.set_object(key.as_str(), entries().map(|(key, value)| (key.as_str(), value.as_str())));
                for (member, value) in entries() {
                    own.set(format!("params.{name}.{member}"), value.as_str());
                }
            }
        }
    }
    own
}

/// Pass P7: replaces `context.pipelineTask.retries` and the lengths of matrices in a task that is about to start.
///
/// `pipeline` is the spec in the status of the run. Gathers results of matrixed tasks where their number is asked.
pub fn apply_task_contexts(
    task: &mut PipelineTask,
    pipeline: Option<&PipelineSpec>,
    tasks: &mut [child::ResolvedTask<'_>],
) {
    let mut table = Table::new();
    table.set("context.pipelineTask.retries", task.retries.to_string());
    for param in &task.params {
        let Some((maker, result)) = matrix_length(param) else { continue };
        if let Some(declared) = pipeline.and_then(|spec| spec.tasks.iter().find(|t| t.name == maker)) {
            let length = declared.matrix.as_ref().map_or(0, tekton_types::v1::Matrix::count_combinations);
            table.set(format!("tasks.{maker}.matrix.length"), length.to_string());
        }
        if let (Some(result), Some(made)) = (result, tasks.iter_mut().find(|t| t.name() == maker)) {
            results::fill_cache(made);
            let length = made.results_cache.get(result).map_or(0, Vec::len);
            table.set(format!("tasks.{maker}.matrix.{result}.length"), length.to_string());
        }
    }
    params(&mut task.params, &table, tekton_types::substitute::Accepts::Objects);
    if let Some(matrix) = &mut task.matrix {
        matrix.params.substitute(&table);
        matrix.include.iter_mut().for_each(|entry| entry.params.substitute(&table));
    }
    table.apply_to(&mut task.display_name);
}

/// The task, and the result if any, whose number the first such variable of a param asks for.
fn matrix_length(param: &Param) -> Option<(&str, Option<&str>)> {
    refs::value_expressions(&param.value).into_iter().find_map(|variable| {
        let mut parts = [""; 5];
        let mut count = 0;
        for part in variable.split('.') {
            *parts.get_mut(count)? = part;
            count += 1;
        }
        match (count, parts) {
            (4, ["tasks", task, "matrix", "length", _]) => Some((task, None)),
            (5, ["tasks", task, "matrix", result, "length"]) => Some((task, Some(result))),
            _ => None,
        }
    })
}

/// Pass P6: the table of results of tasks that are done, for the specs of tasks that start after them.
pub fn results_table(made: &BTreeMap<String, Vec<TaskRunResult>>) -> Table {
    let mut table = strings_of_results(made);
    for (task, result) in made.iter().flat_map(|(task, results)| results.iter().map(move |r| (task, r))) {
        if result.type_ == param_type::ARRAY {
            let items = result.value.as_array().unwrap_or_default();
            table.set_array(format!("tasks.{task}.results.{}", result.name), items.iter().map(String::as_str));
        }
    }
    table
}

/// Pass P6: the table of artifacts of tasks that are done, as JSON text.
pub fn artifacts_table(made: &BTreeMap<String, Option<Artifacts>>) -> Table {
    let mut table = Table::new();
    for (task, artifacts) in made.iter().filter_map(|(task, artifacts)| Some((task, artifacts.as_ref()?))) {
        for (side, artifacts) in [("inputs", &artifacts.inputs), ("outputs", &artifacts.outputs)] {
            for (index, artifact) in artifacts.iter().enumerate() {
                let values = values_json(artifact);
                if index == 0 {
                    table.set(format!("tasks.{task}.{side}"), values.as_str());
                }
                table.set(format!("tasks.{task}.{side}.{}", artifact.name), values);
            }
        }
    }
    table
}

/// The values of an artifact as Go prints them: sorted keys, no spaces, `<`, `>` and `&` escaped.
fn values_json(artifact: &Artifact) -> String {
    if artifact.values.is_empty() {
        return "null".to_owned();
    }
    let mut out = String::from("[");
    for (index, value) in artifact.values.iter().enumerate() {
        out.push_str(if index == 0 { "{" } else { ",{" });
        if !value.digest.is_empty() {
            out.push_str("\"digest\":{");
            for (index, (algorithm, digest)) in value.digest.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json::quote(&mut out, algorithm);
                out.push(':');
                json::quote(&mut out, digest);
            }
            out.push('}');
        }
        if !value.uri.is_empty() {
            if !value.digest.is_empty() {
                out.push(',');
            }
            out.push_str("\"uri\":");
            json::quote(&mut out, &value.uri);
        }
        out.push('}');
    }
    out.push(']');
    out
}

/// Pass P6: replaces results, then artifacts, of tasks that are done in the spec of one that starts.
pub fn propagate(spec: &mut TaskSpec, results: &Table, artifacts: &Table) {
    spec.substitute(results);
    spec.substitute(artifacts);
}

/// Replaces results of tasks in the workspaces of the run: strings, and members of objects.
pub fn apply_results_to_workspaces(
    made: &BTreeMap<String, Vec<TaskRunResult>>,
    workspaces: &mut Vec<WorkspaceBinding>,
) {
    workspaces.substitute(&strings_of_results(made));
}

/// Replaces params of the run in its workspaces; defaults of the pipeline do not count.
pub fn apply_parameters_to_workspaces(given: &[Param], workspaces: &mut Vec<WorkspaceBinding>) {
    workspaces.substitute(&pipeline_params::given(given));
}

fn strings_of_results(made: &BTreeMap<String, Vec<TaskRunResult>>) -> Table {
    let mut table = Table::new();
    for (task, result) in made.iter().flat_map(|(task, results)| results.iter().map(move |r| (task, r))) {
        let key = format!("tasks.{task}.results.{}", result.name);
        match (result.type_.as_str(), &result.value) {
            (param_type::STRING, value) => table.set(key, value.as_string().unwrap_or_default()),
            (param_type::OBJECT, ParamValue::Object(entries)) => {
                for (member, value) in entries {
                    table.set(format!("{key}.{member}"), value.as_str());
                }
            }
            _ => {}
        }
    }
    table
}
