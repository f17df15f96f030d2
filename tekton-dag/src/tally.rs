//! What a pipeline run comes to: counts, condition, skipped tasks, child references, states of tasks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use k8s_openapi::Resource;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::var::Table;
use tekton_types::condition::{self, Condition};
use tekton_types::reason::{pipelinerun as reason, taskrun as task_reason};
use tekton_types::refs;
use tekton_types::substitute::Substitute;
use tekton_types::v1::{
    ChildStatusReference, Param, PipelineRun, PipelineTask, SkippedTask, TaskRun, WhenExpression,
    pipelinerun_spec_status,
};
use tekton_types::v1beta1::CustomRun;

use crate::child::ResolvedTask;
use crate::deadline::Deadlines;
use crate::graph::quote;
use crate::matrix;
use crate::results;
use crate::skip::SkipReason;
use crate::state::{ON_ERROR_CONTINUE, PipelineState, States};

/// The state of a task that is neither a success nor a failure.
pub const NO_STATE: &str = "None";
/// The variable for the state of all tasks together.
pub const AGGREGATE_STATUS: &str = "tasks.status";
/// Longest text about failed validations in a condition, in bytes.
const MAX_VALIDATION_MESSAGE: usize = 1024;

/// How many tasks came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Skipped for any reason.
    pub skipped: usize,
    /// Succeeded.
    pub succeeded: usize,
    /// Failed, or cancelled because the run timed out.
    pub failed: usize,
    /// Failed with `onError: continue`.
    pub ignored_failed: usize,
    /// Cancelled.
    pub cancelled: usize,
    /// Running or not started.
    pub incomplete: usize,
    /// Skipped because of a timeout; counted as skipped too.
    pub skipped_due_to_timeout: usize,
    /// Not started because result references are wrong.
    pub validation_failed: usize,
}

impl Counts {
    /// Counts the tasks of a run.
    pub fn of(state: &PipelineState<'_>, states: &States) -> Self {
        let mut counts = Self::default();
        for (task, resolved) in states.tasks.iter().zip(&state.tasks) {
            let outcome = &task.outcome;
            if outcome.successful {
                counts.succeeded += 1;
            } else if outcome.cancelled_for_timeout {
                counts.failed += 1;
            } else if outcome.cancelled {
                counts.cancelled += 1;
            } else if outcome.failure && resolved.pipeline_task.on_error == ON_ERROR_CONTINUE {
                counts.ignored_failed += 1;
            } else if outcome.failure {
                counts.failed += 1;
            } else if task.validation_failed {
                counts.validation_failed += 1;
            } else if task.skip.is_some() || task.finally_skip.is_some() {
                counts.skipped += 1;
                let timed_out = task.skip.is_some_and(|s| s.is_timeout() && s != SkipReason::FinallyTimedOut)
                    || task.finally_skip == Some(SkipReason::FinallyTimedOut);
                counts.skipped_due_to_timeout += usize::from(timed_out);
            } else {
                counts.incomplete += 1;
            }
        }
        counts
    }
}

/// The condition of `run`, from its tasks and its deadlines.
pub fn condition(state: &PipelineState<'_>, states: &States, run: &PipelineRun, deadlines: &Deadlines) -> Condition {
    let name = quote(run.metadata.name.as_deref().unwrap_or_default());
    let timed_out = |message| Condition::succeeded(condition::FALSE, reason::TIMED_OUT, message);
    if deadlines.pipeline_passed() {
        let timeout = deadlines.pipeline.unwrap_or_default().to_string();
        return timed_out(format!("PipelineRun {name} failed to finish within {}", quote(&timeout)));
    }
    let tasks_passed = deadlines.tasks_passed();
    let finally_open = !state.finally.is_empty() && !states.finally_done;
    if tasks_passed && !finally_open {
        let timeout = deadlines.tasks.unwrap_or_default().to_string();
        return timed_out(format!(
            "PipelineRun {name} failed due to tasks failed to finish within {}",
            quote(&timeout)
        ));
    }
    let counts = Counts::of(state, states);
    if counts.incomplete == 0 {
        return finished(&counts, state, run.spec.status.as_str(), &name);
    }
    let why = match run.spec.status.as_str() {
        _ if tasks_passed && finally_open => reason::TIMED_OUT_RUNNING_FINALLY,
        pipelinerun_spec_status::CANCELLED_RUN_FINALLY => reason::CANCELLED_RUNNING_FINALLY,
        pipelinerun_spec_status::STOPPED_RUN_FINALLY => reason::STOPPED_RUNNING_FINALLY,
        _ if counts.cancelled > 0 || counts.failed > 0 && states.finally_done => reason::STOPPING,
        _ => reason::RUNNING,
    };
    let message = format!(
        "Tasks Completed: {} (Failed: {}, Cancelled {}), Incomplete: {}, Skipped: {}",
        counts.succeeded + counts.failed + counts.cancelled + counts.ignored_failed,
        counts.failed,
        counts.cancelled,
        counts.incomplete,
        counts.skipped
    );
    Condition::succeeded(condition::UNKNOWN, why, message)
}

fn finished(counts: &Counts, state: &PipelineState<'_>, spec_status: &str, name: &str) -> Condition {
    let completed = counts.succeeded + counts.failed + counts.cancelled + counts.ignored_failed;
    let failed = counts.failed + counts.ignored_failed;
    let ignored = match counts.ignored_failed {
        0 => String::new(),
        ignored => format!(" (Ignored: {ignored})"),
    };
    let mut message = format!(
        "Tasks Completed: {completed} (Failed: {failed}{ignored}, Cancelled {}), Skipped: {}",
        counts.cancelled, counts.skipped
    );
    if counts.validation_failed > 0 {
        write!(message, ", Failed Validation: {}", counts.validation_failed).expect("writing to a string cannot fail");
        message.push_str(&validation_message(&state.validation_failed));
    }
    let graceful = matches!(
        spec_status,
        pipelinerun_spec_status::CANCELLED_RUN_FINALLY | pipelinerun_spec_status::STOPPED_RUN_FINALLY
    );
    let (status, why) = if counts.validation_failed > 0 {
        (condition::FALSE, reason::FAILED_VALIDATION)
    } else if counts.failed > 0 || counts.skipped_due_to_timeout > 0 {
        (condition::FALSE, reason::FAILED)
    } else if graceful {
        message = format!("PipelineRun {name} was cancelled");
        (condition::FALSE, reason::CANCELLED)
    } else if counts.cancelled > 0 {
        (condition::FALSE, reason::CANCELLED)
    } else if counts.skipped > 0 {
        (condition::TRUE, reason::COMPLETED)
    } else {
        (condition::TRUE, reason::SUCCESSFUL)
    };
    Condition::succeeded(status, why, message)
}

fn validation_message(errors: &BTreeMap<String, String>) -> String {
    let texts: Vec<&str> = errors.values().map(String::as_str).filter(|text| !text.is_empty()).collect();
    if texts.is_empty() {
        return String::new();
    }
    let mut text = texts.join("; ");
    if text.len() > MAX_VALIDATION_MESSAGE {
        let mut end = MAX_VALIDATION_MESSAGE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    format!(" ({text})")
}

/// The tasks that are skipped, as the status of the run lists them.
pub fn skipped_tasks(state: &PipelineState<'_>, states: &States) -> Vec<SkippedTask> {
    let mut skipped = Vec::new();
    for (task, resolved) in states.tasks.iter().zip(&state.tasks) {
        let mut push = |reason: SkipReason, with_when: bool| {
            skipped.push(SkippedTask {
                name: resolved.name().to_owned(),
                reason: reason.text().to_owned(),
                when_expressions: if with_when { resolved.pipeline_task.when.clone() } else { Vec::new() },
            });
        };
        if let Some(reason) = task.skip {
            push(reason, true);
        }
        if let Some(reason) = task.finally_skip {
            push(reason, reason == SkipReason::WhenExpressions);
        }
    }
    skipped
}

/// The runs of all tasks, as the status of the run lists them. Guards are shown with results replaced. Gathers the
/// results of matrixed tasks that others have used.
pub fn child_references(state: &mut PipelineState<'_>, states: &States) -> Vec<ChildStatusReference> {
    references(state, states).0
}

/// The runs of all tasks and the tasks that are skipped, as one pass writes both: guards of skipped tasks get the
/// results that tasks which are done use.
pub fn reported(state: &mut PipelineState<'_>, states: &States) -> (Vec<ChildStatusReference>, Vec<SkippedTask>) {
    let (references, table) = references(state, states);
    let mut skipped = skipped_tasks(state, states);
    if !table.is_empty() {
        for task in &mut skipped {
            task.when_expressions.substitute(&table);
        }
    }
    (references, skipped)
}

/// The runs of all tasks, and the results that were replaced on the way.
fn references(state: &mut PipelineState<'_>, states: &States) -> (Vec<ChildStatusReference>, Table) {
    let mut references = Vec::new();
    let mut table = Table::new();
    let shows = |task: &PipelineTask| !task.when.is_empty() || !task.display_name.is_empty();
    let any_shown = state.tasks.iter().any(|resolved| shows(&resolved.pipeline_task));
    let any_matrix = state.tasks.iter().any(|resolved| matrix::is_matrixed(&resolved.pipeline_task));
    for (index, task) in states.tasks.iter().enumerate() {
        if task.done && any_matrix {
            let target = state.tasks[index].pipeline_task.clone();
            // Only to fill `results_cache` of the tasks that made the results.
            let _ = results::resolve(&mut state.tasks, &states.lookup, &target);
        }
        let resolved = &state.tasks[index];
        let pipeline_task = &resolved.pipeline_task;
        if task.done && any_shown {
            let mut used = refs::result_refs(pipeline_task);
            if resolved.results_applied_before && results::values(&state.tasks, &states.lookup, &used).is_ok() {
                used = refs::embedded_result_refs(pipeline_task);
            }
            if !used.is_empty()
                && let Ok(values) = results::values(&state.tasks, &states.lookup, &used)
            {
                table.extend(results::table(&values));
            }
        }
        let mut shown = Shown {
            task: pipeline_task,
            when: pipeline_task.when.clone(),
            display_name: table.apply(&pipeline_task.display_name),
        };
        if !table.is_empty() {
            shown.when.substitute(&table);
        }
        if !resolved.pipeline_runs.is_empty() {
            references.extend(resolved.pipeline_runs.iter().map(|run| shown.reference(*run, &run.spec.params)));
        } else if !resolved.task_runs.is_empty() {
            references.extend(resolved.task_runs.iter().map(|run| shown.reference(*run, &run.spec.params)));
        } else {
            references.extend(resolved.custom_runs.iter().map(|run| shown.reference(*run, &run.spec.params)));
        }
    }
    (references, table)
}

/// The start time of a run: `start`, or when its first child was created if that is earlier.
///
/// A child that was never stored has no creation time, and counts as earlier than everything.
pub fn start_time(tasks: &[ResolvedTask<'_>], start: Option<Timestamp>) -> Option<Timestamp> {
    let created = |metadata: &ObjectMeta| metadata.creation_timestamp.as_ref().map(|time| time.0);
    tasks
        .iter()
        .flat_map(|task| {
            let pipelines = task.pipeline_runs.iter().map(|run| created(&run.metadata));
            let customs = task.custom_runs.iter().map(|run| created(&run.metadata));
            pipelines.chain(customs).chain(task.task_runs.iter().map(|run| created(&run.metadata)))
        })
        .fold(start, Option::min)
}

/// A kind of child, for its reference.
trait Child: Resource {
    fn name(&self) -> &str;
}

impl Child for TaskRun {
    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl Child for CustomRun {
    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl Child for PipelineRun {
    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

/// A task as its references show it.
struct Shown<'t> {
    task: &'t PipelineTask,
    when: Vec<WhenExpression>,
    display_name: Cow<'t, str>,
}

impl Shown<'_> {
    fn reference<C: Child>(&self, run: &C, params: &[Param]) -> ChildStatusReference {
        ChildStatusReference {
            api_version: C::API_VERSION.to_owned(),
            kind: C::KIND.to_owned(),
            name: run.name().to_owned(),
            display_name: self.display_name_with(params),
            pipeline_task_name: self.task.name.clone(),
            when_expressions: self.when.clone(),
        }
    }

    /// The display name of one run: that of the include entries that its params agree with, else the task's.
    fn display_name_with(&self, params: &[Param]) -> String {
        let includes = self.task.matrix.as_ref().map(|matrix| matrix.include.as_slice()).unwrap_or_default();
        if self.display_name.is_empty() && includes.is_empty() {
            return String::new();
        }
        let mut table = Table::new();
        for (name, text) in params.iter().filter_map(|param| Some((&param.name, param.value.as_string()?))) {
            table.set(format!("params.{name}"), text);
        }
        let agrees = |param: &Param| {
            table
                .string(&format!("params.{}", param.name))
                .is_some_and(|value| param.value.as_string().is_none_or(|expected| expected == value))
        };
        let names: Vec<_> = includes
            .iter()
            .filter(|entry| !entry.name.is_empty() && entry.params.iter().all(agrees))
            .map(|entry| table.apply(&entry.name))
            .collect();
        if names.is_empty() {
            return table.apply(&self.display_name).into_owned();
        }
        names.join(" ").trim().to_owned()
    }
}

/// The variables that finally tasks may use: `tasks.<task>.status`, `tasks.<task>.reason` and `tasks.status`.
pub fn task_status(state: &PipelineState<'_>, states: &States) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut aggregate = if states.tasks_done { reason::SUCCESSFUL } else { NO_STATE };
    for (task, resolved) in states.tasks.iter().zip(&state.tasks).filter(|(task, _)| task.in_tasks) {
        let name = resolved.name();
        variables.insert(format!("tasks.{name}.status"), status_of(task).to_owned());
        variables.insert(format!("tasks.{name}.reason"), task.outcome.reason.clone());
        if states.tasks_done {
            if task.outcome.any_failed {
                aggregate = reason::FAILED;
            } else if task.skip.is_some() && aggregate != reason::FAILED {
                aggregate = reason::COMPLETED;
            }
        }
    }
    variables.insert(AGGREGATE_STATUS.to_owned(), aggregate.to_owned());
    variables
}

/// `tasks.<task>.status` of the finally tasks.
pub fn finally_status(state: &PipelineState<'_>, states: &States) -> BTreeMap<String, String> {
    states
        .tasks
        .iter()
        .zip(&state.tasks)
        .filter(|(task, _)| task.in_finally)
        .map(|(task, resolved)| (format!("tasks.{}.status", resolved.name()), status_of(task).to_owned()))
        .collect()
}

fn status_of(task: &crate::state::TaskState) -> &'static str {
    if task.outcome.successful {
        task_reason::SUCCESSFUL
    } else if task.outcome.any_failed {
        task_reason::FAILED
    } else {
        NO_STATE
    }
}
