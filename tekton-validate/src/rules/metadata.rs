//! Names of objects.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::errors::{Errors, FieldError};
use crate::names::{DNS_LABEL_MAX, is_dns_subdomain};
use crate::text::quote;

/// A DNS subdomain of at most 63 bytes.
pub(crate) fn validate(metadata: &ObjectMeta) -> Errors {
    let name = metadata.name.as_deref().unwrap_or_default();
    if !is_dns_subdomain(name) {
        return FieldError::new(format!("invalid resource name {}: must be a valid DNS label", quote(name)), &["name"])
            .into();
    }
    if name.len() > DNS_LABEL_MAX {
        return FieldError::new("Invalid resource name: length must be no more than 63 characters", &["name"]).into();
    }
    Errors::none()
}
