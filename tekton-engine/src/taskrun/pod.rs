//! The Pod of a TaskRun: find it or have it created, release its first step, read its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_contract::labels;
use tekton_contract::volumes::RESULTS_SIDECAR_CONTAINER;
use tekton_podgen::{Fact, Observation, observe, patch, workspace};
use tekton_types::reason::{pod as pod_reasons, taskrun as reasons};
use tekton_types::v1::{TaskRun, TaskSpec, WorkspaceDeclaration};
use tekton_validate::binding;

use super::create::{self, claim_volumes};
use super::prepare::Prepared;
use super::{fail, life};
use crate::decision::USER_ERROR;
use crate::effect::{Effect, PatchType, Purpose};
use crate::facts::{Need, Value};
use crate::object::{Kind, ObjectKey};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::scope::task as scope;

/// From a bound TaskRun to the status that its Pod gives.
pub(super) fn run(pass: &mut Pass<'_>, run: &mut TaskRun, task: &Prepared) -> Result<(), Stop> {
    let mut pod = find(pass, run)?;
    if pod.is_none() && run.spec.workspaces.iter().any(|binding| binding.volume_claim_template.is_some()) {
        claim_volumes(pass, run)?;
    }
    scope::apply_workspace_bindings(run, &task.spec);
    let volumes = workspace::volumes(&run.spec.workspaces);
    let spec = substituted(run, task, &volumes);
    if pod.is_none() {
        run.status.task_spec = Some(spec.clone());
        pod = create::create(pass, run, spec, &volumes)?;
    } else {
        run.status.task_spec = Some(spec);
    }
    let Some(pod) = pod else { return Ok(()) };
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    if observe::exceeds_node_resources(conditions) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        pass.warn(pod_reasons::EXCEEDED_NODE_RESOURCES, format!("Insufficient resources to schedule pod {name:?}"));
    }
    if pod.status.as_ref().is_some_and(observe::sidecars_ready) {
        release(pass, pod)?;
    }
    match observe_into(pass, run, pod, &task.spec)? {
        None => {}
        Some(Unread { text, is_oversized: true }) => {
            let name = run.metadata.name.as_deref().unwrap_or_default();
            let message = format!("{USER_ERROR} TaskRun \"{name:?}\" failed: {text}");
            return fail::fail(pass, run, reasons::RESULT_LARGER_THAN_ALLOWED_LIMIT, &message);
        }
        Some(unread) => return Err(Stop::transient(unread.text)),
    }
    let embedded = run.spec.task_spec.as_ref().map(|spec| spec.results.as_slice()).unwrap_or_default();
    if let Err(fault) = binding::task_run_results(&[embedded, &task.spec.results], &mut run.status.results) {
        life::mark_failed(&mut run.status, reasons::FAILED_VALIDATION, format!("{USER_ERROR}{fault}"), pass.now());
        return Err(Stop::transient(fault));
    }
    Ok(())
}

/// The task with everything put in that is known before it runs (passes T1 to T6).
fn substituted(run: &TaskRun, task: &Prepared, volumes: &BTreeMap<String, Volume>) -> TaskSpec {
    let mut spec = task.spec.clone();
    scope::apply_params(&mut spec, run, &task.spec.params);
    scope::apply_context(&mut spec, &task.name, run);
    scope::apply_results(&mut spec);
    scope::apply_artifacts(&mut spec);
    scope::apply_exit_code_paths(&mut spec);
    for bound in &run.spec.workspaces {
        if !spec.workspaces.iter().any(|declared| declared.name == bound.name) {
            let name = bound.name.clone();
            spec.workspaces.push(WorkspaceDeclaration { name, ..WorkspaceDeclaration::default() });
        }
    }
    let declared = spec.workspaces.clone();
    scope::apply_workspaces(&mut spec, &declared, &run.spec.workspaces, volumes);
    spec
}

/// The Pod that works for the run, if there is one.
fn find<'a>(pass: &mut Pass<'a>, run: &TaskRun) -> Result<Option<&'a Arc<Pod>>, Stop> {
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    if !run.status.pod_name.is_empty() {
        return match pass.object::<Pod>(namespace, &run.status.pod_name)? {
            Ok(pod) => Ok(Some(pod)),
            Err(fault) if fault.is_not_found() => Ok(None),
            Err(fault) => Err(Stop::transient(&fault.text)),
        };
    }
    let mut pods = list(pass, run)?;
    Ok(pods.rfind(|pod| !pod.status.as_ref().is_some_and(observe::did_fail)))
}

/// The Pod that works for a run whose status names none, and is not being deleted.
pub(super) fn find_unnamed<'a>(pass: &mut Pass<'a>, run: &TaskRun) -> Result<Option<&'a Arc<Pod>>, Stop> {
    let phase = |pod: &'a Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let is_over = |pod| matches!(phase(pod), Some("Succeeded" | "Failed"));
    let mut pods = list(pass, run)?;
    Ok(pods.rfind(|pod| pod.metadata.deletion_timestamp.is_none() && !is_over(pod)))
}

/// The Pods of the run but for those of earlier attempts.
fn list<'a, 'r>(
    pass: &mut Pass<'a>,
    run: &'r TaskRun,
) -> Result<impl DoubleEndedIterator<Item = &'a Arc<Pod>> + use<'a, 'r>, Stop> {
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    let name = run.metadata.name.clone().unwrap_or_default();
    let labels = BTreeMap::from([(labels::TASK_RUN.to_owned(), name)]);
    let pods = pass.list::<Pod>(namespace, labels)?.map_err(|fault| Stop::transient(&fault.text))?;
    Ok(pods.into_iter().filter(|pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        owner::is_controlled_by(&pod.metadata, &run.metadata) && !observe::is_archived(name, &run.status)
    }))
}

/// Lets the first step start.
fn release(pass: &mut Pass<'_>, pod: &Pod) -> Result<(), Stop> {
    let Some(body) = patch::ready(pod) else { return Ok(()) };
    let effect = Effect::Patch {
        key: ObjectKey::new(
            Kind::Pod,
            pod.metadata.namespace.as_deref().unwrap_or_default(),
            pod.metadata.name.as_deref().unwrap_or_default(),
        ),
        purpose: Purpose::Ready,
        patch_type: PatchType::Json,
        body,
    };
    pass.effect(effect)?.map(|_| ()).map_err(|fault| Stop::transient(&fault.text))
}

/// Brings the steps of the status up to date before the run is failed.
pub(super) fn refresh_steps(pass: &mut Pass<'_>, run: &mut TaskRun) -> Result<(), Stop> {
    if run.status.pod_name.is_empty() {
        return Ok(());
    }
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    let Ok(pod) = pass.object::<Pod>(namespace, &run.status.pod_name)? else { return Ok(()) };
    let mut seen = run.clone();
    let spec = run.status.task_spec.clone().unwrap_or_default();
    if observe_into(pass, &mut seen, pod, &spec)?.is_none() {
        run.status.steps = seen.status.steps;
    }
    Ok(())
}

/// What could not be read from a Pod.
struct Unread {
    text: String,
    /// A result is larger than it may be.
    is_oversized: bool,
}

/// Reads the Pod into the status.
fn observe_into(pass: &mut Pass<'_>, run: &mut TaskRun, pod: &Pod, spec: &TaskSpec) -> Result<Option<Unread>, Stop> {
    let log = if observe::needs_sidecar_log(run, pod, Some(spec), pass.env.config) {
        let need = Need::Logs {
            namespace: run.metadata.namespace.clone().unwrap_or_default(),
            pod: pod.metadata.name.clone().unwrap_or_default(),
            container: RESULTS_SIDECAR_CONTAINER.to_owned(),
        };
        Some(match pass.fetch(need)? {
            Ok(Value::Text(text)) => Fact::Known(text.clone()),
            Ok(_) => Fact::Missing,
            Err(fault) => Fact::Denied(fault.text.clone()),
        })
    } else {
        None
    };
    let observed = observe::observe(&Observation {
        task_run: run,
        pod,
        task_spec: Some(spec),
        config: pass.env.config,
        now: &Time(pass.now()),
        sidecar_log: log.as_ref(),
    });
    let unread = observed.error().map(|text| Unread { text, is_oversized: observed.is_oversized });
    run.status = observed.status;
    Ok(unread)
}
