//! From a PipelineRun as written to one that is bound: its definition, the checks, the parameters put in.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels;
use tekton_contract::var::Table;
use tekton_dag::edges;
use tekton_dag::graph::Graph;
use tekton_types::config::Config;
use tekton_types::defaults::SetDefaults;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::substitute::{self, Accepts};
use tekton_types::v1::{Pipeline, PipelineRef, PipelineRun, PipelineSpec, PipelineTask, Provenance, RefSource};
use tekton_validate::part::{Part, validate_part};
use tekton_validate::{Version, binding, field_error};

use super::life;
use crate::definition::{self, Definition};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::refs::{self, RefFault, Request};
use crate::scope::pipeline as scope;
use crate::taskrun::{RESOLUTION_POLL, merge_metadata};
use crate::trusted::Verification;

/// A run whose pipeline is known, checked and substituted.
#[derive(Debug)]
pub(super) struct Bound {
    /// The metadata of the pipeline.
    pub(super) meta: ObjectMeta,
    /// The pipeline before anything was put in; only where enums are checked, which alone ask for it.
    pub(super) written: Option<PipelineSpec>,
    /// The pipeline with params, contexts and workspaces put in.
    pub(super) spec: PipelineSpec,
    /// The graph of the tasks.
    pub(super) graph: Graph,
    /// The graph of the finally tasks.
    pub(super) finally: Graph,
}

/// A pipeline before it is stored in the status.
pub(super) struct Found {
    pub(super) meta: ObjectMeta,
    pub(super) spec: PipelineSpec,
    pub(super) source: Option<RefSource>,
    pub(super) verification: Verification,
}

/// The prefix of messages about what the user can mend.
pub(super) const USER_ERROR: &str = "[User error] ";

/// Finds the pipeline, checks that the run fits it, and puts the run's values in.
///
/// The status of the run gets the definition when it is new and the run fails here; else it is in what is returned.
pub(super) fn bind(pass: &mut Pass<'_>, run: &mut PipelineRun, frozen: Option<&PipelineSpec>) -> Result<Bound, Stop> {
    let mut found = match find(pass, run, frozen)? {
        Ok(found) => found,
        Err(fault) => return Err(reference_failed(pass, run, &fault)),
    };
    found.spec.set_defaults(pass.env.config);
    store(run, &found, pass.env.config, frozen.is_none());
    let Found { meta, mut spec, verification, .. } = found;
    match checked(pass, run, &meta, &mut spec, &verification) {
        Ok(Checked { graph, finally, written }) => Ok(Bound { meta, written, spec, graph, finally }),
        Err(stop) => {
            if frozen.is_none() {
                run.status.pipeline_spec = Some(spec);
            }
            Err(stop)
        }
    }
}

/// What the checks of a definition find out on the way.
struct Checked {
    graph: Graph,
    finally: Graph,
    written: Option<PipelineSpec>,
}

/// Checks the definition and puts the run's values in.
fn checked(
    pass: &Pass<'_>,
    run: &mut PipelineRun,
    meta: &ObjectMeta,
    spec: &mut PipelineSpec,
    verification: &Verification,
) -> Result<Checked, Stop> {
    verified(pass, run, verification, meta.name.as_deref().unwrap_or_default())?;
    let names = Names::of(run, meta);
    let failed = |run: &mut PipelineRun, reason: &str, message: String, error: String| {
        life::mark_failed(&mut run.status, reason, message, pass.env.now);
        Stop::permanent(error)
    };
    let (graph, finally) = match graphs(spec) {
        Ok(graphs) => graphs,
        Err((clause, error)) => {
            let message = format!("{USER_ERROR}PipelineRun {}'s Pipeline DAG is invalid{clause}: {error}", names.run);
            return Err(failed(run, reasons::INVALID_GRAPH, message, error));
        }
    };
    let found = validate_part(Part::PipelineSpec(spec), pass.env.config, Version::V1);
    if !found.is_empty() {
        let error = field_error(&found);
        let message = format!("{USER_ERROR}Pipeline {} can't be Run; it has an invalid spec: {error}", names.stored);
        return Err(failed(run, reasons::FAILED_VALIDATION, message, error));
    }
    if let Err((reason, message, error)) = check(pass, run, spec, &names) {
        return Err(failed(run, reason, message, error));
    }
    let params = run.spec.params.clone();
    scope::apply_parameters_to_workspaces(&params, &mut run.spec.workspaces);
    let written = pass.env.config.feature_flags.enable_param_enum.then(|| spec.clone());
    if let Err(error) = scope::apply_parameters(spec, run) {
        let message = format!("{USER_ERROR}Failed to apply parameters to Pipeline {}: {error}", names.pipeline);
        return Err(failed(run, reasons::FAILED_VALIDATION, message, error));
    }
    scope::apply_contexts(spec, meta.name.as_deref().unwrap_or_default(), run);
    scope::apply_workspaces(spec, run);
    let found: Vec<_> = all_tasks(spec)
        .flat_map(|task| validate_part(Part::PipelineTaskOnError(task), pass.env.config, Version::V1))
        .collect();
    if !found.is_empty() {
        let error = field_error(&found);
        let message = format!("{USER_ERROR}Pipeline {} can't be Run; it has an invalid spec: {error}", names.stored);
        return Err(failed(run, reasons::FAILED_VALIDATION, message, error));
    }
    Ok(Checked { graph, finally, written })
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

/// `namespace/name` of the run and of its pipeline, as messages have them.
struct Names {
    run: String,
    /// The pipeline, in the namespace of the run.
    pipeline: String,
    /// The pipeline, in its own namespace.
    stored: String,
}

impl Names {
    fn of(run: &PipelineRun, meta: &ObjectMeta) -> Self {
        let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
        let pipeline = meta.name.as_deref().unwrap_or_default();
        Self {
            run: format!("{namespace}/{}", run.metadata.name.as_deref().unwrap_or_default()),
            pipeline: format!("{namespace}/{pipeline}"),
            stored: format!("{}/{pipeline}", meta.namespace.as_deref().unwrap_or_default()),
        }
    }
}

fn graphs(spec: &PipelineSpec) -> Result<(Graph, Graph), (&'static str, String)> {
    let graph = edges::tasks_graph(&spec.tasks).map_err(|error| ("", error.to_string()))?;
    let finally = edges::finally_graph(&spec.r#finally).map_err(|error| (" for finally clause", error.to_string()))?;
    Ok((graph, finally))
}

/// What the run gives against what the pipeline asks for, in order: reason, message and error of the first misfit.
fn check(
    pass: &Pass<'_>,
    run: &PipelineRun,
    spec: &PipelineSpec,
    names: &Names,
) -> Result<(), (&'static str, String, String)> {
    let Names { run: own, pipeline, .. } = names;
    let params = &run.spec.params;
    let misfit = |reason: &'static str, words: String| {
        move |error: binding::BindingError| (reason, format!("{USER_ERROR}{words}: {error}"), error.to_string())
    };
    binding::required_parameters_provided(&spec.params, params).map_err(misfit(
        reasons::PARAMETER_MISSING,
        format!("PipelineRun {own} is missing some parameters required by Pipeline {pipeline}"),
    ))?;
    binding::param_types_matching(spec, params).map_err(misfit(
        reasons::PARAMETER_TYPE_MISMATCH,
        format!("PipelineRun {own} parameters have mismatching types with Pipeline {pipeline}'s parameters"),
    ))?;
    if pass.env.config.feature_flags.enable_param_enum {
        binding::enum_param(params, &spec.params).map_err(misfit(
            reasons::INVALID_PARAM_VALUE,
            format!("PipelineRun {own} parameters have invalid value"),
        ))?;
    }
    binding::object_param_required_keys(&spec.params, params).map_err(misfit(
        reasons::OBJECT_PARAMETER_MISS_KEYS,
        format!("PipelineRun {own} parameters is missing object keys required by Pipeline {pipeline}'s parameters"),
    ))?;
    binding::pipeline_param_array_index(spec, params).map_err(misfit(
        reasons::PARAM_ARRAY_INDEXING_INVALID,
        format!(
            "PipelineRun {own} failed validation: failed to validate Pipeline {pipeline}'s parameter which has an invalid index while referring to an array"
        ),
    ))?;
    binding::pipeline_workspaces(spec, &run.spec.workspaces).map_err(misfit(
        reasons::INVALID_WORKSPACE_BINDING,
        format!("PipelineRun {own} doesn't bind Pipeline {pipeline}'s Workspaces correctly"),
    ))?;
    binding::task_run_specs(spec, &run.spec).map_err(misfit(
        reasons::INVALID_TASK_RUN_SPEC,
        format!("PipelineRun {own} doesn't define taskRunSpecs correctly"),
    ))
}

/// The pipeline that the run names or holds.
fn find(
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
    let name =
        if refs::is_url(&reference.name) { table.apply(&reference.name).into_owned() } else { reference.name.clone() };
    let url = if refs::is_url(&name) { name.clone() } else { String::new() };
    let request = Request {
        resolver: &reference.resolver,
        owner: owner::controller_of(run),
        namespace: &namespace,
        name: run.metadata.name.as_deref().unwrap_or_default(),
        params,
        url,
    };
    definition::remote::<Pipeline>(pass, request, &format!("resolver failed to get Pipeline {name}: "))
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

fn reference_failed(pass: &Pass<'_>, run: &mut PipelineRun, fault: &RefFault) -> Stop {
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

/// All tasks of a pipeline, those under `finally` last.
pub(super) fn all_tasks(spec: &PipelineSpec) -> impl Iterator<Item = &PipelineTask> {
    spec.tasks.iter().chain(&spec.r#finally)
}
