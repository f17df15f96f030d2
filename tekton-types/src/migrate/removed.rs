//! What Tekton once had and what to use instead: kinds, types of PipelineResources, fields.

/// Kinds that Tekton once had; a kind at no version is meant at all of them.
pub const KINDS: &[(&str, &str)] = &[
    ("ClusterTask", "a Task, referred to with the cluster resolver"),
    ("Run", "a CustomRun of tekton.dev/v1beta1"),
    ("Condition", "`when` expressions on pipeline tasks"),
    ("PipelineResource", RESOURCES),
];

/// What replaces PipelineResources in general.
pub const RESOURCES: &str = "tasks, parameters, results and workspaces";

/// Types of PipelineResources.
const RESOURCE_TYPES: &[(&str, &str)] = &[
    ("git", "the git-clone Task with a workspace, or the git-clone StepAction"),
    ("pullRequest", "the github-* and gitlab-* Tasks of the catalog with a workspace"),
    ("image", "a parameter with the image's name and a result such as IMAGE_DIGEST"),
    ("cluster", "the kubeconfig-creator Task, or a Secret with the kubeconfig as a workspace"),
    ("storage", "the gcs-upload and gcs-download Tasks with a workspace"),
    ("cloudEvent", "the `sink` of ConfigMap config-events, which sends CloudEvents of all runs"),
];

/// Fields that Tekton once had beside PipelineResources.
pub(super) const FIELDS: &[(&str, &str)] = &[
    ("conditions", "`when` expressions"),
    ("serviceAccountNames", "`taskRunSpecs` with a `serviceAccountName` each"),
    ("trigger", "labels"),
];

/// What replaces a type of PipelineResources.
pub fn resource_type(name: &str) -> &'static str {
    RESOURCE_TYPES.iter().find(|(known, _)| *known == name).map_or(RESOURCES, |(_, replacement)| replacement)
}
