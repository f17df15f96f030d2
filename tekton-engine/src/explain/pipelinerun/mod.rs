//! Why a PipelineRun and each of its tasks stand where they stand: from the run to its tasks, and from task to task.

mod skipped;

use std::collections::{BTreeMap, BTreeSet};

use tekton_dag::edges;
use tekton_types::condition::{self, Condition};
use tekton_types::reason::{pipelinerun as reasons, taskrun as task_reasons};
use tekton_types::v1::{
    ChildStatusReference, PipelineRun, PipelineSpec, PipelineTask, SkippedTask, TaskRun, pipelinerun_spec_status,
};
use tekton_types::v1beta1::CustomRun;

use super::{Around, Explanation, State, listed, sentence};
use crate::object::Kind;
use crate::run::Run;

/// How many tasks a chain of reasons passes through at most; nobody reads further.
const LONGEST: usize = 64;

/// How far reasons are followed from task to task.
#[derive(Debug)]
enum Depth {
    /// To the tasks that a task names: what stands behind those is said of them.
    Near,
    /// To the end, or as far as `left` tasks lead; each task once.
    Whole { seen: BTreeSet<String>, left: usize },
}

pub(super) fn explain(run: &PipelineRun, around: &Around<'_>) -> Explanation {
    let explanation = head(run, around);
    match Tasks::of(run, around) {
        Some(tasks) => {
            let names: Vec<&str> = tasks.in_order().map(|task| task.name.as_str()).collect();
            explanation.because(names.into_iter().filter_map(|name| tasks.explain(name, &mut Depth::Near)))
        }
        None => explanation,
    }
}

pub(super) fn explain_task(run: &PipelineRun, task: &str, around: &Around<'_>) -> Option<Explanation> {
    Tasks::of(run, around)?.explain(task, &mut Depth::Whole { seen: BTreeSet::new(), left: LONGEST })
}

/// The run itself.
pub(super) fn head(run: &PipelineRun, around: &Around<'_>) -> Explanation {
    let subject = format!("PipelineRun {}", run.metadata.name.as_deref().unwrap_or_default());
    let Some(condition) = condition::succeeded(&run.status.conditions) else {
        return Explanation::new(subject, State::Waiting, super::unseen(run.managed_by()));
    };
    if condition.is_true() {
        return Explanation::new(subject, State::Succeeded, format!("succeeded: {}", sentence(condition)));
    }
    if condition.is_false() {
        let cancelled = condition.reason == reasons::CANCELLED;
        let (state, word) = if cancelled { (State::Cancelled, "was stopped") } else { (State::Failed, "failed") };
        return Explanation::new(subject, state, format!("{word}: {}", sentence(condition)));
    }
    match condition.reason.as_str() {
        reasons::PENDING => {
            let text = format!("is held back until spec.status is no longer {}", pipelinerun_spec_status::PENDING);
            Explanation::new(subject, State::Waiting, text)
        }
        reasons::RESOLVING_PIPELINE_REF => waits_for_resolver(subject, "its Pipeline", run, around),
        task_reasons::RESOLVING_TASK_REF => waits_for_resolver(subject, "the Task of one of its tasks", run, around),
        _ => Explanation::new(subject, State::Running, format!("is running: {}", sentence(condition))),
    }
}

fn waits_for_resolver(subject: String, what: &str, run: &PipelineRun, around: &Around<'_>) -> Explanation {
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    Explanation::new(subject, State::Waiting, format!("waits for a resolver that fetches {what}"))
        .because(super::taskrun::open_requests(run.metadata.uid.as_deref(), namespace, around))
}

/// The tasks of a run with everything that is known of them.
struct Tasks<'a> {
    run: &'a PipelineRun,
    spec: &'a PipelineSpec,
    around: &'a Around<'a>,
    by_name: BTreeMap<&'a str, &'a PipelineTask>,
    /// What each task waits for.
    parents: BTreeMap<&'a str, Vec<&'a str>>,
    children: BTreeMap<&'a str, Vec<&'a ChildStatusReference>>,
    skipped: BTreeMap<&'a str, &'a SkippedTask>,
    /// Tasks that have not ended, but for those under `finally`.
    open: Vec<&'a str>,
}

impl<'a> Tasks<'a> {
    fn of(run: &'a PipelineRun, around: &'a Around<'a>) -> Option<Self> {
        let spec = run.status.pipeline_spec.as_ref().or(run.spec.pipeline_spec.as_ref())?;
        let mut children: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for child in &run.status.child_references {
            children.entry(child.pipeline_task_name.as_str()).or_default().push(child);
        }
        let mut tasks = Self {
            run,
            spec,
            around,
            by_name: spec.tasks.iter().chain(&spec.finally).map(|task| (task.name.as_str(), task)).collect(),
            parents: edges::dependencies(&spec.tasks).into_iter().collect(),
            children,
            skipped: run.status.skipped_tasks.iter().map(|skipped| (skipped.name.as_str(), skipped)).collect(),
            open: Vec::new(),
        };
        tasks.open = spec.tasks.iter().map(|task| task.name.as_str()).filter(|name| !tasks.has_ended(name)).collect();
        Some(tasks)
    }

    fn in_order(&self) -> impl Iterator<Item = &'a PipelineTask> {
        self.spec.tasks.iter().chain(&self.spec.finally)
    }

    fn has_ended(&self, task: &str) -> bool {
        if self.skipped.contains_key(task) {
            return true;
        }
        let children = self.children.get(task).map(Vec::as_slice).unwrap_or_default();
        !children.is_empty()
            && children.iter().all(|child| self.condition(child).is_some_and(|condition| !condition.is_unknown()))
    }

    fn condition(&self, child: &ChildStatusReference) -> Option<&'a Condition> {
        let namespace = self.run.metadata.namespace.as_deref().unwrap_or_default();
        let conditions = match child.kind.as_str() {
            kind if kind == Kind::TaskRun.as_str() => {
                &self.around.get::<TaskRun>(namespace, &child.name)?.status.conditions
            }
            kind if kind == Kind::PipelineRun.as_str() => {
                &self.around.get::<PipelineRun>(namespace, &child.name)?.status.conditions
            }
            _ => &self.around.get::<CustomRun>(namespace, &child.name)?.status.conditions,
        };
        condition::succeeded(conditions)
    }

    fn child(&self, child: &ChildStatusReference) -> Explanation {
        let namespace = self.run.metadata.namespace.as_deref().unwrap_or_default();
        let found = match child.kind.as_str() {
            kind if kind == Kind::TaskRun.as_str() => {
                self.around.get::<TaskRun>(namespace, &child.name).map(|run| super::taskrun::explain(run, self.around))
            }
            kind if kind == Kind::PipelineRun.as_str() => {
                self.around.get::<PipelineRun>(namespace, &child.name).map(|run| explain(run, self.around))
            }
            _ => self.around.get::<CustomRun>(namespace, &child.name).map(super::custom_run),
        };
        found.unwrap_or_else(|| {
            let text = "was created, and is not among the objects that were looked at";
            Explanation::new(format!("{} {}", child.kind, child.name), State::Running, text)
        })
    }

    fn explain(&self, name: &str, depth: &mut Depth) -> Option<Explanation> {
        let task = self.by_name.get(name)?;
        let subject = format!("task {name}");
        if let Depth::Whole { seen, .. } = depth
            && !seen.insert(name.to_owned())
        {
            return Some(self.brief(name));
        }
        if let Some(children) = self.children.get(name) {
            return Some(self.started(subject, children));
        }
        if let Some(skipped) = self.skipped.get(name) {
            let text = format!("is skipped: {}", skipped.reason);
            return Some(
                Explanation::new(subject, State::Skipped, text).because(self.why_skipped(task, skipped, depth)),
            );
        }
        Some(self.not_started(subject, name, depth))
    }

    /// How a task stands, without the reasons.
    fn brief(&self, name: &str) -> Explanation {
        let subject = format!("task {name}");
        if let Some(children) = self.children.get(name) {
            return Explanation { because: Vec::new(), ..self.started(subject, children) };
        }
        match self.skipped.get(name) {
            Some(skipped) => Explanation::new(subject, State::Skipped, format!("is skipped: {}", skipped.reason)),
            None => Explanation::new(subject, State::Waiting, "has not started"),
        }
    }

    fn near_or_whole(&self, name: &str, depth: &mut Depth) -> Option<Explanation> {
        match depth {
            Depth::Near | Depth::Whole { left: 0, .. } => self.by_name.contains_key(name).then(|| self.brief(name)),
            Depth::Whole { left, .. } => {
                *left -= 1;
                let explained = self.explain(name, depth);
                if let Depth::Whole { left, .. } = depth {
                    *left += 1;
                }
                explained
            }
        }
    }

    /// A task with runs.
    fn started(&self, subject: String, children: &[&ChildStatusReference]) -> Explanation {
        let mut runs: Vec<Explanation> = children.iter().map(|child| self.child(child)).collect();
        if let [_] = runs.as_slice()
            && let Some(run) = runs.pop()
        {
            let text = match run.state {
                State::Succeeded => "succeeded",
                State::Failed => "failed",
                State::Cancelled => "was stopped",
                State::Running | State::Waiting | State::Skipped => "is running",
            };
            let state = if run.state == State::Waiting { State::Running } else { run.state };
            let tells_more = run.state != State::Succeeded || run.text != "succeeded" || !run.because.is_empty();
            return Explanation::new(subject, state, text).because(tells_more.then_some(run));
        }
        let count = |state| runs.iter().filter(|run| run.state == state).count();
        let (all, good, bad) = (runs.len(), count(State::Succeeded), count(State::Failed) + count(State::Cancelled));
        let going = all - good - bad;
        let state = if going > 0 {
            State::Running
        } else if bad > 0 {
            State::Failed
        } else {
            State::Succeeded
        };
        let text = format!("has {all} runs: {good} succeeded, {bad} failed, {going} go on");
        runs.retain(|run| run.state != State::Succeeded);
        Explanation::new(subject, state, text).because(runs)
    }

    fn not_started(&self, subject: String, name: &str, depth: &mut Depth) -> Explanation {
        let condition = condition::succeeded(&self.run.status.conditions);
        if let Some(over) = condition.filter(|condition| !condition.is_unknown()) {
            let text = format!("never started, the run had ended: {}", over.reason);
            let task = self.by_name.get(name).filter(|_| self.parents_ended(name));
            let missing = task.map(|task| self.missing_results(task, depth)).unwrap_or_default();
            return Explanation::new(subject, State::Skipped, text).because(missing);
        }
        if self.spec.finally.iter().any(|task| task.name == name) {
            let text = match self.open.as_slice() {
                [] => "is about to start: all tasks are done".to_owned(),
                open => format!("waits until all tasks are done: {} left", listed(open)),
            };
            let open: Vec<&str> = if matches!(depth, Depth::Near) { Vec::new() } else { self.open.clone() };
            return Explanation::new(subject, State::Waiting, text)
                .because(open.into_iter().filter_map(|task| self.near_or_whole(task, depth)));
        }
        let parents = self.parents.get(name).map(Vec::as_slice).unwrap_or_default();
        let open: Vec<&str> = parents.iter().copied().filter(|parent| !self.has_ended(parent)).collect();
        if open.is_empty() {
            let text = match condition.map(|condition| condition.reason.as_str()) {
                None | Some(reasons::STARTED) => "waits for the run to start".to_owned(),
                Some(reasons::PENDING) => "waits, as the whole run is held back".to_owned(),
                Some(task_reasons::RESOLVING_TASK_REF) => {
                    "waits until the Tasks of all tasks are fetched; none starts before".to_owned()
                }
                Some(_) => "waits for nothing: the controller starts it when it next looks at the run".to_owned(),
            };
            return Explanation::new(subject, State::Waiting, text);
        }
        let text = format!("waits for {}", listed(&open));
        let behind: Vec<&str> = if matches!(depth, Depth::Near) { Vec::new() } else { open };
        Explanation::new(subject, State::Waiting, text)
            .because(behind.into_iter().filter_map(|parent| self.near_or_whole(parent, depth)))
    }

    fn parents_ended(&self, name: &str) -> bool {
        let parents = self.parents.get(name).map(Vec::as_slice).unwrap_or_default();
        parents.iter().all(|parent| self.has_ended(parent))
    }
}
