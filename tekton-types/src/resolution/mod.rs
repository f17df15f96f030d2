//! `resolution.tekton.dev`: requests for remote definitions.

pub mod v1alpha1;
pub mod v1beta1;

pub use v1beta1::{ResolutionRequest, ResolutionRequestSpec, ResolutionRequestStatus};
