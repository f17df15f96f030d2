//! Suite `pipeline-state`: what a run's state says, and the checks around it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tekton_dag::check;
use tekton_dag::child::ResolvedTask;
use tekton_dag::deadline::Deadlines;
use tekton_dag::graph::Graph;
use tekton_dag::results;
use tekton_dag::state::{Lookup, PipelineState, States};
use tekton_dag::tally::{self, Counts};
use tekton_types::duration::GoDuration;
use tekton_types::v1::PipelineRun;
use tekton_types::{reason, refs};

use super::dag::reference_json;
use super::pipelines::{RecordedSpec, RecordedTask, references, resolved, resolved_json};
use super::recorded::{compare, field, graph, op};
use crate::Case;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let ours = match op(case) {
        "facts" => facts(case)?,
        "task" => task(case)?,
        "state" => state(case)?,
        "nextTasks" => next_tasks(case)?,
        "adjustStartTime" => adjust_start_time(case)?,
        "resolveResultRefs" => return resolve_result_refs(case),
        "checkMissingResultReferences" => check_missing(case)?,
        "validateArrayResultsIndex" => error(results::check_indexes(&references(&case.input["refs"])?)),
        "paramValueFromCustomRunResult" => {
            json!({ "value": results::custom_run_value(case.input["value"].as_str().unwrap_or_default()) })
        }
        "matrixResultsCache" => {
            let recorded: RecordedTask = field(case, "task")?;
            let mut task = recorded.resolved();
            results::fill_cache(&mut task);
            json!({ "resultsCache": task.results_cache })
        }
        other => check_specs(case, other)?,
    };
    compare(case, ours)
}

/// The checks that need specs.
fn check_specs(case: &Case, op: &str) -> Result<Value, String> {
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let tasks = resolved(&recorded);
    Ok(match op {
        "validatePipelineTaskResults" => error(check::task_results(&tasks)),
        "validatePipelineResults" => error(check::pipeline_results(&field(case, "pipelineSpec")?, &tasks)),
        "validateOptionalWorkspaces" => {
            error(check::optional_workspaces(&field::<Vec<_>>(case, "workspaces")?, &tasks))
        }
        "validateParameterTypesInMatrix" => error(check::matrix_types(&tasks)),
        "validateParamEnumSubset" => {
            let task: Option<RecordedSpec> = field(case, "resolvedTask")?;
            let (params, declared): (Vec<_>, Vec<_>) = (field(case, "params")?, field(case, "pipelineParams")?);
            let (name, spec) =
                task.map(|task| (task.task_name, Some(task.task_spec.unwrap_or_default()))).unwrap_or_default();
            error(check::enum_subset(&params, &declared, &name, spec.as_ref()))
        }
        _ => return check_bindings(case, op),
    })
}

/// The checks of a run against its pipeline.
#[cfg(feature = "validate")]
fn check_bindings(case: &Case, op: &str) -> Result<Value, String> {
    use tekton_types::v1::PipelineSpec;
    use tekton_validate::binding;
    let pipeline: PipelineSpec = field(case, "pipelineSpec")?;
    let run: PipelineRun = field(case, "pipelineRun")?;
    Ok(match op {
        "validateParamTypesMatching" => error(binding::param_types_matching(&pipeline, &run.spec.params)),
        "validateTaskRunSpecs" => error(binding::task_run_specs(&pipeline, &run.spec)),
        "validateWorkspaceBindings" => error(binding::pipeline_workspaces(&pipeline, &run.spec.workspaces)),
        "validateParamArrayIndex" => {
            error(binding::pipeline_param_array_index(&pipeline, &field::<Vec<_>>(case, "params")?))
        }
        "validateRequiredParametersProvided" | "validateObjectParamRequiredKeys" => {
            let (declared, provided): (Vec<_>, Vec<_>) = (field(case, "declared")?, field(case, "provided")?);
            error(if op == "validateRequiredParametersProvided" {
                binding::required_parameters_provided(&declared, &provided)
            } else {
                binding::object_param_required_keys(&declared, &provided)
            })
        }
        other => return Err(format!("unknown op {other:?}")),
    })
}

#[cfg(not(feature = "validate"))]
fn check_bindings(_: &Case, op: &str) -> Result<Value, String> {
    Err(format!("op {op:?} needs the suites of feature `validate`"))
}

fn error<E: ToString>(outcome: Result<(), E>) -> Value {
    json!({ "error": outcome.err().map(|e| e.to_string()) })
}

/// The recorded timeouts of a run.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RecordedTimeouts {
    start_time: Option<Timestamp>,
    finally_start_time: Option<Timestamp>,
    pipeline_timeout: Option<GoDuration>,
    tasks_timeout: Option<GoDuration>,
    finally_timeout: Option<GoDuration>,
    now: Option<Timestamp>,
}

/// The recorded facts of a run.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RecordedFacts {
    state: Vec<RecordedTask>,
    tasks_graph: Value,
    final_tasks_graph: Value,
    spec_status: String,
    timeouts: RecordedTimeouts,
    validation_failed: BTreeSet<String>,
    validation_failed_errors: BTreeMap<String, String>,
}

fn facts(case: &Case) -> Result<Value, String> {
    let facts: RecordedFacts = field(case, "facts")?;
    let (tasks, finally) = (graph(&facts.tasks_graph)?, graph(&facts.final_tasks_graph)?);
    let none = Graph::default();
    let timeouts = &facts.timeouts;
    let mut state = PipelineState {
        tasks: resolved(&facts.state),
        graph: tasks.as_ref().unwrap_or(&none),
        finally: finally.as_ref().unwrap_or(&none),
        spec_status: &facts.spec_status,
        deadlines: Deadlines {
            start_time: timeouts.start_time,
            finally_start_time: timeouts.finally_start_time,
            pipeline: timeouts.pipeline_timeout,
            tasks: timeouts.tasks_timeout,
            r#finally: timeouts.finally_timeout,
            now: timeouts.now,
        },
        validation_failed: facts
            .validation_failed
            .iter()
            .map(|name| (name.clone(), facts.validation_failed_errors.get(name).cloned().unwrap_or_default()))
            .collect(),
    };
    let before = state.tasks.clone();
    let states = state.classify();
    let mut ours = answers(&state, &states);
    ours.insert("taskRunsResults".into(), json!(results::task_run_results(&before)));
    ours.insert("runsResults".into(), json!(results::custom_run_results(&before)));
    if let Some(now) = case.input["now"].as_str() {
        let run: PipelineRun = field(case, "pipelineRun")?;
        let now: Timestamp = now.parse().map_err(|e| format!("now: {e}"))?;
        let minutes = case.input["config"]["default-timeout-minutes"].as_str().and_then(|m| m.parse().ok());
        let deadlines = Deadlines::of(&run, GoDuration::from_mins(minutes.unwrap_or(60)), now);
        let condition = tally::condition(&state, &states, &run, &deadlines);
        ours.insert(
            "condition".into(),
            json!({ "type": condition.type_, "status": condition.status, "reason": condition.reason, "message": condition.message }),
        );
    }
    // Where upstream panics, nothing is recorded.
    ours.retain(|name, _| case.expect.get(name).is_some());
    if let (Some(ours), Some(expected)) =
        (ours.get_mut("tasks").and_then(Value::as_object_mut), case.expect["tasks"].as_object())
    {
        for (name, task) in ours.iter_mut() {
            if let (Some(task), Some(expected)) = (task.as_object_mut(), expected.get(name)) {
                task.retain(|key, _| expected.get(key).is_some());
            }
        }
    }
    Ok(Value::Object(ours))
}

fn answers(state: &PipelineState<'_>, states: &States) -> Map<String, Value> {
    let name = |index: &usize| state.tasks[*index].name();
    let names = |indexes: &[usize]| indexes.iter().map(name).collect::<Vec<_>>();
    let queue = match states.queue(state) {
        Ok(queue) => json!(names(&queue)),
        Err(error) => json!({ "error": error.to_string() }),
    };
    let (mut finally_names, mut task_names) = state.names();
    finally_names.sort_unstable();
    task_names.sort_unstable();
    let counts = Counts::of(state, states);
    let skip = |reason: Option<tekton_dag::skip::SkipReason>| json!({ "isSkipped": reason.is_some(), "reason": reason.map_or(reason::skip::NONE, |r| r.text()) });
    let tasks: Map<String, Value> = states
        .tasks
        .iter()
        .zip(&state.tasks)
        .map(|(task, resolved)| {
            let value = json!({
                "skip": skip(task.skip), "finallySkip": skip(task.finally_skip), "isDone": task.done,
                "parentSkipped": task.parent_skipped,
            });
            (resolved.name().to_owned(), value)
        })
        .collect();
    let all = json!({
        "isStopping": states.stopping,
        "isRunning": states.running,
        "dagTasksDone": states.tasks_done,
        "finalTasksDone": states.finally_done,
        "isFinalTaskStarted": states.finally_started(),
        "isBeforeFirstTaskRun": state.is_before_first_run(),
        "dagExecutionQueue": queue,
        "finalTasks": names(&states.finally_queue(state)),
        "completedOrSkippedDAGTasks": states.completed_or_skipped(state).collect::<Vec<_>>(),
        "taskNames": task_names,
        "finalTaskNames": finally_names,
        "skippedTasks": tally::skipped_tasks(state, states),
        "childReferences": tally::child_references(&mut state.clone(), states),
        "taskStatus": tally::task_status(state, states),
        "finalTaskStatus": tally::finally_status(state, states),
        "counts": {
            "skipped": counts.skipped, "succeeded": counts.succeeded, "failed": counts.failed,
            "ignoredFailed": counts.ignored_failed, "cancelled": counts.cancelled, "incomplete": counts.incomplete,
            "skippedDueToTimeout": counts.skipped_due_to_timeout, "validationFailed": counts.validation_failed,
        },
        "tasks": tasks,
    });
    match all {
        Value::Object(all) => all,
        _ => Map::new(),
    }
}

fn task(case: &Case) -> Result<Value, String> {
    use tekton_dag::child::ChildKind;
    let recorded: RecordedTask = field(case, "task")?;
    let task = recorded.resolved();
    let outcome = task.outcome();
    let mut ours = json!({
        "isRunning": outcome.running(),
        "isSuccessful": outcome.successful,
        "isFailure": outcome.failure,
        "isCancelled": outcome.cancelled,
        "isCancelledForTimeOut": outcome.cancelled_for_timeout,
        "isScheduled": outcome.scheduled,
        "haveAnyRunsFailed": outcome.any_failed,
        "reason": outcome.reason,
        "isCustomTask": task.custom_task,
        "isChildPipeline": task.kind() == ChildKind::Pipeline,
    });
    if let Some(ours) = ours.as_object_mut() {
        ours.retain(|name, _| case.expect.get(name).is_some());
    }
    Ok(ours)
}

fn state(case: &Case) -> Result<Value, String> {
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let tasks = resolved(&recorded);
    let mut ours = json!({
        "taskRunsResults": results::task_run_results(&tasks),
        "taskRunsArtifacts": results::task_run_artifacts(&tasks),
        "runsResults": results::custom_run_results(&tasks),
        "isBeforeFirstTaskRun": !tasks.iter().any(ResolvedTask::has_runs),
    });
    if let Some(ours) = ours.as_object_mut() {
        ours.retain(|name, _| case.expect.get(name).is_some());
    }
    Ok(ours)
}

fn next_tasks(case: &Case) -> Result<Value, String> {
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let candidates: BTreeSet<String> = field(case, "candidates")?;
    let tasks = resolved(&recorded);
    let next: Vec<&str> =
        tasks.iter().filter(|t| !t.has_runs() && candidates.contains(t.name())).map(ResolvedTask::name).collect();
    Ok(json!({ "tasks": next }))
}

fn adjust_start_time(case: &Case) -> Result<Value, String> {
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let start: Option<Timestamp> = field(case, "startTime")?;
    let tasks = resolved(&recorded);
    Ok(json!({ "startTime": tekton_dag::tally::start_time(&tasks, start) }))
}

fn resolve_result_refs(case: &Case) -> Result<(), String> {
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let targets: Vec<RecordedTask> = field(case, "targets")?;
    let mut tasks = resolved(&recorded);
    let lookup = Lookup::new(&tasks);
    let mut found = BTreeMap::new();
    let mut repeated = Vec::new();
    let mut failed = None;
    for target in targets.iter().filter_map(|target| target.pipeline_task.as_ref()) {
        match results::resolve(&mut tasks, &lookup, target) {
            Ok(resolved) => {
                let resolved = resolved.iter().map(resolved_json).map(|r| (r["reference"].to_string(), r));
                for (reference, resolved) in resolved {
                    // Upstream tells references to one element apart, however often they name the same.
                    let times = refs::result_refs(target)
                        .into_iter()
                        .filter(|r| r.results_index.is_some() && reference_json(*r) == resolved["reference"])
                        .count()
                        .saturating_sub(usize::from(!found.contains_key(&reference)));
                    repeated.extend(std::iter::repeat_n(resolved.clone(), times));
                    found.insert(reference, resolved);
                }
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let refs: Vec<Value> = if failed.is_some() { Vec::new() } else { found.into_values().chain(repeated).collect() };
    let ours = json!({
        "refs": refs,
        "failedTask": failed.as_ref().map(|error| error.pipeline_task.clone()),
        "error": failed.map(|error| error.to_string()),
    });
    let mut case = case.clone();
    case.unordered.push("refs".to_owned());
    compare(&case, ours)
}

fn check_missing(case: &Case) -> Result<Value, String> {
    let recorded: Vec<RecordedTask> = field(case, "state")?;
    let target: RecordedTask = field(case, "target")?;
    let tasks = resolved(&recorded);
    Ok(error(results::check_missing(&tasks, &Lookup::new(&tasks), &target.resolved())))
}
