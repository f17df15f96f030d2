//! From a TaskRun as written to one that is bound: its definition, its steps, its parameters and workspaces.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels;
use tekton_types::defaults::SetDefaults;
use tekton_types::reason::taskrun as reasons;
use tekton_types::substitute::{self, Accepts};
use tekton_types::v1::{Param, Provenance, RefSource, Task, TaskRun, TaskSpec, WorkspaceBinding, WorkspaceDeclaration};
use tekton_validate::binding;

use super::{RESOLUTION_POLL, life, steps};
use crate::decision::USER_ERROR;
use crate::definition::{self, Definition};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::refs::{RefFault, Request};
use crate::scope::task as scope;
use crate::trusted::Verification;

/// The annotation that `kubectl apply` leaves; it belongs to the object that was applied.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a TaskRun runs.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Name of the Task, or of the run when the task is its own.
    pub(super) name: String,
    /// The task with its steps resolved.
    pub(super) spec: TaskSpec,
}

/// A task before it is stored in the status.
pub(super) struct Found {
    pub(super) meta: ObjectMeta,
    pub(super) spec: TaskSpec,
    pub(super) source: Option<RefSource>,
    pub(super) verification: Verification,
}

/// Finds the definition and checks that the run binds it.
pub(super) fn prepare(pass: &mut Pass<'_>, run: &mut TaskRun) -> Result<Prepared, Stop> {
    let config = pass.env.config;
    run.set_defaults(config);
    let mut found = match find(pass, run)? {
        Ok(found) => found,
        Err(fault) => return Err(reference_failed(pass, run, &fault, reasons::RESOLVING_TASK_REF, "resource")),
    };
    found.spec.set_defaults(config);
    let first = run.status.task_spec.is_none();
    store(pass, run, &found);
    let steps = steps::resolve(pass, run, &found.spec)?;
    // Also while StepActions are waited for: the next pass takes the definition from the status and knows no signature.
    verified(pass, run, &found.verification)?;
    found.spec.steps = match steps {
        Ok(steps) => steps,
        Err(fault) => {
            return Err(reference_failed(pass, run, &fault, reasons::RESOLVING_STEP_ACTION_REF, "StepAction"));
        }
    };
    // The status holds the steps as they are run.
    if let Some(stored) = run.status.task_spec.as_mut().filter(|_| first) {
        stored.steps.clone_from(&found.spec.steps);
    }
    let Found { meta, spec, .. } = found;
    let name = meta.name.unwrap_or_default();
    check(pass, run, &name, &spec)?;
    Ok(Prepared { name, spec })
}

/// Tells what the signature of the definition is worth; the run ends when it has to be another.
fn verified(pass: &Pass<'_>, run: &mut TaskRun, verification: &Verification) -> Result<(), Stop> {
    if let Verification::Failed(text) = verification {
        life::mark_failed(&mut run.status, reasons::RESOURCE_VERIFICATION_FAILED, text, pass.now());
    }
    if let Some(condition) = verification.condition() {
        life::set(&mut run.status, condition, pass.now());
    }
    match verification {
        Verification::Failed(text) => Err(Stop::permanent(text)),
        Verification::Skipped | Verification::Passed | Verification::Warned(_) => Ok(()),
    }
}

/// The rules that bind a run to its task, in their order.
fn check(pass: &mut Pass<'_>, run: &mut TaskRun, name: &str, spec: &TaskSpec) -> Result<(), Stop> {
    let flags = &pass.env.config.feature_flags;
    let failed = |run: &mut TaskRun, reason: &str, fault: binding::BindingError| {
        life::mark_failed(&mut run.status, reason, format!("{USER_ERROR}{fault}"), pass.env.now);
        Stop::permanent(fault)
    };
    binding::request_resources(spec).map_err(|fault| failed(run, reasons::FAILED_VALIDATION, fault))?;
    binding::resolved_task(name, &spec.params, &run.spec.params, None)
        .map_err(|fault| failed(run, reasons::FAILED_VALIDATION, fault))?;
    if flags.enable_param_enum {
        binding::enum_param(&run.spec.params, &spec.params)
            .map_err(|fault| failed(run, reasons::INVALID_PARAM_VALUE, fault))?;
    }
    binding::task_param_array_index(spec, &run.spec.params)
        .map_err(|fault| failed(run, reasons::FAILED_VALIDATION, fault))?;
    if let Err(text) = default_workspaces(pass, run, spec) {
        life::mark_failed(&mut run.status, reasons::FAILED_RESOLUTION, &text, pass.now());
        return Err(Stop::permanent(text));
    }
    // An embedded task may use workspaces that it does not declare.
    let mut declared: Vec<WorkspaceDeclaration> = Vec::new();
    if run.spec.task_spec.is_some() {
        declared.extend(
            run.spec
                .workspaces
                .iter()
                .map(|bound| WorkspaceDeclaration { name: bound.name.clone(), ..WorkspaceDeclaration::default() }),
        );
    }
    declared.extend(spec.workspaces.iter().cloned());
    binding::task_workspaces(&declared, &run.spec.workspaces)
        .map_err(|fault| failed(run, reasons::FAILED_VALIDATION, fault))?;
    if flags.coschedule == "workspaces" {
        binding::one_persistent_volume_claim(&run.spec.workspaces)
            .map_err(|fault| failed(run, reasons::FAILED_VALIDATION, fault))?;
    }
    binding::overrides(spec, &run.spec).map_err(|fault| failed(run, reasons::FAILED_VALIDATION, fault))
}

/// The definition that the run names or holds.
pub(super) fn find(pass: &mut Pass<'_>, run: &TaskRun) -> Result<Result<Found, RefFault>, Stop> {
    let name = run.metadata.name.clone().unwrap_or_default();
    let reference = run.spec.task_ref.as_ref();
    if let Some(reference) = reference.filter(|reference| !reference.name.is_empty()) {
        let words = format!("error when listing tasks for taskRun {name}: ");
        return Ok(fetch(pass, run, &reference.name)?.map_err(|fault| fault.context(&words)));
    }
    if let Some(spec) = &run.spec.task_spec {
        let (meta, spec) = (run.metadata.clone(), spec.clone());
        return Ok(Ok(Found { meta, spec, source: None, verification: Verification::Skipped }));
    }
    if reference.is_some_and(|reference| !reference.resolver.is_empty()) {
        return fetch(pass, run, &name);
    }
    Ok(Err(RefFault::Failed(format!("taskRun {name} not providing TaskRef or TaskSpec"))))
}

/// The referenced task: as the status froze it, else from the cluster or a resolver.
pub(super) fn fetch(pass: &mut Pass<'_>, run: &TaskRun, name: &str) -> Result<Result<Found, RefFault>, Stop> {
    if let Some(spec) = &run.status.task_spec {
        let meta = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: run.metadata.namespace.clone(),
            ..ObjectMeta::default()
        };
        let source = run.status.provenance.as_ref().and_then(|provenance| provenance.ref_source.clone());
        return Ok(Ok(Found { meta, spec: spec.clone(), source, verification: Verification::Skipped }));
    }
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let Some(reference) = &run.spec.task_ref else {
        return Ok(Err(RefFault::Failed(String::new())));
    };
    let found = if reference.resolver.is_empty() {
        definition::local::<Task>(pass, &namespace, name)?
    } else {
        let (params, url) = resolver_params(run, &reference.params, &reference.name);
        let request = Request {
            resolver: &reference.resolver,
            owner: owner::controller_of(run),
            namespace: &namespace,
            name: run.metadata.name.as_deref().unwrap_or_default(),
            params,
            url,
        };
        definition::remote::<Task>(pass, request, "")?
    };
    Ok(found.map(|Definition { object, source, verification }| Found {
        meta: object.metadata,
        spec: object.spec,
        source,
        verification,
    }))
}

/// Parameters of the resolver with the run's own put in, and the URL when the name is one.
fn resolver_params(run: &TaskRun, params: &[Param], name: &str) -> (Vec<Param>, String) {
    let mut table = scope::given(&run.spec.params);
    table.extend(scope::context("", run));
    let mut params = params.to_vec();
    substitute::params(&mut params, &table, Accepts::Arrays);
    let url = if crate::refs::is_url(name) { table.apply(name).into_owned() } else { String::new() };
    (params, url)
}

/// A definition or StepAction that could not be had ends the pass.
fn reference_failed(pass: &Pass<'_>, run: &mut TaskRun, fault: &RefFault, waiting: &str, what: &str) -> Stop {
    let now = pass.now();
    match fault {
        RefFault::InProgress(_) => {
            let message = format!(
                "TaskRun {}/{} awaiting remote {what}",
                run.metadata.namespace.as_deref().unwrap_or_default(),
                run.metadata.name.as_deref().unwrap_or_default(),
            );
            life::mark_ongoing(&mut run.status, waiting, message, now);
            Stop::After(RESOLUTION_POLL)
        }
        RefFault::Validation(_) | RefFault::Unprocessable(_) => {
            life::mark_failed(&mut run.status, reasons::TASK_FAILED_VALIDATION, fault.message(), now);
            Stop::permanent(fault.text())
        }
        RefFault::Transient(text) => Stop::transient(text),
        RefFault::NotFound(_) | RefFault::Failed(_) => {
            life::mark_failed(&mut run.status, reasons::FAILED_RESOLUTION, fault.message(), now);
            Stop::permanent(fault.text())
        }
    }
}

/// Freezes the definition in the status; labels and annotations of the Task go to the run, whose own win.
fn store(pass: &Pass<'_>, run: &mut TaskRun, found: &Found) {
    if run.status.task_spec.is_none() {
        run.status.task_spec = Some(found.spec.clone());
        merge_metadata(&mut run.metadata, &found.meta);
        if run.spec.task_ref.is_some() {
            let labels = run.metadata.labels.get_or_insert_default();
            labels.insert(labels::TASK.to_owned(), found.meta.name.clone().unwrap_or_default());
        }
    }
    let flags = &pass.env.config.feature_flags;
    if flags.enable_provenance_in_status {
        let provenance = run.status.provenance.get_or_insert_with(Provenance::default);
        provenance.feature_flags = Some(flags.clone());
        if provenance.ref_source.is_none() {
            provenance.ref_source.clone_from(&found.source);
        }
    }
}

/// Lays labels and annotations of a definition under those of a run.
pub(crate) fn merge_metadata(run: &mut ObjectMeta, definition: &ObjectMeta) {
    let under = |own: &mut Option<BTreeMap<String, String>>, other: Option<&BTreeMap<String, String>>| {
        let own = own.get_or_insert_default();
        for (key, value) in other.into_iter().flatten().filter(|(key, _)| *key != LAST_APPLIED) {
            own.entry(key.clone()).or_insert_with(|| value.clone());
        }
    };
    under(&mut run.annotations, definition.annotations.as_ref());
    under(&mut run.labels, definition.labels.as_ref());
}

/// Binds workspaces that the run leaves open to what the installation has for them.
fn default_workspaces(pass: &Pass<'_>, run: &mut TaskRun, spec: &TaskSpec) -> Result<(), String> {
    let text = &pass.env.config.defaults.default_task_run_workspace_binding;
    if text.is_empty() {
        return Ok(());
    }
    let default: WorkspaceBinding = crate::decode::yaml(text).map_err(|_| format!("failed to unmarshal {text}"))?;
    let mut bound: BTreeMap<String, WorkspaceBinding> = spec
        .workspaces
        .iter()
        .filter(|declared| !declared.optional)
        .map(|declared| (declared.name.clone(), WorkspaceBinding { name: declared.name.clone(), ..default.clone() }))
        .collect();
    bound.extend(run.spec.workspaces.drain(..).map(|binding| (binding.name.clone(), binding)));
    run.spec.workspaces = bound.into_values().collect();
    Ok(())
}
