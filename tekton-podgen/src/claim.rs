//! PersistentVolumeClaims that are made from the claim templates of workspaces.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimVolumeSource};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use tekton_types::v1::WorkspaceBinding;
use thiserror::Error;

const PROTECTION: &str = "kubernetes.io/pvc-protection";
const DIGITS: usize = 10;

/// The name of the claim of a workspace: the template's name (or `pvc`) and a hash over workspace and owner, so that
/// every child of a run finds the same claim.
pub fn claim_name(binding: &WorkspaceBinding, owner_uid: &str) -> String {
    let template = binding
        .volume_claim_template
        .as_ref()
        .and_then(|template| template.metadata.name.as_deref())
        .unwrap_or_default();
    named(template, &binding.name, owner_uid)
}

/// [`claim_name`] with the template's name given apart.
pub fn named(template: &str, workspace: &str, owner_uid: &str) -> String {
    let prefix = if template.is_empty() { "pvc" } else { template };
    format!("{prefix}-{}", short_hash(&format!("{workspace}{owner_uid}")))
}

/// The claim to create for a workspace, or `None` when the binding has no claim template.
pub fn claim(binding: &WorkspaceBinding, owner: &OwnerReference, namespace: &str) -> Option<PersistentVolumeClaim> {
    let template = binding.volume_claim_template.clone()?;
    let mut claim = PersistentVolumeClaim::from(template);
    claim.metadata.name = Some(claim_name(binding, &owner.uid));
    claim.metadata.namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
    claim.metadata.owner_references = Some(vec![owner.clone()]);
    Some(claim)
}

/// The JSON patch that lets a claim be deleted while a finished Pod still refers to it.
pub fn purge_finalizer(claim: &PersistentVolumeClaim) -> Value {
    let kept: Vec<&String> =
        claim.metadata.finalizers.iter().flatten().filter(|finalizer| *finalizer != PROTECTION).collect();
    let value = if kept.is_empty() { Value::Null } else { json!(kept) };
    json!([{"op": "replace", "path": "/metadata/finalizers", "value": value}])
}

/// What the API server said against something.
#[derive(Clone, Copy, Debug)]
pub struct ApiRefusal<'a> {
    /// The reason of its status, such as `Forbidden`.
    pub reason: &'a str,
    /// Its message.
    pub message: &'a str,
}

/// A claim that could not be created.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .text)]
pub struct ClaimFault {
    /// Whether time can help: a quota is used up, or somebody else was faster.
    pub retryable: bool,
    /// Whether it was the creation that failed, and not the look-up before it.
    pub creation: bool,
    /// What happened.
    pub text: String,
}

/// Judges a refused creation; `None` when the claim is there already, which is success.
pub fn creation_fault(claim: &str, refusal: ApiRefusal<'_>) -> Option<ClaimFault> {
    let ApiRefusal { reason, message } = refusal;
    if reason == "AlreadyExists" {
        return None;
    }
    let retryable = reason == "Conflict" || (reason == "Forbidden" && message.contains("exceeded quota"));
    let words = if retryable { "PVC creation error, retryable" } else { "PVC creation error" };
    Some(ClaimFault { retryable, creation: true, text: format!("{words} for {claim}: {message}") })
}

/// Judges a failed look-up.
pub fn lookup_fault(claim: &str, message: &str) -> ClaimFault {
    ClaimFault { retryable: false, creation: false, text: format!("failed to retrieve PVC {claim}: {message}") }
}

/// A binding to a claim.
pub fn binding(name: String, sub_path: String, claim: String) -> WorkspaceBinding {
    WorkspaceBinding {
        name,
        sub_path,
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name: claim, read_only: None }),
        ..WorkspaceBinding::default()
    }
}

/// The first ten hex digits of the SHA-256 of a text.
pub(crate) fn short_hash(text: &str) -> String {
    let mut digits = String::with_capacity(DIGITS);
    for byte in Sha256::digest(text.as_bytes()).iter().take(DIGITS / 2) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
