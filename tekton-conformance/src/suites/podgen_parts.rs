//! Suite `podgen-parts`: the pieces of the Pod builder.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Container;
use serde_json::{Value, json};
use tekton_contract::argv::EntrypointArgs;
use tekton_podgen::image::{self, ImageConfig, Manifest};
use tekton_podgen::order::{self, Ordering};
use tekton_podgen::script::{self, ShellImages};
use tekton_podgen::security::SecurityContextConfig;
use tekton_podgen::suffix::Suffixes;
use tekton_podgen::{Facts, Need, ServerVersion, build, convert, init, metadata, needs};
use tekton_types::v1::{Sidecar, Step, StepResult, TaskRun, TaskRunDebug, TaskSpec};

use super::podgen_support as support;
use crate::{Case, diff};

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let ours = match input["op"].as_str().unwrap_or_default() {
        "convertScripts" => convert_scripts(input)?,
        "orderContainers" => order_containers(input)?,
        "resolveEntrypoints" => resolve_entrypoints(input)?,
        "workingDirInit" => {
            let containers: Vec<Container> = support::read_or_default(&input["containers"])?;
            let container =
                init::working_dir(&support::text(&input["image"]), &containers, security(input), windows(input));
            json!({"container": container})
        }
        "entrypointInitContainer" => {
            let steps: Vec<Step> = support::read_or_default(&input["steps"])?;
            let names = steps.iter().map(|step| step.name.as_str());
            let container = init::prepare(&support::text(&input["image"]), names, security(input), windows(input));
            json!({"container": container})
        }
        "makeLabels" => {
            let run: TaskRun = support::read(&input["taskRun"])?;
            json!({"labels": metadata::labels(&run, &support::text(&input["managedBy"]))})
        }
        "stepResultArgument" => {
            let results: Vec<StepResult> = support::read_or_default(&input["stepResults"])?;
            let args = EntrypointArgs { step_results: order::step_results(&results), ..EntrypointArgs::default() };
            let mut printed = args.to_args();
            printed.retain(|word| word != "--");
            json!({"args": printed})
        }
        "isPodReadyImmediately" => {
            let sidecars: Vec<Sidecar> = support::read_or_default(&input["sidecars"])?;
            json!({"result": build::ready_immediately(&support::config(&input["config"])?, !sidecars.is_empty())})
        }
        "usesWindows" => json!({"result": build::uses_windows(&support::read(&input["taskRun"])?)}),
        "artifactsPathReferenced" => {
            let steps: Vec<Step> = support::read_or_default(&input["steps"])?;
            json!({"result": init::any_refers_to_artifacts(&steps)})
        }
        "isNativeSidecarSupport" => {
            let version = ServerVersion {
                major: support::text(&input["kubernetesVersion"]["major"]),
                minor: support::text(&input["kubernetesVersion"]["minor"]),
            };
            json!({"result": version.has_native_sidecars()})
        }
        "imageInfo" => {
            let config = image_config(&input["image"])?;
            let command = image::command(&config, input["hasArgs"] == true);
            json!({"command": command, "platform": image::platform(&config)})
        }
        "buildCommandMap" => {
            let mut manifests = Vec::new();
            for entry in input["manifests"].as_array().into_iter().flatten() {
                manifests.push(Manifest {
                    platform: support::text(&entry["platform"]),
                    digest: support::text(&entry["digest"]),
                    config: image_config(entry)?,
                });
            }
            match image::command_map(&manifests, input["hasArgs"] == true) {
                Ok(commands) => json!({"commands": commands}),
                Err(error) => json!({"error": error.to_string()}),
            }
        }
        other => return Err(format!("unknown operation {other:?}")),
    };
    diff::equal(&case.expect, &ours)
}

fn security(input: &Value) -> SecurityContextConfig {
    let config = &input["securityContextConfig"];
    SecurityContextConfig {
        set_security_context: config["setSecurityContext"] == true,
        set_read_only_root_filesystem: config["setReadOnlyRootFilesystem"] == true,
    }
}

fn windows(input: &Value) -> bool {
    input["windows"] == true
}

fn image_config(value: &Value) -> Result<ImageConfig, String> {
    Ok(ImageConfig {
        os: support::text(&value["configOs"]),
        architecture: support::text(&value["configArchitecture"]),
        entrypoint: support::read_or_default(&value["entrypoint"])?,
        cmd: support::read_or_default(&value["cmd"])?,
    })
}

fn convert_scripts(input: &Value) -> Result<Value, String> {
    let steps: Vec<Step> = support::read_or_default(&input["steps"])?;
    let sidecars: Vec<Sidecar> = support::read_or_default(&input["sidecars"])?;
    let debug: Option<TaskRunDebug> = support::read_or_default(&input["debug"])?;
    let mut steps: Vec<_> = steps.into_iter().map(convert::step).collect();
    let mut sidecars: Vec<_> = sidecars.into_iter().map(convert::sidecar).collect();
    let (linux, windows) = (support::text(&input["shellImage"]), support::text(&input["shellImageWin"]));
    let images = ShellImages { linux: &linux, windows: &windows };
    let mut suffixes = Suffixes::numbered();
    let init = script::place(images, &mut steps, &mut sidecars, debug.as_ref(), security(input), &mut suffixes);
    let steps: Vec<_> = steps.into_iter().map(|scripted| scripted.container).collect();
    let sidecars: Vec<_> = sidecars.into_iter().map(|scripted| scripted.container).collect();
    Ok(json!({"initContainer": init, "stepContainers": steps, "sidecarContainers": sidecars}))
}

fn order_containers(input: &Value) -> Result<Value, String> {
    let mut containers: Vec<Container> = support::read_or_default(&input["containers"])?;
    let task: Option<TaskSpec> = support::read_or_default(&input["taskSpec"])?;
    let debug: Option<TaskRunDebug> = support::read_or_default(&input["debug"])?;
    let extra_args: Vec<String> = support::read_or_default(&input["commonExtraEntrypointArgs"])?;
    let common = EntrypointArgs::parse(&extra_args).map_err(|refused| refused.to_string())?.flags;
    let ordering = Ordering {
        common: &common,
        debug: debug.as_ref(),
        wait_for_ready: input["waitForReadyAnnotation"] == true,
        keep_pod_on_cancel: input["enableKeepPodOnCancel"] == true,
    };
    Ok(match order::order(&mut containers, task.as_ref(), ordering) {
        Ok(()) => json!({"containers": containers}),
        Err(error) => json!({"error": error.to_string()}),
    })
}

fn resolve_entrypoints(input: &Value) -> Result<Value, String> {
    let mut containers: Vec<Container> = support::read_or_default(&input["containers"])?;
    let mut facts = Facts::default();
    let mut lookups: BTreeMap<String, bool> = BTreeMap::new();
    let mut order = Vec::new();
    for container in &containers {
        let commanded = container.command.as_ref().is_some_and(|command| !command.is_empty());
        let image = container.image.clone().unwrap_or_default();
        if commanded || lookups.contains_key(&image) {
            continue;
        }
        let has_args = container.args.as_ref().is_some_and(|args| !args.is_empty());
        lookups.insert(image.clone(), has_args);
        let reference = image::Reference::parse(&image).map_err(|error| error.to_string())?;
        order.push(json!({"image": reference.name(), "hasArgs": has_args}));
        let need = Need::Image(tekton_podgen::ImageLookup { image, has_args });
        support::answer(&mut facts, vec![need], &input["imageMetadata"])?;
    }
    Ok(match needs::resolve_entrypoints(&mut containers, &facts.images) {
        Ok(()) => json!({"containers": containers, "imageLookups": order}),
        Err(error) => json!({"error": error.to_string(), "imageLookups": order}),
    })
}
