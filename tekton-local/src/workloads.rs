//! StatefulSets, as far as affinity assistants need them: their pods exist, and their status counts them.

use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use std::pin::pin;
use tokio::sync::watch;

/// Makes the pods of every StatefulSet until told to stop.
pub(crate) async fn run(client: Client, mut stopped: watch::Receiver<bool>) {
    let mut events = pin!(watcher(Api::<StatefulSet>::all(client.clone()), watcher::Config::default()));
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
                    drop(reconcile(&client, &set).await);
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
        }
    }
}

async fn reconcile(client: &Client, set: &StatefulSet) -> Result<(), kube::Error> {
    let Some(name) = &set.metadata.name else { return Ok(()) };
    let spec = &set.spec;
    let namespace = set.metadata.namespace.as_deref().unwrap_or("default");
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
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
        pod["metadata"]["generateName"] = json!(format!("{name}-"));
        pod["spec"]["hostname"] = json!(pod_name);
        if let Some(service) = spec.service_name.as_deref().filter(|service| !service.is_empty()) {
            pod["spec"]["subdomain"] = json!(service);
        }
        pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = json!(pod_name);
        pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = json!(index.to_string());
        pod["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": set.metadata.uid,
            "controller": true, "blockOwnerDeletion": true,
        }]);
        add_claims(client, set, index, &mut pod).await?;
        if let Ok(pod) = serde_json::from_value::<Pod>(pod) {
            pods.create(&PostParams::default(), &pod).await?;
            made = true;
        }
    }
    scale_down(&pods, set, name, replicas).await?;
    let counted = set.status.as_ref().map(|s| (s.replicas, s.ready_replicas.unwrap_or(0)));
    if made || counted != Some((replicas, replicas)) {
        let status = json!({ "status": {
            "replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas, "currentReplicas": replicas,
            "updatedReplicas": replicas, "observedGeneration": set.metadata.generation,
        } });
        let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
        sets.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
    }
    Ok(())
}

/// Deletes the pods of a set whose number is beyond its replicas.
async fn scale_down(pods: &Api<Pod>, set: &StatefulSet, name: &str, replicas: i32) -> Result<(), kube::Error> {
    // How many there were: what the status says, or at least what the spec may have said before the status was written.
    let had = set.status.as_ref().map_or(0, |status| status.replicas);
    for index in replicas..had {
        match pods.delete(&format!("{name}-{index}"), &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// Makes the claims of a replica and adds them to its pod.
async fn add_claims(
    client: &Client,
    set: &StatefulSet,
    index: i32,
    pod: &mut serde_json::Value,
) -> Result<(), kube::Error> {
    use k8s_openapi::api::core::v1::PersistentVolumeClaim;
    let namespace = set.metadata.namespace.as_deref().unwrap_or("default");
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
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
