//! A pod that this node knows from before it started anew.

use super::super::slot::{State, now};
use super::Worker;
use k8s_openapi::api::core::v1::ContainerStateTerminated;

impl Worker {
    /// A pod that has ended is left as it is; of one that ran on this node before it started anew, nothing runs any more.
    pub(super) fn resume(&mut self) -> bool {
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
}
