//! VerificationPolicies: which of them cover a source, and the keys that they name.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use regex::bytes::RegexBuilder;
use tekton_types::v1alpha1::{KeyRef, VerificationPolicy, hash_algorithm};

use super::key::{Hash, PublicKey};
use crate::pass::{Pass, Stop};

/// Why no policy was chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PolicyFault {
    /// No policy covers the source.
    NoMatch { resource: String, source: String },
    /// A pattern is no regular expression.
    Pattern(String),
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch { resource, source } => write!(
                f,
                "no policies are matched: no matching policies are found for resource: {resource} against source: {source}"
            ),
            Self::Pattern(error) => write!(f, "{error}: regex failed to match"),
        }
    }
}

/// The policies with a pattern that matches the whole source.
pub(super) fn covering<'p>(
    policies: &[&'p Arc<VerificationPolicy>],
    resource: &str,
    source: &str,
) -> Result<Vec<&'p VerificationPolicy>, PolicyFault> {
    let trimmed = source.trim();
    let plain = trimmed.strip_prefix("git+").unwrap_or(trimmed);
    let mut covering = Vec::new();
    for policy in policies {
        for resource in &policy.spec.resources {
            if matches(&resource.pattern, plain)? {
                covering.push(&***policy);
                break;
            }
        }
    }
    if covering.is_empty() {
        return Err(PolicyFault::NoMatch { resource: resource.to_owned(), source: source.to_owned() });
    }
    Ok(covering)
}

fn matches(pattern: &str, source: &str) -> Result<bool, PolicyFault> {
    let anchored = anchored(pattern);
    tekton_validate::pattern::check(&anchored).map_err(PolicyFault::Pattern)?;
    // Go's classes are those of ASCII.
    let expression = RegexBuilder::new(&anchored).unicode(false).build();
    let expression = expression.map_err(|error| PolicyFault::Pattern(error.to_string()))?;
    Ok(expression.is_match(source.as_bytes()))
}

/// The pattern made to match the whole source, so that a trusted URL inside another one does not count.
fn anchored(pattern: &str) -> String {
    match (pattern.strip_prefix('^'), pattern.strip_suffix('$')) {
        (Some(_), Some(_)) => pattern.to_owned(),
        (Some(rest), None) | (None, Some(rest)) => format!("^(?:{rest})$"),
        (None, None) => format!("^(?:{pattern})$"),
    }
}

/// The keys of a policy.
///
/// Errors: the text about the first that cannot be had.
pub(super) fn keys(
    pass: &mut Pass<'_>,
    policy: &VerificationPolicy,
) -> Result<Result<Vec<(PublicKey, Hash)>, String>, Stop> {
    let mut keys = Vec::with_capacity(policy.spec.authorities.len());
    for authority in &policy.spec.authorities {
        let Some(reference) = &authority.key else { return Ok(Err(EMPTY_KEY.to_owned())) };
        let Some(hash) = hash_called(&reference.hash_algorithm) else {
            return Ok(Err(format!(
                "authority {:?} contains an invalid hash algorithm: unknown digest algorithm: {}",
                authority.name, reference.hash_algorithm
            )));
        };
        match key(pass, reference, hash)? {
            Ok(key) => keys.push((key, hash)),
            Err(text) => return Ok(Err(text)),
        }
    }
    Ok(if keys.is_empty() { Err("no public keys are founded".to_owned()) } else { Ok(keys) })
}

const EMPTY_KEY: &str = "key doesn't contain data or keyRef";

fn hash_called(name: &str) -> Option<Hash> {
    match name.to_lowercase().as_str() {
        "" | hash_algorithm::SHA256 => Some(Hash::Sha256),
        hash_algorithm::SHA224 => Some(Hash::Sha224),
        hash_algorithm::SHA384 => Some(Hash::Sha384),
        hash_algorithm::SHA512 => Some(Hash::Sha512),
        _ => None,
    }
}

fn key(pass: &mut Pass<'_>, reference: &KeyRef, hash: Hash) -> Result<Result<PublicKey, String>, Stop> {
    if !reference.data.is_empty() {
        let key = PublicKey::from_pem(reference.data.as_bytes(), hash);
        return Ok(key.map_err(|fault| format!("failed to get verifier from data: {fault}")));
    }
    if let Some(secret) = &reference.secret_ref {
        let namespace = secret.namespace.as_deref().unwrap_or_default();
        let name = secret.name.as_deref().unwrap_or_default();
        let key = in_secret(pass, namespace, name, hash)?;
        return Ok(key.map_err(|text| format!("failed to get verifier from secret: {text}")));
    }
    Ok(Err(if reference.kms.is_empty() {
        EMPTY_KEY.to_owned()
    } else {
        format!(
            "failed to get verifier from kms: no kms provider found for key reference: {}: this controller reads no \
             key management system, put the public key into data or secretRef",
            reference.kms
        )
    }))
}

/// The one key in a Secret.
fn in_secret(pass: &mut Pass<'_>, namespace: &str, name: &str, hash: Hash) -> Result<Result<PublicKey, String>, Stop> {
    let secret = match pass.object::<Secret>(namespace, name)? {
        Ok(secret) => secret,
        Err(fault) => return Ok(Err(format!("failed to get secret: secret not found: {}", fault.text))),
    };
    let reference = format!("k8s://{namespace}/{name}");
    let mut entries = secret.data.iter().flatten();
    Ok(match (entries.next(), entries.next()) {
        (None, _) => Err(format!("secret {reference:?} contains no data secret data is empty")),
        (Some(_), Some(_)) => Err(format!(
            "secret {reference:?} contains multiple data entries, only one is supported. secret contains multiple data"
        )),
        (Some((_, data)), None) => PublicKey::from_pem(&data.0, hash)
            .map_err(|fault| format!("failed to get verifier from secret data: {fault}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_source() {
        assert_eq!(
            matches("https://github.com/tektoncd/catalog.git", "https://github.com/tektoncd/catalog.git"),
            Ok(true)
        );
        assert_eq!(
            matches("https://github.com/tektoncd/catalog.git", "https://evil/?https://github.com/tektoncd/catalog.git"),
            Ok(false)
        );
        assert_eq!(matches("^https://.*", "https://a"), Ok(true));
        assert_eq!(matches("a|b$", "ab"), Ok(false));
        assert_eq!(matches("", "x"), Ok(false));
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_in_gos_words() {
        assert_eq!(
            matches("(", "x").map_err(|fault| fault.to_string()),
            Err("error parsing regexp: missing closing ): `^(?:()$`: regex failed to match".to_owned())
        );
    }
}
