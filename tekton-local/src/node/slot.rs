//! What the node knows of one container of a pod.

use crate::runtime::Container as Process;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The part that a container has in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An init container: it runs to its end before the next one.
    Init,
    /// A native sidecar: an init container that goes on running.
    Sidecar,
    /// A container of the pod proper.
    Main,
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Waiting { reason: &'static str, message: Option<String> },
    Running(Time),
    Terminated(Box<ContainerStateTerminated>),
}

/// One container.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one process, not states of one machine")]
pub(super) struct Slot {
    pub(super) spec: Container,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) last: Option<ContainerStateTerminated>,
    pub(super) restarts: i32,
    pub(super) id: Option<String>,
    /// The image of the last start, as its runtime knows it.
    pub(super) image_id: Option<String>,
    /// Where the pod's servers listen.
    pub(super) address: Option<String>,
    pub(super) process: Option<Arc<dyn Process>>,
    /// The startup probe has passed.
    pub(super) started: bool,
    pub(super) ready: bool,
    /// A start is on its way.
    pub(super) launching: bool,
    /// A stop is on its way.
    pub(super) stopping: bool,
    /// The image was replaced while it ran; it goes on as a process that does nothing.
    pub(super) replaced: bool,
    pub(super) retry_at: Option<Instant>,
    /// How long the next restart waits; `None` before the first, which does not.
    pub(super) backoff: Option<Duration>,
    pub(super) probes: Vec<tokio::task::JoinHandle<()>>,
}

impl Slot {
    pub(super) fn new(spec: Container, kind: Kind, reason: &'static str) -> Self {
        Self {
            spec,
            kind,
            state: State::Waiting { reason, message: None },
            last: None,
            restarts: 0,
            id: None,
            image_id: None,
            address: None,
            process: None,
            started: false,
            ready: false,
            launching: false,
            stopping: false,
            replaced: false,
            retry_at: None,
            backoff: None,
            probes: Vec::new(),
        }
    }

    /// A process of it exists or is about to.
    pub(super) fn alive(&self) -> bool {
        self.launching || matches!(self.state, State::Running(_))
    }

    pub(super) fn exit_code(&self) -> Option<i32> {
        match &self.state {
            State::Terminated(end) => Some(end.exit_code),
            _ => None,
        }
    }

    pub(super) fn end_probes(&mut self) {
        for probe in self.probes.drain(..) {
            probe.abort();
        }
    }

    /// The status as the API has it.
    pub(super) fn status(&self) -> ContainerStatus {
        let state = match &self.state {
            State::Waiting { reason, message } => ContainerState {
                waiting: Some(ContainerStateWaiting { reason: Some((*reason).to_owned()), message: message.clone() }),
                ..ContainerState::default()
            },
            State::Running(since) => ContainerState {
                running: Some(ContainerStateRunning { started_at: Some(since.clone()) }),
                ..ContainerState::default()
            },
            State::Terminated(end) => ContainerState { terminated: Some((**end).clone()), ..ContainerState::default() },
        };
        let image = self.spec.image.clone().unwrap_or_default();
        let running = matches!(self.state, State::Running(_));
        let done_init = self.kind == Kind::Init && self.exit_code() == Some(0);
        ContainerStatus {
            name: self.spec.name.clone(),
            image_id: match (&self.image_id, &self.id) {
                (Some(known), _) => known.clone(),
                (None, Some(_)) => image.clone(),
                (None, None) => String::new(),
            },
            image,
            container_id: self.id.clone(),
            ready: (running && self.started && self.ready && self.kind != Kind::Init) || done_init,
            started: Some(running && self.started),
            restart_count: self.restarts,
            state: Some(state),
            last_state: Some(ContainerState { terminated: self.last.clone(), ..ContainerState::default() }),
            ..ContainerStatus::default()
        }
    }
}

/// The present time as the API has it: whole seconds.
pub(super) fn now() -> Time {
    let now = jiff::Timestamp::now();
    Time(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}
