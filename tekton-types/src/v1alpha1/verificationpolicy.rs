//! VerificationPolicy: which signatures remote definitions must have.

use k8s_openapi::api::core::v1::SecretReference;

use crate::wire::{kind, wire};

kind! {
    /// Which signatures remote definitions must have.
    pub struct VerificationPolicy("tekton.dev", "v1alpha1", "verificationpolicies") {
        /// The policy.
        pub spec: VerificationPolicySpec,
    }
}

wire! {
    /// A policy: sources and the keys that must have signed them.
    pub struct VerificationPolicySpec {
        /// Sources that the policy covers.
        pub always resources: Vec<ResourcePattern>,
        /// Keys, any of which must have signed.
        pub always authorities: Vec<Authority>,
        /// One of [`mode`]; `enforce` when empty.
        pub mode: String,
    }
}

/// Values of `VerificationPolicySpec::mode`.
pub mod mode {
    /// A failed verification is only reported.
    pub const WARN: &str = "warn";
    /// A failed verification fails the run.
    pub const ENFORCE: &str = "enforce";
}

wire! {
    /// A regular expression over the sources of definitions.
    pub struct ResourcePattern {
        /// The regular expression.
        pub always pattern: String,
    }
}

wire! {
    /// One key.
    pub struct Authority {
        /// Name of the authority.
        pub always name: String,
        /// Its key.
        pub key: Option<KeyRef>,
    }
}

wire! {
    /// Where a public key is.
    pub struct KeyRef {
        /// In a Secret.
        pub secret_ref: Option<SecretReference>,
        /// In place.
        pub data: String,
        /// In a key management system.
        pub kms: String,
        /// One of [`hash_algorithm`]; `sha256` when empty.
        pub hash_algorithm: String,
    }
}

/// Values of `KeyRef::hash_algorithm`.
pub mod hash_algorithm {
    /// SHA-224.
    pub const SHA224: &str = "sha224";
    /// SHA-256.
    pub const SHA256: &str = "sha256";
    /// SHA-384.
    pub const SHA384: &str = "sha384";
    /// SHA-512.
    pub const SHA512: &str = "sha512";
}
