//! Trusted resources: whether a definition from elsewhere carries a signature that the policies of its namespace ask for.
//!
//! A policy covers the sources that match one of its patterns. A definition must satisfy every covering policy that
//! enforces; what fails only policies that warn may run. A policy is satisfied by a signature of any of its keys.
//!
//! Source: trusted-resources.md.

mod key;
pub mod manifest;
mod policy;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};
use tekton_types::canonical;
use tekton_types::condition::{self, Condition};
use tekton_types::object::Object;
use tekton_types::v1::RefSource;
use tekton_types::v1alpha1::{VerificationPolicy, mode};

pub use key::{Hash, KeyFault, PublicKey, SigningKey};

use crate::pass::{Pass, Stop};

/// The condition that says whether definitions were verified.
pub(crate) const CONDITION: &str = "TrustedResourcesVerified";
/// What begins the text about a signature that no key made.
const VERIFICATION_FAILED: &str = "resource verification failed";

/// What a signature is made over: the SHA-256 of the definition as upstream prints it. `None` for kinds that carry no
/// signature; Tasks and Pipelines of v1 and v1beta1 do.
///
/// The definition must have its defaults.
pub fn checksum(definition: &Object) -> Option<[u8; 32]> {
    let text = canonical::signed_text(definition)?;
    Some(Sha256::digest(text).into())
}

/// What came of looking at the signature of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verification {
    /// Nobody asks for a signature.
    Skipped,
    /// The signature is one that the policies ask for.
    Passed,
    /// It is not, and the run may go on.
    Warned(String),
    /// It is not, and the run must not go on.
    Failed(String),
}

impl Verification {
    /// The condition that tells of it; `None` when there is nothing to tell.
    pub(crate) fn condition(&self) -> Option<Condition> {
        let (status, message) = match self {
            Self::Skipped => return None,
            Self::Passed => (condition::TRUE, ""),
            Self::Warned(text) | Self::Failed(text) => (condition::FALSE, text.as_str()),
        };
        Some(Condition {
            type_: CONDITION.to_owned(),
            status: status.to_owned(),
            message: message.to_owned(),
            ..Condition::default()
        })
    }
}

/// Looks at the signature of a definition that a resolver delivered for a run in `namespace`.
pub(crate) fn verify(
    pass: &mut Pass<'_>,
    namespace: &str,
    definition: &Object,
    source: Option<&RefSource>,
) -> Result<Verification, Stop> {
    let Some(metadata) = definition.metadata() else { return Ok(Verification::Skipped) };
    let policies = match policies(pass, namespace)? {
        Ok(policies) => policies,
        Err(text) => return Err(Stop::transient(text)),
    };
    let uri = source.map(|source| source.uri.as_str()).unwrap_or_default();
    let name = metadata.name.as_deref().unwrap_or_default();
    let covering = match policy::covering(&policies, name, uri) {
        Ok(covering) => covering,
        Err(fault) => {
            let text = format!("failed to get matched policies: {fault}");
            let no_match = pass.env.config.feature_flags.verification_no_match_policy.as_str();
            return Ok(match (fault, no_match) {
                (policy::PolicyFault::NoMatch { .. }, "ignore") => Verification::Skipped,
                (policy::PolicyFault::NoMatch { .. }, "warn") => Verification::Warned(text),
                _ => Verification::Failed(text),
            });
        }
    };
    let signature = metadata.annotations.as_ref().and_then(|all| all.get(canonical::SIGNATURE));
    let signature = match signature.map(|text| crate::refs::decode_base64(text)).transpose() {
        Ok(signature) => signature.unwrap_or_default(),
        Err(at) => return Ok(Verification::Failed(format!("illegal base64 data at input byte {at}"))),
    };
    let Some(checksum) = checksum(definition) else { return Ok(Verification::Skipped) };
    let (warning, enforcing): (Vec<_>, Vec<_>) =
        covering.into_iter().partition(|policy| policy.spec.mode == mode::WARN);
    let signed = Signed { metadata, checksum: &checksum, signature: &signature };
    for policy in enforcing {
        match satisfied(pass, policy, &signed)? {
            Ok(true) => {}
            Ok(false) => return Ok(Verification::Failed(signed.refusal())),
            Err(fault) => {
                return Ok(Verification::Failed(format!("failed to get verifiers from policy: {fault}")));
            }
        }
    }
    for policy in warning {
        match satisfied(pass, policy, &signed)? {
            Ok(true) => {}
            Ok(false) => return Ok(Verification::Warned(signed.refusal())),
            Err(fault) => {
                let (name, namespace) = signed.name();
                return Ok(Verification::Warned(format!(
                    "failed to get verifiers for resource {name} from namespace {namespace}: {fault}"
                )));
            }
        }
    }
    Ok(Verification::Passed)
}

/// The policies of a namespace; none where the cluster does not know the kind.
fn policies<'a>(
    pass: &mut Pass<'a>,
    namespace: &str,
) -> Result<Result<Vec<&'a std::sync::Arc<VerificationPolicy>>, String>, Stop> {
    Ok(match pass.list::<VerificationPolicy>(namespace, BTreeMap::new())? {
        Ok(policies) => Ok(policies),
        Err(fault) if fault.is_not_found() => Ok(Vec::new()),
        Err(fault) => {
            Err(format!("failed to list VerificationPolicies from namespace {namespace} with error {}", fault.text))
        }
    })
}

/// A definition as its signature sees it.
struct Signed<'d> {
    metadata: &'d ObjectMeta,
    checksum: &'d [u8],
    signature: &'d [u8],
}

impl Signed<'_> {
    fn name(&self) -> (&str, &str) {
        (self.metadata.name.as_deref().unwrap_or_default(), self.metadata.namespace.as_deref().unwrap_or_default())
    }

    fn refusal(&self) -> String {
        let (name, namespace) = self.name();
        format!("{VERIFICATION_FAILED}: resource {name} in namespace {namespace} fails verification")
    }
}

/// Whether one of the keys of the policy made the signature.
///
/// Errors: a key of the policy cannot be had, whichever other keys there are.
fn satisfied(
    pass: &mut Pass<'_>,
    policy: &VerificationPolicy,
    signed: &Signed<'_>,
) -> Result<Result<bool, String>, Stop> {
    let keys = match policy::keys(pass, policy)? {
        Ok(keys) => keys,
        Err(fault) => return Ok(Err(fault)),
    };
    Ok(Ok(keys.iter().any(|(key, hash)| key.verify(*hash, signed.checksum, signed.signature))))
}
