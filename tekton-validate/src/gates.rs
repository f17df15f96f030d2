//! What the rules read from the configuration.

use tekton_types::config::Config;

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
pub enum Version {
    /// `tekton.dev/v1`.
    V1,
    /// `tekton.dev/v1beta1`.
    V1beta1,
}

/// Feature gates, defaults, and where a rule is applied.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a gate of the configuration, by its name there")]
pub(crate) struct Gates<'a> {
    pub(crate) version: Version,
    pub(crate) config: &'a Config,
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

impl<'a> Gates<'a> {
    pub(crate) fn new(config: &'a Config, version: Version) -> Self {
        let flags = &config.feature_flags;
        let defaults = &config.defaults;
        Self {
            version,
            config,
            api_fields: &flags.enable_api_fields,
            artifacts: flags.enable_artifacts,
            cel: flags.enable_cel_in_when_expression,
            param_enum: flags.enable_param_enum,
            concise_resolver_syntax: flags.enable_concise_resolver_syntax,
            disable_inline_spec: &flags.disable_inline_spec,
            default_timeout_minutes: defaults.default_timeout_minutes,
            max_matrix_combinations: defaults.default_max_matrix_combinations_count,
            forbidden_env: &defaults.default_forbidden_env,
        }
    }

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
