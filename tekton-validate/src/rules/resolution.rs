//! ResolutionRequests.

use std::collections::BTreeMap;

use crate::errors::{Errors, FieldError};

const TYPE_LABEL: &str = "resolution.tekton.dev/type";

/// A request names the type of its resolver in a label.
pub(crate) fn validate(labels: Option<&BTreeMap<String, String>>) -> Errors {
    if labels.and_then(|l| l.get(TYPE_LABEL)).is_some_and(|t| !t.is_empty()) {
        return Errors::none();
    }
    Errors::from(FieldError::missing(&[TYPE_LABEL])).via_field("labels").via_field("meta")
}
