//! The life of one pod on the node: one task, which starts and stops containers and writes the pod's status.

use super::Context;
use super::slot::{Kind, Slot, State, now};
use super::start::{self, Launch, Refusal};
use super::status::{self, Facts, Failure};
use super::volumes::Volumes;
use crate::runtime::{Container as Process, Exit, RUNTIME_ANNOTATION};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{RwLock, mpsc, watch};
use tokio::time::Instant;

/// What happens to a container. An event of an earlier start of it is of no interest.
pub(super) enum Event {
    Started { index: usize, attempt: i32, process: Arc<dyn Process>, since: Time },
    Refused { index: usize, attempt: i32, refusal: Refusal },
    PullWaits { index: usize, attempt: i32 },
    StartedUp { index: usize, attempt: i32 },
    Ready { index: usize, attempt: i32, ready: bool },
    Unhealthy { index: usize, attempt: i32 },
    Exited { index: usize, attempt: i32, exit: Exit, message: String, since: Time, finished: Time },
}

/// How long a status that nobody waits for may be held back, so that it comes with the next.
const HOLD: Duration = Duration::from_millis(30);
/// The time between two looks at ConfigMaps and Secrets that a running pod shows.
const REFRESH: Duration = Duration::from_secs(10);
/// The reason of a container whose image could not be fetched just now.
const PULL_FAILED: &str = "ErrImagePull";
/// How long that reason is shown before the one that says that the next try is waited for.
const PULL_SHOWN: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(5);

/// The worker of one pod.
pub(super) struct Worker {
    ctx: Arc<Context>,
    api: Api<Pod>,
    pod: Arc<Pod>,
    name: String,
    updates: watch::Receiver<Option<Arc<Pod>>>,
    slots: Vec<Slot>,
    policy: String,
    volumes: Arc<RwLock<Volumes>>,
    prepared: bool,
    prepare_at: Instant,
    start: Time,
    begun: Instant,
    deadline: Option<Duration>,
    failure: Option<Failure>,
    /// The pod ends: no container starts any more.
    ending: Option<Duration>,
    written: Option<PodStatus>,
    held_since: Option<Instant>,
    refresh_at: Option<Instant>,
    events: mpsc::UnboundedReceiver<Event>,
    sender: mpsc::UnboundedSender<Event>,
}

impl Worker {
    pub(super) fn new(ctx: Arc<Context>, pod: Arc<Pod>, updates: watch::Receiver<Option<Arc<Pod>>>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let spec = pod.spec.clone().unwrap_or_default();
        let inits = spec.init_containers.unwrap_or_default();
        let reason = if inits.is_empty() { "ContainerCreating" } else { "PodInitializing" };
        let init = inits.into_iter().map(|c| {
            let kind = if c.restart_policy.as_deref() == Some("Always") { Kind::Sidecar } else { Kind::Init };
            Slot::new(c, kind, "PodInitializing")
        });
        let slots = init.chain(spec.containers.into_iter().map(|c| Slot::new(c, Kind::Main, reason))).collect();
        Self {
            api: Api::namespaced(ctx.client.clone(), pod.metadata.namespace.as_deref().unwrap_or("default")),
            name: pod.metadata.name.clone().unwrap_or_default(),
            updates,
            slots,
            policy: spec.restart_policy.unwrap_or_else(|| "Always".to_owned()),
            volumes: Arc::default(),
            prepared: false,
            prepare_at: Instant::now(),
            start: now(),
            begun: Instant::now(),
            deadline: spec.active_deadline_seconds.and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs),
            failure: None,
            ending: None,
            written: None,
            held_since: None,
            refresh_at: Volumes::follow_objects(&pod).then(|| Instant::now() + REFRESH),
            events,
            sender,
            ctx,
            pod,
        }
    }

    /// Runs the pod until its object has gone.
    pub(super) async fn run(mut self) {
        let bound = self.pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).is_some_and(|n| !n.is_empty());
        if self.resume() {
            self.ending = Some(Duration::ZERO);
        } else {
            let (api, name, runtime) = (self.api.clone(), self.name.clone(), self.ctx.runtime.name());
            let node = (!bound).then(|| self.ctx.node.clone());
            let claimed = async {
                match node {
                    Some(node) => bind(api, name, node, runtime).await,
                    None => annotate(&api, &name, runtime).await,
                }
            };
            let ((), ()) = tokio::join!(claimed, self.prepare());
        }
        self.look_at_pod();
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.observe(event);
            }
            self.drive();
            if self.publish().await && self.leave().await {
                break;
            }
            let wake = self.wake_at();
            tokio::select! {
                changed = self.updates.changed() => {
                    if changed.is_err() {
                        return self.end(false).await;
                    }
                    let now = self.updates.borrow_and_update().clone();
                    match now {
                        Some(pod) => {
                            self.pod = pod;
                            self.look_at_pod();
                            let (ctx, pod) = (self.ctx.clone(), self.pod.clone());
                            self.volumes.write().await.refresh(&ctx, &pod, false).await;
                        }
                        None => break,
                    }
                }
                Some(event) = self.events.recv() => self.observe(event),
                () = async { tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)).await }, if wake.is_some() => {
                    self.on_time().await;
                }
            }
        }
        self.end(true).await;
    }

    /// A pod that has ended is left as it is; of one that ran on this node before it started anew, nothing runs any more.
    fn resume(&mut self) -> bool {
        let Some(status) = self.pod.status.clone() else { return false };
        if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            self.written = Some(status);
            self.slots.clear();
            return true;
        }
        let known = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
        let mut lost = false;
        for before in known {
            let Some(slot) = self.slots.iter_mut().find(|slot| slot.spec.name == before.name) else { continue };
            let state = before.state.clone().unwrap_or_default();
            slot.restarts = before.restart_count;
            slot.last = before.last_state.as_ref().and_then(|last| last.terminated.clone());
            if let Some(end) = state.terminated {
                slot.id.clone_from(&before.container_id);
                slot.state = State::Terminated(Box::new(end));
            } else if let Some(running) = state.running {
                lost = true;
                slot.id.clone_from(&before.container_id);
                slot.state = State::Terminated(Box::new(ContainerStateTerminated {
                    container_id: before.container_id.clone(),
                    exit_code: 137,
                    reason: Some("ContainerStatusUnknown".to_owned()),
                    message: Some("The container could not be located when the pod was terminated".to_owned()),
                    started_at: running.started_at,
                    finished_at: Some(now()),
                    signal: None,
                }));
            }
        }
        if lost && self.policy != "Never" {
            // Containers that may start again do, from the beginning.
            for slot in self.slots.iter_mut().filter(|slot| slot.exit_code() == Some(137)) {
                if let State::Terminated(end) = &slot.state {
                    slot.last = Some((**end).clone());
                }
                slot.restarts += 1;
                slot.state = State::Waiting { reason: "ContainerCreating", message: None };
            }
        } else if lost {
            for slot in self.slots.iter_mut().filter(|slot| slot.exit_code().is_none()) {
                slot.state = State::Terminated(Box::new(ContainerStateTerminated {
                    exit_code: 137,
                    reason: Some("ContainerStatusUnknown".to_owned()),
                    message: Some("The container could not be located when the pod was terminated".to_owned()),
                    ..ContainerStateTerminated::default()
                }));
            }
        }
        false
    }

    fn finished(&self) -> bool {
        self.slots.is_empty() && self.written.is_some()
    }

    async fn prepare(&mut self) {
        let result = self.volumes.write().await.prepare(&self.ctx, &self.pod).await;
        self.prepared = result.is_ok();
        if let Err(message) = result {
            self.prepare_at = Instant::now() + Duration::from_millis(500);
            for slot in &mut self.slots {
                if let State::Waiting { message: text, .. } = &mut slot.state {
                    *text = Some(message.clone());
                }
            }
        } else {
            for slot in &mut self.slots {
                if let State::Waiting { message, .. } = &mut slot.state {
                    *message = None;
                }
            }
        }
    }

    /// Takes what has changed in the object into account: deletion, images.
    fn look_at_pod(&mut self) {
        let meta = &self.pod.metadata;
        if meta.deletion_timestamp.is_some() {
            let grace = meta.deletion_grace_period_seconds.unwrap_or(30);
            self.finish_all(Duration::from_secs(u64::try_from(grace).unwrap_or(0)));
        }
        let Some(spec) = self.pod.spec.clone() else { return };
        for wanted in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
            let Some(index) = self.slots.iter().position(|s| s.spec.name == wanted.name) else { continue };
            if self.slots[index].spec.image != wanted.image {
                self.slots[index].spec.image.clone_from(&wanted.image);
                if self.slots[index].alive() {
                    self.slots[index].replaced = true;
                    let grace = spec.termination_grace_period_seconds.unwrap_or(30);
                    self.stop(index, Duration::from_secs(u64::try_from(grace).unwrap_or(0)));
                }
            }
        }
    }

    fn current(&mut self, index: usize, attempt: i32) -> Option<&mut Slot> {
        self.slots.get_mut(index).filter(|slot| slot.restarts == attempt)
    }

    fn observe(&mut self, event: Event) {
        match event {
            Event::Started { index, attempt, process, since } => {
                let sender = self.sender.clone();
                let Some(slot) = self.current(index, attempt) else { return };
                slot.launching = false;
                slot.retry_at = None;
                slot.id = Some(process.id());
                slot.image_id = process.image_id();
                slot.address = Some(process.address());
                slot.process = Some(process);
                slot.state = State::Running(since);
                slot.started = slot.replaced || slot.spec.startup_probe.is_none();
                slot.ready = slot.replaced || slot.spec.readiness_probe.is_none();
                if !slot.replaced {
                    start::watch(slot, index, attempt, &sender);
                }
                if slot.stopping || self.ending.is_some() {
                    let grace = self.ending.unwrap_or_default();
                    self.slots[index].stopping = false;
                    self.stop(index, grace);
                }
            }
            Event::Refused { index, attempt, refusal } => self.refused(index, attempt, refusal),
            Event::PullWaits { index, attempt } => {
                let Some(slot) = self.current(index, attempt).filter(|slot| !slot.launching) else { return };
                if let State::Waiting { reason: PULL_FAILED, message: Some(why) } = &slot.state {
                    let image = slot.spec.image.as_deref().unwrap_or_default();
                    let message = Some(format!("Back-off pulling image \"{image}\": {PULL_FAILED}: {why}"));
                    slot.state = State::Waiting { reason: "ImagePullBackOff", message };
                }
            }
            Event::StartedUp { index, attempt } => {
                if let Some(slot) = self.current(index, attempt) {
                    slot.started = true;
                }
            }
            Event::Ready { index, attempt, ready } => {
                if let Some(slot) = self.current(index, attempt) {
                    slot.ready = ready;
                }
            }
            Event::Unhealthy { index, attempt } => {
                if self.current(index, attempt).is_some() {
                    let grace = self.pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds).unwrap_or(30);
                    self.stop(index, Duration::from_secs(u64::try_from(grace).unwrap_or(0)));
                }
            }
            Event::Exited { index, attempt, exit, message, since, finished } => {
                let Some(slot) = self.current(index, attempt) else { return };
                let end = ContainerStateTerminated {
                    container_id: slot.id.clone(),
                    exit_code: exit.code,
                    reason: Some(
                        match exit {
                            Exit { out_of_memory: true, .. } => "OOMKilled",
                            Exit { code: 0, .. } => "Completed",
                            _ => "Error",
                        }
                        .to_owned(),
                    ),
                    message: (!message.is_empty()).then_some(message),
                    started_at: Some(since),
                    finished_at: Some(finished),
                    signal: None,
                };
                self.ended(index, end);
            }
        }
    }

    fn refused(&mut self, index: usize, attempt: i32, refusal: Refusal) {
        let Some(slot) = self.current(index, attempt) else { return };
        slot.launching = false;
        match refusal {
            Refusal::Waiting(PULL_FAILED, message) => {
                slot.state = State::Waiting { reason: PULL_FAILED, message: Some(message) };
                slot.retry_at = Some(Instant::now() + slot.backoff);
                slot.backoff = (slot.backoff * 2).min(MAX_BACKOFF);
                let events = self.sender.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(PULL_SHOWN).await;
                    drop(events.send(Event::PullWaits { index, attempt }));
                });
            }
            Refusal::Waiting(reason, message) => {
                slot.state = State::Waiting { reason, message: Some(message) };
                slot.retry_at = Some(Instant::now() + Duration::from_secs(2));
            }
            Refusal::Ended(message) => {
                let epoch = Time(jiff::Timestamp::UNIX_EPOCH);
                let end = ContainerStateTerminated {
                    container_id: slot.id.clone(),
                    exit_code: 128,
                    reason: Some("StartError".to_owned()),
                    message: Some(message),
                    started_at: Some(epoch),
                    finished_at: Some(now()),
                    signal: None,
                };
                self.ended(index, end);
            }
        }
    }

    /// A process has ended: the container stays ended or waits for its next start.
    fn ended(&mut self, index: usize, end: ContainerStateTerminated) {
        let ending = self.ending.is_some();
        let policy = self.policy.clone();
        let mains_left =
            self.slots.iter().any(|s| s.kind == Kind::Main && (s.alive() || matches!(s.state, State::Waiting { .. })));
        let pod = self.name.clone();
        let slot = &mut self.slots[index];
        slot.end_probes();
        slot.launching = false;
        slot.process = None;
        (slot.started, slot.ready) = (false, false);
        let swap = slot.replaced && std::mem::take(&mut slot.stopping) && !ending;
        slot.stopping = false;
        let again = match slot.kind {
            Kind::Init => end.exit_code != 0 && policy != "Never",
            Kind::Sidecar => mains_left,
            Kind::Main => policy == "Always" || (policy == "OnFailure" && end.exit_code != 0),
        };
        if ending || !(swap || again) {
            slot.state = State::Terminated(Box::new(end));
            return;
        }
        slot.last = Some(end);
        slot.restarts += 1;
        if swap {
            slot.state = State::Waiting { reason: "ContainerCreating", message: None };
            slot.retry_at = Some(Instant::now());
        } else {
            let message = format!(
                "back-off {}s restarting failed container={} pod={pod}",
                slot.backoff.as_secs(),
                slot.spec.name
            );
            slot.state = State::Waiting { reason: "CrashLoopBackOff", message: Some(message) };
            slot.retry_at = Some(Instant::now() + slot.backoff);
            slot.backoff = (slot.backoff * 2).min(MAX_BACKOFF);
        }
    }

    /// Starts what is to start and stops what is to stop.
    fn drive(&mut self) {
        if self.finished() || self.ending.is_some() || !self.prepared {
            return;
        }
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            match slot.kind {
                Kind::Init => match slot.exit_code() {
                    Some(0) => {}
                    Some(_) => return self.end_sidecars(),
                    None => {
                        self.start_if_due(index);
                        return;
                    }
                },
                Kind::Sidecar => {
                    if slot.exit_code().is_none() {
                        self.start_if_due(index);
                        if !self.slots[index].started {
                            return;
                        }
                    }
                }
                Kind::Main => self.start_if_due(index),
            }
        }
        if self.slots.iter().filter(|s| s.kind == Kind::Main).all(|s| s.exit_code().is_some()) {
            self.end_sidecars();
        }
    }

    fn start_if_due(&mut self, index: usize) {
        let due = self.slots[index].retry_at.is_none_or(|at| at <= Instant::now());
        let waiting = matches!(self.slots[index].state, State::Waiting { .. });
        if !waiting || !due || self.slots[index].launching {
            return;
        }
        let slot = &mut self.slots[index];
        slot.launching = true;
        let launch = Launch {
            ctx: self.ctx.clone(),
            pod: self.pod.clone(),
            container: slot.spec.clone(),
            volumes: self.volumes.clone(),
            index,
            attempt: slot.restarts,
            replaced: slot.replaced,
            events: self.sender.clone(),
        };
        tokio::spawn(launch.run());
    }

    /// Native sidecars end when the pod's containers have, the last one first.
    fn end_sidecars(&mut self) {
        let grace = self.pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds).unwrap_or(30);
        if let Some(index) = self.slots.iter().rposition(|s| s.kind == Kind::Sidecar && s.alive()) {
            self.stop(index, Duration::from_secs(u64::try_from(grace).unwrap_or(0)));
        }
    }

    fn stop(&mut self, index: usize, grace: Duration) {
        let slot = &mut self.slots[index];
        if !slot.alive() || (slot.stopping && !grace.is_zero()) {
            return;
        }
        slot.stopping = true;
        if let Some(process) = slot.process.clone() {
            slot.end_probes();
            tokio::spawn(start::stop(slot.spec.clone(), process, grace));
        }
    }

    /// Ends the pod: every container stops, none starts.
    fn finish_all(&mut self, grace: Duration) {
        if self.ending.is_some_and(|before| before <= grace) {
            return;
        }
        self.ending = Some(grace);
        for index in 0..self.slots.len() {
            self.slots[index].stopping = false;
            self.stop(index, grace);
        }
    }

    async fn on_time(&mut self) {
        let time = Instant::now();
        if !self.prepared && self.ending.is_none() && self.prepare_at <= time {
            self.prepare().await;
        }
        if let Some(limit) = self.deadline
            && self.begun + limit <= time
            && self.ending.is_none()
            && !self.finished()
            && !matches!(self.phase(), "Succeeded" | "Failed")
        {
            self.failure = Some(Failure {
                reason: "DeadlineExceeded",
                message: "Pod was active on the node longer than the specified deadline".to_owned(),
            });
            let grace = self.pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds).unwrap_or(30);
            self.finish_all(Duration::from_secs(u64::try_from(grace).unwrap_or(0)));
        }
        if self.refresh_at.is_some_and(|at| at <= time) {
            self.refresh_at = Some(time + REFRESH);
            self.volumes.write().await.refresh(&self.ctx, &self.pod, true).await;
        }
    }

    fn phase(&self) -> &'static str {
        status::phase(&self.slots, &self.policy, self.failure.is_some())
    }

    fn wake_at(&self) -> Option<Instant> {
        if self.finished() {
            return None;
        }
        let done = matches!(self.phase(), "Succeeded" | "Failed");
        let retries = self
            .slots
            .iter()
            .filter(|s| !s.launching && matches!(s.state, State::Waiting { .. }))
            .filter_map(|s| s.retry_at);
        let future: Vec<Instant> = retries
            .filter(|_| self.prepared && self.ending.is_none() && !done)
            .chain((!self.prepared && self.ending.is_none()).then_some(self.prepare_at))
            .chain(self.deadline.filter(|_| self.ending.is_none() && !done).map(|d| self.begun + d))
            .chain(self.refresh_at.filter(|_| !done))
            .chain(self.held_since.map(|since| since + HOLD))
            .collect();
        future.into_iter().min()
    }

    /// Writes the status if it differs. Gives whether the server has all there is to tell.
    async fn publish(&mut self) -> bool {
        if self.finished() {
            return true;
        }
        let (pod, now) = (self.pod.clone(), now());
        let facts = Facts { pod: &pod, start: &self.start, now: &now, failure: self.failure.as_ref() };
        let mut wanted = status::status(&self.slots, &self.policy, &facts);
        if let Some(written) = &self.written {
            keep_times(&mut wanted, written);
            if *written == wanted {
                self.held_since = None;
                return true;
            }
            if self.may_wait(written, &wanted) {
                let since = *self.held_since.get_or_insert_with(Instant::now);
                if since.elapsed() < HOLD {
                    return false;
                }
            }
        }
        self.held_since = None;
        let mut patch = json!({ "status": wanted });
        for name in ["reason", "message"] {
            if patch["status"].get(name).is_none() && self.written.as_ref().is_some_and(|w| w.reason.is_some()) {
                patch["status"][name] = serde_json::Value::Null;
            }
        }
        match self.api.patch_status(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => {
                self.written = Some(wanted);
                true
            }
            // The object has gone; the watch will say so.
            Err(kube::Error::Api(status)) if status.code == 404 => true,
            Err(_) => {
                self.held_since = Some(Instant::now() + Duration::from_millis(200));
                false
            }
        }
    }

    /// Whether nothing in the new status is worth a write of its own: more follows at once.
    fn may_wait(&self, old: &PodStatus, new: &PodStatus) -> bool {
        if self.slots.iter().any(|s| s.launching) {
            let ended = |status: &PodStatus| {
                let all = status.container_statuses.iter().flatten();
                all.filter(|c| c.state.as_ref().is_some_and(|s| s.terminated.is_some())).count()
            };
            return ended(old) == ended(new) && !matches!(new.phase.as_deref(), Some("Succeeded" | "Failed"));
        }
        old.phase == new.phase
            && old.container_statuses == new.container_statuses
            && new.phase.as_deref() == Some("Pending")
    }

    /// Removes the object of a pod that is to be deleted and has ended. Gives whether the worker is done.
    async fn leave(&mut self) -> bool {
        if self.pod.metadata.deletion_timestamp.is_none() || self.slots.iter().any(Slot::alive) {
            return false;
        }
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: self.pod.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        match self.api.delete(&self.name, &params).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => true,
            Err(_) => {
                self.held_since = Some(Instant::now() + Duration::from_millis(200));
                false
            }
        }
    }

    /// Kills what is left; the pod's directory goes with its object.
    async fn end(mut self, gone: bool) {
        self.updates.mark_unchanged();
        for slot in &mut self.slots {
            slot.end_probes();
        }
        // A start that is on its way tells of its process, or of its failure.
        while self.slots.iter().any(|s| s.alive() || s.process.is_some()) {
            for process in self.slots.iter().filter_map(|s| s.process.as_ref()) {
                process.signal(libc::SIGKILL);
            }
            self.ending = Some(Duration::ZERO);
            match self.events.recv().await {
                Some(event) => self.observe(event),
                None => break,
            }
        }
        self.ctx.runtime.release(self.pod.metadata.uid.as_deref().unwrap_or_default()).await;
        if gone {
            super::remove(self.ctx.pod_dir(&self.pod)).await;
        }
    }
}

/// Conditions keep the time of their last change.
fn keep_times(new: &mut PodStatus, old: &PodStatus) {
    for condition in new.conditions.iter_mut().flatten() {
        let before =
            old.conditions.iter().flatten().find(|c| c.type_ == condition.type_ && c.status == condition.status);
        if let Some(before) = before {
            condition.last_transition_time.clone_from(&before.last_transition_time);
        }
    }
}

/// Assigns a pod to this node, as the scheduler does, with the name of the runtime that it gets.
async fn bind(api: Api<Pod>, name: String, node: String, runtime: &str) {
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": { "name": name, "annotations": { RUNTIME_ANNOTATION: runtime } },
        "target": { "apiVersion": "v1", "kind": "Node", "name": node },
    });
    let bound: Result<serde_json::Value, kube::Error> =
        api.create_subresource("binding", &name, &PostParams::default(), &binding).await;
    if let Err(kube::Error::Api(status)) = bound
        && matches!(status.code, 404 | 405)
    {
        // A server without the subresource takes the field itself; one that refuses shows it by the pod's state.
        let patch = Patch::Merge(json!({ "spec": { "nodeName": node } }));
        drop(api.patch(&name, &PatchParams::default(), &patch).await);
        annotate(&api, &name, runtime).await;
    }
}

/// Says on a pod which runtime it has. One that has gone, or may not be written, goes without.
async fn annotate(api: &Api<Pod>, name: &str, runtime: &str) {
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { RUNTIME_ANNOTATION: runtime } } }));
    drop(api.patch(name, &PatchParams::default(), &patch).await);
}
