//! The CustomRuns of a custom task.

use tekton_types::v1::{Param, PipelineRun};
use tekton_types::v1beta1::{CustomRun, CustomRunSpec, EmbeddedCustomRunSpec};

use super::{Starting, child_metadata, combinations, create_each, handed, long_timeout, params_of, settings_of};
use crate::pass::{Pass, Stop};
use crate::pipelinerun::labels;
use crate::pipelinerun::workspaces::Handed;

pub(super) fn custom_runs<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let combinations = combinations(&starting.written);
    starting.task.custom_runs = create_each(
        pass,
        run,
        starting.task,
        &starting.task.custom_runs,
        |run| &run.metadata,
        |pass, index| custom_run(pass, run, starting, index, &combinations),
    )?;
    Ok(())
}

fn custom_run(
    pass: &Pass<'_>,
    run: &PipelineRun,
    starting: &Starting<'_, '_>,
    index: usize,
    combinations: &[Vec<Param>],
) -> Result<CustomRun, Stop> {
    let resolved = &*starting.task;
    let task = &*resolved.pipeline_task;
    let settings = settings_of(run, &task.name);
    let mut annotations = labels::annotations_of_child(run);
    let Handed { bindings, .. } = handed(pass, run, resolved, &mut annotations)?;
    Ok(CustomRun {
        metadata: child_metadata(
            run,
            &resolved.names[index],
            labels::of_child(run, &task.name, Some(starting.member())),
            annotations,
        ),
        spec: CustomRunSpec {
            custom_ref: task.task_ref.clone().map(Into::into),
            custom_spec: task.task_spec.as_ref().map(|embedded| EmbeddedCustomRunSpec {
                api_version: embedded.api_version.clone(),
                kind: embedded.kind.clone(),
                metadata: embedded.metadata.clone(),
                spec: embedded.spec.clone(),
            }),
            retries: task.retries,
            params: params_of(task, index, combinations),
            service_account_name: settings.service_account_name,
            timeout: settings
                .timeout
                .or(task.timeout)
                .or_else(|| long_timeout(run, starting.is_finally, pass.env.config)),
            workspaces: bindings,
            ..CustomRunSpec::default()
        },
        ..CustomRun::default()
    })
}
