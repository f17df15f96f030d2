//! The child PipelineRuns of a task that is a pipeline itself.

use tekton_contract::labels as keys;
use tekton_dag::graph::quote;
use tekton_types::v1::{PipelineRun, PipelineRunSpec};

use super::{Starting, child_metadata, create_each};
use crate::object::Kind;
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::pipelinerun::assistant;
use crate::pipelinerun::labels;
use crate::pipelinerun::workspaces::{self, Handed};

pub(super) fn pipeline_runs<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let task = starting.task.pipeline_task.clone();
    if task.pipeline_ref.is_some() && !starting.pipeline.is_empty() {
        no_cycle(pass, run, starting.pipeline)?;
    }
    let child = |pass: &Pass<'a>, index: usize| {
        let mut labels = labels::of_child(run, &task.name, Some(starting.member()));
        if !starting.pipeline.is_empty() {
            labels.insert(keys::PIPELINE.to_owned(), starting.pipeline.to_owned());
        }
        let Handed { bindings, .. } = workspaces::of_child(run, starting.task, assistant::behavior(pass)?)?;
        Ok(PipelineRun {
            metadata: child_metadata(run, &starting.task.names[index], labels, labels::annotations_of_child(run)),
            spec: PipelineRunSpec {
                task_run_template: run.spec.task_run_template.clone(),
                params: task.params.clone(),
                workspaces: bindings,
                pipeline_spec: if task.pipeline_ref.is_some() { None } else { task.pipeline_spec.as_deref().cloned() },
                pipeline_ref: task.pipeline_ref.clone(),
                ..PipelineRunSpec::default()
            },
            ..PipelineRun::default()
        })
    };
    starting.task.pipeline_runs =
        create_each(pass, run, starting.task, &starting.task.pipeline_runs, |run| &run.metadata, child)?;
    Ok(())
}

/// A pipeline must not run inside itself, however deep.
fn no_cycle(pass: &mut Pass<'_>, run: &PipelineRun, target: &str) -> Result<(), Stop> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let mut visited: Vec<String> = Vec::new();
    let mut current = run.metadata.clone();
    loop {
        let name = current.labels.as_ref().and_then(|labels| labels.get(keys::PIPELINE)).cloned().unwrap_or_default();
        if name == target {
            return Err(Stop::permanent(format!(
                "detected cycle in pipeline-in-pipeline: pipeline {} is already running in ancestor chain [{}]",
                quote(target),
                visited.join(" ")
            )));
        }
        if !name.is_empty() {
            visited.push(name);
        }
        let Some(parent) = owner::controller(&current)
            .filter(|owner| owner.kind == Kind::PipelineRun.as_str())
            .map(|owner| owner.name.clone())
        else {
            return Ok(());
        };
        match pass.object::<PipelineRun>(&namespace, &parent)? {
            Ok(found) => current = found.metadata.clone(),
            Err(fault) if fault.is_not_found() => return Ok(()),
            Err(fault) => {
                return Err(Stop::transient(format!(
                    "cycle detection in pipeline-in-pipeline: could not look up parent PipelineRun {parent}: {}",
                    fault.text
                )));
            }
        }
    }
}
