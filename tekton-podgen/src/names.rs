//! Names, paths, labels and annotations that the Pod of a TaskRun is made of.

/// Prefix of the container of a step.
pub const STEP_PREFIX: &str = "step-";
/// Prefix of the container of a sidecar.
pub const SIDECAR_PREFIX: &str = "sidecar-";
/// Init container that installs the entrypoint.
pub const PREPARE: &str = "prepare";
/// Init container that writes scripts.
pub const PLACE_SCRIPTS: &str = "place-scripts";
/// Init container that creates working directories.
pub const WORKING_DIR_INITIALIZER: &str = "working-dir-initializer";
/// Name of the sidecar that prints results.
pub const RESULTS_SIDECAR: &str = "tekton-log-results";
/// Container of the sidecar that prints results.
pub const RESULTS_SIDECAR_CONTAINER: &str = "sidecar-tekton-log-results";

/// Annotation that lets the first step start.
pub const READY_ANNOTATION: &str = "tekton.dev/ready";
/// Value of [`READY_ANNOTATION`].
pub const READY_VALUE: &str = "READY";
/// Annotation that stops the steps.
pub const CANCEL_ANNOTATION: &str = "tekton.dev/cancel";
/// Value of [`CANCEL_ANNOTATION`].
pub const CANCEL_VALUE: &str = "CANCEL";
/// Annotation with the version of the controller.
pub const RELEASE_ANNOTATION: &str = "pipeline.tekton.dev/release";
/// Annotation that asks for hermetic execution.
pub const EXECUTION_MODE_ANNOTATION: &str = "experimental.tekton.dev/execution-mode";
/// Value of [`EXECUTION_MODE_ANNOTATION`] for hermetic execution.
pub const EXECUTION_MODE_HERMETIC: &str = "hermetic";
/// Variable that tells a step that it runs hermetically.
pub const HERMETIC_VARIABLE: &str = "TEKTON_HERMETIC";
/// Variable with the commands of an image by platform.
pub const PLATFORM_COMMANDS_VARIABLE: &str = "TEKTON_PLATFORM_COMMANDS";
/// Annotation with the name of the affinity assistant.
pub const AFFINITY_ASSISTANT_ANNOTATION: &str = "pipeline.tekton.dev/affinity-assistant";
/// Annotation of a TaskRun with the `onError` of its pipeline task.
pub const PIPELINE_TASK_ON_ERROR_ANNOTATION: &str = "pipeline.tekton.dev/pipeline-task-on-error";
/// Label with the manager of an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Label with the name of the TaskRun.
pub const TASK_RUN_LABEL: &str = "tekton.dev/taskRun";
/// Label with the uid of the TaskRun.
pub const TASK_RUN_UID_LABEL: &str = "tekton.dev/taskRunUID";
/// Label that pairs Pods with their affinity assistant.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// Label with the component of an object.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// Value of [`COMPONENT_LABEL`] for an affinity assistant.
pub const AFFINITY_ASSISTANT: &str = "affinity-assistant";
/// Node selector for the operating system.
pub const OS_LABEL: &str = "kubernetes.io/os";

pub(crate) const BIN_DIR: &str = "/tekton/bin";
pub(crate) const ENTRYPOINT: &str = "/tekton/bin/entrypoint";
pub(crate) const RUN_DIR: &str = "/tekton/run";
pub(crate) const DOWNWARD_DIR: &str = "/tekton/downward";
pub(crate) const TERMINATION_PATH: &str = "/tekton/termination";
pub(crate) const SCRIPTS_DIR: &str = "/tekton/scripts";
pub(crate) const DEBUG_SCRIPTS_DIR: &str = "/tekton/debug/scripts";
pub(crate) const DEBUG_INFO_DIR: &str = "/tekton/debug/info";
pub(crate) const WORKSPACE_DIR: &str = "/workspace";
pub(crate) const HOME_DIR: &str = "/tekton/home";
pub(crate) const RESULTS_DIR: &str = "/tekton/results";
pub(crate) const STEPS_DIR: &str = "/tekton/steps";
pub(crate) const ARTIFACTS_DIR: &str = "/tekton/artifacts";
pub(crate) const CREDS_DIR: &str = "/tekton/creds";
pub(crate) const CREDS_SECRETS_DIR: &str = "/tekton/creds-secrets";
pub(crate) const SPIRE_DIR: &str = "/spiffe-workload-api";

const MAX_NAME: usize = 63;

/// Container name of a step: its name with a prefix, or its index when it has none.
pub fn step_container(name: &str, index: usize) -> String {
    if name.is_empty() { format!("{STEP_PREFIX}unnamed-{index}") } else { format!("{STEP_PREFIX}{name}") }
}

/// Whether a container belongs to a step.
pub fn is_step(container: &str) -> bool {
    container.starts_with(STEP_PREFIX)
}

/// Whether a container belongs to a sidecar.
pub fn is_sidecar(container: &str) -> bool {
    container.starts_with(SIDECAR_PREFIX)
}

/// Whether Tekton itself made the container.
pub fn is_internal(container: &str) -> bool {
    matches!(container, PREPARE | PLACE_SCRIPTS | WORKING_DIR_INITIALIZER | RESULTS_SIDECAR_CONTAINER)
}

/// Cuts a name to what Kubernetes allows, ending in a letter or digit.
pub fn restrict_length(name: &str) -> String {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// `prefix-` and the first digits of the FNV-1a hash of `name`, padded with zeros on the right.
pub fn hashed(prefix: &str, name: &str, length: usize) -> String {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut suffix = format!("{hash:x}");
    suffix.truncate(length);
    format!("{prefix}-{suffix:0<length$}")
}

/// A path without `.`, `..`, doubled or trailing slashes, as Go's `filepath.Clean` gives it.
pub(crate) fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hashed_without_leading_zeros() {
        assert_eq!(hashed("ws", "w", 5), "ws-f20c3");
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, clean) in
            [("/a//b/../c/", "/a/c"), ("a/./b", "a/b"), ("", "."), ("/..", "/"), ("../x", "../x"), ("..", "..")]
        {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }

    #[test]
    fn long_names_are_cut_and_end_in_a_letter_or_digit() {
        let name = format!("{}--x", "a".repeat(61));
        assert_eq!(restrict_length(&name), "a".repeat(61));
    }
}
