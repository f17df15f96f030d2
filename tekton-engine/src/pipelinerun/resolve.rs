//! The tasks of a pipeline with their children and their specs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tekton_dag::child::{ChildKind, ResolvedTask};
use tekton_dag::graph::quote;
use tekton_dag::names::run_names;
use tekton_dag::state::Lookup;
use tekton_dag::{apply, matrix, results};
use tekton_types::condition;
use tekton_types::defaults::SetDefaults;
use tekton_types::reason::{pipelinerun as reasons, taskrun as task_reasons};
use tekton_types::v1::{Param, ParamValue, PipelineRun, PipelineTask, Task, TaskRun, TaskSpec};
use tekton_types::v1beta1::CustomRun;

use super::bind::{self, Bound, USER_ERROR};
use super::children::Children;
use super::life;
use crate::definition::{self, Definition};
use crate::object::{Kind, Stored};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::refs::{RefFault, Request};
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
enum Unresolved {
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
pub(super) fn resolve<'a>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    bound: &Bound,
    children: &Children<'a>,
) -> Result<Resolution<'a>, Stop> {
    let started: BTreeSet<&str> =
        run.status.child_references.iter().map(|child| child.pipeline_task_name.as_str()).collect();
    let (first, second): (Vec<_>, Vec<_>) =
        bind::all_tasks(&bound.spec).partition(|task| started.contains(task.name.as_str()));
    let mut resolution =
        Resolution { tasks: Vec::with_capacity(first.len() + second.len()), pipelines: BTreeMap::new() };
    let mut waiting = false;
    for task in first.into_iter().chain(second) {
        match resolve_task(pass, run, task, children, &mut resolution) {
            Ok(_) if waiting => {}
            Ok(verification) => bind::verified(pass, run, &verification, &task.name)?,
            // One resolver is asked at a time.
            Err(Unresolved::Stop(Stop::Wait)) if !pass.effects.is_empty() => return Err(Stop::Wait),
            // The other definitions are asked for in the same round.
            Err(Unresolved::Stop(Stop::Wait)) => {
                waiting = true;
                resolution.tasks.push(ResolvedTask::new(Cow::Owned(task.clone())));
            }
            Err(_) if waiting => break,
            Err(unresolved) => return Err(failed(pass, run, bound, unresolved)),
        }
    }
    if waiting { Err(Stop::Wait) } else { Ok(resolution) }
}

fn resolve_task<'a>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    task: &PipelineTask,
    children: &Children<'a>,
    resolution: &mut Resolution<'a>,
) -> Result<Verification, Unresolved> {
    let mut verification = Verification::Skipped;
    let mut resolved = ResolvedTask::new(Cow::Owned(task.clone()));
    let lookup = Lookup::new(&resolution.tasks);
    // References that have no value yet are judged later.
    if let Ok(found) = results::resolve(&mut resolution.tasks, &lookup, task) {
        results::check_indexes(&found).map_err(Unresolved::Other)?;
        apply::results(resolved.pipeline_task.to_mut(), &results::table(&found));
    }
    let count = if matrix::is_matrixed(&resolved.pipeline_task) { matrix::runs_of(&resolved.pipeline_task) } else { 1 };
    let kind = match resolved.kind() {
        ChildKind::Pipeline => Kind::PipelineRun,
        ChildKind::CustomTask => Kind::CustomRun,
        ChildKind::Task => Kind::TaskRun,
    };
    resolved.names = child_names(run, kind, &task.name, count);
    for name in &resolved.names {
        match kind {
            Kind::PipelineRun => {
                let child = child::<PipelineRun>(pass, run, name, children.pipelines.get(name.as_str()).copied())?;
                resolved.pipeline_runs.extend(child);
            }
            Kind::CustomRun => {
                let child = child::<CustomRun>(pass, run, name, children.custom_tasks.get(name.as_str()).copied())?;
                resolved.custom_runs.extend(child);
            }
            _ => {
                let child = child::<TaskRun>(pass, run, name, children.tasks.get(name.as_str()).copied())?;
                resolved.task_runs.extend(match child {
                    Some(child) => Some(sure_of_eviction(pass, child)?),
                    None => None,
                });
            }
        }
    }
    match kind {
        Kind::PipelineRun => verification = child_pipeline(pass, run, &mut resolved, resolution)?,
        Kind::TaskRun => {
            let last = resolved.names.last().map(String::as_str).unwrap_or_default();
            let last = resolved.task_runs.iter().copied().find(|run| run.metadata.name.as_deref() == Some(last));
            let mut defined = task_definition(pass, run, &resolved.pipeline_task, last)?;
            defined.spec.set_defaults(pass.env.config);
            resolved.task_name = defined.name;
            resolved.task_spec = Some(Cow::Owned(defined.spec));
            verification = defined.verification;
        }
        _ => {}
    }
    resolution.tasks.push(resolved);
    Ok(verification)
}

/// The child of this name: among those that carry the labels, else by its name when the status lists it.
fn child<'a, T: Stored + 'a>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    name: &str,
    listed: Option<&'a T>,
) -> Result<Option<&'a T>, Unresolved> {
    if listed.is_some() {
        return Ok(listed);
    }
    let known = |child: &tekton_types::v1::ChildStatusReference| child.name == name && child.kind == T::KIND.as_str();
    if !run.status.child_references.iter().any(known) {
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

fn child_pipeline<'a>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    resolved: &mut ResolvedTask<'a>,
    resolution: &mut Resolution<'a>,
) -> Result<Verification, Unresolved> {
    let task = &resolved.pipeline_task;
    if task.pipeline_spec.is_some() {
        return Ok(Verification::Skipped);
    }
    let Some(reference) = &task.pipeline_ref else { return Ok(Verification::Skipped) };
    match bind::pipeline(pass, run, reference)? {
        Ok(found) => {
            let name = found.object.metadata.name.unwrap_or_default();
            resolution.pipelines.insert(task.name.clone(), name);
            Ok(found.verification)
        }
        Err(fault) => Err(Unresolved::Reference {
            pipeline: true,
            name: shown_name(&reference.name, &reference.resolver, &reference.params),
            fault,
        }),
    }
}

/// What a task does.
struct Defined {
    /// The name of the Task; empty when it is written in the pipeline.
    name: String,
    spec: TaskSpec,
    verification: Verification,
}

impl Defined {
    fn unsigned(name: String, spec: TaskSpec) -> Self {
        Self { name, spec, verification: Verification::Skipped }
    }
}

/// The definition of the task: as a child froze it, else by reference, else as it is written in the pipeline.
fn task_definition(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    task: &PipelineTask,
    child: Option<&TaskRun>,
) -> Result<Defined, Unresolved> {
    let Some(reference) = &task.task_ref else {
        return match &task.task_spec {
            Some(embedded) => Ok(Defined::unsigned(String::new(), embedded.task_spec.clone())),
            None => Err(Unresolved::Other(format!(
                "PipelineTask {} must specify one of TaskRef, TaskSpec, PipelineRef, or PipelineSpec",
                quote(&task.name)
            ))),
        };
    };
    if let Some(spec) = child.and_then(|child| child.status.task_spec.as_ref()) {
        return Ok(Defined::unsigned(reference.name.clone(), spec.clone()));
    }
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let found = if reference.resolver.is_empty() {
        definition::local::<Task>(pass, &namespace, &reference.name)?
    } else {
        let name = child_names(run, Kind::TaskRun, &task.name, 1);
        let request = Request {
            resolver: &reference.resolver,
            owner: owner::controller_of(run),
            namespace: &namespace,
            name: name.first().map(String::as_str).unwrap_or_default(),
            params: reference.params.clone(),
            url: String::new(),
        };
        definition::remote::<Task>(pass, request, "")?
    };
    match found {
        Ok(Definition { object, verification, .. }) => {
            Ok(Defined { name: object.metadata.name.unwrap_or_default(), spec: object.spec, verification })
        }
        Err(fault) => Err(Unresolved::Reference {
            pipeline: false,
            name: shown_name(&reference.name, &reference.resolver, &reference.params),
            fault,
        }),
    }
}

/// The name of a definition, or what its resolver was asked for.
fn shown_name(name: &str, resolver: &str, params: &[Param]) -> String {
    if !name.trim().is_empty() {
        return name.to_owned();
    }
    let mut text = format!("resolver type {resolver}\n");
    for param in params {
        if param.name == "name" {
            let value = match &param.value {
                ParamValue::String(value) => value.clone(),
                other => serde_json::to_string(other).unwrap_or_default(),
            };
            writeln!(text, "name = {value}").expect("writing to a string cannot fail");
        }
        if param.name == "url" {
            let url = param.value.as_string().unwrap_or_default();
            writeln!(text, "url = {url}").expect("writing to a string cannot fail");
        }
    }
    text
}

/// The names that the children of a task have, or will have.
fn child_names(run: &PipelineRun, kind: Kind, task: &str, count: usize) -> Vec<String> {
    let parent = run.metadata.name.as_deref().unwrap_or_default();
    run_names(&run.status.child_references, kind.as_str(), task, parent, count)
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
