//! Steps and sidecars.

use tekton_types::v1::{Sidecar, Step, on_error};

use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Stage};
use crate::names::is_dns_label;
use crate::rules::params::is_param_ref;
use crate::rules::{reference, results, when};
use crate::text::{clean_path, quote};
use crate::vars::{Names, has_step_artifacts, has_step_result, has_task_artifacts, unknown};

/// Name of the sidecar that prints results; nobody else may have it.
const RESERVED_RESULTS_SIDECAR: &str = "tekton-log-results";

/// The steps of a task, after the step template was merged in.
pub(crate) fn validate_steps(gates: &Gates<'_>, steps: &[Step]) -> Errors {
    let mut errors = Errors::none();
    let mut names = Names::new();
    for (index, step) in steps.iter().enumerate() {
        let duplicate = !step.name.is_empty() && !names.insert(&step.name);
        if duplicate && !gates.is_beta_version() {
            errors.also(Errors::from(FieldError::multiple_one_of(&["name"])).via_index(index));
        }
        errors.also(validate_step(gates, step, duplicate && gates.is_beta_version()).via_index(index));
        if !step.results.is_empty() {
            let declared: Names<'_> = step.results.iter().map(|r| r.name.as_str()).collect();
            errors.also(unknown(&step.script, "step.results", &declared).via_field("script").via_index(index));
            errors.also(results::validate_step_results(&step.results).via_index(index).via_field("results"));
        }
        if !step.when.is_empty() {
            errors.also(when::validate(gates, &step.when).via_index(index));
        }
    }
    errors
}

/// One step.
pub(crate) fn validate_step(gates: &Gates<'_>, step: &Step, name_is_taken: bool) -> Errors {
    if !gates.artifacts && refers_to_artifacts(step) {
        return FieldError::new("feature flag enable-artifacts should be set to true to use artifacts feature.", &[""])
            .into();
    }
    let mut errors = match &step.r#ref {
        Some(action) => {
            let mut errors =
                reference::validate(gates, &action.name, &action.resolver, reference::given(&action.params));
            errors.also(not_with_ref(step));
            errors
        }
        None => without_ref(step),
    };
    if !step.name.is_empty() {
        if name_is_taken {
            errors.push(FieldError::invalid_value(&step.name, "name"));
        }
        if !is_dns_label(&step.name) {
            errors.push(FieldError::new(format!("invalid value {}", quote(&step.name)), &["name"]).details(
                "Task step name must be a valid DNS Label, For more info refer to https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names",
            ));
        }
    }
    if let Some(timeout) = &step.timeout
        && timeout.0 < 0
    {
        return FieldError::invalid_value(timeout, "negative timeout").into();
    }
    errors.also(mounts(step));
    if !step.on_error.is_empty()
        && !is_param_ref(&step.on_error)
        && step.on_error != on_error::CONTINUE
        && step.on_error != on_error::STOP_AND_FAIL
    {
        errors.push(
            FieldError::new(format!("invalid value: \"{}\"", step.on_error), &["onError"])
                .details("Task step onError must be either \"continue\" or \"stopAndFail\""),
        );
    }
    errors.also(windows_script(gates, &step.script));
    if step.stdout_config.is_some() {
        errors.also(gates.require("step stdout stream support", Stage::Alpha).via_field("stdoutconfig"));
    }
    if step.stderr_config.is_some() {
        errors.also(gates.require("step stderr stream support", Stage::Alpha).via_field("stderrconfig"));
    }
    errors.also(step_results_elsewhere(step));
    errors.also(step_artifacts_elsewhere(step));
    errors
}

/// Scripts for Windows are behind a gate.
pub(crate) fn windows_script(gates: &Gates<'_>, script: &str) -> Errors {
    if script.trim().starts_with("#!win") {
        return gates.require("windows script support", Stage::Alpha).via_field("script");
    }
    Errors::none()
}

fn not_with_ref(step: &Step) -> Errors {
    let mut errors = Errors::none();
    for (given, message, path) in [
        (!step.image.is_empty(), "image cannot be used with Ref", "image"),
        (!step.command.is_empty(), "command cannot be used with Ref", "command"),
        (!step.args.is_empty(), "args cannot be used with Ref", "args"),
        (!step.script.is_empty(), "script cannot be used with Ref", "script"),
        (!step.working_dir.is_empty(), "working dir cannot be used with Ref", "workingDir"),
        (!step.env.is_empty(), "env cannot be used with Ref", "env"),
        (!step.volume_mounts.is_empty(), "volumeMounts cannot be used with Ref", "volumeMounts"),
        (!step.results.is_empty(), "results cannot be used with Ref", "results"),
    ] {
        if given {
            errors.push(FieldError::new(message, &[path]));
        }
    }
    errors
}

fn without_ref(step: &Step) -> Errors {
    let mut errors = Errors::none();
    if !step.params.is_empty() {
        errors.push(FieldError::new("params cannot be used without Ref", &["params"]));
    }
    if step.image.is_empty() {
        errors.push(FieldError::missing(&["Image"]));
    }
    if !step.script.is_empty() && !step.command.is_empty() {
        errors.push(FieldError::new("script cannot be used with command", &["script"]));
    }
    errors
}

fn mounts(step: &Step) -> Errors {
    let mut errors = Errors::none();
    for (index, mount) in step.volume_mounts.iter().enumerate() {
        let clean = clean_path(&mount.mount_path);
        if clean.starts_with("/tekton/") && !clean.starts_with("/tekton/home") {
            let message = format!(
                "volumeMount cannot be mounted under /tekton/ (volumeMount {} mounted at {})",
                quote(&mount.name),
                quote(&mount.mount_path)
            );
            errors.also(Errors::from(FieldError::new(message, &["mountPath"])).via_field_index("volumeMounts", index));
        }
        if mount.name.starts_with("tekton-internal-") {
            let message = format!("volumeMount name {} cannot start with \"tekton-internal-\"", quote(&mount.name));
            errors.also(Errors::from(FieldError::new(message, &["name"])).via_field_index("volumeMounts", index));
        }
    }
    errors
}

fn refers_to_artifacts(step: &Step) -> bool {
    std::iter::once(&step.script)
        .chain(&step.command)
        .chain(&step.args)
        .chain(step.env.iter().filter_map(|e| e.value.as_ref()))
        .any(|text| has_step_artifacts(text) || has_task_artifacts(text))
}

/// The texts of a step in which neither step results nor artifacts may be referred to.
fn texts_elsewhere(step: &Step) -> Vec<(&str, &'static str)> {
    let mut texts: Vec<(&str, &'static str)> = vec![
        (&step.name, "name"),
        (&step.image, "image"),
        (&step.image_pull_policy, "imagePullPolicy"),
        (&step.working_dir, "workingDir"),
    ];
    for source in &step.env_from {
        texts.push((source.prefix.as_deref().unwrap_or_default(), "envFrom.prefix"));
        if let Some(config_map) = &source.config_map_ref {
            texts.push((&config_map.name, "envFrom.configMapRef"));
        }
        if let Some(secret) = &source.secret_ref {
            texts.push((&secret.name, "envFrom.secretRef"));
        }
    }
    for mount in &step.volume_mounts {
        texts.push((&mount.name, "volumeMounts.name"));
        texts.push((&mount.mount_path, "volumeMounts.mountPath"));
        texts.push((mount.sub_path.as_deref().unwrap_or_default(), "volumeMounts.subPath"));
    }
    for device in &step.volume_devices {
        texts.push((&device.name, "volumeDevices.name"));
        texts.push((&device.device_path, "volumeDevices.devicePath"));
    }
    texts
}

fn step_results_elsewhere(step: &Step) -> Errors {
    let mut errors = Errors::none();
    for (text, path) in texts_elsewhere(step).into_iter().chain([(step.script.as_str(), "script")]) {
        if has_step_result(text) {
            errors.push(FieldError::new(
                "stepResult substitutions are only allowed in env, command and args. Found usage in",
                &[path],
            ));
        }
    }
    errors
}

fn step_artifacts_elsewhere(step: &Step) -> Errors {
    let mut errors = Errors::none();
    for (text, path) in texts_elsewhere(step) {
        if has_step_artifacts(text) {
            errors.push(FieldError::new(
                "stepArtifact substitutions are only allowed in env, command, args and script. Found usage in",
                &[path],
            ));
        }
    }
    errors
}

/// The sidecars of a task.
pub(crate) fn validate_sidecars(gates: &Gates<'_>, sidecars: &[Sidecar]) -> Errors {
    let mut errors = Errors::none();
    for sidecar in sidecars {
        if gates.is_beta_version() {
            errors.also(reserved_name(sidecar, ""));
        } else {
            errors.also(validate_sidecar(sidecar));
        }
    }
    errors.via_field("sidecars")
}

fn reserved_name(sidecar: &Sidecar, path: &str) -> Errors {
    if sidecar.name == RESERVED_RESULTS_SIDECAR {
        return FieldError::new(format!("Invalid: cannot use reserved sidecar name {} ", sidecar.name), &[path]).into();
    }
    Errors::none()
}

/// One sidecar.
pub(crate) fn validate_sidecar(sidecar: &Sidecar) -> Errors {
    let mut errors = reserved_name(sidecar, "name");
    if sidecar.image.is_empty() {
        errors.push(FieldError::missing(&["image"]));
    }
    if !sidecar.script.is_empty() && !sidecar.command.is_empty() {
        errors.push(FieldError::new("script cannot be used with command", &["script"]));
    }
    errors
}
