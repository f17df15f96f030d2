//! Names of volumes, containers and environment variables that Tekton adds to a pod.

/// Volume of the entrypoint binary.
pub const BIN: &str = "tekton-internal-bin";
/// Prefix of the volumes of the steps; see [`run`].
pub const RUN: &str = "tekton-internal-run";
/// Volume of the downward API.
pub const DOWNWARD: &str = "tekton-internal-downward";
/// Volume at `/workspace`.
pub const WORKSPACE: &str = "tekton-internal-workspace";
/// Volume at `/tekton/home`.
pub const HOME: &str = "tekton-internal-home";
/// Volume at `/tekton/results`.
pub const RESULTS: &str = "tekton-internal-results";
/// Volume at `/tekton/steps`.
pub const STEPS: &str = "tekton-internal-steps";
/// Volume at `/tekton/artifacts`.
pub const ARTIFACTS: &str = "tekton-internal-artifacts";
/// Volume of scripts.
pub const SCRIPTS: &str = "tekton-internal-scripts";
/// Volume of breakpoint scripts.
pub const DEBUG_SCRIPTS: &str = "tekton-internal-debug-scripts";
/// Volume of breakpoint information.
pub const DEBUG_INFO: &str = "tekton-internal-debug-info";
/// Prefix of the volumes of mounted secrets.
pub const CREDENTIAL: &str = "tekton-creds";
/// Length of the hash in names of the volumes of secrets.
pub const CREDENTIAL_HASH_LENGTH: usize = 8;
/// Prefix of the volumes at `/tekton/creds`.
pub const CREDS_HOME: &str = "tekton-creds-init-home";
/// Driver of the SPIFFE volume.
pub const SPIFFE_CSI_DRIVER: &str = "csi.spiffe.io";

/// Init container that copies the entrypoint.
pub const CONTAINER_PREPARE: &str = "prepare";
/// Init container that writes scripts.
pub const CONTAINER_PLACE_SCRIPTS: &str = "place-scripts";
/// Init container that makes working directories.
pub const CONTAINER_WORKING_DIR_INITIALIZER: &str = "working-dir-initializer";
/// Name of the sidecar that prints results to its log.
pub const RESULTS_SIDECAR: &str = "tekton-log-results";
/// Container name of [`RESULTS_SIDECAR`].
pub const RESULTS_SIDECAR_CONTAINER: &str = "sidecar-tekton-log-results";

/// Variable that cuts a step off the network when it is `1`.
pub const ENV_HERMETIC: &str = "TEKTON_HERMETIC";
/// Variable with commands by platform, as JSON.
pub const ENV_PLATFORM_COMMANDS: &str = "TEKTON_PLATFORM_COMMANDS";
/// Variable that names the resource of a run; blocks hermetic mode when set.
pub const ENV_RESOURCE_NAME: &str = "TEKTON_RESOURCE_NAME";
/// Variable with the polling interval of the results sidecar.
pub const ENV_SIDECAR_LOG_POLLING_INTERVAL: &str = "SIDECAR_LOG_POLLING_INTERVAL";

/// Prefix of the container names of steps.
pub const STEP_PREFIX: &str = "step-";
/// Prefix of the container names of sidecars.
pub const SIDECAR_PREFIX: &str = "sidecar-";

/// `tekton-internal-run-<step>`: the volume of one step.
pub fn run(step: usize) -> String {
    format!("{RUN}-{step}")
}

/// The container name of a step: `step-<name>`, or `step-unnamed-<index>`.
pub fn step_container(name: &str, index: usize) -> String {
    if name.is_empty() { format!("{STEP_PREFIX}unnamed-{index}") } else { format!("{STEP_PREFIX}{name}") }
}

/// The container name of a sidecar: `sidecar-<name>`.
pub fn sidecar_container(name: &str) -> String {
    format!("{SIDECAR_PREFIX}{name}")
}

/// Whether a container name is that of a step.
pub fn is_step_container(name: &str) -> bool {
    name.starts_with(STEP_PREFIX)
}

/// Whether a container name is that of a sidecar.
pub fn is_sidecar_container(name: &str) -> bool {
    name.starts_with(SIDECAR_PREFIX)
}

/// A container name without the prefix of a step.
pub fn trim_step_prefix(name: &str) -> &str {
    name.strip_prefix(STEP_PREFIX).unwrap_or(name)
}

/// A container name without the prefix of a sidecar.
pub fn trim_sidecar_prefix(name: &str) -> &str {
    name.strip_prefix(SIDECAR_PREFIX).unwrap_or(name)
}
