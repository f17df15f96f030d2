//! What the node tells of a pod besides its status: Events, as the kubelet and the scheduler record them.
//!
//! They are best effort. Like the kubelet's they come at most so many in a second, and what is too much is left out.

use super::slot::{Kind, now};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Events that wait to be written; more are left out.
const WAITING: usize = 1000;
/// Events in a second, and how many more at once: the defaults of the kubelet.
const RATE: u32 = 50;
const BURST: u32 = 100;
/// Events that are remembered, so that the next of the same kind counts one more.
const REMEMBERED: usize = 4096;

/// How much an Event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Weight {
    Normal,
    Warning,
}

/// What an Event says.
#[derive(Debug)]
struct Note {
    about: ObjectReference,
    weight: Weight,
    component: &'static str,
    reason: &'static str,
    message: String,
}

/// Takes Events and writes them in the background.
#[derive(Debug, Clone)]
pub(super) struct Recorder(mpsc::Sender<Note>);

impl Recorder {
    /// Starts writing; it ends when every recorder has gone. What still waits when the node is `stopped` is written
    /// without a pause: nobody is to wait for it longer than he must.
    pub(super) fn start(client: Client, node: String, stopped: watch::Receiver<bool>) -> (Self, JoinHandle<()>) {
        let (sender, notes) = mpsc::channel(WAITING);
        (Self(sender), tokio::spawn(write_all(client, node, notes, stopped)))
    }

    /// The kubelet's words on a pod, or on a container of it.
    pub(super) fn tell(
        &self,
        pod: &Pod,
        container: Option<(Kind, &str)>,
        weight: Weight,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.record(pod, container, "kubelet", weight, reason, message.into());
    }

    /// The scheduler's words on a pod.
    pub(super) fn schedule(&self, pod: &Pod, weight: Weight, reason: &'static str, message: impl Into<String>) {
        self.record(pod, None, "default-scheduler", weight, reason, message.into());
    }

    fn record(
        &self,
        pod: &Pod,
        container: Option<(Kind, &str)>,
        component: &'static str,
        weight: Weight,
        reason: &'static str,
        message: String,
    ) {
        let field_path = container.map(|(kind, name)| match kind {
            Kind::Main => format!("spec.containers{{{name}}}"),
            Kind::Init | Kind::Sidecar => format!("spec.initContainers{{{name}}}"),
        });
        let about = ObjectReference { field_path, ..pod.object_ref(&()) };
        // When too many wait, this one is left out.
        drop(self.0.try_send(Note { about, weight, component, reason, message }));
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    uid: Option<String>,
    field_path: Option<String>,
    weight: Weight,
    reason: &'static str,
    message: String,
}

async fn write_all(client: Client, node: String, mut notes: mpsc::Receiver<Note>, mut stopped: watch::Receiver<bool>) {
    let mut known: HashMap<Key, (String, i32)> = HashMap::new();
    let (mut tokens, mut filled) = (BURST, Instant::now());
    let pause = Duration::from_secs(1) / RATE;
    while let Some(note) = notes.recv().await {
        let earned = u32::try_from(filled.elapsed().as_nanos() / pause.as_nanos()).unwrap_or(BURST);
        if earned > 0 {
            tokens = tokens.saturating_add(earned).min(BURST);
            filled = Instant::now();
        }
        if tokens == 0 {
            // Of a node that has gone nobody is left to stop it.
            let _ = tokio::time::timeout(pause, stopped.wait_for(|stopped| *stopped)).await;
            filled = Instant::now();
        } else {
            tokens -= 1;
        }
        let key = Key {
            uid: note.about.uid.clone(),
            field_path: note.about.field_path.clone(),
            weight: note.weight,
            reason: note.reason,
            message: note.message.clone(),
        };
        let api = Api::<Event>::namespaced(client.clone(), note.about.namespace.as_deref().unwrap_or("default"));
        if known.len() > REMEMBERED {
            known.clear();
        }
        if let Some((name, count)) = known.get_mut(&key) {
            *count += 1;
            let patch = Patch::Merge(json!({ "count": *count, "lastTimestamp": now() }));
            if api.patch(name, &PatchParams::default(), &patch).await.is_ok() {
                continue;
            }
        }
        let event = note.event(&node);
        let name = event.metadata.name.clone().unwrap_or_default();
        // Events are best effort.
        if api.create(&PostParams::default(), &event).await.is_ok() {
            known.insert(key, (name, 1));
        }
    }
}

impl Note {
    fn event(self, node: &str) -> Event {
        let at = jiff::Timestamp::now();
        let scheduler = self.component == "default-scheduler";
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", self.about.name.as_deref().unwrap_or_default(), at.as_nanosecond())),
                namespace: self.about.namespace.clone(),
                ..ObjectMeta::default()
            },
            involved_object: self.about,
            type_: Some(format!("{:?}", self.weight)),
            reason: Some(self.reason.to_owned()),
            message: Some(self.message),
            count: Some(1),
            first_timestamp: Some(now()),
            last_timestamp: Some(now()),
            event_time: scheduler.then_some(MicroTime(at)),
            action: scheduler.then(|| if self.reason == "Scheduled" { "Binding" } else { "Scheduling" }.to_owned()),
            source: Some(EventSource {
                component: Some(self.component.to_owned()),
                host: (!scheduler).then(|| node.to_owned()),
            }),
            reporting_component: Some(self.component.to_owned()),
            reporting_instance: Some(node.to_owned()),
            ..Event::default()
        }
    }
}
