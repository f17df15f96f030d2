//! Workspaces: declared by tasks and pipelines, bound by runs.

use k8s_openapi::api::core::v1::{
    CSIVolumeSource, ConfigMapVolumeSource, EmptyDirVolumeSource, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus, PersistentVolumeClaimVolumeSource, ProjectedVolumeSource, SecretVolumeSource,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::wire::wire;

wire! {
    /// A workspace that a task needs.
    pub struct WorkspaceDeclaration {
        /// Name of the workspace.
        pub always name: String,
        /// What it is for.
        pub description: String,
        /// Where it is mounted; `/workspace/<name>` when empty.
        pub mount_path: String,
        /// Whether it is mounted read-only.
        pub read_only: bool,
        /// Whether a run may leave it out.
        pub optional: bool,
    }
}

wire! {
    /// A volume that a run gives to a workspace.
    pub struct WorkspaceBinding {
        /// Name of the workspace.
        pub always name: String,
        /// Directory on the volume.
        pub sub_path: String,
        /// A claim to create for the run.
        #[schemars(schema_with = "crate::wire::open::<Option<VolumeClaimTemplate>>")]
        pub volume_claim_template: Option<VolumeClaimTemplate>,
        /// An existing claim.
        pub persistent_volume_claim: Option<PersistentVolumeClaimVolumeSource>,
        /// A directory that lives as long as the pod.
        pub empty_dir: Option<EmptyDirVolumeSource>,
        /// A ConfigMap.
        pub config_map: Option<ConfigMapVolumeSource>,
        /// A Secret.
        pub secret: Option<SecretVolumeSource>,
        /// Several sources in one directory.
        pub projected: Option<ProjectedVolumeSource>,
        /// A CSI volume.
        pub csi: Option<CSIVolumeSource>,
    }
}

wire! {
    /// A PersistentVolumeClaim to create; written without apiVersion and kind unless they were given.
    pub struct VolumeClaimTemplate {
        /// `v1`, when given.
        pub api_version: String,
        /// `PersistentVolumeClaim`, when given.
        pub kind: String,
        /// Name, labels and annotations of the claim.
        pub always metadata: ObjectMeta,
        /// What is claimed.
        pub always spec: PersistentVolumeClaimSpec,
        /// Never meaningful in a template; kept as given.
        pub status: Option<PersistentVolumeClaimStatus>,
    }
}

impl From<VolumeClaimTemplate> for PersistentVolumeClaim {
    fn from(template: VolumeClaimTemplate) -> Self {
        Self { metadata: template.metadata, spec: Some(template.spec), status: template.status }
    }
}

impl From<PersistentVolumeClaim> for VolumeClaimTemplate {
    fn from(claim: PersistentVolumeClaim) -> Self {
        Self {
            api_version: String::new(),
            kind: String::new(),
            metadata: claim.metadata,
            spec: claim.spec.unwrap_or_default(),
            status: claim.status,
        }
    }
}

wire! {
    /// A workspace that a pipeline needs.
    pub struct PipelineWorkspaceDeclaration {
        /// Name of the workspace.
        pub always name: String,
        /// What it is for.
        pub description: String,
        /// Whether a run may leave it out.
        pub optional: bool,
    }
}

wire! {
    /// Which workspace of the pipeline a pipeline task uses as which of its own.
    pub struct WorkspacePipelineTaskBinding {
        /// Name of the workspace as the task declares it.
        pub always name: String,
        /// Name of the workspace as the pipeline declares it; the task's name when empty.
        pub workspace: String,
        /// Directory on the volume.
        pub sub_path: String,
    }
}

wire! {
    /// A workspace that one step or sidecar uses.
    pub struct WorkspaceUsage {
        /// Name of the workspace as the task declares it.
        pub always name: String,
        /// Where it is mounted in this container.
        pub always mount_path: String,
    }
}
