//! Entrypoint arguments: each step waits for the one before it, runs its command, and posts.

use crate::json;
use crate::names::{DOWNWARD_DIR, ENTRYPOINT, RUN_DIR, TERMINATION_PATH};
use crate::volumes;
use k8s_openapi::api::core::v1::Container;
use tekton_types::v1::{Step, StepResult, TaskResult, TaskRunDebug, TaskSpec};
use thiserror::Error;

/// How the steps of one Pod start and stop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ordering<'a> {
    /// Flags for every step, after the common ones.
    pub extra_args: &'a [String],
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
        let mut args = Vec::with_capacity(24);
        if index > 0 {
            flag(&mut args, "-wait_file", format!("{RUN_DIR}/{}/out", index - 1));
        } else if ordering.wait_for_ready {
            flag(&mut args, "-wait_file", format!("{DOWNWARD_DIR}/ready"));
            args.push("-wait_file_content".to_owned());
        }
        flag(&mut args, "-post_file", format!("{RUN_DIR}/{index}/out"));
        flag(&mut args, "-termination_path", TERMINATION_PATH);
        flag(&mut args, "-step_metadata_dir", format!("{RUN_DIR}/{index}/status"));
        args.extend_from_slice(ordering.extra_args);
        if let Some(task) = task {
            if let Some(step) = task.steps.get(index) {
                step_flags(&mut args, step)?;
            }
            args.extend(results_flag(&task.results));
        }
        if let Some(debug) = ordering.debug {
            if debug.needs_debug_on_failure() {
                args.push("-breakpoint_on_failure".to_owned());
            }
            if debug.needs_debug_before_step(&container.name) {
                args.push("-debug_before_step".to_owned());
            }
        }
        let mut command = container.command.take().unwrap_or_default().into_iter();
        if let Some(entrypoint) = command.next() {
            flag(&mut args, "-entrypoint", entrypoint);
        }
        args.push("--".to_owned());
        args.extend(command);
        args.extend(container.args.take().unwrap_or_default());

        container.command = Some(vec![ENTRYPOINT.to_owned()]);
        container.args = Some(args);
        container.termination_message_path = Some(TERMINATION_PATH.to_owned());
        if (index == 0 && ordering.wait_for_ready) || ordering.keep_pod_on_cancel {
            container.volume_mounts.get_or_insert_default().push(volumes::downward_mount());
        }
    }
    Ok(())
}

fn flag(args: &mut Vec<String>, name: &str, value: impl Into<String>) {
    args.push(name.to_owned());
    args.push(value.into());
}

fn step_flags(args: &mut Vec<String>, step: &Step) -> Result<(), OrderError> {
    match step.on_error.as_str() {
        "" => {}
        "continue" | "stopAndFail" => flag(args, "-on_error", &step.on_error),
        other => return Err(OrderError::OnError(other.to_owned())),
    }
    if let Some(timeout) = &step.timeout {
        flag(args, "-timeout", timeout.to_string());
    }
    if let Some(stdout) = &step.stdout_config {
        flag(args, "-stdout_path", &stdout.path);
    }
    if let Some(stderr) = &step.stderr_config {
        flag(args, "-stderr_path", &stderr.path);
    }
    args.extend(step_results_flag(&step.results));
    if !step.when.is_empty() {
        let guards = serde_json::to_string(&step.when).expect("guards are representable in JSON");
        flag(args, "--when_expressions", json::escape(&guards));
    }
    Ok(())
}

/// The flag that names the results of a step.
pub fn step_results_flag(results: &[StepResult]) -> Vec<String> {
    if results.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = results.iter().map(|result| result.name.as_str()).collect();
    vec!["-step_results".to_owned(), names.join(",")]
}

/// Results that take their value from a step are not read from files, so they are left out.
fn results_flag(results: &[TaskResult]) -> Vec<String> {
    if results.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> =
        results.iter().filter(|result| result.value.is_none()).map(|result| result.name.as_str()).collect();
    vec!["-results".to_owned(), names.join(",")]
}
