//! The tasks of a pipeline with their children and their specs.

use std::collections::{BTreeMap, BTreeSet};

use tekton_dag::child::{ChildKind, ResolvedTask};
use tekton_dag::graph::quote;
use tekton_dag::names::run_names;
use tekton_dag::state::Lookup;
use tekton_dag::{apply, matrix, results};
use tekton_types::condition;
use tekton_types::reason::{pipelinerun as reasons, taskrun as task_reasons};
use tekton_types::v1::{ChildStatusReference, PipelineRun, PipelineTask, TaskRun};
use tekton_types::v1beta1::CustomRun;

use super::bind::{self, Bound};
use super::children::Children;
use super::find;
use super::life;
use super::task_definition::{child_pipeline, task_definition, with_defaults};
use crate::decision::USER_ERROR;
use crate::object::{Kind, Stored};
use crate::pass::{Pass, Stop};
use crate::refs::RefFault;
use crate::taskrun::RESOLUTION_POLL;
use crate::trusted::Verification;

/// A task with what is known about it, and the name of the pipeline that carries it out if one does.
#[derive(Debug)]
pub(super) struct Resolution<'a> {
    /// The tasks: those that have started first.
    pub(super) tasks: Vec<ResolvedTask<'a>>,
    /// Names of child pipelines, by the name of the task.
    pub(super) pipelines: BTreeMap<String, String>,
}

/// Why a task could not be resolved.
pub(super) enum Unresolved {
    Child(RefFault),
    Reference { pipeline: bool, name: String, fault: RefFault },
    Other(String),
    Stop(Stop),
}

impl From<Stop> for Unresolved {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// Resolves all tasks: those with children first, so that their results are there for the others.
pub(super) fn resolve<'t, 'a: 't>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    bound: &'t Bound,
    children: &Children<'a>,
) -> Result<Resolution<'t>, Stop> {
    let started: BTreeSet<&str> =
        run.status.child_references.iter().map(|child| child.pipeline_task_name.as_str()).collect();
    let (first, second): (Vec<&PipelineTask>, Vec<_>) =
        bind::all_tasks(&bound.spec).partition(|task| started.contains(task.name.as_str()));
    let order: Vec<&PipelineTask> = first.into_iter().chain(second).collect();
    let mut resolution =
        Resolution { tasks: order.iter().map(|task| ResolvedTask::new(*task)).collect(), pipelines: BTreeMap::new() };
    let lookup = Lookup::new(&resolution.tasks);
    let any_matrix = order.iter().any(|task| matrix::is_matrixed(task));
    let mut waiting = false;
    for (index, task) in order.into_iter().enumerate() {
        let place = Place { index, task, any_matrix, lookup: &lookup };
        match resolve_task(pass, run, &place, children, &mut resolution) {
            Ok(_) if waiting => {}
            Ok(verification) => find::verified(pass, run, &verification, &task.name)?,
            // One resolver is asked at a time.
            Err(Unresolved::Stop(Stop::Wait)) if !pass.effects.is_empty() => return Err(Stop::Wait),
            // The other definitions are asked for in the same round.
            Err(Unresolved::Stop(Stop::Wait)) => waiting = true,
            Err(_) if waiting => break,
            Err(unresolved) => return Err(failed(pass, run, bound, unresolved)),
        }
    }
    if waiting { Err(Stop::Wait) } else { Ok(resolution) }
}

/// A task that is resolved, and where it stands among the others.
struct Place<'t, 'l> {
    index: usize,
    task: &'t PipelineTask,
    /// Some task fans out: whoever uses its results has them gathered, for results of the pipeline too.
    any_matrix: bool,
    lookup: &'l Lookup,
}

fn resolve_task<'t, 'a: 't>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    place: &Place<'t, '_>,
    children: &Children<'a>,
    resolution: &mut Resolution<'t>,
) -> Result<Verification, Unresolved> {
    let Place { index, task, any_matrix, lookup } = *place;
    let mut verification = Verification::Skipped;
    let known = references_of(run, &task.name);
    let told = !any_matrix && is_told_already(task, known);
    resolution.tasks[index].results_applied_before = told;
    // References that have no value yet are judged later.
    let found =
        if told { Vec::new() } else { results::resolve(&mut resolution.tasks, lookup, task).unwrap_or_default() };
    let resolved = &mut resolution.tasks[index];
    if !found.is_empty() {
        results::check_indexes(&found).map_err(Unresolved::Other)?;
        apply::results(resolved.pipeline_task.to_mut(), &results::table(&found));
    }
    let count = if matrix::is_matrixed(&resolved.pipeline_task) { matrix::runs_of(&resolved.pipeline_task) } else { 1 };
    let kind = kind_of(resolved);
    resolved.names = child_names(run, known, kind, &task.name, count);
    for name in &resolved.names {
        match kind {
            Kind::PipelineRun => {
                let listed = children.pipelines.get(name.as_str()).copied();
                resolved.pipeline_runs.extend(child::<PipelineRun>(pass, run, known, name, listed)?);
            }
            Kind::CustomRun => {
                let listed = children.custom_tasks.get(name.as_str()).copied();
                resolved.custom_runs.extend(child::<CustomRun>(pass, run, known, name, listed)?);
            }
            _ => {
                let listed = children.tasks.get(name.as_str()).copied();
                if let Some(child) = child::<TaskRun>(pass, run, known, name, listed)? {
                    resolved.task_runs.push(sure_of_eviction(pass, child)?);
                }
            }
        }
    }
    match kind {
        Kind::PipelineRun => {
            if let Some((name, of)) = child_pipeline(pass, run, &resolved.pipeline_task)? {
                resolution.pipelines.insert(task.name.clone(), name);
                verification = of;
            }
        }
        Kind::TaskRun => {
            let defined = task_definition(pass, run, task, &resolved.names, &resolved.task_runs)?;
            resolved.task_name = defined.name;
            resolved.task_spec = Some(with_defaults(defined.spec, pass.env.config).into());
            verification = defined.verification;
        }
        _ => {}
    }
    Ok(verification)
}

/// The kind of a task's children.
pub(super) fn kind_of(task: &ResolvedTask<'_>) -> Kind {
    match task.kind() {
        ChildKind::Pipeline => Kind::PipelineRun,
        ChildKind::CustomTask => Kind::CustomRun,
        ChildKind::Task => Kind::TaskRun,
    }
}

/// The task was given its results when its only run was created, and nothing that is shown of it holds any. Not to copy
/// the specs of all tasks that have started is what keeps a pass over a long run short.
fn is_told_already(task: &PipelineTask, known: &[ChildStatusReference]) -> bool {
    !known.is_empty()
        && task.task_spec.is_some()
        && task.matrix.is_none()
        && task.when.is_empty()
        && task.display_name.is_empty()
}

/// The children of a task that the status lists. The status is in order of the tasks' names, see `Children::recover`.
pub(super) fn references_of<'r>(run: &'r PipelineRun, task: &str) -> &'r [ChildStatusReference] {
    let all = &run.status.child_references;
    let from = all.partition_point(|child| child.pipeline_task_name.as_str() < task);
    let length = all[from..].partition_point(|child| child.pipeline_task_name == task);
    &all[from..from + length]
}

/// The child of this name: among those that carry the labels, else by its name when the status lists it.
fn child<'a, T: Stored + 'a>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    references: &[ChildStatusReference],
    name: &str,
    listed: Option<&'a T>,
) -> Result<Option<&'a T>, Unresolved> {
    if listed.is_some() {
        return Ok(listed);
    }
    if !references.iter().any(|child| child.name == name && child.kind == T::KIND.as_str()) {
        return Ok(None);
    }
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    match pass.object::<T>(namespace, name)? {
        Ok(child) => Ok(Some(child)),
        Err(fault) if fault.is_not_found() => Ok(None),
        Err(fault) => {
            let what = if T::KIND == Kind::PipelineRun { "child PipelineRun" } else { T::KIND.as_str() };
            Err(Unresolved::Child(RefFault::from(fault).context(&format!("error retrieving {what} {name}: "))))
        }
    }
}

/// A TaskRun whose Pod was evicted may have recovered: the API server knows.
fn sure_of_eviction<'a>(pass: &mut Pass<'a>, child: &'a TaskRun) -> Result<&'a TaskRun, Unresolved> {
    let evicted = condition::succeeded(&child.status.conditions)
        .is_some_and(|condition| condition.is_false() && condition.reason == task_reasons::POD_EVICTED);
    if !evicted {
        return Ok(child);
    }
    let namespace = child.metadata.namespace.as_deref().unwrap_or_default();
    let name = child.metadata.name.as_deref().unwrap_or_default();
    match pass.fresh::<TaskRun>(namespace, name)? {
        Ok(fresh) => Ok(fresh),
        Err(fault) if fault.is_not_found() => Ok(child),
        Err(fault) => Err(Unresolved::Child(RefFault::from(fault).context(&format!(
            "error retrieving TaskRun {name}: cannot verify TaskRun {name} failure status against API server: "
        )))),
    }
}

/// The names that the children of a task have, or will have.
pub(super) fn child_names(
    run: &PipelineRun,
    references: &[ChildStatusReference],
    kind: Kind,
    task: &str,
    count: usize,
) -> Vec<String> {
    let parent = run.metadata.name.as_deref().unwrap_or_default();
    let known = run_names(references, kind.as_str(), task, parent, count);
    if known.len() >= count {
        return known;
    }
    // The status lists some of many: the others were never created, as when the shell died in between.
    let all = run_names(&[], kind.as_str(), task, parent, count);
    if known.iter().all(|name| all.contains(name)) { all } else { known }
}

fn failed(pass: &Pass<'_>, run: &mut PipelineRun, bound: &Bound, unresolved: Unresolved) -> Stop {
    let now = pass.now();
    let namespace = bound.meta.namespace.as_deref().unwrap_or_default();
    let own = run.metadata.name.clone().unwrap_or_default();
    let misfit = |error: String| {
        let message =
            format!("{USER_ERROR}PipelineRun {namespace}/{own} can't be Run; couldn't resolve all references: {error}");
        (reasons::FAILED_VALIDATION, message, error)
    };
    let (reason, message, error) = match unresolved {
        Unresolved::Stop(stop) => return stop,
        Unresolved::Reference { fault: RefFault::InProgress(_), .. } => {
            let own_namespace = run.metadata.namespace.as_deref().unwrap_or_default();
            let message = format!("PipelineRun {own_namespace}/{own} awaiting remote resource");
            life::mark_running(&mut run.status, task_reasons::RESOLVING_TASK_REF, message, now);
            return Stop::After(RESOLUTION_POLL);
        }
        Unresolved::Reference { fault: RefFault::Transient(text), .. }
        | Unresolved::Child(RefFault::Transient(text)) => {
            return Stop::transient(text);
        }
        Unresolved::Reference { pipeline, name, fault } => {
            let what = if pipeline { "Pipeline" } else { "Task" };
            let error = format!("Couldn't retrieve {what} {}: {}", quote(&name), fault.text());
            let (reason, contains) = if pipeline {
                (reasons::COULDNT_GET_PIPELINE, "child Pipelines")
            } else {
                (reasons::COULDNT_GET_TASK, "Tasks")
            };
            let pipeline_name = bound.meta.name.as_deref().unwrap_or_default();
            let message = format!(
                "Pipeline {namespace}/{pipeline_name} can't be Run; it contains {contains} that don't exist: {error}"
            );
            (reason, message, error)
        }
        Unresolved::Other(error) => misfit(error),
        Unresolved::Child(fault) => misfit(fault.text().to_owned()),
    };
    life::mark_failed(&mut run.status, reason, message, now);
    Stop::permanent(error)
}
