//! Artifacts: what steps and tasks read and made, with digests.

use std::collections::BTreeMap;

use crate::wire::wire;

wire! {
    /// One artifact with the places and digests of its content.
    pub struct Artifact {
        /// Name of the artifact within its step or task.
        pub name: String,
        /// The values that make up the artifact.
        pub values: Vec<ArtifactValue>,
        /// Whether the artifact is what the build was for (rather than a by-product).
        pub build_output: bool,
    }
}

wire! {
    /// One place of an artifact.
    pub struct ArtifactValue {
        /// Digests by algorithm, such as `sha256`.
        pub digest: BTreeMap<String, String>,
        /// Where the content is.
        pub uri: String,
    }
}

wire! {
    /// The artifacts of a task.
    pub struct Artifacts {
        /// What was read.
        pub inputs: Vec<Artifact>,
        /// What was made.
        pub outputs: Vec<Artifact>,
    }
}

/// An artifact in the state of a step.
pub type TaskRunStepArtifact = Artifact;
