//! Persistent volume claims: a directory each, bound when the first pod asks for it.

use super::super::Context;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The pods that have a claim of mode `ReadWriteOncePod` for themselves, by namespace and name of the claim.
#[derive(Debug, Default)]
pub(in crate::node) struct Exclusive(Mutex<BTreeMap<(String, String), String>>);

impl Exclusive {
    /// Gives claims to a pod, all or none of them.
    fn enter(&self, uid: &str, claims: &[(String, String)]) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = claims.iter().all(|claim| held.get(claim).is_none_or(|holder| holder == uid));
        if free {
            held.extend(claims.iter().map(|claim| (claim.clone(), uid.to_owned())));
        }
        free
    }

    /// A pod that has ended lets go of its claims.
    pub(in crate::node) fn leave(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, holder| holder != uid);
    }
}

/// Whether the claims of a pod let it run now.
///
/// Errors: why no node takes it, in the scheduler's words.
pub(in crate::node) async fn admit(ctx: &Context, pod: &Pod) -> Result<(), String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let names = volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()));
    let api = Api::<PersistentVolumeClaim>::namespaced(ctx.client.clone(), namespace);
    let mut exclusive = Vec::new();
    for name in names {
        match api.get_opt(name).await {
            Ok(None) => return Err(format!("persistentvolumeclaim \"{name}\" not found")),
            Ok(Some(claim)) if claim.metadata.deletion_timestamp.is_some() => {
                return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
            }
            Ok(Some(claim)) if modes(&claim).iter().any(|mode| mode == "ReadWriteOncePod") => {
                exclusive.push((namespace.to_owned(), name.to_owned()));
            }
            // A server that does not answer now is asked again when the volume is made.
            Ok(Some(_)) | Err(_) => {}
        }
    }
    if ctx.claims.enter(pod.metadata.uid.as_deref().unwrap_or_default(), &exclusive) {
        return Ok(());
    }
    Err("1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode".to_owned())
}

fn modes(claim: &PersistentVolumeClaim) -> &[String] {
    claim.spec.as_ref().and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default()
}

/// The directory of a claim, bound, and whether it is only read. Errors: a text for `FailedMount`.
pub(super) async fn directory(ctx: &Context, pod: &Pod, name: &str) -> Result<(PathBuf, bool), String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let claims = Api::<PersistentVolumeClaim>::namespaced(ctx.client.clone(), namespace);
    let claim = claims
        .get_opt(name)
        .await
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("persistentvolumeclaim \"{name}\" not found"))?;
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
    }
    let read_only = !modes(&claim).is_empty() && modes(&claim).iter().all(|mode| mode == "ReadOnlyMany");
    Ok((ensure(ctx, &claim).await?, read_only))
}

/// Whether a claim is bound before a pod uses it: it names its volume, no class at all, or a class that exists here.
pub(in crate::node) async fn provisioned(ctx: &Context, claim: &PersistentVolumeClaim) -> bool {
    let Some(spec) = &claim.spec else { return true };
    match spec.storage_class_name.as_deref().filter(|class| !class.is_empty()) {
        Some(class) if spec.volume_name.is_none() => {
            let classes = Api::<StorageClass>::all(ctx.client.clone());
            // A server without this kind cannot say; then the first pod decides.
            matches!(classes.get_opt(class).await, Ok(Some(_)))
        }
        _ => true,
    }
}

/// Makes the directory of a claim and binds it, once.
pub(in crate::node) async fn ensure(ctx: &Context, claim: &PersistentVolumeClaim) -> Result<PathBuf, String> {
    let made = given(ctx, claim).await?;
    let dir = made.clone().unwrap_or_else(|| path(ctx, claim));
    let phase = claim.status.as_ref().and_then(|s| s.phase.as_deref());
    if claim.metadata.deletion_timestamp.is_some() {
        return Ok(dir);
    }
    if made.is_none() {
        std::fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
    }
    if phase != Some("Bound") {
        let namespace = claim.metadata.namespace.as_deref().unwrap_or("default");
        let claims = Api::<PersistentVolumeClaim>::namespaced(ctx.client.clone(), namespace);
        bind(ctx, &claims, claim, &dir).await.map_err(|error| error.to_string())?;
    }
    Ok(dir)
}

/// The directory of the host that the claim's volume stands for, when the claim names a volume that was there before.
async fn given(ctx: &Context, claim: &PersistentVolumeClaim) -> Result<Option<PathBuf>, String> {
    let Some(name) = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    let volume = Api::<PersistentVolume>::all(ctx.client.clone()).get_opt(name).await.map_err(|e| e.to_string())?;
    let Some(host) = volume.and_then(|volume| volume.spec?.host_path) else { return Ok(None) };
    let dir = PathBuf::from(&host.path);
    if dir == path(ctx, claim) {
        return Ok(None);
    }
    if ctx.allows_host_path(&dir) { Ok(Some(dir)) } else { Err(super::not_allowed(&host.path)) }
}

/// Removes what a claim that has gone leaves behind.
pub(in crate::node) async fn release(ctx: &Context, claim: &PersistentVolumeClaim) {
    if let Some(name) = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()) {
        let volumes = Api::<PersistentVolume>::all(ctx.client.clone());
        let policy = |volume: PersistentVolume| volume.spec?.persistent_volume_reclaim_policy;
        // A server without this kind never had the volume.
        let volume = volumes.get_opt(name).await.ok().flatten();
        if volume.and_then(policy).as_deref() == Some("Delete") {
            drop(volumes.delete(name, &DeleteParams::default()).await);
        }
    }
    super::super::files::remove(path(ctx, claim)).await;
}

/// Where a claim keeps its files.
pub(in crate::node) fn path(ctx: &Context, claim: &PersistentVolumeClaim) -> PathBuf {
    ctx.data_dir.join("volumes").join(claim.metadata.uid.as_deref().unwrap_or("unknown"))
}

async fn bind(
    ctx: &Context,
    claims: &Api<PersistentVolumeClaim>,
    claim: &PersistentVolumeClaim,
    dir: &std::path::Path,
) -> Result<(), kube::Error> {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    let volume = claim
        .spec
        .as_ref()
        .and_then(|s| s.volume_name.clone())
        .filter(|n| !n.is_empty())
        .unwrap_or_else(|| format!("pvc-{uid}"));
    let modes =
        claim.spec.as_ref().and_then(|s| s.access_modes.clone()).unwrap_or_else(|| vec!["ReadWriteOnce".into()]);
    let capacity =
        claim.spec.as_ref().and_then(|s| s.resources.as_ref()).and_then(|r| r.requests.clone()).unwrap_or_default();
    let object = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": { "name": volume },
        "spec": {
            "accessModes": modes, "capacity": capacity, "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": { "path": dir },
            "claimRef": { "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name, "uid": uid,
                "namespace": claim.metadata.namespace },
        },
    });
    if let Ok(object) = serde_json::from_value::<PersistentVolume>(object) {
        // A server without this kind still has the claim bound.
        drop(Api::<PersistentVolume>::all(ctx.client.clone()).create(&PostParams::default(), &object).await);
    }
    let params = PatchParams::default();
    claims.patch(name, &params, &Patch::Merge(json!({ "spec": { "volumeName": volume } }))).await?;
    let status = json!({ "status": { "phase": "Bound", "accessModes": modes, "capacity": capacity } });
    claims.patch_status(name, &params, &Patch::Merge(status)).await?;
    Ok(())
}
