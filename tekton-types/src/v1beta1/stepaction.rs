//! StepAction: a reusable step.

use k8s_openapi::api::core::v1::{EnvVar, SecurityContext, VolumeMount};

use crate::v1::{ParamSpec, StepResult};
use crate::wire::{kind, wire};

kind! {
    /// A reusable step.
    pub struct StepAction("tekton.dev", "v1beta1", "stepactions") {
        /// What the step does.
        pub spec: StepActionSpec,
    }
}

wire! {
    /// What a StepAction does.
    pub struct StepActionSpec {
        /// What it is for.
        pub description: String,
        /// Image to run.
        pub image: String,
        /// Entrypoint; the image's own when empty.
        pub command: Vec<String>,
        /// Arguments to the entrypoint.
        pub args: Vec<String>,
        /// Environment variables.
        pub env: Vec<EnvVar>,
        /// A script to run instead of a command.
        pub script: String,
        /// Working directory; the image's own when empty.
        pub working_dir: String,
        /// Declared parameters.
        pub params: Vec<ParamSpec>,
        /// Declared results.
        pub results: Vec<StepResult>,
        /// Security options of the container.
        pub security_context: Option<SecurityContext>,
        /// Volumes to mount.
        pub volume_mounts: Vec<VolumeMount>,
    }
}
