//! Checks that need the specs of all tasks of a run. Errors are upstream's texts about the first thing found.

use std::collections::BTreeSet;

use tekton_contract::var::extract;
use tekton_types::refs::{self, ResultRef};
use tekton_types::v1::{
    Param, ParamSpec, ParamValue, PipelineSpec, PipelineWorkspaceDeclaration, TaskSpec, param_type,
};

use crate::child::ResolvedTask;
use crate::graph::quote;
use crate::state::Lookup;

/// Every result that a task uses exists: the task is there, and its spec declares the result.
pub fn task_results(tasks: &[ResolvedTask<'_>]) -> Result<(), String> {
    let lookup = Lookup::new(tasks);
    for task in tasks {
        for reference in refs::result_refs(&task.pipeline_task) {
            result(reference, tasks, &lookup)
                .map_err(|e| format!("invalid result reference in pipeline task {}: {e}", quote(task.name())))?;
        }
    }
    Ok(())
}

/// Every result that a result of the pipeline uses exists.
pub fn pipeline_results(pipeline: &PipelineSpec, tasks: &[ResolvedTask<'_>]) -> Result<(), String> {
    let lookup = Lookup::new(tasks);
    for declared in &pipeline.results {
        for reference in refs::value_expressions(&declared.value).into_iter().filter_map(ResultRef::parse) {
            result(reference, tasks, &lookup)
                .map_err(|e| format!("invalid pipeline result {}: {e}", quote(&declared.name)))?;
        }
    }
    Ok(())
}

fn result(reference: ResultRef<'_>, tasks: &[ResolvedTask<'_>], lookup: &Lookup) -> Result<(), String> {
    let name = quote(reference.pipeline_task);
    let Some(task) = lookup.get(reference.pipeline_task).map(|index| &tasks[index]) else {
        return Err(format!("referenced pipeline task {name} does not exist"));
    };
    if task.custom_task {
        // What a custom task makes is not known before it runs.
        return Ok(());
    }
    let Some(spec) = &task.task_spec else {
        return Err(format!("unable to validate result referencing pipeline task {name}: task spec not found"));
    };
    if spec.results.iter().any(|declared| declared.name == reference.result) {
        return Ok(());
    }
    Err(format!("{} is not a named result returned by pipeline task {name}", quote(reference.result)))
}

/// A workspace that is optional for the pipeline is optional for every task that gets it.
pub fn optional_workspaces(
    declared: &[PipelineWorkspaceDeclaration],
    tasks: &[ResolvedTask<'_>],
) -> Result<(), String> {
    let optional: BTreeSet<&str> = declared.iter().filter(|w| w.optional).map(|w| w.name.as_str()).collect();
    for task in tasks {
        let Some(spec) = &task.task_spec else { continue };
        for binding in task.pipeline_task.workspaces.iter().filter(|b| optional.contains(b.workspace.as_str())) {
            if spec.workspaces.iter().any(|needed| needed.name == binding.name && !needed.optional) {
                return Err(format!(
                    "pipeline workspace {} is marked optional but pipeline task {} requires it be provided",
                    quote(&binding.workspace),
                    quote(task.name())
                ));
            }
        }
    }
    Ok(())
}

/// With all results replaced, matrix params are arrays and include params are strings.
pub fn matrix_types(tasks: &[ResolvedTask<'_>]) -> Result<(), String> {
    let wrong = |wanted: &str, param: &Param, task: &ResolvedTask<'_>| {
        format!(
            "parameters of type {wanted} only are allowed, but param \"{}\" has type \"{}\" in pipelineTask \"{}\"",
            param.name,
            param.value.type_name(),
            task.name()
        )
    };
    for task in tasks {
        let Some(matrix) = &task.pipeline_task.matrix else { continue };
        if let Some(param) = matrix
            .include
            .iter()
            .flat_map(|entry| &entry.params)
            .find(|param| !matches!(param.value, ParamValue::String(_)))
        {
            return Err(wrong(param_type::STRING, param, task));
        }
        let may_become_array =
            |param: &Param| refs::value_expressions(&param.value).into_iter().any(refs::looks_like_result_ref);
        if let Some(param) =
            matrix.params.iter().find(|p| !matches!(p.value, ParamValue::Array(_)) && !may_become_array(p))
        {
            return Err(wrong(param_type::ARRAY, param, task));
        }
    }
    Ok(())
}

/// The values that a pipeline param may take are all allowed by the task param that it is given to.
///
/// `spec` is `None` for a task without one, which is not checked.
pub fn enum_subset(
    params: &[Param],
    declared: &[ParamSpec],
    task_name: &str,
    spec: Option<&TaskSpec>,
) -> Result<(), String> {
    let Some(spec) = spec else { return Ok(()) };
    let none = ParamSpec::default();
    let named = |specs: &'_ [ParamSpec], name: &str| specs.iter().position(|spec| spec.name == name);
    for param in params {
        let found = extract::variables(param.value.as_string().unwrap_or_default(), "params");
        if !found.error.is_empty() {
            return Err(format!("unexpected error in ExtractVariablesFromString: {}", found.error));
        }
        let [name] = found.names.as_slice() else { continue };
        let name = extract::trim_array_index(name);
        let outer = named(declared, &name).map_or(&none, |index| &declared[index]);
        let inner = named(&spec.params, &param.name).map_or(&none, |index| &spec.params[index]);
        if outer.type_ != param_type::STRING || inner.enum_.is_empty() {
            return Ok(());
        }
        let listed = |values: &[String]| format!("[{}]", values.join(" "));
        if outer.enum_.is_empty() {
            return Err(format!(
                "pipeline param \"{}\" has no enum, but referenced in \"{task_name}\" task has enums: {}",
                outer.name,
                listed(&inner.enum_)
            ));
        }
        if !outer.enum_.iter().all(|value| inner.enum_.contains(value)) {
            return Err(format!(
                "pipeline param \"{}\" enum: {} is not a subset of the referenced in \"{task_name}\" task param enum: {}",
                outer.name,
                listed(&outer.enum_),
                listed(&inner.enum_)
            ));
        }
    }
    Ok(())
}
