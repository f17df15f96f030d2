//! Claims made from the volumeClaimTemplates of a run's workspaces.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tekton_podgen::claim::{self, ApiRefusal, ClaimFault};
use tekton_types::v1::WorkspaceBinding;

use crate::pass::{Pass, Stop};

/// The reason of a run whose claims could not be created.
pub(crate) const COULDNT_CREATE: &str = "CouldntCreateWorkspacePVC";

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
        Err(fault) => return Ok(Err(claim::lookup_fault(&name, &fault.text))),
    }
    let refused = pass.create(claim)?.err();
    let judged = refused.and_then(|fault| {
        claim::creation_fault(&name, ApiRefusal { reason: fault.known_reason(), message: &fault.text })
    });
    Ok(judged.map_or(Ok(()), Err))
}
