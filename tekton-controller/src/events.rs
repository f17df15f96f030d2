//! Kubernetes Events of runs, written beside the pass that causes them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event as CoreEvent, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Api, PostParams};
use tekton_engine::{Event, ObjectKey};

/// Name under which Events are reported.
const COMPONENT: &str = "tekton-pipelines-controller";

/// The Events to create for what happened to the run of `key`.
pub(crate) fn core_events(key: &ObjectKey, run: &ObjectMeta, events: Vec<Event>, now: Timestamp) -> Vec<CoreEvent> {
    events
        .into_iter()
        .enumerate()
        .map(|(index, event)| CoreEvent {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}{index}", key.name, now.as_nanosecond())),
                namespace: Some(key.namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(key.kind.api_version().to_owned()),
                kind: Some(key.kind.as_str().to_owned()),
                name: Some(key.name.clone()),
                namespace: Some(key.namespace.clone()),
                uid: run.uid.clone(),
                resource_version: run.resource_version.clone(),
                ..ObjectReference::default()
            },
            type_: Some(event.type_.to_owned()),
            reason: Some(event.reason),
            message: Some(event.message),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            reporting_component: Some(COMPONENT.to_owned()),
            source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
            ..CoreEvent::default()
        })
        .collect()
}

/// Creates the Events; one that cannot be written is logged, never retried.
pub(crate) async fn write(client: kube::Client, namespace: String, events: Vec<CoreEvent>) {
    let api: Api<CoreEvent> = Api::namespaced(client, &namespace);
    for event in events {
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, "failed to write an event");
        }
    }
}
