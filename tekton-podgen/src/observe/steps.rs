//! Step states, and the results and artifacts that come with them.

use super::results::{artifacts_of, exit_code, fetched_by_task, filter, merge_artifacts, started_at, task_results};
use super::sidecar_log;
use super::{Observation, SIDECAR_LOGS, needs_sidecar_log};
use crate::facts::Fact;
use crate::names::STEP_PREFIX;
use k8s_openapi::api::core::v1::{Container, ContainerStatus};
use std::collections::BTreeMap;
use tekton_contract::termination::{self, ResultType, RunResult};
use tekton_types::condition::{self, Condition};
use tekton_types::v1::{Artifacts, StepResult, StepState, TaskResult, TaskRunResult, TaskRunStatus};

/// Puts container statuses into the order of the containers of the Pod's spec; a container without a status gets an
/// empty one.
pub fn sort_statuses(statuses: &mut [ContainerStatus], containers: &[Container]) {
    let by_name: BTreeMap<String, ContainerStatus> =
        statuses.iter().map(|status| (status.name.clone(), status.clone())).collect();
    for (slot, container) in statuses.iter_mut().zip(containers) {
        *slot = by_name.get(&container.name).cloned().unwrap_or_default();
    }
}

/// Whether a result in the sidecar's log is larger than it may be.
pub(super) fn set_steps(
    status: &mut TaskRunStatus,
    observation: &Observation<'_>,
    statuses: &[&ContainerStatus],
    errors: &mut Vec<String>,
) -> bool {
    let run = observation.task_run;
    let embedded = run.spec.task_spec.iter().flat_map(|spec| &spec.results);
    let resolved = observation.task_spec.iter().flat_map(|spec| &spec.results);
    let declared: Vec<&TaskResult> = embedded.chain(resolved).collect();
    let done = condition::succeeded(&status.conditions).is_some_and(|c| !Condition::is_unknown(c));
    let (log_entries, is_oversized) = read_sidecar_log(observation, errors);

    if done {
        let from_log = sidecar_log::task_results(&log_entries);
        let filtered = filter(&from_log, &declared, &[]);
        status.results.extend(filtered.task);
        match artifacts_of(&log_entries, ResultType::TASK_RUN_ARTIFACTS, None) {
            Ok(artifacts) => status.artifacts = Some(artifacts.unwrap_or_default()),
            Err(error) => errors.push(error),
        }
    }
    let mut states: Vec<StepState> = Vec::with_capacity(statuses.len());
    for container in statuses {
        let context = StepContext { observation, declared: &declared, log_entries: &log_entries, done };
        states.push(context.state(container, status, errors));
    }
    if !states.is_empty() {
        status.steps = states;
    }
    is_oversized
}

/// The entries of the log, and whether one of them is larger than it may be.
fn read_sidecar_log(observation: &Observation<'_>, errors: &mut Vec<String>) -> (Vec<RunResult>, bool) {
    let config = observation.config;
    let wanted = config.feature_flags.result_extraction_method == SIDECAR_LOGS
        && needs_sidecar_log(observation.task_run, observation.pod, observation.task_spec, config);
    match observation.sidecar_log.filter(|_| wanted) {
        Some(Fact::Known(log)) => {
            let (entries, fault) = sidecar_log::parse(log, config.feature_flags.max_result_size);
            let is_oversized = fault.as_ref().is_some_and(|fault| fault.is_oversized);
            errors.extend(fault.map(|fault| fault.text));
            (entries, is_oversized)
        }
        Some(Fact::Denied(error)) => {
            errors.push(error.clone());
            (Vec::new(), false)
        }
        Some(Fact::Missing) | None => (Vec::new(), false),
    }
}

struct StepContext<'a> {
    observation: &'a Observation<'a>,
    declared: &'a [&'a TaskResult],
    log_entries: &'a [RunResult],
    done: bool,
}

impl StepContext<'_> {
    fn state(&self, container: &ContainerStatus, status: &mut TaskRunStatus, errors: &mut Vec<String>) -> StepState {
        let declared_by_step: Vec<&StepResult> = self
            .observation
            .task_spec
            .iter()
            .flat_map(|spec| &spec.steps)
            .filter(|step| container.name.strip_prefix(STEP_PREFIX) == Some(&step.name))
            .flat_map(|step| &step.results)
            .collect();
        let fetched = fetched_by_task(&container.name, self.declared).unwrap_or_else(|error| {
            errors.push(error);
            BTreeMap::new()
        });
        let from_log = sidecar_log::step_results(self.log_entries, &container.name).unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        });
        let mut step_results = Vec::new();
        if self.done {
            let filtered = filter(&from_log, self.declared, &declared_by_step);
            status.results.extend(task_results(&filtered.step, &fetched));
            step_results = filtered.step;
        }
        let log_artifacts = artifacts_of(self.log_entries, ResultType::STEP_ARTIFACTS, Some(&container.name));
        let mut artifacts = log_artifacts
            .unwrap_or_else(|error| {
                errors.push(error);
                None
            })
            .unwrap_or_default();

        let name = container.name.strip_prefix(STEP_PREFIX).unwrap_or(&container.name);
        let state = container.state.clone().unwrap_or_default();
        let mut step = StepState {
            waiting: state.waiting,
            running: state.running,
            terminated: state.terminated,
            name: name.to_owned(),
            container: container.name.clone(),
            image_id: container.image_id.clone(),
            provenance: status
                .steps
                .iter()
                .rfind(|known| known.name == name)
                .and_then(|known| known.provenance.clone()),
            ..StepState::default()
        };
        let message = step
            .terminated
            .as_ref()
            .and_then(|terminated| terminated.message.clone())
            .filter(|message| !message.is_empty());
        if let Some(message) = message {
            match termination::decode(message.as_bytes()) {
                Ok(entries) => self.read_message(
                    &entries,
                    &declared_by_step,
                    &fetched,
                    MessageTarget { step: &mut step, results: &mut step_results, artifacts: &mut artifacts, status },
                    errors,
                ),
                Err(error) => errors.push(error),
            }
        }
        step.results = step_results;
        step.inputs = artifacts.inputs;
        step.outputs = artifacts.outputs;
        step
    }

    fn read_message(
        &self,
        entries: &[RunResult],
        declared_by_step: &[&StepResult],
        fetched: &BTreeMap<String, String>,
        target: MessageTarget<'_>,
        errors: &mut Vec<String>,
    ) {
        let MessageTarget { step, results, artifacts, status } = target;
        match artifacts_of(entries, ResultType::STEP_ARTIFACTS, None) {
            Ok(Some(found)) => *artifacts = found,
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        let started_at = ok(started_at(entries), errors).flatten();
        let exit_code = ok(exit_code(entries), errors).flatten();
        let filtered = filter(entries, self.declared, declared_by_step);
        if self.done {
            status.results.extend(filtered.task);
            status.results.extend(task_results(&filtered.step, fetched));
            results.extend(filtered.step);
            let of_task = artifacts_of(&filtered.entries, ResultType::TASK_RUN_ARTIFACTS, None);
            let of_task = ok(of_task, errors).flatten().unwrap_or_default();
            let all = status.artifacts.get_or_insert_default();
            merge_artifacts(all, &of_task);
            merge_artifacts(all, artifacts);
        }
        let Some(terminated) = &mut step.terminated else {
            return;
        };
        terminated.message = (!filtered.entries.is_empty())
            .then(|| termination::encode(&filtered.entries))
            .filter(|message| !message.is_empty());
        if let Some(started_at) = started_at {
            terminated.started_at = Some(started_at);
        }
        if let Some(exit_code) = exit_code {
            terminated.exit_code = exit_code;
        }
        let reason = entries
            .iter()
            .find(|entry| entry.result_type == ResultType::INTERNAL && entry.key == termination::REASON)
            .map(|entry| entry.value.clone())
            .filter(|reason| !reason.is_empty());
        step.termination_reason = match (reason, exit_code) {
            (Some(reason), _) => reason,
            (None, Some(_)) => termination::REASON_CONTINUED.to_owned(),
            (None, None) => terminated.reason.clone().unwrap_or_default(),
        };
    }
}

struct MessageTarget<'a> {
    step: &'a mut StepState,
    results: &'a mut Vec<TaskRunResult>,
    artifacts: &'a mut Artifacts,
    status: &'a mut TaskRunStatus,
}

fn ok<T>(result: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}
