//! Places a Pod beside the affinity assistant of its PipelineRun.

use crate::names::{AFFINITY_ASSISTANT, AFFINITY_ASSISTANT_ANNOTATION, COMPONENT_LABEL, INSTANCE_LABEL};
use k8s_openapi::api::core::v1::{Affinity, Pod, PodAffinity, PodAffinityTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// Requires the node of the affinity assistant that the TaskRun's annotations name, if they name one.
pub fn affinity_assistant(pod: &mut Pod, annotations: &BTreeMap<String, String>) {
    let Some(name) = annotations.get(AFFINITY_ASSISTANT_ANNOTATION).filter(|name| !name.is_empty()) else {
        return;
    };
    let term = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([
                (INSTANCE_LABEL.to_owned(), name.clone()),
                (COMPONENT_LABEL.to_owned(), AFFINITY_ASSISTANT.to_owned()),
            ])),
            ..LabelSelector::default()
        }),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    pod.spec
        .get_or_insert_default()
        .affinity
        .get_or_insert_with(Affinity::default)
        .pod_affinity
        .get_or_insert_with(PodAffinity::default)
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_default()
        .push(term);
}
