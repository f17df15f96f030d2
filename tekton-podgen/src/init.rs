//! The init containers that install the entrypoint and create working directories, and the sidecar that prints results.

use crate::names::{
    self, BIN_DIR, ENTRYPOINT, PREPARE, RESULTS_DIR, RESULTS_SIDECAR, STEPS_DIR, WORKING_DIR_INITIALIZER,
    WORKSPACE_DIR, step_container,
};
use crate::security::SecurityContextConfig;
use crate::volumes;
use k8s_openapi::api::core::v1::{Container, EnvVar};
use std::collections::{BTreeMap, BTreeSet};
use tekton_types::v1::{Sidecar, Step, TaskResult};

const STEP_ARTIFACTS_REFERENCE: &str = "$(step.artifacts.path)";

/// Installs the entrypoint and the folders of the steps.
pub fn prepare<'a>(
    image: &str,
    steps: impl IntoIterator<Item = &'a str>,
    security: SecurityContextConfig,
    windows: bool,
) -> Container {
    let mut command: Vec<String> =
        ["/ko-app/entrypoint", "init", "/ko-app/entrypoint", ENTRYPOINT].map(str::to_owned).to_vec();
    command.extend(steps.into_iter().enumerate().map(|(index, name)| step_container(name, index)));
    Container {
        name: PREPARE.to_owned(),
        image: Some(image.to_owned()),
        // The image's own working directory may not be readable for a user set by the Pod.
        working_dir: Some("/".to_owned()),
        command: Some(command),
        volume_mounts: Some(vec![
            volumes::mount(volumes::BIN, BIN_DIR, false),
            volumes::mount(volumes::STEPS, STEPS_DIR, false),
        ]),
        security_context: security.context(windows),
        ..Container::default()
    }
}

/// Creates the working directories of steps that are relative or below the workspace; `None` when there are none.
pub fn working_dir(
    image: &str,
    steps: &[Container],
    security: SecurityContextConfig,
    windows: bool,
) -> Option<Container> {
    let wanted: BTreeSet<&str> =
        steps.iter().filter_map(|step| step.working_dir.as_deref()).filter(|dir| !dir.is_empty()).collect();
    let dirs: Vec<String> = wanted
        .into_iter()
        .map(names::clean_path)
        .filter(|dir| !dir.starts_with('/') || dir.starts_with("/workspace/"))
        .collect();
    if dirs.is_empty() {
        return None;
    }
    Some(Container {
        name: WORKING_DIR_INITIALIZER.to_owned(),
        image: Some(image.to_owned()),
        command: Some(vec!["/ko-app/workingdirinit".to_owned()]),
        args: Some(dirs),
        working_dir: Some(WORKSPACE_DIR.to_owned()),
        volume_mounts: Some(volumes::implicit_mounts()),
        security_context: security.context(windows),
        ..Container::default()
    })
}

/// How the sidecar that prints results is run.
#[derive(Clone, Copy, Debug)]
pub struct ResultsSidecar<'a> {
    /// Its image.
    pub image: &'a str,
    /// Its security context.
    pub security: SecurityContextConfig,
    /// Whether it runs on Windows.
    pub windows: bool,
    /// How often it looks for results: a Go duration.
    pub polling_interval: &'a str,
}

/// The sidecar that prints results and artifacts to its log. `steps` are merged with their template, because that may be
/// what refers to artifacts.
pub fn results_sidecar(results: &[TaskResult], steps: &[Step], how: ResultsSidecar<'_>) -> Sidecar {
    let results: Vec<&str> = results.iter().map(|result| result.name.as_str()).collect();
    let producers: Vec<String> = steps
        .iter()
        .filter(|step| refers_to_artifacts(step))
        .map(|step| format!("{}{}", names::STEP_PREFIX, step.name))
        .collect();
    let step_results: BTreeMap<String, Vec<&str>> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !step.results.is_empty())
        .map(|(index, step)| {
            let names = step.results.iter().map(|result| result.name.as_str());
            (step_container(&step.name, index), names.collect())
        })
        .collect();
    let command = [
        "/ko-app/sidecarlogresults",
        "-results-dir",
        RESULTS_DIR,
        "-result-names",
        &results.join(","),
        "-step-names",
        &producers.join(","),
        "-step-results",
        &crate::json::go_string(&step_results),
    ];
    Sidecar {
        name: RESULTS_SIDECAR.to_owned(),
        image: how.image.to_owned(),
        command: command.map(str::to_owned).to_vec(),
        env: vec![EnvVar {
            name: "SIDECAR_LOG_POLLING_INTERVAL".to_owned(),
            value: Some(how.polling_interval.to_owned()),
            value_from: None,
        }],
        security_context: how.security.context(how.windows),
        ..Sidecar::default()
    }
}

/// Whether any step writes artifacts, by the path or by the variable for it.
pub fn any_refers_to_artifacts(steps: &[Step]) -> bool {
    steps.iter().any(refers_to_artifacts)
}

fn refers_to_artifacts(step: &Step) -> bool {
    let path = format!("{STEPS_DIR}/{}{}/artifacts/provenance.json", names::STEP_PREFIX, step.name);
    let refers = |text: &str| text.contains(&path) || text.contains(STEP_ARTIFACTS_REFERENCE);
    refers(&step.script)
        || step.args.iter().any(|arg| refers(arg))
        || step.command.iter().any(|word| refers(word))
        || step.env.iter().any(|env| env.value.as_deref().is_some_and(refers))
}
