//! What a PipelineRun creates for a task: TaskRuns, CustomRuns, child PipelineRuns.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels as keys;
use tekton_dag::child::{ChildKind, ResolvedTask};
use tekton_dag::deadline;
use tekton_dag::graph::quote;
use tekton_dag::matrix;
use tekton_podgen::affinity;
use tekton_types::config::Config;
use tekton_types::defaults::merge_pod_template;
use tekton_types::duration::GoDuration;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{
    Matrix, Param, PipelineRun, PipelineRunSpec, PipelineTask, PipelineTaskRunSpec, TaskRun, TaskRunSpec,
};
use tekton_types::v1beta1::{CustomRun, CustomRunSpec, EmbeddedCustomRunSpec};
use tekton_validate::binding;

use super::assistant;
use super::bind::USER_ERROR;
use super::labels;
use super::life;
use super::workspaces::{self, Handed};
use crate::decision::Class;
use crate::effect::ApiFault;
use crate::object::{Kind, Stored};
use crate::owner;
use crate::pass::{Pass, Stop};

/// One task that starts.
#[derive(Debug)]
pub(super) struct Starting<'s, 'a> {
    pub(super) task: &'s mut ResolvedTask<'a>,
    /// It stands under `finally`.
    pub(super) is_finally: bool,
    /// The name of the pipeline that a child PipelineRun runs; empty when it is written in the task.
    pub(super) pipeline: &'s str,
}

impl Starting<'_, '_> {
    /// The value of the label that says whether the task stands under `tasks` or under `finally`.
    fn member(&self) -> Option<&'static str> {
        Some(if self.is_finally { keys::MEMBER_OF_FINALLY } else { keys::MEMBER_OF_TASKS })
    }
}

/// Has the children of the task created, and adds them to it.
pub(super) fn start<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let kind = starting.task.kind();
    let names = starting.task.names.clone();
    let end = match kind {
        ChildKind::Pipeline => pipeline_runs(pass, run, starting),
        ChildKind::CustomTask => custom_runs(pass, run, starting),
        ChildKind::Task => task_runs(pass, run, starting),
    };
    let fault = match end {
        Ok(()) => return Ok(()),
        Err(Stop::Fault(fault)) => fault,
        Err(stop) => return Err(stop),
    };
    if fault.class == Class::Permanent && life::succeeded(run).is_none_or(|c| c.reason != reasons::INVALID_PARAM_VALUE)
    {
        life::mark_failed(&mut run.status, reasons::CREATE_RUN_FAILED, fault.text.as_str(), pass.now());
    }
    let (event, failed, what) = match kind {
        ChildKind::Pipeline => ("ChildPipelineRunsCreationFailed", "child (PIP) PipelineRuns", "child PipelineRuns"),
        ChildKind::CustomTask => ("RunsCreationFailed", "CustomRuns", "CustomRuns"),
        ChildKind::Task => ("TaskRunsCreationFailed", "TaskRuns", "TaskRuns"),
    };
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    pass.warn(event, format!("Failed to create {failed} [{}]: {}", quoted.join(" "), fault.text));
    let text = format!(
        "error creating {what} called [{}] for PipelineTask {} from PipelineRun {}: {}",
        names.join(" "),
        starting.task.name(),
        run.metadata.name.as_deref().unwrap_or_default(),
        fault.text
    );
    Err(Stop::Fault(crate::decision::Fault { class: fault.class, text }))
}

/// Has one child created. One that exists and belongs to the run is as good as a new one.
fn create<'a, T: Stored + 'a>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    meta: impl Fn(&T) -> &ObjectMeta,
    child: T,
) -> Result<&'a T, Stop> {
    let name = meta(&child).name.clone().unwrap_or_default();
    let namespace = meta(&child).namespace.clone().unwrap_or_default();
    match pass.create(child)? {
        Ok(created) => Ok(created),
        Err(fault) => {
            if fault.is_already_exists()
                && let Ok(found) = pass.fresh::<T>(&namespace, &name)?
                && owner::is_controlled_by(meta(found), &run.metadata)
            {
                return Ok(found);
            }
            Err(refused(fault))
        }
    }
}

fn refused(fault: &ApiFault) -> Stop {
    if fault.is_invalid() || fault.is_bad_request() {
        Stop::permanent(&fault.text)
    } else {
        Stop::transient(&fault.text)
    }
}

fn task_runs<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let combinations = combinations(&starting.task.pipeline_task);
    if pass.env.config.feature_flags.enable_param_enum {
        check_enums(pass, run, starting, &combinations)?;
    }
    let mut created = Vec::with_capacity(starting.task.names.len());
    let mut waiting = false;
    for index in 0..starting.task.names.len() {
        let name = &starting.task.names[index];
        let known = starting.task.task_runs.iter().find(|run| run.metadata.name.as_deref() == Some(name));
        if known.is_some() || is_lost(run, starting.task, name) {
            created.extend(known);
            continue;
        }
        let child = task_run(pass, run, starting, index, &combinations)?;
        match create(pass, run, |child: &TaskRun| &child.metadata, child) {
            Ok(child) => created.push(child),
            Err(Stop::Wait) => waiting = true,
            Err(stop) => return Err(stop),
        }
    }
    if waiting {
        return Err(Stop::Wait);
    }
    starting.task.task_runs = created;
    Ok(())
}

/// The task has runs, and this one of them is gone: nobody makes it anew.
fn is_lost(run: &PipelineRun, task: &ResolvedTask<'_>, name: &str) -> bool {
    task.has_runs() && run.status.child_references.iter().any(|child| child.name == name)
}

fn check_enums(
    pass: &Pass<'_>,
    run: &mut PipelineRun,
    starting: &Starting<'_, '_>,
    combinations: &[Vec<Param>],
) -> Result<(), Stop> {
    let Some(spec) = &starting.task.task_spec else { return Ok(()) };
    for index in 0..starting.task.names.len() {
        let params = params_of(&starting.task.pipeline_task, index, combinations);
        if let Err(error) = binding::enum_param(&params, &spec.params) {
            let message =
                format!("{USER_ERROR}Invalid param value from PipelineTask \"{}\": {error}", starting.task.name());
            life::mark_failed(&mut run.status, reasons::INVALID_PARAM_VALUE, message, pass.now());
            return Err(Stop::permanent(error));
        }
    }
    Ok(())
}

fn task_run(
    pass: &Pass<'_>,
    run: &PipelineRun,
    starting: &Starting<'_, '_>,
    index: usize,
    combinations: &[Vec<Param>],
) -> Result<TaskRun, Stop> {
    let resolved = &*starting.task;
    let task = &*resolved.pipeline_task;
    let settings = settings_of(run, &task.name);
    let embedded = task.task_spec.as_ref();
    let (labels, mut annotations) = labels::layered(
        settings.metadata.as_ref(),
        (labels::of_child(run, &task.name, starting.member()), labels::annotations_of_child(run)),
        embedded.map(|embedded| &embedded.metadata),
    );
    if task.on_error == tekton_dag::state::ON_ERROR_CONTINUE {
        annotations.insert(keys::PIPELINE_TASK_ON_ERROR.to_owned(), task.on_error.clone());
    }
    let Handed { bindings, claim_workspace } = handed(pass, run, resolved, &mut annotations)?;
    drop(claim_workspace);
    let by_name = !resolved.task_name.is_empty();
    Ok(TaskRun {
        metadata: child_metadata(run, &resolved.names[index], labels, annotations),
        spec: TaskRunSpec {
            retries: task.retries,
            params: params_of(task, index, combinations),
            timeout: settings
                .timeout
                .or(task.timeout)
                .or_else(|| long_timeout(run, starting.is_finally, pass.env.config)),
            service_account_name: settings.service_account_name,
            pod_template: settings.pod_template,
            step_specs: settings.step_specs,
            sidecar_specs: settings.sidecar_specs,
            compute_resources: settings.compute_resources,
            task_ref: if by_name { task.task_ref.clone() } else { None },
            task_spec: if by_name { None } else { resolved.task_spec.as_deref().cloned() },
            workspaces: bindings,
            ..TaskRunSpec::default()
        },
        ..TaskRun::default()
    })
}

/// The workspaces of a child; the annotation that ties it to its affinity assistant is added.
fn handed(
    pass: &Pass<'_>,
    run: &PipelineRun,
    task: &ResolvedTask<'_>,
    annotations: &mut std::collections::BTreeMap<String, String>,
) -> Result<Handed, Stop> {
    let behavior = assistant::behavior(pass)?;
    let handed = workspaces::of_child(run, task, behavior)?;
    let own = run.metadata.name.as_deref().unwrap_or_default();
    if let Some(value) = affinity::annotation(behavior, &handed.claim_workspace, own) {
        annotations.insert(keys::AFFINITY_ASSISTANT.to_owned(), value);
    }
    Ok(handed)
}

fn custom_runs<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let combinations = combinations(&starting.task.pipeline_task);
    let mut created = Vec::with_capacity(starting.task.names.len());
    let mut waiting = false;
    for index in 0..starting.task.names.len() {
        let name = &starting.task.names[index];
        let known = starting.task.custom_runs.iter().find(|run| run.metadata.name.as_deref() == Some(name));
        if known.is_some() || is_lost(run, starting.task, name) {
            created.extend(known);
            continue;
        }
        let child = custom_run(pass, run, starting, index, &combinations)?;
        match create(pass, run, |child: &CustomRun| &child.metadata, child) {
            Ok(child) => created.push(child),
            Err(Stop::Wait) => waiting = true,
            Err(stop) => return Err(stop),
        }
    }
    if waiting {
        return Err(Stop::Wait);
    }
    starting.task.custom_runs = created;
    Ok(())
}

fn custom_run(
    pass: &Pass<'_>,
    run: &PipelineRun,
    starting: &Starting<'_, '_>,
    index: usize,
    combinations: &[Vec<Param>],
) -> Result<CustomRun, Stop> {
    let resolved = &*starting.task;
    let task = &*resolved.pipeline_task;
    let settings = settings_of(run, &task.name);
    let mut annotations = labels::annotations_of_child(run);
    let Handed { bindings, .. } = handed(pass, run, resolved, &mut annotations)?;
    Ok(CustomRun {
        metadata: child_metadata(
            run,
            &resolved.names[index],
            labels::of_child(run, &task.name, starting.member()),
            annotations,
        ),
        spec: CustomRunSpec {
            custom_ref: task.task_ref.clone(),
            custom_spec: task.task_spec.as_ref().map(|embedded| EmbeddedCustomRunSpec {
                api_version: embedded.api_version.clone(),
                kind: embedded.kind.clone(),
                metadata: embedded.metadata.clone(),
                spec: embedded.spec.clone(),
            }),
            retries: task.retries,
            params: params_of(task, index, combinations),
            service_account_name: settings.service_account_name,
            timeout: settings
                .timeout
                .or(task.timeout)
                .or_else(|| long_timeout(run, starting.is_finally, pass.env.config)),
            workspaces: bindings,
            ..CustomRunSpec::default()
        },
        ..CustomRun::default()
    })
}

fn pipeline_runs<'s, 'a: 's>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    starting: &mut Starting<'_, 's>,
) -> Result<(), Stop> {
    let task = starting.task.pipeline_task.clone();
    if task.pipeline_ref.is_some() && !starting.pipeline.is_empty() {
        no_cycle(pass, run, starting.pipeline)?;
    }
    let mut created = Vec::with_capacity(starting.task.names.len());
    let mut waiting = false;
    for name in &starting.task.names {
        let mut labels = labels::of_child(run, &task.name, starting.member());
        if !starting.pipeline.is_empty() {
            labels.insert(keys::PIPELINE.to_owned(), starting.pipeline.to_owned());
        }
        let Handed { bindings, .. } = workspaces::of_child(run, starting.task, assistant::behavior(pass)?)?;
        let child = PipelineRun {
            metadata: child_metadata(run, name, labels, labels::annotations_of_child(run)),
            spec: PipelineRunSpec {
                task_run_template: run.spec.task_run_template.clone(),
                params: task.params.clone(),
                workspaces: bindings,
                pipeline_spec: if task.pipeline_ref.is_some() { None } else { task.pipeline_spec.as_deref().cloned() },
                pipeline_ref: task.pipeline_ref.clone(),
                ..PipelineRunSpec::default()
            },
            ..PipelineRun::default()
        };
        match create(pass, run, |child: &PipelineRun| &child.metadata, child) {
            Ok(child) => created.push(child),
            Err(Stop::Wait) => waiting = true,
            Err(stop) => return Err(stop),
        }
    }
    if waiting {
        return Err(Stop::Wait);
    }
    starting.task.pipeline_runs = created;
    Ok(())
}

/// A pipeline must not run inside itself, however deep.
fn no_cycle(pass: &mut Pass<'_>, run: &PipelineRun, target: &str) -> Result<(), Stop> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let mut visited: Vec<String> = Vec::new();
    let mut current = run.metadata.clone();
    loop {
        let name = current.labels.as_ref().and_then(|labels| labels.get(keys::PIPELINE)).cloned().unwrap_or_default();
        if name == target {
            return Err(Stop::permanent(format!(
                "detected cycle in pipeline-in-pipeline: pipeline {} is already running in ancestor chain [{}]",
                quote(target),
                visited.join(" ")
            )));
        }
        if !name.is_empty() {
            visited.push(name);
        }
        let Some(parent) = owner::controller(&current)
            .filter(|owner| owner.kind == Kind::PipelineRun.as_str())
            .map(|owner| owner.name.clone())
        else {
            return Ok(());
        };
        match pass.object::<PipelineRun>(&namespace, &parent)? {
            Ok(found) => current = found.metadata.clone(),
            Err(fault) if fault.is_not_found() => return Ok(()),
            Err(fault) => {
                return Err(Stop::transient(format!(
                    "cycle detection in pipeline-in-pipeline: could not look up parent PipelineRun {parent}: {}",
                    fault.text
                )));
            }
        }
    }
}

fn child_metadata(
    run: &PipelineRun,
    name: &str,
    labels: std::collections::BTreeMap<String, String>,
    annotations: std::collections::BTreeMap<String, String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: run.metadata.namespace.clone(),
        owner_references: Some(vec![owner::controller_of(run)]),
        labels: Some(labels),
        annotations: Some(annotations).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    }
}

fn combinations(task: &PipelineTask) -> Vec<Vec<Param>> {
    if matrix::is_matrixed(task) { task.matrix.iter().flat_map(Matrix::fan_out).collect() } else { Vec::new() }
}

/// The params of one child: those of its combination, then those of the task.
fn params_of(task: &PipelineTask, index: usize, combinations: &[Vec<Param>]) -> Vec<Param> {
    let mut params = combinations.get(index).cloned().unwrap_or_default();
    params.extend(task.params.iter().cloned());
    params
}

/// The settings of the run for one of its tasks, over those for all.
pub(super) fn settings_of(run: &PipelineRun, task: &str) -> PipelineTaskRunSpec {
    let template = &run.spec.task_run_template;
    let mut settings = PipelineTaskRunSpec {
        pipeline_task_name: task.to_owned(),
        service_account_name: template.service_account_name.clone(),
        pod_template: template.pod_template.clone(),
        ..PipelineTaskRunSpec::default()
    };
    for own in run.spec.task_run_specs.iter().filter(|own| own.pipeline_task_name == task) {
        let mut pod_template = own.pod_template.clone();
        merge_pod_template(&mut pod_template, settings.pod_template.as_ref());
        settings.pod_template = pod_template;
        if !own.service_account_name.is_empty() {
            settings.service_account_name.clone_from(&own.service_account_name);
        }
        settings.step_specs.clone_from(&own.step_specs);
        settings.sidecar_specs.clone_from(&own.sidecar_specs);
        settings.metadata.clone_from(&own.metadata);
        settings.compute_resources.clone_from(&own.compute_resources);
        settings.timeout = own.timeout;
    }
    settings
}

/// The timeout that the run gives to a child so that the default does not end it too early.
pub(super) fn long_timeout(run: &PipelineRun, is_finally: bool, config: &Config) -> Option<GoDuration> {
    let timeouts = run.spec.timeouts.as_ref()?;
    let timeout = if is_finally { deadline::finally_timeout(timeouts) } else { deadline::tasks_timeout(timeouts) }?;
    (timeout.is_zero() || timeout > life::default_timeout(config)).then_some(timeout)
}
