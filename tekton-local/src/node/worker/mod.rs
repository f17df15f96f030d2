//! The life of one pod on the node: one task, which starts and stops containers and writes the pod's status.

mod drive;
mod observe;
mod publish;
mod resume;
mod schedule;

use super::Context;
use super::events::Weight;
use super::slot::{Kind, Slot, State, now};
use super::start::Refusal;
use super::status::{self, Failure};
use super::volumes::{self, Volumes};
use crate::runtime::{Container as Process, Exit};
use k8s_openapi::api::core::v1::{Pod, PodStatus, Probe};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{RwLock, mpsc, watch};
use tokio::time::Instant;

/// What happens to a pod or to a container of it. What happened to an earlier start of a container is of no interest.
pub(super) enum Event {
    Started {
        index: usize,
        attempt: i32,
        process: Arc<dyn Process>,
        since: Time,
    },
    Refused {
        index: usize,
        attempt: i32,
        refusal: Refusal,
    },
    PullWaits {
        index: usize,
        attempt: i32,
    },
    StartedUp {
        index: usize,
        attempt: i32,
    },
    Ready {
        index: usize,
        attempt: i32,
        ready: bool,
    },
    /// A probe has failed once.
    Failed {
        index: usize,
        attempt: i32,
        probe: Check,
        why: String,
    },
    /// A probe has failed too often, or a hook has.
    Unhealthy {
        index: usize,
        attempt: i32,
        check: Check,
    },
    /// A hook before the end has failed.
    HookFailed {
        index: usize,
    },
    Exited {
        index: usize,
        attempt: i32,
        exit: Exit,
        message: String,
        since: Time,
        finished: Time,
    },
    /// The node can't have the pod any longer.
    Evicted {
        message: String,
    },
}

/// What finds out how a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Startup,
    Readiness,
    Liveness,
    PostStart,
}

/// How long a status that nobody waits for may be held back, so that it comes with the next.
const HOLD: Duration = Duration::from_millis(30);
/// The time between two looks at ConfigMaps and Secrets that a running pod shows.
const REFRESH: Duration = Duration::from_secs(10);
/// The time between two looks at how full volumes with a limit are.
const MEASURE: Duration = Duration::from_secs(1);

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
    /// How often volumes could not be made.
    unprepared: u32,
    start: Time,
    begun: Instant,
    deadline: Option<Duration>,
    failure: Option<Failure>,
    /// The pod ends at this time: no container starts any more.
    ending: Option<Instant>,
    written: Option<PodStatus>,
    held_since: Option<Instant>,
    refresh_at: Option<Instant>,
    measure_at: Option<Instant>,
    events: mpsc::UnboundedReceiver<Event>,
    sender: mpsc::UnboundedSender<Event>,
}

impl Worker {
    pub(super) fn new(
        ctx: Arc<Context>,
        pod: Arc<Pod>,
        updates: watch::Receiver<Option<Arc<Pod>>>,
        (sender, events): (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    ) -> Self {
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
            unprepared: 0,
            start: now(),
            begun: Instant::now(),
            deadline: spec.active_deadline_seconds.and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs),
            failure: None,
            ending: None,
            written: None,
            held_since: None,
            refresh_at: Volumes::follow_objects(&pod).then(|| Instant::now() + REFRESH),
            measure_at: volumes::usage::limited(&pod).then(|| Instant::now() + MEASURE),
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
            self.ending = Some(Instant::now());
        } else if bound {
            let (api, pod, runtime) = (self.api.clone(), self.pod.clone(), self.ctx.runtime.name());
            let ((), ()) = tokio::join!(schedule::claim(&api, &pod, runtime), self.prepare());
        } else {
            if !self.schedulable().await {
                return;
            }
            let (api, pod, ctx) = (self.api.clone(), self.pod.clone(), self.ctx.clone());
            let ((), ()) = tokio::join!(schedule::bind(&api, &pod, &ctx), self.prepare());
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

    fn finished(&self) -> bool {
        self.slots.is_empty() && self.written.is_some()
    }

    /// Records an Event of the pod.
    fn tell(&self, weight: Weight, reason: &'static str, message: impl Into<String>) {
        self.ctx.recorder.tell(&self.pod, None, weight, reason, message);
    }

    /// Records an Event of a container.
    fn tell_of(&self, index: usize, weight: Weight, reason: &'static str, message: impl Into<String>) {
        let slot = &self.slots[index];
        self.ctx.recorder.tell(&self.pod, Some((slot.kind, &slot.spec.name)), weight, reason, message);
    }

    /// The time that the pod's containers have to end.
    fn grace(&self) -> Duration {
        let seconds = self.pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds).unwrap_or(30);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// The time that a container has to end after this check: a probe may have one of its own.
    fn grace_after(&self, index: usize, check: Check) -> Duration {
        let spec = &self.slots[index].spec;
        let probe: Option<&Probe> = match check {
            Check::Startup => spec.startup_probe.as_ref(),
            Check::Liveness => spec.liveness_probe.as_ref(),
            Check::Readiness | Check::PostStart => None,
        };
        let own = probe.and_then(|probe| probe.termination_grace_period_seconds);
        own.and_then(|seconds| u64::try_from(seconds).ok()).map_or_else(|| self.grace(), Duration::from_secs)
    }

    async fn prepare(&mut self) {
        let result = self.volumes.write().await.prepare(&self.ctx, &self.pod).await;
        self.prepared = result.is_ok();
        if let Err(message) = result {
            self.prepare_at = Instant::now() + Duration::from_millis(500);
            self.unprepared += 1;
            // It is tried often and told more and more seldom.
            if self.unprepared.is_power_of_two() {
                self.tell(Weight::Warning, "FailedMount", message.clone());
            }
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
                    let text = format!("Container {} definition changed, will be restarted", wanted.name);
                    self.stop(index, self.grace(), &text);
                }
            }
        }
    }

    async fn on_time(&mut self) {
        let time = Instant::now();
        if !self.prepared && self.ending.is_none() && self.prepare_at <= time {
            self.prepare().await;
        }
        let active = self.ending.is_none() && !self.finished() && !matches!(self.phase(), "Succeeded" | "Failed");
        if self.deadline.is_some_and(|limit| self.begun + limit <= time) && active {
            let message = "Pod was active on the node longer than the specified deadline";
            self.tell(Weight::Normal, "DeadlineExceeded", message);
            self.failure = Some(Failure { reason: "DeadlineExceeded", message: message.to_owned() });
            self.finish_all(self.grace());
        }
        if self.refresh_at.is_some_and(|at| at <= time) {
            self.refresh_at = Some(time + REFRESH);
            self.volumes.write().await.refresh(&self.ctx, &self.pod, true).await;
        }
        if self.measure_at.is_some_and(|at| at <= time) {
            self.measure_at = Some(time + MEASURE);
            let found = self.volumes.read().await.overfull(&self.pod);
            let sender = self.sender.clone();
            tokio::task::spawn_blocking(move || {
                if let Some(message) = found.message() {
                    drop(sender.send(Event::Evicted { message }));
                }
            });
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
            .chain(self.measure_at.filter(|_| self.ending.is_none() && !done))
            .chain(self.held_since.map(|since| since + HOLD))
            .collect();
        future.into_iter().min()
    }
}
