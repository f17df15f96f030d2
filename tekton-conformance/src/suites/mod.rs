//! The bindings: one module a suite, or one for a few that share their shapes, listed by layer.
//!
//! To bind a suite, add a module `suites/<suite with underscores>.rs` with a function
//! `fn check(case: &Case) -> Result<(), String>` and a line in the list of its layer below.

#[cfg(feature = "types")]
mod convert;
#[cfg(feature = "binaries")]
mod creds_files;
#[cfg(feature = "podgen")]
mod creds_init;
#[cfg(feature = "engine")]
mod crossdoc;
#[cfg(feature = "dag")]
mod dag;
#[cfg(feature = "types")]
mod defaults;
#[cfg(feature = "validate")]
mod manifests;
#[cfg(feature = "dag")]
mod matrix;
#[cfg(feature = "dag")]
mod pipeline_state;
#[cfg(feature = "engine")]
mod pipeline_substitution;
#[cfg(feature = "engine")]
mod pipelinerun_misc;
#[cfg(feature = "dag")]
mod pipelines;
#[cfg(feature = "podgen")]
mod podgen;
#[cfg(feature = "engine")]
mod podgen_e2e;
#[cfg(feature = "podgen")]
mod podgen_parts;
#[cfg(feature = "podgen")]
mod podgen_support;
#[cfg(feature = "podgen")]
mod podgen_transformers;
#[cfg(feature = "podgen")]
mod podstatus;
#[cfg(feature = "engine")]
mod reconcile;
#[cfg(feature = "dag")]
mod recorded;
#[cfg(feature = "binaries")]
mod scenarios;
#[cfg(feature = "contract")]
mod substitution;
#[cfg(feature = "engine")]
mod task_substitution;
#[cfg(feature = "engine")]
mod taskspec_resolution;
#[cfg(feature = "contract")]
mod termination;
#[cfg(feature = "validate")]
mod validate;
#[cfg(feature = "validate")]
mod validate_run;
#[cfg(feature = "dag")]
mod when;
#[cfg(feature = "engine")]
mod workspace_apply;

#[cfg(feature = "local")]
mod apiserver_transcripts;
#[cfg(feature = "local")]
mod e2e_examples;
#[cfg(feature = "local")]
mod outcome;
#[cfg(feature = "local")]
mod transcript_match;

use crate::Binding;

/// Every binding that this build has, in the order of the layers.
pub fn bindings() -> Vec<Binding> {
    let mut all = Vec::new();
    #[cfg(feature = "contract")]
    all.extend(contract());
    #[cfg(feature = "binaries")]
    all.extend(binaries());
    #[cfg(feature = "types")]
    all.extend(types());
    #[cfg(feature = "validate")]
    all.extend(validate());
    #[cfg(feature = "dag")]
    all.extend(dag());
    #[cfg(feature = "podgen")]
    all.extend(podgen());
    #[cfg(feature = "engine")]
    all.extend(engine());
    #[cfg(feature = "local")]
    all.extend(local());
    all
}

#[cfg(feature = "contract")]
fn contract() -> Vec<Binding> {
    vec![Binding::pure("substitution", substitution::check), Binding::pure("termination", termination::check)]
}

#[cfg(feature = "binaries")]
fn binaries() -> Vec<Binding> {
    ["entrypoint-scenarios", "nop-scenarios", "workingdirinit-scenarios", "sidecarlogresults-scenarios"]
        .map(|suite| Binding::serial(suite, scenarios::check))
        .into()
}

#[cfg(feature = "types")]
fn types() -> Vec<Binding> {
    vec![Binding::pure("convert", convert::check), Binding::pure("defaults", defaults::check)]
}

#[cfg(feature = "validate")]
fn validate() -> Vec<Binding> {
    vec![
        Binding::pure("validate", validate::check),
        Binding::pure("examples", manifests::check),
        Binding::pure("validate-mutations", manifests::check),
        Binding::pure("realworld", manifests::check_realworld),
        Binding::pure("validate-run", validate_run::check),
        Binding::pure("taskrun-validate", validate_run::check_taskrun),
    ]
}

#[cfg(feature = "dag")]
fn dag() -> Vec<Binding> {
    vec![
        Binding::pure("dag", dag::check),
        Binding::pure("matrix", matrix::check),
        Binding::pure("pipeline-state", pipeline_state::check),
        Binding::pure("when", when::check),
    ]
}

#[cfg(feature = "podgen")]
fn podgen() -> Vec<Binding> {
    vec![
        Binding::pure("podgen", podgen::check),
        Binding::pure("podgen-parts", podgen_parts::check),
        Binding::pure("podgen-transformers", podgen_transformers::check),
        Binding::pure("podstatus", podstatus::check),
        Binding::pure("creds-init", creds_init::check),
    ]
}

#[cfg(feature = "engine")]
fn engine() -> Vec<Binding> {
    vec![
        Binding::pure("reconcile-taskrun", reconcile::check_task_run),
        Binding::pure("reconcile-pipelinerun", reconcile::check_pipeline_run),
        Binding::pure("pipeline-substitution", pipeline_substitution::check),
        Binding::pure("podgen-e2e", podgen_e2e::check),
        Binding::pure("pipelinerun-misc", pipelinerun_misc::check),
        Binding::pure("task-substitution", task_substitution::check),
        Binding::pure("taskspec-resolution", taskspec_resolution::check),
        Binding::pure("workspace-apply", workspace_apply::check),
        Binding::pure("realworld-crossdoc", crossdoc::check),
    ]
}

#[cfg(feature = "local")]
fn local() -> Vec<Binding> {
    vec![
        Binding::pure("apiserver-transcripts", apiserver_transcripts::check),
        Binding::waiting("e2e-examples", e2e_examples::check, e2e_examples::AT_A_TIME),
    ]
}
