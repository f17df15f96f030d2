//! One round of scheduling: what starts, what is stopped, and what the run has come to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_contract::var::Table;
use tekton_dag::child::ResolvedTask;
use tekton_dag::deadline::Deadlines;
use tekton_dag::pipeline_results::Sources;
use tekton_dag::shared::Shared;
use tekton_dag::skip::SkipReason;
use tekton_dag::state::{PipelineState, States, TaskState};
use tekton_dag::{apply, check, matrix, pipeline_results, results, tally};
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{PipelineRun, pipelinerun_spec_status, taskrun_spec_status};
use tekton_types::v1beta1::customrun_spec_status;

use super::bind::Bound;
use super::checks::{check_first_start, check_tasks, evaluate_cel};
use super::children::Children;
use super::resolve::{self, Resolution};
use super::start::{self, Starting};
use super::{assistant, cancel, life};
use crate::decision::USER_ERROR;
use crate::facts::{Need, Value};
use crate::object::ObjectKey;
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::scope::pipeline as scope;

/// Schedules the run and says what it has come to.
pub(super) fn schedule<'a>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    bound: &Bound,
    children: &Children<'a>,
) -> Result<(), Stop> {
    let now = pass.now();
    let default = life::default_timeout(pass.env.config);
    let Resolution { tasks, pipelines } = resolve::resolve(pass, run, bound, children)?;
    let spec_status = run.spec.status.clone();
    let mut state = PipelineState {
        tasks,
        graph: &bound.graph,
        finally: &bound.finally,
        spec_status: &spec_status,
        deadlines: Deadlines::of(run, default, now),
        validation_failed: BTreeMap::new(),
    };
    check_tasks(pass, run, bound, &state.tasks)?;
    for task in &mut state.tasks {
        evaluate_cel(pass, run, task)?;
    }
    let states = state.classify();
    let cancels = spec_status == pipelinerun_spec_status::CANCELLED_RUN_FINALLY && states.running;
    let told_both = cancels && state.deadlines.tasks_passed() && are_told_to_stop(&state, &states);
    if cancels && !told_both {
        cancel::cancel_gracefully(pass, run)?;
    }
    if state.is_before_first_run() {
        check_first_start(pass, run, bound, &state)?;
        assistant::set_up(pass, run)?;
    }
    if !told_both {
        time_out_tasks(pass, run, &state, &states)?;
    }
    make_sure_of_late_tasks(pass, run, &state, &states)?;
    start_next(pass, run, bound, &mut state, states, &pipelines)?;

    let states = state.classify();
    if state.deadlines.pipeline_passed() {
        cancel::time_out(pass, run)?;
    }
    explain(pass, &state, &states);
    conclude(pass, run, bound, &mut state, &states)
}

/// Says of every task without runs why it has none.
fn explain(pass: &mut Pass<'_>, state: &PipelineState<'_>, states: &States) {
    for (resolved, task) in state.tasks.iter().zip(&states.tasks).filter(|(resolved, _)| !resolved.has_runs()) {
        let name = resolved.name();
        if let Some(reason) = task.skip.or(task.finally_skip) {
            pass.note(name, format!("is skipped: {}", reason.text()));
        } else if let Some(error) = state.validation_failed.get(name) {
            pass.note(name, format!("cannot start: {error}"));
        } else if task.in_finally {
            pass.note(name, "waits until all tasks are done");
        } else if let Some(node) = state.graph.index_of(name) {
            let parents = state.graph.parents(node).map(|parent| state.graph.name(parent));
            let open: Vec<&str> = parents
                .filter(|parent| states.lookup.get(parent).is_some_and(|index| !states.tasks[index].done))
                .collect();
            if !open.is_empty() {
                pass.note(name, format!("waits for {}", open.join(", ")));
            }
        }
    }
}

/// Writes condition, children, skipped tasks and results into the status.
fn conclude(
    pass: &Pass<'_>,
    run: &mut PipelineRun,
    bound: &Bound,
    state: &mut PipelineState<'_>,
    states: &States,
) -> Result<(), Stop> {
    let now = pass.now();
    let condition = tally::condition(state, states, run, &state.deadlines);
    if condition.is_unknown() {
        life::set(&mut run.status, condition, now);
    } else {
        life::mark_over(&mut run.status, condition, now);
    }
    let start = run.status.start_time.as_ref().map(|time| time.0);
    run.status.start_time = tally::start_time(&state.tasks, start).map(Time);
    (run.status.child_references, run.status.skipped_tasks) = tally::reported(state, states);
    if !life::is_done(run) {
        return Ok(());
    }
    let mut statuses = tally::task_status(state, states);
    statuses.extend(tally::finally_status(state, states));
    let sources = Sources {
        task_runs: &results::task_run_results(&state.tasks),
        custom_runs: &results::custom_run_results(&state.tasks),
        task_status: &statuses,
    };
    let (computed, invalid) = pipeline_results::compute(&bound.spec.results, sources);
    run.status.results = computed;
    if !invalid.is_empty() {
        let error = pipeline_results::invalid_message(&invalid);
        let own = run.metadata.name.as_deref().unwrap_or_default();
        let message = format!("Failed to get PipelineResult from TaskRun Results for PipelineRun {own}: {error}");
        life::mark_failed(&mut run.status, reasons::COULDNT_GET_PIPELINE_RESULT, message, now);
        return Err(Stop::transient(error));
    }
    Ok(())
}

/// Every child of a task that runs was told to stop. Who is told twice why, as cancelled and as late, is not told again
/// in each pass, one reason after the other, for as long as it goes on.
fn are_told_to_stop(state: &PipelineState<'_>, states: &States) -> bool {
    let running = states.tasks.iter().zip(&state.tasks).filter(|(task, _)| task.outcome.running());
    running.map(|(_, resolved)| resolved).all(|task| {
        task.task_runs.iter().all(|run| run.spec.status == taskrun_spec_status::CANCELLED)
            && task.custom_runs.iter().all(|run| run.spec.status == customrun_spec_status::CANCELLED)
    })
}

/// Stops what runs past the deadline of the tasks, or of the finally tasks.
fn time_out_tasks(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    state: &PipelineState<'_>,
    states: &States,
) -> Result<(), Stop> {
    let in_finally = run.status.finally_start_time.is_some();
    let passed = if in_finally { state.deadlines.finally_passed() } else { state.deadlines.tasks_passed() };
    if !passed {
        return Ok(());
    }
    let late: Vec<String> = states
        .tasks
        .iter()
        .zip(&state.tasks)
        .filter(|(task, _)| task.in_finally == in_finally && task.outcome.running())
        .map(|(_, resolved)| resolved.name().to_owned())
        .collect();
    cancel::time_out_tasks(pass, run, &late)
}

/// Asks past the caches whether a task that could start, were the time not over, has runs already: a cache that is behind
/// may not know yet what was created just before. What comes after the tasks would begin beside them.
fn make_sure_of_late_tasks(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    state: &PipelineState<'_>,
    states: &States,
) -> Result<(), Stop> {
    if run.status.finally_start_time.is_some() {
        return Ok(());
    }
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    let late = |task: &TaskState| task.skip.is_some_and(SkipReason::is_timeout);
    let mut waiting = false;
    let unknown = states.tasks.iter().zip(&state.tasks).filter(|(task, resolved)| late(task) && !resolved.has_runs());
    for (_, task) in unknown {
        let kind = resolve::kind_of(task);
        for name in &task.names {
            match pass.fetch(Need::Fresh(ObjectKey::new(kind, namespace, name))) {
                Ok(Ok(Value::Object(found))) if owner::is_controlled_by(found.metadata(), &run.metadata) => {
                    pass.note(task.name(), format!("has {} {name}, which the cache does not know yet", kind.as_str()));
                    return Err(Stop::After(SignedDuration::from_secs(1)));
                }
                // What the API server will not tell does not keep the run from ending in time.
                Ok(_) => {}
                Err(Stop::Wait) => waiting = true,
                Err(stop) => return Err(stop),
            }
        }
    }
    if waiting { Err(Stop::Wait) } else { Ok(()) }
}

/// Starts what can start.
fn start_next<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    bound: &Bound,
    state: &mut PipelineState<'s>,
    mut states: States,
    pipelines: &BTreeMap<String, String>,
) -> Result<(), Stop> {
    // A child that somebody deleted after the tasks that wait for it were done must not hold the run for ever.
    let mut next = states.lenient_queue(state);
    for index in next.clone() {
        if let Err(error) = results::check_missing(&state.tasks, &states.lookup, &state.tasks[index]) {
            let name = state.tasks[index].name().to_owned();
            pass.warn(
                "ResultValidationFailed",
                format!("Task {} failed result validation: {error}", tekton_dag::graph::quote(&name)),
            );
            state.validation_failed.insert(name, error);
            next.clear();
        }
    }
    if !state.validation_failed.is_empty() {
        states = state.classify();
    }
    let (unfinished_finally, unfinished): (Vec<usize>, Vec<usize>) =
        half_created(run, state).partition(|index| states.tasks[*index].in_finally);
    if !states.stopping && state.spec_status.is_empty() && !state.deadlines.tasks_passed() {
        next.extend(unfinished);
    }
    let mut finally = states.finally_queue(state);
    finally.extend(unfinished_finally);
    if !finally.is_empty() {
        let table = strings(&tally::task_status(state, &states));
        for index in finally {
            apply::task_state(state.tasks[index].pipeline_task.to_mut(), &table);
            let target = state.tasks[index].pipeline_task.clone();
            let Ok(found) = results::resolve(&mut state.tasks, &states.lookup, &target) else { continue };
            apply::results(state.tasks[index].pipeline_task.to_mut(), &results::table(&found));
            evaluate_cel(pass, run, &mut state.tasks[index])?;
            next.push(index);
        }
    }
    let set_finally_start = |run: &mut PipelineRun, state: &mut PipelineState<'_>, now| {
        let start = run.status.finally_start_time.get_or_insert(Time(now)).0;
        state.deadlines.finally_start_time.get_or_insert(start);
    };
    let now = pass.now();
    if states.finally_started() {
        set_finally_start(run, state, now);
    }
    let holds_spec = |index: &usize| is_written_inside(&state.tasks[*index]);
    let made = if run.spec.workspaces.is_empty() && !next.iter().any(holds_spec) {
        BTreeMap::new()
    } else {
        results::task_run_results(&state.tasks)
    };
    scope::apply_results_to_workspaces(&made, &mut run.spec.workspaces);
    if next.iter().any(|index| states.tasks[*index].in_finally) {
        set_finally_start(run, state, now);
    }
    if next.is_empty() {
        return Ok(());
    }
    let states = state.classify();
    let results = scope::results_table(&made);
    let artifacts = scope::artifacts_table(&results::task_run_artifacts(&state.tasks));
    let mut waiting = false;
    for index in next {
        if states.tasks[index].skip.is_some() || states.tasks[index].finally_skip.is_some() {
            continue;
        }
        if is_written_inside(&state.tasks[index])
            && let Some(spec) = state.tasks[index].task_spec.as_mut()
        {
            scope::propagate(spec.to_mut(), &results, &artifacts);
        }
        if matrix::is_matrixed(&state.tasks[index].pipeline_task)
            && let Err(error) = check::matrix_types(&state.tasks)
        {
            if waiting {
                return Err(Stop::Wait);
            }
            // Upstream leaves the name out; the text is what users see.
            let message = format!("{USER_ERROR}Failed to validate matrix {:?} with error %!v(MISSING)", error.as_str());
            life::mark_failed(&mut run.status, reasons::INVALID_MATRIX_PARAMETER_TYPES, message, now);
            return Err(Stop::permanent(error));
        }
        let mut task = (*state.tasks[index].pipeline_task).clone();
        scope::apply_task_contexts(&mut task, Some(&bound.spec), &mut state.tasks);
        let written = std::mem::replace(&mut state.tasks[index].pipeline_task, Shared::Owned(Box::new(task)));
        let pipeline = pipelines.get(state.tasks[index].name()).map(String::as_str).unwrap_or_default();
        let mut starting =
            Starting { is_finally: states.tasks[index].in_finally, pipeline, written, task: &mut state.tasks[index] };
        match start::start(pass, run, &mut starting) {
            Ok(()) => {}
            // The children of all tasks that start are created in one round.
            Err(Stop::Wait) => waiting = true,
            // What comes before the task is created all the same.
            Err(_) if waiting => return Err(Stop::Wait),
            Err(stop) => return Err(stop),
        }
    }
    if waiting { Err(Stop::Wait) } else { Ok(()) }
}

/// The spec stands in the pipeline: a TaskRun of a task by reference holds none that anything could be put into.
fn is_written_inside(task: &ResolvedTask<'_>) -> bool {
    task.task_name.is_empty() && task.task_spec.is_some()
}

/// The tasks of whose matrix some runs were created and others never were: a shell died or was refused in between.
/// A run that somebody deleted is listed in the status and stays away.
fn half_created(run: &PipelineRun, state: &PipelineState<'_>) -> impl Iterator<Item = usize> {
    let listed: BTreeSet<&str> = run.status.child_references.iter().map(|child| child.name.as_str()).collect();
    let half = |task: &ResolvedTask<'_>| {
        task.has_runs() && task.names.len() > 1 && task.names.iter().any(|name| !listed.contains(name.as_str()))
    };
    let found: Vec<usize> = (0..state.tasks.len()).filter(|index| half(&state.tasks[*index])).collect();
    found.into_iter()
}

fn strings(variables: &BTreeMap<String, String>) -> Table {
    let mut table = Table::new();
    for (key, value) in variables {
        table.set(key.as_str(), value.as_str());
    }
    table
}
