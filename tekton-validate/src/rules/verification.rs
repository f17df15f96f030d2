//! VerificationPolicies.

use tekton_types::v1alpha1::{KeyRef, VerificationPolicy, mode};

use crate::errors::{Errors, FieldError};
use crate::pattern;
use crate::rules::metadata;

const HASHES: [&str; 5] = ["", "sha224", "sha256", "sha384", "sha512"];

/// A VerificationPolicy.
pub(crate) fn validate(policy: &VerificationPolicy) -> Errors {
    let mut errors = metadata::validate(&policy.metadata).via_field("metadata");
    let spec = &policy.spec;
    if spec.resources.is_empty() {
        errors.push(FieldError::missing(&["resources"]));
    }
    for resource in &spec.resources {
        if let Err(problem) = pattern::check(&resource.pattern) {
            errors.push(
                FieldError::invalid_value(&resource.pattern, "ResourcePattern")
                    .details(format!("resourcePattern cannot be compiled by regex: {problem}")),
            );
        }
    }
    if spec.authorities.is_empty() {
        errors.push(FieldError::missing(&["authorities"]));
    }
    for (index, authority) in spec.authorities.iter().enumerate() {
        if let Some(key) = &authority.key {
            errors.also(validate_key(key).via_field_index("key", index));
        }
    }
    if ![mode::ENFORCE, mode::WARN, ""].contains(&spec.mode.as_str()) {
        errors.push(FieldError::invalid_value(
            format!("available values are: {}, {}, but got: {}", mode::ENFORCE, mode::WARN, spec.mode),
            "mode",
        ));
    }
    errors
}

fn validate_key(key: &KeyRef) -> Errors {
    const WAYS: [&str; 3] = ["data", "kms", "secretref"];
    let mut errors = Errors::none();
    let given = [!key.data.is_empty(), key.secret_ref.is_some(), !key.kms.is_empty()];
    match given.iter().filter(|g| **g).count() {
        0 => errors.push(FieldError::missing_one_of(&WAYS)),
        1 => {}
        _ => errors.push(FieldError::multiple_one_of(&WAYS)),
    }
    if !HASHES.contains(&key.hash_algorithm.to_lowercase().as_str()) {
        errors.push(FieldError::invalid_value(&key.hash_algorithm, "HashAlgorithm"));
    }
    errors
}
