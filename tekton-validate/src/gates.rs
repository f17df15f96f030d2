//! What the rules read from the configuration.

use crate::Operation;
use crate::errors::{Errors, FieldError};
use crate::text::quote;

/// Stability that a field needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Beta,
    Alpha,
}

/// The version in whose words errors are told; rules differ in a few places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V1beta1,
}

/// Feature gates, defaults, and where a rule is applied.
#[derive(Clone, Debug)]
pub(crate) struct Gates<'a> {
    pub(crate) version: Version,
    pub(crate) operation: Operation,
    pub(crate) api_fields: &'a str,
    pub(crate) artifacts: bool,
    pub(crate) cel: bool,
    pub(crate) param_enum: bool,
    pub(crate) concise_resolver_syntax: bool,
    pub(crate) disable_inline_spec: &'a str,
    pub(crate) default_timeout_minutes: i64,
    pub(crate) max_matrix_combinations: i64,
    pub(crate) forbidden_env: &'a [String],
}

impl Gates<'_> {
    /// An error, without a path, when `enable-api-fields` does not reach the stage.
    pub(crate) fn require(&self, feature: &str, stage: Stage) -> Errors {
        let wanted = match (stage, self.api_fields) {
            (Stage::Beta, "alpha" | "beta") | (Stage::Alpha, "alpha") => return Errors::none(),
            (Stage::Beta, _) => "\"alpha\" or \"beta\"",
            (Stage::Alpha, _) => "\"alpha\"",
        };
        let have = quote(self.api_fields);
        FieldError::new(
            format!("{feature} requires \"enable-api-fields\" feature gate to be {wanted} but it is {have}"),
            &[],
        )
        .into()
    }

    /// Whether specs in place are switched off for `pipeline`, `taskrun` or `pipelinerun`.
    pub(crate) fn inline_spec_disabled(&self, place: &str) -> bool {
        self.disable_inline_spec.split(',').any(|p| p == place)
    }

    pub(crate) fn is_beta_version(&self) -> bool {
        self.version == Version::V1beta1
    }
}
