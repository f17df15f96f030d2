//! What becomes of a pod by what happens to its containers.

use super::super::events::Weight;
use super::super::health;
use super::super::slot::{Kind, Slot, State, now};
use super::super::start::Refusal;
use super::super::status::Failure;
use super::{Check, Event, Worker};
use crate::runtime::{Container as Process, Exit};
use k8s_openapi::api::core::v1::ContainerStateTerminated;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The reason of a container whose image could not be fetched just now.
const PULL_FAILED: &str = "ErrImagePull";
/// How long that reason is shown before the one that says that the next try is waited for.
const PULL_SHOWN: Duration = Duration::from_secs(1);
/// The time before the second restart of a container; the first comes at once, later ones wait twice as long each.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const MAX_BACKOFF: Duration = Duration::from_mins(5);
/// A container that has run so long starts anew without having to wait.
const LONG_RUN: Duration = Duration::from_mins(10);

impl Worker {
    fn current(&mut self, index: usize, attempt: i32) -> Option<&mut Slot> {
        self.slots.get_mut(index).filter(|slot| slot.restarts == attempt)
    }

    pub(super) fn observe(&mut self, event: Event) {
        match event {
            Event::Started { index, attempt, process, since } => self.started(index, attempt, process, since),
            Event::Refused { index, attempt, refusal } => self.refused(index, attempt, refusal),
            Event::PullWaits { index, attempt } => self.pull_waits(index, attempt),
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
            Event::Failed { index, attempt, probe, why } => {
                if self.current(index, attempt).is_some() {
                    self.tell_of(index, Weight::Warning, "Unhealthy", format!("{probe:?} probe failed: {why}"));
                }
            }
            Event::Unhealthy { index, attempt, check } => {
                if self.current(index, attempt).is_none() {
                    return;
                }
                let name = &self.slots[index].spec.name;
                let text = match check {
                    Check::PostStart => {
                        self.tell_of(index, Weight::Warning, "FailedPostStartHook", "PostStartHook failed");
                        "FailedPostStartHook".to_owned()
                    }
                    Check::Startup => format!("Container {name} failed startup probe, will be restarted"),
                    Check::Readiness | Check::Liveness => {
                        format!("Container {name} failed liveness probe, will be restarted")
                    }
                };
                let text = if self.policy == "Never" { text.replace(", will be restarted", "") } else { text };
                self.stop(index, self.grace_after(index, check), &text);
            }
            Event::HookFailed { index } => {
                self.tell_of(index, Weight::Warning, "FailedPreStopHook", "PreStopHook failed");
            }
            Event::Exited { index, attempt, exit, message, since, finished } => {
                let Some(slot) = self.current(index, attempt) else { return };
                let reason = match exit {
                    Exit { out_of_memory: true, .. } => "OOMKilled",
                    Exit { code: 0, .. } => "Completed",
                    _ => "Error",
                };
                let end = ContainerStateTerminated {
                    container_id: slot.id.clone(),
                    exit_code: exit.code,
                    reason: Some(reason.to_owned()),
                    message: (!message.is_empty()).then_some(message),
                    started_at: Some(since),
                    finished_at: Some(finished),
                    signal: None,
                };
                self.ended(index, end);
            }
            Event::Evicted { message } => self.evict(message),
        }
    }

    fn started(&mut self, index: usize, attempt: i32, process: Arc<dyn Process>, since: Time) {
        let sender = self.sender.clone();
        let Some(slot) = self.current(index, attempt) else { return };
        slot.launching = false;
        slot.retry_at = None;
        if attempt == 0 {
            // What was waited for was the image.
            slot.backoff = None;
        }
        slot.id = Some(process.id());
        slot.image_id = process.image_id();
        slot.address = Some(process.address());
        let image = process.image_event(slot.spec.image.as_deref().unwrap_or_default());
        slot.process = Some(process);
        slot.state = State::Running(since);
        slot.started = slot.replaced || slot.spec.startup_probe.is_none();
        slot.ready = slot.replaced || slot.spec.readiness_probe.is_none();
        if !slot.replaced {
            health::watch(slot, index, attempt, &sender);
        }
        let name = slot.spec.name.clone();
        let stopped = std::mem::take(&mut slot.stopping);
        self.tell_of(index, Weight::Normal, "Pulled", image);
        self.tell_of(index, Weight::Normal, "Created", format!("Created container: {name}"));
        self.tell_of(index, Weight::Normal, "Started", format!("Started container {name}"));
        if stopped || self.ending.is_some() {
            let grace = self.ending.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
            self.stop(index, grace, &format!("Stopping container {name}"));
        }
    }

    fn refused(&mut self, index: usize, attempt: i32, refusal: Refusal) {
        let Some(slot) = self.current(index, attempt) else { return };
        slot.launching = false;
        let image = slot.spec.image.clone().unwrap_or_default();
        match refusal {
            Refusal::Waiting(PULL_FAILED, message) => {
                slot.state = State::Waiting { reason: PULL_FAILED, message: Some(message.clone()) };
                let pause = slot.backoff.unwrap_or(FIRST_BACKOFF);
                slot.retry_at = Some(Instant::now() + pause);
                slot.backoff = Some((pause * 2).min(MAX_BACKOFF));
                let events = self.sender.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(PULL_SHOWN).await;
                    drop(events.send(Event::PullWaits { index, attempt }));
                });
                self.tell_of(index, Weight::Normal, "Pulling", format!("Pulling image \"{image}\""));
                let text = message.strip_prefix("failed to pull").unwrap_or(&message);
                self.tell_of(index, Weight::Warning, "Failed", format!("Failed to pull{text}"));
                self.tell_of(index, Weight::Warning, "Failed", format!("Error: {PULL_FAILED}"));
            }
            Refusal::Waiting(reason, message) => {
                // Told once; it is tried again and again.
                let known = matches!(&slot.state, State::Waiting { message: Some(old), .. } if *old == message);
                slot.state = State::Waiting { reason, message: Some(message.clone()) };
                slot.retry_at = Some(Instant::now() + Duration::from_secs(2));
                if known {
                    return;
                }
                let error = match reason {
                    "ErrImageNeverPull" => {
                        self.tell_of(index, Weight::Warning, reason, message);
                        reason.to_owned()
                    }
                    "InvalidImageName" => {
                        self.tell_of(index, Weight::Warning, "InspectFailed", message);
                        reason.to_owned()
                    }
                    _ => message,
                };
                self.tell_of(index, Weight::Warning, "Failed", format!("Error: {error}"));
            }
            Refusal::Ended(message) => {
                let end = ContainerStateTerminated {
                    container_id: slot.id.clone(),
                    exit_code: 128,
                    reason: Some("StartError".to_owned()),
                    message: Some(message.clone()),
                    started_at: Some(Time(jiff::Timestamp::UNIX_EPOCH)),
                    finished_at: Some(now()),
                    signal: None,
                };
                self.tell_of(index, Weight::Warning, "Failed", format!("Error: {message}"));
                self.ended(index, end);
            }
        }
    }

    fn pull_waits(&mut self, index: usize, attempt: i32) {
        let Some(slot) = self.current(index, attempt).filter(|slot| !slot.launching) else { return };
        let State::Waiting { reason: PULL_FAILED, message: Some(why) } = &slot.state else { return };
        let text = format!("Back-off pulling image \"{}\"", slot.spec.image.as_deref().unwrap_or_default());
        let message = Some(format!("{text}: {PULL_FAILED}: {why}"));
        slot.state = State::Waiting { reason: "ImagePullBackOff", message };
        self.tell_of(index, Weight::Normal, "BackOff", text);
        self.tell_of(index, Weight::Warning, "Failed", "Error: ImagePullBackOff");
    }

    /// A process has ended: the container stays ended or waits for its next start.
    fn ended(&mut self, index: usize, end: ContainerStateTerminated) {
        let ending = self.ending.is_some();
        let mains_left =
            self.slots.iter().any(|s| s.kind == Kind::Main && (s.alive() || matches!(s.state, State::Waiting { .. })));
        let slot = &mut self.slots[index];
        slot.end_probes();
        slot.launching = false;
        slot.process = None;
        (slot.started, slot.ready) = (false, false);
        let swap = slot.replaced && std::mem::take(&mut slot.stopping) && !ending;
        slot.stopping = false;
        let again = match slot.kind {
            Kind::Init => end.exit_code != 0 && self.policy != "Never",
            Kind::Sidecar => mains_left,
            Kind::Main => self.policy == "Always" || (self.policy == "OnFailure" && end.exit_code != 0),
        };
        if ending || !(swap || again) {
            slot.state = State::Terminated(Box::new(end));
            return;
        }
        if ran_long(&end) {
            slot.backoff = None;
        }
        slot.last = Some(end);
        slot.restarts += 1;
        let Some(pause) = slot.backoff.filter(|_| !swap) else {
            slot.state = State::Waiting { reason: "ContainerCreating", message: None };
            slot.retry_at = Some(Instant::now());
            if !swap {
                slot.backoff = Some(FIRST_BACKOFF);
            }
            return;
        };
        let (name, pod) = (slot.spec.name.clone(), full_name(&self.pod));
        let seconds = go_duration(pause);
        let message = Some(format!("back-off {seconds} restarting failed container={name} pod={pod}"));
        slot.state = State::Waiting { reason: "CrashLoopBackOff", message };
        slot.retry_at = Some(Instant::now() + pause);
        slot.backoff = Some((pause * 2).min(MAX_BACKOFF));
        let text = format!("Back-off restarting failed container {name} in pod {pod}");
        self.tell_of(index, Weight::Warning, "BackOff", text);
    }

    /// The node can't have the pod any longer: it fails, and its containers end at once.
    fn evict(&mut self, message: String) {
        if self.failure.is_some() || self.finished() || matches!(self.phase(), "Succeeded" | "Failed") {
            return;
        }
        self.tell(Weight::Warning, "Evicted", message.clone());
        self.failure = Some(Failure { reason: "Evicted", message });
        self.finish_all(Duration::ZERO);
    }
}

fn ran_long(end: &ContainerStateTerminated) -> bool {
    let (Some(started), Some(finished)) = (&end.started_at, &end.finished_at) else { return false };
    finished.0.as_second().saturating_sub(started.0.as_second())
        >= i64::try_from(LONG_RUN.as_secs()).unwrap_or(i64::MAX)
        && started.0 != jiff::Timestamp::UNIX_EPOCH
}

/// A pod as the kubelet names it in messages.
fn full_name(pod: &k8s_openapi::api::core::v1::Pod) -> String {
    let meta = &pod.metadata;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    format!("{}_{}({})", text(&meta.name), text(&meta.namespace), text(&meta.uid))
}

/// Whole seconds as Go prints a duration.
fn go_duration(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_wait_are_printed_as_go_does() {
        let shown = [10, 80, 300].map(|seconds| go_duration(Duration::from_secs(seconds)));
        assert_eq!(shown, ["10s", "1m20s", "5m0s"]);
    }
}
