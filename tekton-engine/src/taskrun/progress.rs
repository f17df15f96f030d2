//! What of a TaskRun's status is only news from its Pod, and how long such news may wait.

use jiff::SignedDuration;
use tekton_types::reason::taskrun as reasons;
use tekton_types::v1::TaskRunStatus;

use super::life;

/// While the Pod starts, each of its containers makes news that nobody acts upon.
const STARTING: SignedDuration = SignedDuration::from_secs(5);
/// While the steps run, people look at them.
const RUNNING: SignedDuration = SignedDuration::from_secs(1);

/// How long `after` may wait to be written over `before`; `None` when they differ in more than the states of containers
/// and the sentence of the condition, which any later pass reads from the Pod again.
pub(super) fn may_wait(before: &TaskRunStatus, after: &TaskRunStatus) -> Option<SignedDuration> {
    let TaskRunStatus {
        observed_generation,
        conditions,
        annotations,
        pod_name,
        start_time,
        completion_time,
        steps: _,
        retries_status,
        results,
        artifacts,
        sidecars: _,
        task_spec,
        provenance,
        span_context,
    } = before;
    let same = *observed_generation == after.observed_generation
        && conditions.len() == after.conditions.len()
        && conditions.iter().zip(&after.conditions).all(|(before, after)| {
            before.type_ == after.type_ && before.status == after.status && before.reason == after.reason
        })
        && *annotations == after.annotations
        && *pod_name == after.pod_name
        && *start_time == after.start_time
        && *completion_time == after.completion_time
        && *retries_status == after.retries_status
        && *results == after.results
        && *artifacts == after.artifacts
        && *task_spec == after.task_spec
        && *provenance == after.provenance
        && *span_context == after.span_context;
    let condition = life::condition_of(after)?;
    if !same || !condition.is_unknown() || pod_name.is_empty() {
        return None;
    }
    Some(if condition.reason == reasons::RUNNING { RUNNING } else { STARTING })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tekton_types::v1::StepState;

    use super::*;

    const POD_PENDING: &str = tekton_types::reason::pod::POD_PENDING;

    fn status(reason: &str, message: &str) -> TaskRunStatus {
        let mut status = TaskRunStatus { pod_name: "p".to_owned(), ..TaskRunStatus::default() };
        life::mark_ongoing(&mut status, reason, message, Timestamp::UNIX_EPOCH);
        status
    }

    #[test]
    fn news_of_containers_may_wait_longer_before_the_steps_run_than_while_they_do() {
        let mut after = status(POD_PENDING, "pulling");
        after.steps.push(StepState::default());
        assert_eq!(may_wait(&status(POD_PENDING, "scheduled"), &after), Some(STARTING));
        let mut after = status(reasons::RUNNING, "");
        after.steps.push(StepState::default());
        assert_eq!(may_wait(&status(reasons::RUNNING, ""), &after), Some(RUNNING));
    }

    #[test]
    fn a_new_reason_an_end_and_the_name_of_the_pod_are_written_at_once() {
        let before = status(POD_PENDING, "");
        assert_eq!(may_wait(&before, &status(reasons::RUNNING, "")), None);
        let mut failed = status(POD_PENDING, "");
        life::mark_failed(&mut failed, POD_PENDING, "", Timestamp::UNIX_EPOCH);
        assert_eq!(may_wait(&before, &failed), None);
        let unnamed = TaskRunStatus { pod_name: String::new(), ..before.clone() };
        assert_eq!(may_wait(&unnamed, &before), None);
    }
}
