//! `tekton.dev/v1alpha1`: StepAction as an older version, and VerificationPolicy.

mod stepaction;
mod verificationpolicy;

pub use stepaction::StepAction;
pub use verificationpolicy::{
    Authority, KeyRef, ResourcePattern, VerificationPolicy, VerificationPolicySpec, hash_algorithm, mode,
};

pub use crate::v1beta1::StepActionSpec;
