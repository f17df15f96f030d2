//! The pipeline of a run: as the run holds it, as the status froze it, or by reference.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels;
use tekton_contract::var::Table;
use tekton_types::config::Config;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::substitute::{self, Accepts};
use tekton_types::v1::{Pipeline, PipelineRef, PipelineRun, PipelineSpec, Provenance, RefSource};

use super::life;
use crate::decision::USER_ERROR;
use crate::definition::{self, Definition};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::refs::{self, RefFault, Request};
use crate::taskrun::{RESOLUTION_POLL, merge_metadata};
use crate::trusted::Verification;

/// A pipeline before it is stored in the status.
pub(super) struct Found {
    pub(super) meta: ObjectMeta,
    pub(super) spec: PipelineSpec,
    pub(super) source: Option<RefSource>,
    pub(super) verification: Verification,
}

/// Tells what the signature of a definition is worth; the run ends when it has to be another.
pub(super) fn verified(
    pass: &Pass<'_>,
    run: &mut PipelineRun,
    verification: &Verification,
    resource: &str,
) -> Result<(), Stop> {
    let now = pass.now();
    let failed = match verification {
        Verification::Failed(text) => Some(format!(
            "pipelineRun {}/{} referred resource {resource} failed signature verification: {text}",
            run.metadata.namespace.as_deref().unwrap_or_default(),
            run.metadata.name.as_deref().unwrap_or_default(),
        )),
        Verification::Skipped | Verification::Passed | Verification::Warned(_) => None,
    };
    if let Some(mut condition) = verification.condition() {
        if let Some(text) = &failed {
            condition.message.clone_from(text);
        }
        life::set(&mut run.status, condition, now);
    }
    let Some(text) = failed else { return Ok(()) };
    life::mark_failed(&mut run.status, reasons::RESOURCE_VERIFICATION_FAILED, text.as_str(), now);
    Err(Stop::permanent(text))
}

/// The pipeline that the run names or holds.
pub(super) fn find(
    pass: &mut Pass<'_>,
    run: &mut PipelineRun,
    frozen: Option<&PipelineSpec>,
) -> Result<Result<Found, RefFault>, Stop> {
    let name = run.metadata.name.clone().unwrap_or_default();
    if let Some(reference) = run.spec.pipeline_ref.as_ref().filter(|reference| !reference.name.is_empty()) {
        let words = format!("error when getting Pipeline for PipelineRun {name}: ");
        return Ok(fetch(pass, run, reference, frozen)?.map_err(|fault| fault.context(&words)));
    }
    // Nobody asks the copy of the run for it afterwards.
    if let Some(spec) = run.spec.pipeline_spec.take() {
        let meta = run.metadata.clone();
        return Ok(Ok(Found { meta, spec, source: None, verification: Verification::Skipped }));
    }
    match &run.spec.pipeline_ref {
        Some(reference) if !reference.resolver.is_empty() => fetch(pass, run, reference, frozen),
        _ => Ok(Err(RefFault::Failed(format!("pipelineRun {name} not providing PipelineRef or PipelineSpec")))),
    }
}

/// The referenced pipeline: as the status froze it, else from the cluster or a resolver.
fn fetch(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    reference: &PipelineRef,
    frozen: Option<&PipelineSpec>,
) -> Result<Result<Found, RefFault>, Stop> {
    if let Some(spec) = frozen {
        let meta = ObjectMeta {
            name: Some(reference.name.clone()),
            namespace: run.metadata.namespace.clone(),
            ..ObjectMeta::default()
        };
        let source = run.status.provenance.as_ref().and_then(|provenance| provenance.ref_source.clone());
        return Ok(Ok(Found { meta, spec: spec.clone(), source, verification: Verification::Skipped }));
    }
    let found = pipeline(pass, run, reference)?;
    Ok(found.map(|Definition { object, source, verification }| Found {
        meta: object.metadata,
        spec: object.spec,
        source,
        verification,
    }))
}

/// A pipeline by reference, for the run itself or for one of its tasks.
pub(super) fn pipeline(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    reference: &PipelineRef,
) -> Result<Result<Definition<Pipeline>, RefFault>, Stop> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    if reference.resolver.is_empty() {
        let name = &reference.name;
        let words = format!("tekton client cannot get pipeline {name} from local cluster: ");
        return Ok(definition::local::<Pipeline>(pass, &namespace, name)?
            .map_err(|fault| if namespace.is_empty() { fault } else { fault.context(&words) }));
    }
    let mut table = crate::scope::task::given(&run.spec.params);
    table.extend(contexts(run));
    let mut params = reference.params.clone();
    substitute::params(&mut params, &table, Accepts::Objects);
    let url = if refs::is_url(&reference.name) { table.apply(&reference.name).into_owned() } else { String::new() };
    let request = Request {
        resolver: &reference.resolver,
        owner: owner::controller_of(run),
        namespace: &namespace,
        name: run.metadata.name.as_deref().unwrap_or_default(),
        params,
        url,
    };
    definition::remote::<Pipeline>(pass, request, &format!("resolver failed to get Pipeline {}: ", reference.name))
}

/// The variables of the run that a reference may use.
fn contexts(run: &PipelineRun) -> Table {
    let mut table = Table::new();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    table.set("context.pipelineRun.name", text(&run.metadata.name));
    table.set("context.pipeline.name", "");
    table.set("context.pipelineRun.namespace", text(&run.metadata.namespace));
    table.set("context.pipelineRun.uid", text(&run.metadata.uid));
    table
}

pub(super) fn reference_failed(pass: &Pass<'_>, run: &mut PipelineRun, fault: &RefFault) -> Stop {
    let now = pass.now();
    let name = run.metadata.name.clone().unwrap_or_default();
    let own = format!("{}/{name}", run.metadata.namespace.as_deref().unwrap_or_default());
    match fault {
        RefFault::InProgress(_) => {
            let message = format!("PipelineRun {own} awaiting remote resource");
            life::mark_running(&mut run.status, reasons::RESOLVING_PIPELINE_REF, message, now);
            Stop::After(RESOLUTION_POLL)
        }
        RefFault::Validation(text) | RefFault::Unprocessable(text) => {
            let message = format!("{USER_ERROR}Failed dryRunValidation for PipelineRun {name}: {text}");
            life::mark_failed(&mut run.status, reasons::FAILED_VALIDATION, message, now);
            Stop::permanent(text)
        }
        RefFault::Transient(text) if text.contains("retryable error validating referenced object") => {
            Stop::transient(text)
        }
        RefFault::Transient(text) | RefFault::NotFound(text) | RefFault::Failed(text) => {
            let message = format!("Error retrieving pipeline for pipelinerun {own}: {text}");
            life::mark_failed(&mut run.status, reasons::COULDNT_GET_PIPELINE, message, now);
            Stop::permanent(text)
        }
    }
}

/// Notes where the definition came from. When it `is_first` seen, labels and annotations of the Pipeline go to the run,
/// whose own win.
pub(super) fn store(run: &mut PipelineRun, found: &Found, config: &Config, is_first: bool) {
    if is_first {
        merge_metadata(&mut run.metadata, &found.meta);
        if let Some(name) = found.meta.name.as_deref().filter(|name| !name.is_empty()) {
            let generated = found.meta.generate_name.as_deref().is_some_and(|name| !name.is_empty());
            let label = run.metadata.labels.get_or_insert_default().entry(labels::PIPELINE.to_owned()).or_default();
            if label.is_empty() || !generated {
                name.clone_into(label);
            }
        }
    }
    let flags = &config.feature_flags;
    if flags.enable_provenance_in_status {
        let provenance = run.status.provenance.get_or_insert_with(Provenance::default);
        provenance.feature_flags = Some(flags.clone());
        if provenance.ref_source.is_none() {
            provenance.ref_source.clone_from(&found.source);
        }
    }
}
