//! Why a run stands where it stands: a tree of reasons for people, from the run and the objects around it.
//!
//! [`explain`] needs no controller: everything is read from statuses, so it works on a run of yesterday, on a file, and
//! on a run that another controller drives.

mod pipelinerun;
mod taskrun;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tekton_contract::labels;
use tekton_types::condition::{self, Condition};
use tekton_types::v1::{PipelineRun, TaskRun};
use tekton_types::v1beta1::CustomRun;

use crate::decision::Note;
use crate::object::{Kind, Object, Stored};

/// How something stands.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has ended well.
    Succeeded,
    /// It has ended badly.
    Failed,
    /// It was stopped.
    Cancelled,
    /// It goes on.
    Running,
    /// It has not begun.
    Waiting,
    /// It will never begin.
    Skipped,
}

/// Why something stands as it does, and why that is so, and so on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What it is about, such as `task build` or `TaskRun ci-build`.
    pub subject: String,
    /// How it stands.
    pub state: State,
    /// One sentence without a full stop that follows the subject.
    pub text: String,
    /// The reasons, each with its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Explanation>,
}

impl Explanation {
    fn new(subject: impl Into<String>, state: State, text: impl Into<String>) -> Self {
        Self { subject: subject.into(), state, text: text.into(), because: Vec::new() }
    }

    fn because(mut self, reasons: impl IntoIterator<Item = Explanation>) -> Self {
        self.because.extend(reasons);
        self
    }
}

/// The objects around a run: its children, their Pods, requests to resolvers. What is missing is not guessed.
#[derive(Debug)]
pub struct Around<'a> {
    objects: BTreeMap<(Kind, &'a str, &'a str), &'a Object>,
    now: Timestamp,
}

impl<'a> Around<'a> {
    /// The objects, looked at at a time.
    pub fn new(objects: impl IntoIterator<Item = &'a Object>, now: Timestamp) -> Self {
        let key = |object: &'a Object| {
            let meta = object.metadata();
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            (object.kind(), namespace, meta.name.as_deref().unwrap_or_default())
        };
        Self { objects: objects.into_iter().map(|object| (key(object), object)).collect(), now }
    }

    fn get<T: Stored + 'a>(&self, namespace: &str, name: &str) -> Option<&'a T> {
        self.objects.get(&(T::KIND, namespace, name)).and_then(|object| T::from_object(object)).map(|typed| &**typed)
    }

    fn of_kind<'s, T: Stored + 'a>(&'s self, namespace: &'s str) -> impl Iterator<Item = &'a T> {
        let all = self.objects.range((T::KIND, namespace, "")..);
        all.take_while(move |((kind, place, _), _)| *kind == T::KIND && *place == namespace)
            .filter_map(|(_, object)| T::from_object(object).map(|typed| &**typed))
    }
}

/// Why a TaskRun, PipelineRun or CustomRun stands where it stands; for a PipelineRun also each of its tasks. `None` for
/// an object of another kind.
pub fn explain(run: &Object, around: &Around<'_>) -> Option<Explanation> {
    Some(match run {
        Object::TaskRun(run) => taskrun::explain(run, around),
        Object::PipelineRun(run) => pipelinerun::explain(run, around),
        Object::CustomRun(run) => custom_run(run),
        _ => return None,
    })
}

/// Why one task of a PipelineRun stands where it stands, with the whole chain of what it waits for. `None` when the
/// pipeline has no such task.
pub fn explain_task(run: &PipelineRun, task: &str, around: &Around<'_>) -> Option<Explanation> {
    pipelinerun::explain_task(run, task, around)
}

/// What a TaskRun tells of itself while it waits, or once it has failed: the run first, then what holds it up.
pub(crate) fn task_run_notes(run: &TaskRun, now: Timestamp) -> Vec<Note> {
    let Explanation { state, text, because, .. } = taskrun::explain(run, &Around::new([], now));
    if state == State::Succeeded && because.is_empty() {
        return Vec::new();
    }
    let reasons = because.into_iter().map(|reason| Note { subject: reason.subject, text: reason.text });
    std::iter::once(Note { subject: String::new(), text }).chain(reasons).collect()
}

/// What a PipelineRun tells of itself beside what it tells of its tasks: why all of it waits.
pub(crate) fn pipeline_run_note(run: &PipelineRun, now: Timestamp) -> Option<Note> {
    let Explanation { state, text, .. } = pipelinerun::head(run, &Around::new([], now));
    (state == State::Waiting).then(|| Note { subject: String::new(), text })
}

/// Why a run has no condition yet.
fn unseen(managed_by: &str) -> String {
    match managed_by {
        "" | labels::MANAGED_BY => "was not looked at by a controller yet".to_owned(),
        other => format!("is left to the controller {other}, as spec.managedBy has it, which has not taken it up yet"),
    }
}

/// Names with commas, cut short when there are many.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    match names.get(SHOWN..) {
        None | Some([]) => names.join(", "),
        Some(rest) => format!("{} and {} more", names[..SHOWN].join(", "), rest.len()),
    }
}

/// Reason and message of a condition as one sentence.
fn sentence(condition: &Condition) -> String {
    let message = condition.message.trim().trim_end_matches('.').replace('\n', " ");
    match (condition.reason.as_str(), message.is_empty()) {
        (reason, true) => reason.to_owned(),
        ("", false) => message,
        (reason, false) => format!("{reason}: {message}"),
    }
}

fn custom_run(run: &CustomRun) -> Explanation {
    let subject = format!("CustomRun {}", run.metadata.name.as_deref().unwrap_or_default());
    let reference = run.spec.custom_ref.as_ref().map(|r| (r.api_version.as_str(), r.kind.as_str()));
    let spec = run.spec.custom_spec.as_ref().map(|spec| (spec.api_version.as_str(), spec.kind.as_str()));
    let (api_version, kind) = reference.or(spec).unwrap_or_default();
    match condition::succeeded(&run.status.conditions) {
        None => Explanation::new(
            subject,
            State::Waiting,
            format!("waits for a controller of {kind} ({api_version}): none has taken it up yet"),
        ),
        Some(condition) if condition.is_true() => Explanation::new(subject, State::Succeeded, "succeeded"),
        Some(condition) if condition.is_false() => {
            let cancelled = condition.reason.contains("Cancelled");
            let state = if cancelled { State::Cancelled } else { State::Failed };
            Explanation::new(subject, state, format!("failed: {}", sentence(condition)))
        }
        Some(condition) => Explanation::new(
            subject,
            State::Running,
            format!("is carried out by its controller: {}", sentence(condition)),
        ),
    }
}

#[cfg(test)]
mod tests;
