//! CustomRuns. Rules stop at the first error here, as upstream's do.

use tekton_types::v1beta1::{CustomRun, CustomRunSpec};

use crate::errors::{Errors, FieldError};
use crate::rules::{metadata, params, workspace};

/// A CustomRun.
pub(crate) fn validate(run: &CustomRun) -> Errors {
    let errors = metadata::validate(&run.metadata).via_field("metadata");
    if errors.is_empty() { validate_spec(&run.spec) } else { errors }
}

/// What a CustomRun runs.
pub(crate) fn validate_spec(spec: &CustomRunSpec) -> Errors {
    if *spec == CustomRunSpec::default() {
        return FieldError::missing(&["spec"]).into();
    }
    let part = match (&spec.custom_ref, &spec.custom_spec) {
        (Some(_), Some(_)) => return FieldError::multiple_one_of(&["spec.customRef", "spec.customSpec"]).into(),
        (None, None) => return FieldError::missing_one_of(&["spec.customRef", "spec.customSpec"]).into(),
        (Some(r), None) => ("customRef", &r.api_version, &r.kind),
        (None, Some(s)) => ("customSpec", &s.api_version, &s.kind),
    };
    let (field, api_version, kind) = part;
    if api_version.is_empty() {
        return FieldError::missing(&[&format!("spec.{field}.apiVersion")]).into();
    }
    if kind.is_empty() {
        return FieldError::missing(&[&format!("spec.{field}.kind")]).into();
    }
    if spec.status.is_empty() && !spec.status_message.is_empty() {
        return FieldError::invalid_value(
            format!(
                "statusMessage should not be set if status is not set, but it is currently set to {}",
                spec.status_message
            ),
            "statusMessage",
        )
        .into();
    }
    let errors = params::validate_given(&spec.params).via_field("spec.params");
    if !errors.is_empty() {
        return errors;
    }
    workspace::validate_bindings(&spec.workspaces).via_field("spec.workspaces")
}
