//! Claims made from the volumeClaimTemplates of a run's workspaces.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimVolumeSource};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tekton_podgen::claim;
use tekton_types::v1::WorkspaceBinding;

use crate::pass::{Pass, Stop};

/// The reason of a run whose claims could not be created.
pub(crate) const COULDNT_CREATE: &str = "CouldntCreateWorkspacePVC";

/// A claim that could not be created.
#[derive(Debug)]
pub(crate) struct ClaimFault {
    /// Whether time can help.
    pub(crate) retryable: bool,
    /// Whether it was the creation that failed, and not the look-up.
    pub(crate) creation: bool,
    /// What happened.
    pub(crate) text: String,
}

/// A binding to a claim.
pub(crate) fn binding(name: String, sub_path: String, claim: String) -> WorkspaceBinding {
    WorkspaceBinding {
        name,
        sub_path,
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name: claim, read_only: None }),
        ..WorkspaceBinding::default()
    }
}

/// Has the claim of the binding's template created, unless it exists.
pub(crate) fn ensure(
    pass: &mut Pass<'_>,
    binding: &WorkspaceBinding,
    owner: &OwnerReference,
    namespace: &str,
) -> Result<Result<(), ClaimFault>, Stop> {
    let Some(claim) = claim::claim(binding, owner, namespace) else { return Ok(Ok(())) };
    let name = claim.metadata.name.clone().unwrap_or_default();
    match pass.fresh::<PersistentVolumeClaim>(namespace, &name)? {
        Ok(_) => return Ok(Ok(())),
        Err(fault) if fault.is_not_found() => {}
        Err(fault) => {
            let text = format!("failed to retrieve PVC {name}: {}", fault.text);
            return Ok(Err(ClaimFault { retryable: false, creation: false, text }));
        }
    }
    Ok(match pass.create(claim)? {
        Err(fault) if !fault.is_already_exists() => {
            let retryable = fault.is_conflict() || (fault.is_forbidden() && fault.text.contains("exceeded quota"));
            let words = if retryable { "PVC creation error, retryable" } else { "PVC creation error" };
            Err(ClaimFault { retryable, creation: true, text: format!("{words} for {name}: {}", fault.text) })
        }
        _ => Ok(()),
    })
}
