//! References to tasks, pipelines and StepActions.

use tekton_types::v1::Param;

use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Stage};
use crate::names::{is_url_like, qualified_name_error};
use crate::rules::params;

/// A reference by name or through a resolver. `params` is `None` when the field is absent.
pub(crate) fn validate(gates: &Gates<'_>, name: &str, resolver: &str, params: Option<&[Param]>) -> Errors {
    let mut errors = Errors::none();
    let concise = || -> FieldError {
        FieldError::new(
            "feature flag enable-concise-resolver-syntax should be set to true to use concise resolver syntax",
            &[""],
        )
    };
    if !resolver.is_empty() || params.is_some() {
        if let Some(params) = params {
            errors.also(gates.require("resolver params", Stage::Beta).via_field("params"));
            if !name.is_empty() {
                errors.push(FieldError::multiple_one_of(&["name", "params"]));
            }
            if resolver.is_empty() {
                errors.push(FieldError::missing(&["resolver"]));
            }
            errors.also(params::validate_given(params));
        }
        if !resolver.is_empty() {
            errors.also(gates.require("resolver", Stage::Beta).via_field("resolver"));
            if !name.is_empty() {
                if !is_url_like(name) {
                    errors.push(FieldError::invalid_value("invalid URI for request", "name"));
                } else if !gates.concise_resolver_syntax {
                    errors.push(concise());
                }
            }
        }
    } else if name.is_empty() {
        errors.push(FieldError::missing(&["name"]));
    } else if is_url_like(name) {
        if !gates.concise_resolver_syntax {
            errors.push(concise());
        }
        errors.push(FieldError::missing(&["resolver"]));
    } else if let Some(problem) = qualified_name_error(name) {
        errors.push(FieldError::invalid_value(problem, "name"));
    }
    errors
}

/// The parameters of a reference as a rule sees them: an empty list counts as absent.
pub(crate) fn given(params: &[Param]) -> Option<&[Param]> {
    if params.is_empty() { None } else { Some(params) }
}
