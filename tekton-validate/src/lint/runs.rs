//! Runs.

use tekton_types::v1::PipelineRun;

use super::warning;
use crate::diagnostic::Diagnostic;

/// Warns of the same value for a parameter given twice over, and of retries that cannot fit into the timeout.
pub(super) fn pipeline_run(run: &PipelineRun, found: &mut Vec<Diagnostic>) {
    let Some(spec) = &run.spec.pipeline_spec else { return };
    for (index, task) in spec.tasks.iter().enumerate() {
        let Some(embedded) = &task.task_spec else { continue };
        for declared in &embedded.task_spec.params {
            let is_given = task.params.iter().any(|p| p.name == declared.name);
            let is_propagated = run.spec.params.iter().any(|p| p.name == declared.name)
                || spec.params.iter().any(|p| p.name == declared.name);
            if declared.default.is_some() && !is_given && is_propagated {
                let message = format!(
                    "parameter {:?} of task {:?} shadows the run's parameter of the same name: its default is used",
                    declared.name, task.name
                );
                let path = format!("spec.pipelineSpec.tasks[{index}].taskSpec.params[{}]", declared.name);
                found.push(
                    warning("shadowed-param", message, path)
                        .with_help("give it to the task under `params`, or drop the declaration"),
                );
            }
        }
    }
}
