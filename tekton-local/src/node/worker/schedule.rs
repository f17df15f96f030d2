//! What a scheduler does for a pod: sees whether it can run here, and assigns it to this node.

use super::super::Context;
use super::super::events::Weight;
use super::super::slot::now;
use super::super::volumes::claims;
use super::Worker;
use crate::runtime::RUNTIME_ANNOTATION;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;

/// The time between two tries to find a place for a pod.
const TRY_AGAIN: Duration = Duration::from_millis(250);

impl Worker {
    /// Waits until nothing keeps the pod from running here. Gives whether there is still a pod to run.
    pub(super) async fn schedulable(&mut self) -> bool {
        let mut told = String::new();
        loop {
            let Err(why) = claims::admit(&self.ctx, &self.pod).await else { return true };
            let message = format!(
                "0/1 nodes are available: {why}. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
            );
            if message != told {
                self.ctx.recorder.schedule(&self.pod, Weight::Warning, "FailedScheduling", message.clone());
                let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": message, "lastTransitionTime": now() });
                let patch = Patch::Merge(json!({ "status": { "phase": "Pending", "conditions": [condition] } }));
                // A refusal shows by the pod's state; the next try writes again.
                drop(self.api.patch_status(&self.name, &PatchParams::default(), &patch).await);
                told = message;
            }
            tokio::select! {
                changed = self.updates.changed() => {
                    let pod = self.updates.borrow_and_update().clone();
                    match pod {
                        Some(pod) if changed.is_ok() && pod.metadata.deletion_timestamp.is_none() => self.pod = pod,
                        _ => return false,
                    }
                }
                () = tokio::time::sleep(TRY_AGAIN) => {}
            }
        }
    }
}

/// Assigns a pod to this node, and says how it runs.
pub(super) async fn bind(api: &Api<Pod>, pod: &Pod, ctx: &Context) {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": { "name": name, "annotations": { RUNTIME_ANNOTATION: ctx.runtime.name() } },
        "target": { "apiVersion": "v1", "kind": "Node", "name": ctx.node },
    });
    let bound: Result<Value, kube::Error> =
        api.create_subresource("binding", name, &PostParams::default(), &binding).await;
    match bound {
        Ok(_) => {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
            let message = format!("Successfully assigned {namespace}/{name} to {}", ctx.node);
            ctx.recorder.schedule(pod, Weight::Normal, "Scheduled", message);
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => {
            // A server without the subresource takes the field itself; one that refuses shows it by the pod's state.
            let patch = json!({ "metadata": { "annotations": { RUNTIME_ANNOTATION: ctx.runtime.name() } },
                "spec": { "nodeName": ctx.node } });
            drop(api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await);
        }
        Err(_) => {}
    }
}

/// Says how a pod runs that came with its node.
pub(super) async fn claim(api: &Api<Pod>, pod: &Pod, runtime: &str) {
    if pod
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|known| known.get(RUNTIME_ANNOTATION).is_some_and(|was| was == runtime))
    {
        return;
    }
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { RUNTIME_ANNOTATION: runtime } } }));
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    // It is only told; the pod runs all the same.
    drop(api.patch(name, &PatchParams::default(), &patch).await);
}
