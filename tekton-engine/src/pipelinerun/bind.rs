//! From a PipelineRun as written to one that is bound: its definition, the checks, the parameters put in.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_dag::edges;
use tekton_dag::graph::Graph;
use tekton_types::defaults::SetDefaults;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{PipelineRun, PipelineSpec, PipelineTask};
use tekton_validate::part::{Part, validate_part};
use tekton_validate::{Version, binding, field_error};

use super::find::{self, Found, store, verified};
use super::life;
use crate::decision::USER_ERROR;
use crate::pass::{Pass, Stop};
use crate::scope::pipeline as scope;
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

/// Finds the pipeline, checks that the run fits it, and puts the run's values in.
///
/// The status of the run gets the definition when it is new and the run fails here; else it is in what is returned.
pub(super) fn bind(pass: &mut Pass<'_>, run: &mut PipelineRun, frozen: Option<&PipelineSpec>) -> Result<Bound, Stop> {
    let mut found = match find::find(pass, run, frozen)? {
        Ok(found) => found,
        Err(fault) => return Err(find::reference_failed(pass, run, &fault)),
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

/// All tasks of a pipeline, those under `finally` last.
pub(super) fn all_tasks(spec: &PipelineSpec) -> impl Iterator<Item = &PipelineTask> {
    spec.tasks.iter().chain(&spec.r#finally)
}
