//! The TaskRuns of a task.

use tekton_contract::labels as keys;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{Param, PipelineRun, TaskRun, TaskRunSpec};
use tekton_validate::binding;

use super::{Starting, child_metadata, combinations, create_each, handed, long_timeout, params_of, settings_of};
use crate::decision::USER_ERROR;
use crate::pass::{Pass, Stop};
use crate::pipelinerun::labels;
use crate::pipelinerun::life;
use crate::pipelinerun::workspaces::Handed;
use crate::span;

pub(super) fn task_runs<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let combinations = combinations(&starting.written);
    if pass.env.config.feature_flags.enable_param_enum {
        check_enums(pass, run, starting, &combinations)?;
    }
    starting.task.task_runs = create_each(
        pass,
        run,
        starting.task,
        &starting.task.task_runs,
        |run| &run.metadata,
        |pass, index| task_run(pass, run, starting, index, &combinations),
    )?;
    Ok(())
}

fn check_enums(
    pass: &Pass<'_>,
    run: &mut PipelineRun,
    starting: &Starting<'_, '_>,
    combinations: &[Vec<Param>],
) -> Result<(), Stop> {
    let Some(spec) = &starting.task.task_spec else { return Ok(()) };
    for index in 0..starting.task.names.len() {
        let params = params_of(&starting.written, index, combinations);
        if let Err(error) = binding::enum_param(&params, &spec.params) {
            let message =
                format!("{USER_ERROR}Invalid param value from PipelineTask \"{}\": {error}", starting.task.name());
            life::mark_failed(&mut run.status, reasons::INVALID_PARAM_VALUE, message, pass.now());
            return Err(Stop::permanent(error));
        }
    }
    Ok(())
}

fn task_run(
    pass: &Pass<'_>,
    run: &PipelineRun,
    starting: &Starting<'_, '_>,
    index: usize,
    combinations: &[Vec<Param>],
) -> Result<TaskRun, Stop> {
    let resolved = &*starting.task;
    let task = &*resolved.pipeline_task;
    let settings = settings_of(run, &task.name);
    let embedded = task.task_spec.as_ref();
    let (labels, mut annotations) = labels::layered(
        settings.metadata.as_ref(),
        (labels::of_child(run, &task.name, Some(starting.member())), labels::annotations_of_child(run)),
        embedded.map(|embedded| &embedded.metadata),
    );
    if let Some(span) = span::handed_on(&run.status.span_context) {
        annotations.insert(keys::TASK_RUN_SPAN_CONTEXT.to_owned(), span);
    }
    if task.on_error == tekton_dag::state::ON_ERROR_CONTINUE {
        annotations.insert(keys::PIPELINE_TASK_ON_ERROR.to_owned(), task.on_error.clone());
    }
    let Handed { bindings, claim_workspace } = handed(pass, run, resolved, &mut annotations)?;
    drop(claim_workspace);
    let by_name = !resolved.task_name.is_empty();
    Ok(TaskRun {
        metadata: child_metadata(run, &resolved.names[index], labels, annotations),
        spec: TaskRunSpec {
            retries: task.retries,
            params: params_of(task, index, combinations),
            timeout: settings
                .timeout
                .or(task.timeout)
                .or_else(|| long_timeout(run, starting.is_finally, pass.env.config)),
            service_account_name: settings.service_account_name,
            pod_template: settings.pod_template,
            step_specs: settings.step_specs,
            sidecar_specs: settings.sidecar_specs,
            compute_resources: settings.compute_resources,
            task_ref: if by_name { task.task_ref.clone() } else { None },
            task_spec: if by_name { None } else { resolved.task_spec.as_deref().cloned() },
            workspaces: bindings,
            ..TaskRunSpec::default()
        },
        ..TaskRun::default()
    })
}
