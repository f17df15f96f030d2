//! What the server learns: the status, and the end of a pod that is to go.

use super::super::slot::{Slot, now};
use super::super::status::{self, Facts};
use super::{HOLD, Worker};
use k8s_openapi::api::core::v1::PodStatus;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

impl Worker {
    /// Writes the status if it differs. Gives whether the server has all there is to tell.
    pub(super) async fn publish(&mut self) -> bool {
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
                if matches!(wanted.phase.as_deref(), Some("Succeeded" | "Failed")) {
                    self.ctx.claims.leave(self.pod.metadata.uid.as_deref().unwrap_or_default());
                }
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
    pub(super) async fn leave(&mut self) -> bool {
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
    pub(super) async fn end(mut self, gone: bool) {
        self.updates.mark_unchanged();
        for slot in &mut self.slots {
            slot.end_probes();
        }
        // A start that is on its way tells of its process, or of its failure.
        while self.slots.iter().any(|s| s.alive() || s.process.is_some()) {
            for process in self.slots.iter().filter_map(|s| s.process.as_ref()) {
                process.signal(libc::SIGKILL);
            }
            self.ending = Some(Instant::now());
            match self.events.recv().await {
                Some(event) => self.observe(event),
                None => break,
            }
        }
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        self.ctx.runtime.release(uid).await;
        self.ctx.claims.leave(uid);
        if gone {
            super::super::files::remove(self.ctx.pod_dir(&self.pod)).await;
            super::super::files::remove(self.ctx.memory.join(uid)).await;
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
