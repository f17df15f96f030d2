//! Why a TaskRun stands where it stands: its steps, its Pod, its resolver, its attempts.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use tekton_types::condition::{self, Condition};
use tekton_types::duration::GoDuration;
use tekton_types::reason::{pod as pod_reasons, taskrun as reasons};
use tekton_types::resolution::ResolutionRequest;
use tekton_types::v1::{SidecarState, StepState, TaskRun, taskrun_spec_status};

use super::{Around, Explanation, State, sentence};
use crate::owner;
use crate::run::Run;

/// Reason of a wait for the node that starts a Pod and is not worth a line.
const STARTING: [&str; 2] = ["PodInitializing", "ContainerCreating"];

pub(super) fn explain(run: &TaskRun, around: &Around<'_>) -> Explanation {
    let subject = format!("TaskRun {}", run.metadata.name.as_deref().unwrap_or_default());
    let Some(condition) = condition::succeeded(&run.status.conditions) else {
        return Explanation::new(subject, State::Waiting, super::unseen(run.managed_by()));
    };
    let explanation = if condition.is_true() {
        return Explanation::new(subject, State::Succeeded, succeeded(condition)).because(attempts(run));
    } else if condition.is_false() {
        let cancelled = condition.reason == reasons::CANCELLED;
        let (state, word) = if cancelled { (State::Cancelled, "was stopped") } else { (State::Failed, "failed") };
        Explanation::new(subject, state, format!("{word}: {}", sentence(condition))).because(ended(run))
    } else {
        unfinished(subject, run, condition, around)
    };
    explanation.because(attempts(run))
}

fn succeeded(condition: &Condition) -> String {
    match condition.reason.as_str() {
        reasons::FAILURE_IGNORED => format!("failed, which the pipeline ignores: {}", sentence(condition)),
        _ => "succeeded".to_owned(),
    }
}

/// The steps and sidecars that ended badly.
fn ended(run: &TaskRun) -> Vec<Explanation> {
    let mut reasons: Vec<Explanation> = Vec::new();
    for step in &run.status.steps {
        if let Some(ended) = &step.terminated
            && ended.exit_code != 0
        {
            let word = step.termination_reason.as_str();
            // Steps after the one that failed never ran.
            if word == "Skipped" {
                continue;
            }
            let reason = ended.reason.as_deref().filter(|reason| *reason != "Error").unwrap_or(word);
            let reason = if reason.is_empty() || reason == "Error" { String::new() } else { format!(" ({reason})") };
            let text = format!("ended with exit code {}{reason}", ended.exit_code);
            reasons.push(Explanation::new(format!("step {}", step.name), State::Failed, text));
        }
    }
    reasons.extend(run.status.steps.iter().filter_map(|step| step_waits(step, false)));
    reasons
}

/// One line for each attempt before the last.
fn attempts(run: &TaskRun) -> Vec<Explanation> {
    let of = run.spec.retries.saturating_add(1);
    let attempts = run.status.retries_status.iter().enumerate();
    attempts
        .filter_map(|(index, attempt)| {
            let condition = condition::succeeded(&attempt.conditions)?;
            let subject = format!("attempt {} of {of}", index + 1);
            Some(Explanation::new(subject, State::Failed, format!("failed: {}", sentence(condition))))
        })
        .collect()
}

fn unfinished(subject: String, run: &TaskRun, condition: &Condition, around: &Around<'_>) -> Explanation {
    if run.spec.status == taskrun_spec_status::PENDING {
        let text = format!("is held back until spec.status is no longer {}", taskrun_spec_status::PENDING);
        return Explanation::new(subject, State::Waiting, text);
    }
    if run.spec.status == taskrun_spec_status::CANCELLED {
        return Explanation::new(subject, State::Running, "is being cancelled");
    }
    match condition.reason.as_str() {
        reasons::RESOLVING_TASK_REF | reasons::RESOLVING_STEP_ACTION_REF => {
            let what = if condition.reason == reasons::RESOLVING_TASK_REF { "its Task" } else { "a StepAction" };
            let text = format!("waits for a resolver that fetches {what}");
            Explanation::new(subject, State::Waiting, text).because(requests(run.metadata.uid.as_deref(), run, around))
        }
        pod_reasons::EXCEEDED_RESOURCE_QUOTA | pod_reasons::EXCEEDED_NODE_RESOURCES => {
            Explanation::new(subject, State::Waiting, format!("waits for room in the cluster: {}", sentence(condition)))
        }
        reasons::TO_BE_RETRIED => Explanation::new(subject, State::Waiting, "starts again after a failed attempt"),
        _ => at_work(subject, run, condition, around),
    }
}

/// A run whose Pod exists or is about to.
fn at_work(subject: String, run: &TaskRun, condition: &Condition, around: &Around<'_>) -> Explanation {
    let name = &run.status.pod_name;
    if name.is_empty() {
        return Explanation::new(subject, State::Waiting, format!("has no Pod yet: {}", sentence(condition)));
    }
    let mut because: Vec<Explanation> = run.status.steps.iter().filter_map(|step| step_waits(step, true)).collect();
    because.extend(run.status.sidecars.iter().filter_map(sidecar_waits));
    let pod = around.get::<Pod>(run.metadata.namespace.as_deref().unwrap_or_default(), name);
    because.extend(pod.and_then(|pod| unscheduled(pod, name)));
    let current = run.status.steps.iter().find(|step| step.terminated.is_none());
    let started = current.is_some_and(|step| step.running.is_some());
    if let (Some(step), true, true) = (current, started, because.is_empty()) {
        let text = match step.running.as_ref().and_then(|running| running.started_at.as_ref()) {
            Some(since) => format!("runs since {}", ago(since.0, around.now)),
            None => "runs".to_owned(),
        };
        because.push(Explanation::new(format!("step {}", step.name), State::Running, text));
    }
    let state = if started { State::Running } else { State::Waiting };
    let text = if started { "is running".to_owned() } else { format!("waits for its Pod: {}", sentence(condition)) };
    Explanation::new(subject, state, text).because(because)
}

/// A step that cannot start, and why; `patiently` passes over what is normal while a Pod starts.
fn step_waits(step: &StepState, patiently: bool) -> Option<Explanation> {
    container_waits("step", &step.name, step.waiting.as_ref()?, patiently)
}

fn sidecar_waits(sidecar: &SidecarState) -> Option<Explanation> {
    container_waits("sidecar", &sidecar.name, sidecar.waiting.as_ref()?, true)
}

fn container_waits(
    what: &str,
    name: &str,
    waiting: &k8s_openapi::api::core::v1::ContainerStateWaiting,
    patiently: bool,
) -> Option<Explanation> {
    let reason = waiting.reason.as_deref().unwrap_or_default();
    if reason.is_empty() || (patiently && STARTING.contains(&reason)) {
        return None;
    }
    let message = waiting.message.as_deref().unwrap_or_default().trim();
    let text = if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") };
    Some(Explanation::new(format!("{what} {name}"), State::Waiting, format!("cannot start: {text}")))
}

fn unscheduled(pod: &Pod, name: &str) -> Option<Explanation> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let scheduled =
        conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    let message = scheduled.message.as_deref().or(scheduled.reason.as_deref()).unwrap_or_default();
    Some(Explanation::new(format!("Pod {name}"), State::Waiting, format!("has no node: {message}")))
}

/// The requests that the run made to resolvers and that are not answered.
fn requests(uid: Option<&str>, run: &TaskRun, around: &Around<'_>) -> Vec<Explanation> {
    open_requests(uid, run.metadata.namespace.as_deref().unwrap_or_default(), around)
}

/// The requests of the owner that are not answered.
pub(super) fn open_requests(owner: Option<&str>, namespace: &str, around: &Around<'_>) -> Vec<Explanation> {
    let own = around.of_kind::<ResolutionRequest>(namespace).filter(|request| {
        owner::controller(&request.metadata).is_some_and(|reference| Some(reference.uid.as_str()) == owner)
    });
    own.filter_map(|request| {
        let condition = condition::succeeded(&request.status.conditions);
        if condition.is_some_and(|condition| !condition.is_unknown()) {
            return None;
        }
        let labels = request.metadata.labels.as_ref();
        let resolver = labels.and_then(|labels| labels.get(crate::refs::TYPE_LABEL)).map(String::as_str);
        let text = match condition {
            Some(condition) => format!("is at work: {}", sentence(condition)),
            None => "has not taken up the request".to_owned(),
        };
        Some(Explanation::new(format!("resolver {}", resolver.unwrap_or_default()), State::Running, text))
    })
    .collect()
}

/// How long ago something began, to the second.
fn ago(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    format!("{} ago", GoDuration::from_signed(SignedDuration::from_secs(seconds)))
}
