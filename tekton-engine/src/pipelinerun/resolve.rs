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
use tekton_types::config::Config;
use tekton_types::defaults::SetDefaults;
use tekton_types::reason::{pipelinerun as reasons, taskrun as task_reasons};
use tekton_types::v1::{ChildStatusReference, Param, ParamValue, PipelineRun, PipelineTask, Task, TaskRun, TaskSpec};
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
    let mut resolution = Resolution {
        tasks: order.iter().map(|task| ResolvedTask::new(Cow::Borrowed(*task))).collect(),
        pipelines: BTreeMap::new(),
    };
    let lookup = Lookup::new(&resolution.tasks);
    let mut waiting = false;
    for (index, task) in order.into_iter().enumerate() {
        let place = Place { index, task, lookup: &lookup };
        match resolve_task(pass, run, &place, children, &mut resolution) {
            Ok(_) if waiting => {}
            Ok(verification) => bind::verified(pass, run, &verification, &task.name)?,
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
    lookup: &'l Lookup,
}

fn resolve_task<'t, 'a: 't>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    place: &Place<'t, '_>,
    children: &Children<'a>,
    resolution: &mut Resolution<'t>,
) -> Result<Verification, Unresolved> {
    let Place { index, task, lookup } = *place;
    let mut verification = Verification::Skipped;
    // References that have no value yet are judged later.
    let found = results::resolve(&mut resolution.tasks, lookup, task).unwrap_or_default();
    let resolved = &mut resolution.tasks[index];
    if !found.is_empty() {
        results::check_indexes(&found).map_err(Unresolved::Other)?;
        apply::results(resolved.pipeline_task.to_mut(), &results::table(&found));
    }
    let count = if matrix::is_matrixed(&resolved.pipeline_task) { matrix::runs_of(&resolved.pipeline_task) } else { 1 };
    let kind = match resolved.kind() {
        ChildKind::Pipeline => Kind::PipelineRun,
        ChildKind::CustomTask => Kind::CustomRun,
        ChildKind::Task => Kind::TaskRun,
    };
    let known = references_of(run, &task.name);
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
            let last = resolved.names.last().map(String::as_str).unwrap_or_default();
            let last = resolved.task_runs.iter().copied().find(|run| run.metadata.name.as_deref() == Some(last));
            let defined = task_definition(pass, run, &resolved.pipeline_task, task, last)?;
            resolved.task_name = defined.name;
            resolved.task_spec = Some(with_defaults(defined.spec, pass.env.config));
            verification = defined.verification;
        }
        _ => {}
    }
    Ok(verification)
}

/// The spec with its defaults; what has been through admission, or through this, has them.
fn with_defaults<'t>(spec: Cow<'t, TaskSpec>, config: &Config) -> Cow<'t, TaskSpec> {
    let has_all = spec.params.iter().all(|param| !param.type_.is_empty())
        && spec.results.iter().all(|result| !result.type_.is_empty())
        && spec.steps.iter().all(|step| step.r#ref.as_ref().is_none_or(|reference| !reference.resolver.is_empty()));
    if has_all {
        return spec;
    }
    let mut spec = spec.into_owned();
    spec.set_defaults(config);
    Cow::Owned(spec)
}

/// The children of a task that the status lists. The status is in order of the tasks' names, see `Children::recover`.
fn references_of<'r>(run: &'r PipelineRun, task: &str) -> &'r [ChildStatusReference] {
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

/// The name of the pipeline that a task refers to, and what its signature is worth; `None` when it is written in the task.
fn child_pipeline(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    task: &PipelineTask,
) -> Result<Option<(String, Verification)>, Unresolved> {
    let Some(reference) = task.pipeline_ref.as_ref().filter(|_| task.pipeline_spec.is_none()) else { return Ok(None) };
    match bind::pipeline(pass, run, reference)? {
        Ok(found) => Ok(Some((found.object.metadata.name.unwrap_or_default(), found.verification))),
        Err(fault) => Err(Unresolved::Reference {
            pipeline: true,
            name: shown_name(&reference.name, &reference.resolver, &reference.params),
            fault,
        }),
    }
}

/// What a task does.
struct Defined<'t> {
    /// The name of the Task; empty when it is written in the pipeline.
    name: String,
    spec: Cow<'t, TaskSpec>,
    verification: Verification,
}

impl<'t> Defined<'t> {
    fn unsigned(name: &str, spec: &'t TaskSpec) -> Self {
        Self { name: name.to_owned(), spec: Cow::Borrowed(spec), verification: Verification::Skipped }
    }
}

/// The definition of the task: as a child froze it, else by reference, else as it is written in the pipeline.
///
/// `task` has results put in, `written` has not; the spec inside the task is the same in both.
fn task_definition<'t, 'a: 't>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    task: &PipelineTask,
    written: &'t PipelineTask,
    child: Option<&'t TaskRun>,
) -> Result<Defined<'t>, Unresolved> {
    let Some(reference) = &task.task_ref else {
        return match &written.task_spec {
            Some(embedded) => Ok(Defined::unsigned("", &embedded.task_spec)),
            None => Err(Unresolved::Other(format!(
                "PipelineTask {} must specify one of TaskRef, TaskSpec, PipelineRef, or PipelineSpec",
                quote(&task.name)
            ))),
        };
    };
    if let Some(spec) = child.and_then(|child| child.status.task_spec.as_ref()) {
        return Ok(Defined::unsigned(&reference.name, spec));
    }
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let found = if reference.resolver.is_empty() {
        definition::stored::<Task>(pass, &namespace, &reference.name)?
            .map(|task| Defined::unsigned(task.metadata.name.as_deref().unwrap_or_default(), &task.spec))
    } else {
        let name = child_names(run, references_of(run, &task.name), Kind::TaskRun, &task.name, 1);
        let request = Request {
            resolver: &reference.resolver,
            owner: owner::controller_of(run),
            namespace: &namespace,
            name: name.first().map(String::as_str).unwrap_or_default(),
            params: reference.params.clone(),
            url: String::new(),
        };
        definition::remote::<Task>(pass, request, "")?.map(|Definition { object, verification, .. }| Defined {
            name: object.metadata.name.unwrap_or_default(),
            spec: Cow::Owned(object.spec),
            verification,
        })
    };
    found.map_err(|fault| Unresolved::Reference {
        pipeline: false,
        name: shown_name(&reference.name, &reference.resolver, &reference.params),
        fault,
    })
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
fn child_names(
    run: &PipelineRun,
    references: &[ChildStatusReference],
    kind: Kind,
    task: &str,
    count: usize,
) -> Vec<String> {
    let parent = run.metadata.name.as_deref().unwrap_or_default();
    run_names(references, kind.as_str(), task, parent, count)
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
