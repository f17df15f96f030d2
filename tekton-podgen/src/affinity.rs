//! Affinity assistants: placeholder Pods that keep all Pods of a run on the node where its volumes are.

use crate::claim::short_hash;
use crate::convert::{list, text};
use crate::names::{self, AFFINITY_ASSISTANT, COMPONENT_LABEL, INSTANCE_LABEL, PIPELINE_RUN_LABEL};
use crate::security::SecurityContextConfig;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus};
use k8s_openapi::api::core::v1::{
    Affinity, Container, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, PodAffinityTerm, PodAntiAffinity,
    PodSpec, PodTemplateSpec, ResourceRequirements, SecurityContext, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use std::collections::BTreeMap;
use tekton_types::config::FeatureFlags;
use tekton_types::pod::{AffinityAssistantTemplate, PodTemplate};
use thiserror::Error;

const MAX_VOLUME_NAME: usize = 63;

/// Which Pods share a node (feature flag `coschedule`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    /// No assistants.
    Disabled,
    /// One for each workspace with a claim.
    PerWorkspace,
    /// One for the whole run.
    PerPipelineRun,
    /// One for the whole run, and no other run on its node.
    PerPipelineRunWithIsolation,
}

/// A value of `coschedule` that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown affinity assistant coschedule: {0}")]
pub struct UnknownCoschedule(pub String);

impl Behavior {
    /// The behavior that the flags ask for.
    pub fn of(flags: &FeatureFlags) -> Result<Self, UnknownCoschedule> {
        match flags.coschedule.as_str() {
            "pipelineruns" => Ok(Self::PerPipelineRun),
            "isolate-pipelinerun" => Ok(Self::PerPipelineRunWithIsolation),
            "workspaces" => Ok(Self::PerWorkspace),
            "disabled" => Ok(Self::Disabled),
            other => Err(UnknownCoschedule(other.to_owned())),
        }
    }

    /// Upstream's name of the behavior.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "AffinityAssistantDisabled",
            Self::PerWorkspace => "AffinityAssistantPerWorkspace",
            Self::PerPipelineRun => "AffinityAssistantPerPipelineRun",
            Self::PerPipelineRunWithIsolation => "AffinityAssistantPerPipelineRunWithIsolation",
        }
    }
}

/// The name of an assistant: a hash over the workspace (empty for the whole run) and the run.
pub fn assistant_name(workspace: &str, run: &str) -> String {
    format!("{AFFINITY_ASSISTANT}-{}", short_hash(&format!("{workspace}{run}")))
}

/// The value of the annotation that ties a TaskRun to its assistant; `None` when it has none. `workspace` is the
/// run's workspace with a claim that the task uses, or empty.
pub fn annotation(behavior: Behavior, workspace: &str, run: &str) -> Option<String> {
    match behavior {
        Behavior::PerWorkspace if !workspace.is_empty() => Some(assistant_name(workspace, run)),
        Behavior::PerPipelineRun | Behavior::PerPipelineRunWithIsolation => Some(assistant_name("", run)),
        Behavior::PerWorkspace | Behavior::Disabled => None,
    }
}

/// A name for a volume: at most 63 characters, the end replaced by a hash when it is longer.
pub fn volume_name(name: &str) -> String {
    if name.len() <= MAX_VOLUME_NAME {
        return name.to_owned();
    }
    let hash = short_hash(name);
    let mut end = MAX_VOLUME_NAME - hash.len() - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash}", &name[..end])
}

/// The name of a claim that the StatefulSet of an assistant made from a claim template.
pub fn claim_of_stateful_set(claim: &str, workspace: &str, run: &str) -> String {
    format!("{}-{}-0", volume_name(claim), assistant_name(workspace, run))
}

/// The run that an assistant serves.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The run as owner.
    pub owner: &'a OwnerReference,
    /// Its labels.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// The Pod template of its TaskRuns.
    pub pod_template: Option<&'a PodTemplate>,
    /// The ServiceAccount of its TaskRuns.
    pub service_account: &'a str,
}

/// What an assistant holds, and how it is run.
#[derive(Clone, Debug)]
pub struct Assistant<'a> {
    /// Name of the StatefulSet.
    pub name: &'a str,
    /// Which Pods share a node.
    pub behavior: Behavior,
    /// Claims to create with it.
    pub claim_templates: Vec<PersistentVolumeClaim>,
    /// Claims that exist.
    pub claims: &'a [String],
    /// An image that does nothing.
    pub image: &'a str,
    /// Security context of its container.
    pub security: SecurityContextConfig,
    /// The configured default template.
    pub default_template: Option<&'a AffinityAssistantTemplate>,
}

/// The StatefulSet of an affinity assistant.
pub fn stateful_set(run: &Run<'_>, assistant: Assistant<'_>) -> StatefulSet {
    let template = template(run.pod_template, assistant.default_template);
    let mut claim_templates = assistant.claim_templates;
    for claim in &mut claim_templates {
        claim.metadata.name = claim.metadata.name.as_deref().map(volume_name);
    }
    let mounts = claim_templates
        .iter()
        .map(|claim| {
            let name = claim.metadata.name.clone().unwrap_or_default();
            VolumeMount { mount_path: name.clone(), name, ..VolumeMount::default() }
        })
        .collect();
    let windows = template.node_selector.get(names::OS_LABEL).map(String::as_str) == Some("windows");
    let security = assistant.security.context(windows).unwrap_or_default();
    let volumes = assistant.claims.iter().enumerate().map(|(index, claim)| Volume {
        name: format!("workspace-{index}"),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.clone(),
            ..PersistentVolumeClaimVolumeSource::default()
        }),
        ..Volume::default()
    });
    let labels = labels(run, assistant.name);
    let service_account = if template.service_account_name.is_empty() {
        run.service_account.to_owned()
    } else {
        template.service_account_name
    };
    StatefulSet {
        metadata: ObjectMeta {
            name: Some(assistant.name.to_owned()),
            labels: Some(labels.clone()),
            owner_references: Some(vec![run.owner.clone()]),
            ..ObjectMeta::default()
        },
        spec: StatefulSetSpec {
            replicas: Some(1),
            selector: LabelSelector { match_labels: Some(labels.clone()), ..LabelSelector::default() },
            volume_claim_templates: list(claim_templates),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(PodSpec {
                    containers: vec![container(assistant.image, mounts, security)],
                    tolerations: list(template.tolerations),
                    node_selector: Some(template.node_selector).filter(|s| !s.is_empty()),
                    image_pull_secrets: list(template.image_pull_secrets),
                    security_context: template.security_context,
                    priority_class_name: template.priority_class_name,
                    service_account_name: text(service_account),
                    affinity: Some(affinity(run, assistant.behavior)),
                    volumes: list(volumes.collect()),
                    ..PodSpec::default()
                }),
            },
            ..StatefulSetSpec::default()
        },
        // Upstream's client writes the zeros of a status that nobody has set yet.
        status: Some(StatefulSetStatus { available_replicas: Some(0), ..StatefulSetStatus::default() }),
    }
}

fn container(image: &str, mounts: Vec<VolumeMount>, security: SecurityContext) -> Container {
    // Requests equal to limits make the Pod the last to be evicted.
    let amounts = BTreeMap::from([
        ("cpu".to_owned(), Quantity("50m".to_owned())),
        ("memory".to_owned(), Quantity("100Mi".to_owned())),
    ]);
    Container {
        name: AFFINITY_ASSISTANT.to_owned(),
        image: Some(image.to_owned()),
        args: Some(vec!["tekton_run_indefinitely".to_owned()]),
        resources: Some(ResourceRequirements { limits: Some(amounts.clone()), requests: Some(amounts), claims: None }),
        volume_mounts: list(mounts),
        security_context: Some(security),
        ..Container::default()
    }
}

/// The run's own Pod template, where it sets nothing the configured one.
fn template(own: Option<&PodTemplate>, default: Option<&AffinityAssistantTemplate>) -> AffinityAssistantTemplate {
    let mut template = default.cloned().unwrap_or_default();
    let Some(own) = own else { return template };
    if !own.node_selector.is_empty() {
        template.node_selector.clone_from(&own.node_selector);
    }
    if !own.tolerations.is_empty() {
        template.tolerations.clone_from(&own.tolerations);
    }
    if !own.image_pull_secrets.is_empty() {
        template.image_pull_secrets.clone_from(&own.image_pull_secrets);
    }
    if own.security_context.is_some() {
        template.security_context.clone_from(&own.security_context);
    }
    if own.priority_class_name.is_some() {
        template.priority_class_name.clone_from(&own.priority_class_name);
    }
    template
}

fn labels(run: &Run<'_>, name: &str) -> BTreeMap<String, String> {
    let mut labels = run.labels.cloned().unwrap_or_default();
    labels.insert(PIPELINE_RUN_LABEL.to_owned(), run.owner.name.clone());
    labels.insert(INSTANCE_LABEL.to_owned(), name.to_owned());
    labels.insert(COMPONENT_LABEL.to_owned(), AFFINITY_ASSISTANT.to_owned());
    labels
}

/// Assistants keep apart from each other: as a wish, or as a demand when a run is to have its node to itself.
fn affinity(run: &Run<'_>, behavior: Behavior) -> Affinity {
    let mut affinity = run.pod_template.and_then(|template| template.affinity.clone()).unwrap_or_default();
    let apart = affinity.pod_anti_affinity.get_or_insert_with(PodAntiAffinity::default);
    let term = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(COMPONENT_LABEL.to_owned(), AFFINITY_ASSISTANT.to_owned())])),
            ..LabelSelector::default()
        }),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    if behavior == Behavior::PerPipelineRunWithIsolation {
        apart.required_during_scheduling_ignored_during_execution.get_or_insert_default().push(term);
    } else {
        apart
            .preferred_during_scheduling_ignored_during_execution
            .get_or_insert_default()
            .push(WeightedPodAffinityTerm { weight: 100, pod_affinity_term: term });
    }
    affinity
}
