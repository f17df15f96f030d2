//! StatefulSets, as far as affinity assistants need them: their pods exist, and their status counts them.

use super::Context;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::watch;

/// Makes the pods of every StatefulSet until told to stop.
pub(super) async fn run(ctx: Arc<Context>, mut stopped: watch::Receiver<bool>) {
    let mut events = pin!(watcher(Api::<StatefulSet>::all(ctx.client.clone()), watcher::Config::default()));
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = stopped.changed() => return,
        };
        match event {
            None => return,
            Some(Ok(watcher::Event::Apply(set) | watcher::Event::InitApply(set))) => {
                if set.metadata.deletion_timestamp.is_none() {
                    // A failure shows as a set without pods; the next event of the set tries again.
                    drop(reconcile(&ctx, &set).await);
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
        }
    }
}

async fn reconcile(ctx: &Context, set: &StatefulSet) -> Result<(), kube::Error> {
    let Some(name) = &set.metadata.name else { return Ok(()) };
    let spec = &set.spec;
    let namespace = set.metadata.namespace.as_deref().unwrap_or("default");
    let pods = Api::<Pod>::namespaced(ctx.client.clone(), namespace);
    let replicas = spec.replicas.unwrap_or(1);
    let mut made = false;
    for index in 0..replicas {
        let pod_name = format!("{name}-{index}");
        if pods.get_opt(&pod_name).await?.is_some() {
            continue;
        }
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": spec.template.metadata.clone().unwrap_or_default(),
            "spec": spec.template.spec.clone().unwrap_or_default(),
        });
        pod["metadata"]["name"] = json!(pod_name);
        pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = json!(pod_name);
        pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = json!(index.to_string());
        pod["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": set.metadata.uid,
            "controller": true, "blockOwnerDeletion": true,
        }]);
        add_claims(ctx, set, index, &mut pod).await?;
        if let Ok(pod) = serde_json::from_value::<Pod>(pod) {
            pods.create(&PostParams::default(), &pod).await?;
            made = true;
        }
    }
    let counted = set.status.as_ref().map(|s| (s.replicas, s.ready_replicas.unwrap_or(0)));
    if made || counted != Some((replicas, replicas)) {
        let status = json!({ "status": {
            "replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas, "currentReplicas": replicas,
            "updatedReplicas": replicas, "observedGeneration": set.metadata.generation,
        } });
        let sets = Api::<StatefulSet>::namespaced(ctx.client.clone(), namespace);
        sets.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
    }
    Ok(())
}

/// Makes the claims of a replica and adds them to its pod.
async fn add_claims(
    ctx: &Context,
    set: &StatefulSet,
    index: i32,
    pod: &mut serde_json::Value,
) -> Result<(), kube::Error> {
    use k8s_openapi::api::core::v1::PersistentVolumeClaim;
    let namespace = set.metadata.namespace.as_deref().unwrap_or("default");
    let claims = Api::<PersistentVolumeClaim>::namespaced(ctx.client.clone(), namespace);
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    let templates = set.spec.volume_claim_templates.iter().flatten();
    for template in templates {
        let volume = template.metadata.name.clone().unwrap_or_default();
        let name = format!("{volume}-{set_name}-{index}");
        if claims.get_opt(&name).await?.is_none() {
            let mut claim = template.clone();
            claim.metadata.name = Some(name.clone());
            claim.metadata.namespace = Some(namespace.to_owned());
            claim.status = None;
            claims.create(&PostParams::default(), &claim).await?;
        }
        let entry = json!({ "name": volume, "persistentVolumeClaim": { "claimName": name } });
        match pod["spec"]["volumes"].as_array_mut() {
            Some(volumes) => volumes.push(entry),
            None => pod["spec"]["volumes"] = json!([entry]),
        }
    }
    Ok(())
}
