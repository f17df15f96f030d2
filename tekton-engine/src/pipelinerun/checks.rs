//! Checks of the tasks of a run once their definitions are known, and guards in CEL.

use tekton_dag::check;
use tekton_dag::child::{ChildKind, ResolvedTask};
use tekton_dag::state::PipelineState;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{PipelineRun, PipelineTask};
use tekton_validate::binding;

use super::bind::{self, Bound};
use super::{assistant, life};
use crate::decision::USER_ERROR;
use crate::pass::{Pass, Stop};

/// Params of each task against what its definition declares.
pub(super) fn check_tasks(
    pass: &Pass<'_>,
    run: &mut PipelineRun,
    bound: &Bound,
    tasks: &[ResolvedTask<'_>],
) -> Result<(), Stop> {
    let own = run.metadata.name.clone().unwrap_or_default();
    // The tasks as written, by their position among all tasks, as upstream pairs them.
    let written: Vec<&PipelineTask> = bound.written.iter().flat_map(bind::all_tasks).collect();
    for (index, resolved) in tasks.iter().enumerate().filter(|(_, task)| task.kind() == ChildKind::Task) {
        let task = &resolved.pipeline_task;
        let Some(spec) = &resolved.task_spec else { continue };
        if let Err(error) =
            binding::resolved_task(&resolved.task_name, &spec.params, &task.params, task.matrix.as_ref())
        {
            let message = format!("{USER_ERROR}Validation failed for pipelinerun {own} with error {error}");
            life::mark_failed(&mut run.status, reasons::FAILED_VALIDATION, message, pass.now());
            return Err(Stop::permanent(error));
        }
        if let (Some(pipeline), Some(written)) = (&bound.written, written.get(index))
            && let Err(error) = check::enum_subset(&written.params, &pipeline.params, &resolved.task_name, Some(spec))
        {
            let message = format!("{USER_ERROR}Validation failed for pipelinerun with error {error}");
            life::mark_failed(&mut run.status, reasons::FAILED_VALIDATION, message, pass.now());
            return Err(Stop::permanent(error));
        }
    }
    Ok(())
}

pub(super) fn evaluate_cel(pass: &Pass<'_>, run: &mut PipelineRun, task: &mut ResolvedTask<'_>) -> Result<(), Stop> {
    match tekton_dag::when::evaluate_cel(&task.pipeline_task.when) {
        Ok(values) => {
            task.evaluated_cel = values;
            Ok(())
        }
        Err(error) => {
            let own = run.metadata.name.as_deref().unwrap_or_default();
            let message = format!("{USER_ERROR}Error evaluating CEL {own}: {error}");
            life::mark_failed(&mut run.status, reasons::CEL_EVALUATION_FAILED, message, pass.now());
            Err(Stop::permanent(error))
        }
    }
}

/// Checks that are made once, before anything is created.
pub(super) fn check_first_start(
    pass: &Pass<'_>,
    run: &mut PipelineRun,
    bound: &Bound,
    state: &PipelineState<'_>,
) -> Result<(), Stop> {
    let now = pass.now();
    if let Err(error) = check::task_results(&state.tasks) {
        life::mark_failed(&mut run.status, reasons::INVALID_TASK_RESULT_REFERENCE, error.as_str(), now);
        return Err(Stop::permanent(error));
    }
    if let Err(error) = check::pipeline_results(&bound.spec, &state.tasks) {
        let message =
            format!("Failed to resolve pipeline result reference for {} with error {error}", assistant::quoted(run));
        life::mark_failed(&mut run.status, reasons::INVALID_PIPELINE_RESULT_REFERENCE, message, now);
        return Err(Stop::permanent(error));
    }
    if let Err(error) = check::optional_workspaces(&bound.spec.workspaces, &state.tasks) {
        let message = format!("{USER_ERROR}Optional workspace not supported by task: {error}");
        life::mark_failed(&mut run.status, reasons::REQUIRED_WORKSPACE_MARKED_OPTIONAL, message, now);
        return Err(Stop::permanent(error));
    }
    Ok(())
}
