//! Starts what is to start and stops what is to stop.

use super::super::health;
use super::super::slot::{Kind, Slot, State};
use super::super::start::Launch;
use super::Worker;
use std::time::Duration;
use tokio::time::Instant;

/// What a container has to end when nothing of the pod's time is left.
const LAST_GRACE: Duration = Duration::from_secs(2);

impl Worker {
    /// Starts what is to start and stops what is to stop.
    pub(super) fn drive(&mut self) {
        if self.finished() {
            return;
        }
        if let Some(at) = self.ending {
            // Sidecars serve the others to their end.
            if !self.slots.iter().any(|slot| slot.kind != Kind::Sidecar && slot.alive()) {
                self.end_sidecars(at.saturating_duration_since(Instant::now()).max(LAST_GRACE));
            }
            return;
        }
        if !self.prepared {
            return;
        }
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            match slot.kind {
                Kind::Init => match slot.exit_code() {
                    Some(0) => {}
                    Some(_) => return self.end_sidecars(self.grace()),
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
            self.end_sidecars(self.grace());
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
    fn end_sidecars(&mut self, grace: Duration) {
        if let Some(index) = self.slots.iter().rposition(|s| s.kind == Kind::Sidecar && s.alive()) {
            let text = format!("Stopping container {}", self.slots[index].spec.name);
            self.stop(index, grace, &text);
        }
    }

    pub(super) fn stop(&mut self, index: usize, grace: Duration, text: &str) {
        let slot = &mut self.slots[index];
        if !slot.alive() || (slot.stopping && !grace.is_zero()) {
            return;
        }
        let told = std::mem::replace(&mut slot.stopping, true);
        if let Some(process) = slot.process.clone() {
            slot.end_probes();
            tokio::spawn(health::stop(slot.spec.clone(), process, grace, index, self.sender.clone()));
            if !told {
                self.tell_of(index, super::Weight::Normal, "Killing", text);
            }
        }
    }

    /// Ends the pod: every container stops, sidecars after the others, none starts.
    pub(super) fn finish_all(&mut self, grace: Duration) {
        let at = Instant::now() + grace;
        if self.ending.is_some_and(|before| before <= at) {
            return;
        }
        self.ending = Some(at);
        for index in 0..self.slots.len() {
            if self.slots[index].kind == Kind::Sidecar && !grace.is_zero() && self.slots.iter().any(needs_sidecars) {
                continue;
            }
            self.slots[index].stopping = false;
            let text = format!("Stopping container {}", self.slots[index].spec.name);
            self.stop(index, grace, &text);
        }
    }
}

/// Whether a container is one that sidecars are there for, and lives.
fn needs_sidecars(slot: &Slot) -> bool {
    slot.kind != Kind::Sidecar && slot.alive()
}
