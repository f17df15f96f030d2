//! CustomRuns. Rules stop at the first error here, as upstream's do.

use tekton_types::v1beta1::{CustomRun, CustomRunSpec};

use crate::errors::{Errors, FieldError};
use crate::rules::{metadata, params, workspace};

/// Paths of the reference and of the spec in place.
pub(crate) type Fields = (&'static str, &'static str);

/// The paths of a CustomRun.
pub(crate) const CUSTOM_RUN: Fields = ("spec.customRef", "spec.customSpec");

/// The paths of the former Run.
pub(crate) const RUN: Fields = ("spec.ref", "spec.spec");

/// A CustomRun.
pub(crate) fn validate(run: &CustomRun, fields: Fields) -> Errors {
    let errors = metadata::validate(&run.metadata).via_field("metadata");
    if errors.is_empty() { validate_spec(&run.spec, fields) } else { errors }
}

/// What a CustomRun runs.
fn validate_spec(spec: &CustomRunSpec, (by_ref, by_spec): Fields) -> Errors {
    if *spec == CustomRunSpec::default() {
        return FieldError::missing(&["spec"]).into();
    }
    let part = match (&spec.custom_ref, &spec.custom_spec) {
        (Some(_), Some(_)) => return FieldError::multiple_one_of(&[by_ref, by_spec]).into(),
        (None, None) => return FieldError::missing_one_of(&[by_ref, by_spec]).into(),
        (Some(r), None) => (by_ref, &r.api_version, &r.kind),
        (None, Some(s)) => (by_spec, &s.api_version, &s.kind),
    };
    let (field, api_version, kind) = part;
    if api_version.is_empty() {
        return FieldError::missing(&[&format!("{field}.apiVersion")]).into();
    }
    if kind.is_empty() {
        return FieldError::missing(&[&format!("{field}.kind")]).into();
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
