//! How a container that has started does, and how it is stopped.

use super::probe;
use super::slot::Slot;
use super::worker::{Check, Event};
use k8s_openapi::api::core::v1::{Container, Probe};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// The least time between the end of a hook and SIGKILL.
const AFTER_HOOK: Duration = Duration::from_secs(2);

/// Stops a container: its hook, SIGTERM, then SIGKILL when the grace is over.
pub(super) async fn stop(
    container: Container,
    process: Arc<dyn crate::runtime::Container>,
    grace: Duration,
    index: usize,
    events: UnboundedSender<Event>,
) {
    let mut end = tokio::time::Instant::now() + grace;
    if let Some(handler) = container.lifecycle.as_ref().and_then(|l| l.pre_stop.as_ref())
        && !grace.is_zero()
    {
        let done = tokio::select! {
            done = tokio::time::timeout_at(end, probe::hook(handler, &container, &process)) => done,
            _ended = process.wait() => return,
        };
        if !matches!(done, Ok(Ok(()))) {
            drop(events.send(Event::HookFailed { index }));
        }
        end = end.max(tokio::time::Instant::now() + AFTER_HOOK);
    }
    if !grace.is_zero() {
        process.signal(libc::SIGTERM);
        if tokio::time::timeout_at(end, process.wait()).await.is_ok() {
            return;
        }
    }
    process.signal(libc::SIGKILL);
}

/// The probes of one container that has started.
struct Probes {
    container: Container,
    process: Arc<dyn crate::runtime::Container>,
    index: usize,
    attempt: i32,
    events: UnboundedSender<Event>,
}

/// Starts the probes of a container that has started.
pub(super) fn watch(slot: &mut Slot, index: usize, attempt: i32, events: &UnboundedSender<Event>) {
    let Some(process) = slot.process.clone() else { return };
    let probes = Probes { container: slot.spec.clone(), process, index, attempt, events: events.clone() };
    slot.probes.push(tokio::spawn(async move {
        if probes.starts().await {
            tokio::join!(probes.readiness(), probes.liveness());
        }
    }));
}

impl Probes {
    fn send(&self, event: Event) {
        // A worker that has gone asks no more.
        drop(self.events.send(event));
    }

    /// Carries a probe out, and tells of a failure.
    async fn passes(&self, probe: &Probe, check: Check) -> bool {
        match probe::once(probe, &self.container, &self.process).await {
            Ok(()) => true,
            Err(why) => {
                self.send(Event::Failed { index: self.index, attempt: self.attempt, probe: check, why });
                false
            }
        }
    }

    /// Waits until a probe has failed so often that the container is to end.
    async fn fails(&self, probe: &Probe, check: Check, until_passed: bool) -> bool {
        let rhythm = probe::Rhythm::of(probe);
        tokio::time::sleep(rhythm.delay).await;
        let mut failures = 0;
        loop {
            if self.passes(probe, check).await {
                failures = 0;
                if until_passed {
                    return false;
                }
            } else {
                failures += 1;
            }
            if failures >= rhythm.failures {
                self.send(Event::Unhealthy { index: self.index, attempt: self.attempt, check });
                return true;
            }
            tokio::time::sleep(rhythm.period).await;
        }
    }

    async fn starts(&self) -> bool {
        let Some(probe) = &self.container.startup_probe else { return true };
        if self.fails(probe, Check::Startup, true).await {
            return false;
        }
        self.send(Event::StartedUp { index: self.index, attempt: self.attempt });
        true
    }

    async fn readiness(&self) {
        let Some(probe) = &self.container.readiness_probe else { return };
        let rhythm = probe::Rhythm::of(probe);
        tokio::time::sleep(rhythm.delay).await;
        let (mut ready, mut streak) = (false, 0);
        loop {
            let ok = self.passes(probe, Check::Readiness).await;
            streak = if ok == ready { 0 } else { streak + 1 };
            if streak >= if ready { rhythm.failures } else { rhythm.successes } {
                (ready, streak) = (ok, 0);
                self.send(Event::Ready { index: self.index, attempt: self.attempt, ready });
            }
            tokio::time::sleep(rhythm.period).await;
        }
    }

    async fn liveness(&self) {
        if let Some(probe) = &self.container.liveness_probe {
            self.fails(probe, Check::Liveness, false).await;
        }
    }
}
