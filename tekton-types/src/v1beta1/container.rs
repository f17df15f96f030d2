//! Step, StepTemplate and Sidecar at v1beta1: `resources` instead of `computeResources`, and deprecated fields.

use k8s_openapi::api::core::v1::{
    ContainerPort, EnvFromSource, EnvVar, Lifecycle, Probe, ResourceRequirements, SecurityContext, VolumeDevice,
    VolumeMount,
};

use crate::duration::GoDuration;
use crate::v1::{Param, Ref, StepOutputConfig, StepResult, WhenExpression, WorkspaceUsage};
use crate::wire::wire;

wire! {
    /// One step of a task.
    pub struct Step {
        /// Name of the step, unique in its task.
        pub always name: String,
        /// Name for people.
        pub display_name: String,
        /// Image to run.
        pub image: String,
        /// Entrypoint; the image's own when empty.
        pub command: Vec<String>,
        /// Arguments to the entrypoint.
        pub args: Vec<String>,
        /// Working directory; the image's own when empty.
        pub working_dir: String,
        /// Deprecated, without effect.
        pub ports: Vec<ContainerPort>,
        /// Sources of environment variables.
        pub env_from: Vec<EnvFromSource>,
        /// Environment variables.
        pub env: Vec<EnvVar>,
        /// Requests and limits.
        pub always resources: ResourceRequirements,
        /// Volumes to mount.
        pub volume_mounts: Vec<VolumeMount>,
        /// Block devices to map.
        pub volume_devices: Vec<VolumeDevice>,
        /// Deprecated, without effect.
        pub liveness_probe: Option<Probe>,
        /// Deprecated, without effect.
        pub readiness_probe: Option<Probe>,
        /// Deprecated, without effect.
        pub startup_probe: Option<Probe>,
        /// Deprecated, without effect.
        pub lifecycle: Option<Lifecycle>,
        /// Deprecated, without effect.
        pub termination_message_path: String,
        /// Deprecated, without effect.
        pub termination_message_policy: String,
        /// When to pull the image.
        pub image_pull_policy: String,
        /// Security options of the container.
        pub security_context: Option<SecurityContext>,
        /// Deprecated, without effect.
        pub stdin: bool,
        /// Deprecated, without effect.
        pub stdin_once: bool,
        /// Deprecated, without effect.
        pub tty: bool,
        /// A script to run instead of a command.
        pub script: String,
        /// How long the step may take.
        pub timeout: Option<GoDuration>,
        /// Workspaces that only this step (and those that also name them) may see.
        pub workspaces: Vec<WorkspaceUsage>,
        /// What to do on a non-zero exit.
        pub on_error: String,
        /// Where to copy standard output.
        pub stdout_config: Option<StepOutputConfig>,
        /// Where to copy standard error.
        pub stderr_config: Option<StepOutputConfig>,
        /// The StepAction that this step runs.
        pub r#ref: Option<Ref>,
        /// Parameters for the StepAction.
        pub params: Vec<Param>,
        /// Results of the step.
        pub results: Vec<StepResult>,
        /// Guards: the step is skipped when one is false.
        pub when: Vec<WhenExpression>,
    }
}

wire! {
    /// Settings that every step of a task starts from.
    pub struct StepTemplate {
        /// Deprecated, without effect.
        pub name: String,
        /// Image to run.
        pub image: String,
        /// Entrypoint; the image's own when empty.
        pub command: Vec<String>,
        /// Arguments to the entrypoint.
        pub args: Vec<String>,
        /// Working directory; the image's own when empty.
        pub working_dir: String,
        /// Deprecated, without effect.
        pub ports: Vec<ContainerPort>,
        /// Sources of environment variables.
        pub env_from: Vec<EnvFromSource>,
        /// Environment variables.
        pub env: Vec<EnvVar>,
        /// Requests and limits.
        pub always resources: ResourceRequirements,
        /// Volumes to mount.
        pub volume_mounts: Vec<VolumeMount>,
        /// Block devices to map.
        pub volume_devices: Vec<VolumeDevice>,
        /// Deprecated, without effect.
        pub liveness_probe: Option<Probe>,
        /// Deprecated, without effect.
        pub readiness_probe: Option<Probe>,
        /// Deprecated, without effect.
        pub startup_probe: Option<Probe>,
        /// Deprecated, without effect.
        pub lifecycle: Option<Lifecycle>,
        /// Deprecated, without effect.
        pub termination_message_path: String,
        /// Deprecated, without effect.
        pub termination_message_policy: String,
        /// When to pull the image.
        pub image_pull_policy: String,
        /// Security options of the container.
        pub security_context: Option<SecurityContext>,
        /// Deprecated, without effect.
        pub stdin: bool,
        /// Deprecated, without effect.
        pub stdin_once: bool,
        /// Deprecated, without effect.
        pub tty: bool,
    }
}

wire! {
    /// A container that runs beside the steps.
    pub struct Sidecar {
        /// Name of the sidecar, unique in its task.
        pub always name: String,
        /// Image to run.
        pub image: String,
        /// Entrypoint; the image's own when empty.
        pub command: Vec<String>,
        /// Arguments to the entrypoint.
        pub args: Vec<String>,
        /// Working directory; the image's own when empty.
        pub working_dir: String,
        /// Ports that the sidecar listens on.
        pub ports: Vec<ContainerPort>,
        /// Sources of environment variables.
        pub env_from: Vec<EnvFromSource>,
        /// Environment variables.
        pub env: Vec<EnvVar>,
        /// Requests and limits.
        pub always resources: ResourceRequirements,
        /// Volumes to mount.
        pub volume_mounts: Vec<VolumeMount>,
        /// Block devices to map.
        pub volume_devices: Vec<VolumeDevice>,
        /// Probe whose failure restarts the container.
        pub liveness_probe: Option<Probe>,
        /// Probe that says when the sidecar is ready.
        pub readiness_probe: Option<Probe>,
        /// Probe that says when the sidecar has started.
        pub startup_probe: Option<Probe>,
        /// Hooks at start and stop.
        pub lifecycle: Option<Lifecycle>,
        /// Where the termination message is read from.
        pub termination_message_path: String,
        /// How the termination message is found.
        pub termination_message_policy: String,
        /// When to pull the image.
        pub image_pull_policy: String,
        /// Security options of the container.
        pub security_context: Option<SecurityContext>,
        /// Keep standard input open.
        pub stdin: bool,
        /// Close standard input after the first attach.
        pub stdin_once: bool,
        /// Allocate a terminal.
        pub tty: bool,
        /// A script to run instead of a command.
        pub script: String,
        /// Workspaces that only this sidecar (and those that also name them) may see.
        pub workspaces: Vec<WorkspaceUsage>,
        /// `Always` makes it a native Kubernetes sidecar.
        pub restart_policy: Option<String>,
    }
}
