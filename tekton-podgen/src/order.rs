//! Entrypoint arguments: each step waits for the one before it, runs its command, and posts.

use crate::json;
use crate::volumes;
use k8s_openapi::api::core::v1::Container;
use tekton_contract::argv::EntrypointArgs;
use tekton_contract::paths;
use tekton_types::duration::GoDuration;
use tekton_types::v1::{Step, StepOutputConfig, StepResult, TaskResult, TaskRunDebug, TaskSpec, on_error};
use thiserror::Error;

/// How the steps of one Pod start and stop.
#[derive(Clone, Copy, Debug)]
pub struct Ordering<'a> {
    /// What every step is told: credentials, where results go, compression.
    pub common: &'a EntrypointArgs,
    /// Breakpoints.
    pub debug: Option<&'a TaskRunDebug>,
    /// The first step waits until the Pod is annotated as ready.
    pub wait_for_ready: bool,
    /// Steps watch for the cancel annotation.
    pub keep_pod_on_cancel: bool,
}

/// Steps that cannot be put in order.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrderError {
    /// A task without steps.
    #[error("no steps specified")]
    NoSteps,
    /// `onError` is none of the known values.
    #[error(
        "task step onError must be either \"continue\" or \"stopAndFail\" but it is set to an invalid value \"{0}\""
    )]
    OnError(String),
}

/// Rewrites the containers to run their commands through the entrypoint. What concerns a step alone (`onError`,
/// timeout, output files, results, guards) is read from the task's steps by index.
pub fn order(containers: &mut [Container], task: Option<&TaskSpec>, ordering: Ordering<'_>) -> Result<(), OrderError> {
    if containers.is_empty() {
        return Err(OrderError::NoSteps);
    }
    for (index, container) in containers.iter_mut().enumerate() {
        let mut args = EntrypointArgs {
            post_file: paths::post_file(index),
            termination_path: Some(paths::TERMINATION.to_owned()),
            step_metadata_dir: paths::step_metadata_dir(index),
            ..ordering.common.clone()
        };
        if index > 0 {
            args.wait_file = paths::post_file(index - 1);
        } else if ordering.wait_for_ready {
            paths::DOWNWARD_READY.clone_into(&mut args.wait_file);
            args.wait_file_content = true;
        }
        if let Some(task) = task {
            if let Some(step) = task.steps.get(index) {
                set_step(&mut args, step)?;
            }
            args.results = results(&task.results);
        }
        if let Some(debug) = ordering.debug {
            args.breakpoint_on_failure = debug.needs_debug_on_failure();
            args.debug_before_step = debug.needs_debug_before_step(&container.name);
        }
        let mut command = container.command.take().unwrap_or_default().into_iter();
        args.entrypoint = command.next();
        args.args = command.collect();
        args.args.extend(container.args.take().unwrap_or_default());

        container.command = Some(vec![paths::ENTRYPOINT.to_owned()]);
        container.args = Some(args.to_args());
        container.termination_message_path = Some(paths::TERMINATION.to_owned());
        if (index == 0 && ordering.wait_for_ready) || ordering.keep_pod_on_cancel {
            container.volume_mounts.get_or_insert_default().push(volumes::downward_mount());
        }
    }
    Ok(())
}

fn set_step(args: &mut EntrypointArgs, step: &Step) -> Result<(), OrderError> {
    if !matches!(step.on_error.as_str(), "" | on_error::CONTINUE | on_error::STOP_AND_FAIL) {
        return Err(OrderError::OnError(step.on_error.clone()));
    }
    args.on_error.clone_from(&step.on_error);
    args.timeout = step.timeout.map(GoDuration::nanos);
    let path = |config: &Option<StepOutputConfig>| config.as_ref().map(|config| config.path.clone());
    args.stdout_path = path(&step.stdout_config);
    args.stderr_path = path(&step.stderr_config);
    args.step_results = step_results(&step.results);
    if !step.when.is_empty() {
        args.when_expressions = json::go_string(&step.when);
    }
    Ok(())
}

/// The names of a step's results, as the entrypoint takes them.
pub fn step_results(results: &[StepResult]) -> String {
    let names: Vec<&str> = results.iter().map(|result| result.name.as_str()).collect();
    names.join(",")
}

/// Results that take their value from a step are not read from files, so they are left out.
fn results(results: &[TaskResult]) -> Option<String> {
    let names = results.iter().filter(|result| result.value.is_none()).map(|result| result.name.as_str());
    (!results.is_empty()).then(|| names.collect::<Vec<_>>().join(","))
}
