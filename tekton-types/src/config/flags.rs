//! Feature flags: one table, from which parsing, defaults and documentation come.

use std::collections::BTreeMap;

use super::ConfigError;
use super::go::{parse_bool, parse_int};
use crate::wire::{lenient, skip};

/// The feature flags in force. [`Default`] is what an empty ConfigMap means.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "one field per flag of the ConfigMap")]
pub struct FeatureFlags {
    /// Do not copy credentials of the service account into steps.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub disable_creds_init: bool,
    /// Pods may get sidecars from the cluster; the first step waits for them.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub running_in_env_with_injected_sidecars: bool,
    /// SSH secrets for git must list known hosts.
    #[serde(rename = "requireGitSSHSecretKnownHosts")]
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub require_git_ssh_secret_known_hosts: bool,
    /// The least stable fields that are allowed.
    #[serde(rename = "enableAPIFields")]
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_api_fields: String,
    /// Send CloudEvents for custom runs (deprecated).
    #[serde(rename = "sendCloudEventsForRuns")]
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub send_cloudevents_for_runs: bool,
    /// The first step waits until sidecars are ready.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub await_sidecar_readiness: bool,
    /// Sign results so that they cannot be forged.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enforce_nonfalsifiability: String,
    /// Cancelling stops the steps but keeps the pod.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_keep_pod_on_cancel: bool,
    /// What happens to a remote definition that no policy covers.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub verification_no_match_policy: String,
    /// Write provenance into the status of runs.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_provenance_in_status: bool,
    /// How results leave the pod.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub result_extraction_method: String,
    /// The largest result in bytes, with sidecar logs.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub max_result_size: i64,
    /// Give the containers that Tekton adds a restricted security context.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub set_security_context: bool,
    /// Give the containers that Tekton adds a read-only root file system.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub set_security_context_read_only_root_filesystem: bool,
    /// Which pods of a PipelineRun must share a node.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub coschedule: String,
    /// Allow CEL in guards.
    #[serde(rename = "enableCELInWhenExpression")]
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_cel_in_when_expression: bool,
    /// Has no effect: StepActions are stable.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_step_actions: bool,
    /// Allow enums of parameters.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_param_enum: bool,
    /// Allow artifacts.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_artifacts: bool,
    /// Kinds whose specs must be references: pipeline, taskrun, pipelinerun.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub disable_inline_spec: String,
    /// Allow URL-like references.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_concise_resolver_syntax: bool,
    /// Run sidecars as native Kubernetes sidecars.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_kubernetes_sidecar: bool,
    /// Wait exponentially longer between tries.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_wait_exponential_backoff: bool,
    /// Compress termination messages so that more results fit.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub enable_termination_message_compression: bool,
    /// Has no effect; kept so that old objects can be read.
    #[serde(rename = "enableTektonOCIBundles")]
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "skip")]
    pub deprecated_enable_tekton_oci_bundles: Option<bool>,
}

/// How stable a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// May change or go.
    Alpha,
    /// Stays, may change in detail.
    Beta,
    /// Stays as it is.
    Stable,
}

impl Stage {
    /// The word for it in `enable-api-fields`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Stable => "stable",
        }
    }
}

/// One row of the table of flags.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Key in the ConfigMap.
    pub key: &'static str,
    /// Stage of the feature.
    pub stage: Stage,
    /// Value when the key is absent.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
    kind: FlagKind,
}

#[derive(Clone, Copy, Debug)]
enum FlagKind {
    Bool(fn(&mut FeatureFlags) -> &mut bool),
    /// A boolean whose error names the flag.
    Feature(fn(&mut FeatureFlags) -> &mut bool),
    Choice(&'static [&'static str], fn(&mut FeatureFlags) -> &mut String),
    Size(fn(&mut FeatureFlags) -> &mut i64),
    Text(fn(&mut FeatureFlags) -> &mut String),
}

impl Flag {
    /// The values that are allowed, for flags that have a list of them.
    pub const fn choices(&self) -> &'static [&'static str] {
        match self.kind {
            FlagKind::Choice(choices, _) => choices,
            FlagKind::Bool(_) | FlagKind::Feature(_) => &["true", "false"],
            FlagKind::Size(_) | FlagKind::Text(_) => &[],
        }
    }

    /// Which values are allowed, in words, for flags that have no list of them.
    pub const fn values(&self) -> &'static str {
        match self.kind {
            FlagKind::Choice(..) | FlagKind::Bool(_) | FlagKind::Feature(_) => "one of a list",
            FlagKind::Size(_) => "a number of bytes below 1572864",
            FlagKind::Text(_) => "kinds, separated by commas",
        }
    }

    fn set(&self, flags: &mut FeatureFlags, value: &str) -> Result<(), ConfigError> {
        let failed = |error| ConfigError(format!("failed parsing feature flags config {value:?}: {error}"));
        match self.kind {
            FlagKind::Bool(field) => *field(flags) = parse_bool(value).map_err(failed)?,
            FlagKind::Feature(field) => {
                *field(flags) = parse_bool(value)
                    .map_err(|error| ConfigError(format!("{} for feature {}", failed(error), self.key)))?;
            }
            FlagKind::Choice(choices, field) => {
                let value = value.to_lowercase();
                if !choices.contains(&value.as_str()) {
                    return Err(ConfigError(format!("invalid value for feature flag {:?}: {value:?}", self.key)));
                }
                *field(flags) = value;
            }
            FlagKind::Size(field) => {
                let size = parse_int("Atoi", value).map_err(ConfigError)?;
                // The limit of an object in etcd; upstream's text names this other flag.
                if size >= 1_572_864 {
                    return Err(ConfigError(format!(
                        "invalid value for feature flag \"results-from\": \"{size}\". This is exceeding the CRD limit"
                    )));
                }
                *field(flags) = size;
            }
            FlagKind::Text(field) => value.clone_into(field(flags)),
        }
        Ok(())
    }
}

/// All flags, in the order in which they are read.
pub const FLAGS: &[Flag] = &[
    Flag {
        key: "disable-creds-init",
        stage: Stage::Stable,
        default: "false",
        doc: "Do not copy credentials of the service account into steps.",
        kind: FlagKind::Bool(|f| &mut f.disable_creds_init),
    },
    Flag {
        key: "running-in-environment-with-injected-sidecars",
        stage: Stage::Stable,
        default: "true",
        doc: "Pods may get sidecars from the cluster; the first step waits for them.",
        kind: FlagKind::Bool(|f| &mut f.running_in_env_with_injected_sidecars),
    },
    Flag {
        key: "await-sidecar-readiness",
        stage: Stage::Stable,
        default: "true",
        doc: "The first step waits until sidecars are ready.",
        kind: FlagKind::Bool(|f| &mut f.await_sidecar_readiness),
    },
    Flag {
        key: "require-git-ssh-secret-known-hosts",
        stage: Stage::Stable,
        default: "false",
        doc: "SSH secrets for git must list known hosts.",
        kind: FlagKind::Bool(|f| &mut f.require_git_ssh_secret_known_hosts),
    },
    Flag {
        key: "enable-api-fields",
        stage: Stage::Stable,
        default: "beta",
        doc: "The least stable fields that are allowed.",
        kind: FlagKind::Choice(&["stable", "beta", "alpha"], |f| &mut f.enable_api_fields),
    },
    Flag {
        key: "send-cloudevents-for-runs",
        stage: Stage::Stable,
        default: "true",
        doc: "Send CloudEvents for custom runs (deprecated).",
        kind: FlagKind::Bool(|f| &mut f.send_cloudevents_for_runs),
    },
    Flag {
        key: "trusted-resources-verification-no-match-policy",
        stage: Stage::Stable,
        default: "ignore",
        doc: "What happens to a remote definition that no policy covers.",
        kind: FlagKind::Choice(&["fail", "warn", "ignore"], |f| &mut f.verification_no_match_policy),
    },
    Flag {
        key: "enable-provenance-in-status",
        stage: Stage::Stable,
        default: "true",
        doc: "Write provenance into the status of runs.",
        kind: FlagKind::Bool(|f| &mut f.enable_provenance_in_status),
    },
    Flag {
        key: "results-from",
        stage: Stage::Stable,
        default: "termination-message",
        doc: "How results leave the pod.",
        kind: FlagKind::Choice(&["termination-message", "sidecar-logs"], |f| &mut f.result_extraction_method),
    },
    Flag {
        key: "max-result-size",
        stage: Stage::Stable,
        default: "4096",
        doc: "The largest result in bytes, with sidecar logs.",
        kind: FlagKind::Size(|f| &mut f.max_result_size),
    },
    Flag {
        key: "keep-pod-on-cancel",
        stage: Stage::Beta,
        default: "false",
        doc: "Cancelling stops the steps but keeps the pod.",
        kind: FlagKind::Feature(|f| &mut f.enable_keep_pod_on_cancel),
    },
    Flag {
        key: "enforce-nonfalsifiability",
        stage: Stage::Alpha,
        default: "none",
        doc: "Sign results so that they cannot be forged.",
        kind: FlagKind::Choice(&["none", "spire"], |f| &mut f.enforce_nonfalsifiability),
    },
    Flag {
        key: "set-security-context",
        stage: Stage::Stable,
        default: "false",
        doc: "Give the containers that Tekton adds a restricted security context.",
        kind: FlagKind::Bool(|f| &mut f.set_security_context),
    },
    Flag {
        key: "set-security-context-read-only-root-filesystem",
        stage: Stage::Stable,
        default: "false",
        doc: "Give the containers that Tekton adds a read-only root file system.",
        kind: FlagKind::Bool(|f| &mut f.set_security_context_read_only_root_filesystem),
    },
    Flag {
        key: "coschedule",
        stage: Stage::Stable,
        default: "workspaces",
        doc: "Which pods of a PipelineRun must share a node.",
        kind: FlagKind::Choice(&["disabled", "workspaces", "pipelineruns", "isolate-pipelinerun"], |f| {
            &mut f.coschedule
        }),
    },
    Flag {
        key: "enable-cel-in-whenexpression",
        stage: Stage::Alpha,
        default: "false",
        doc: "Allow CEL in guards.",
        kind: FlagKind::Feature(|f| &mut f.enable_cel_in_when_expression),
    },
    Flag {
        key: "enable-param-enum",
        stage: Stage::Alpha,
        default: "false",
        doc: "Allow enums of parameters.",
        kind: FlagKind::Feature(|f| &mut f.enable_param_enum),
    },
    Flag {
        key: "enable-artifacts",
        stage: Stage::Alpha,
        default: "false",
        doc: "Allow artifacts.",
        kind: FlagKind::Feature(|f| &mut f.enable_artifacts),
    },
    Flag {
        key: "disable-inline-spec",
        stage: Stage::Stable,
        default: "",
        doc: "Kinds whose specs must be references: pipeline, taskrun, pipelinerun.",
        kind: FlagKind::Text(|f| &mut f.disable_inline_spec),
    },
    Flag {
        key: "enable-concise-resolver-syntax",
        stage: Stage::Alpha,
        default: "false",
        doc: "Allow URL-like references.",
        kind: FlagKind::Feature(|f| &mut f.enable_concise_resolver_syntax),
    },
    Flag {
        key: "enable-kubernetes-sidecar",
        stage: Stage::Stable,
        default: "false",
        doc: "Run sidecars as native Kubernetes sidecars.",
        kind: FlagKind::Bool(|f| &mut f.enable_kubernetes_sidecar),
    },
    Flag {
        key: "enable-wait-exponential-backoff",
        stage: Stage::Stable,
        default: "false",
        doc: "Wait exponentially longer between tries.",
        kind: FlagKind::Bool(|f| &mut f.enable_wait_exponential_backoff),
    },
    Flag {
        key: "enable-termination-message-compression",
        stage: Stage::Alpha,
        default: "false",
        doc: "Compress termination messages so that more results fit.",
        kind: FlagKind::Feature(|f| &mut f.enable_termination_message_compression),
    },
];

impl Default for FeatureFlags {
    fn default() -> Self {
        Self::from_map(&BTreeMap::new()).expect("the defaults of the table are valid; a test reads them")
    }
}

impl FeatureFlags {
    /// The flags of a ConfigMap. Errors: the first value, in the order of [`FLAGS`], that is not allowed.
    pub fn from_map(data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut flags = Self::zero();
        for flag in FLAGS {
            flag.set(&mut flags, data.get(flag.key).map_or(flag.default, String::as_str))?;
        }
        Ok(flags)
    }

    fn zero() -> Self {
        Self {
            disable_creds_init: false,
            running_in_env_with_injected_sidecars: false,
            require_git_ssh_secret_known_hosts: false,
            enable_api_fields: String::new(),
            send_cloudevents_for_runs: false,
            await_sidecar_readiness: false,
            enforce_nonfalsifiability: String::new(),
            enable_keep_pod_on_cancel: false,
            verification_no_match_policy: String::new(),
            enable_provenance_in_status: false,
            result_extraction_method: String::new(),
            max_result_size: 0,
            set_security_context: false,
            set_security_context_read_only_root_filesystem: false,
            coschedule: String::new(),
            enable_cel_in_when_expression: false,
            enable_step_actions: false,
            enable_param_enum: false,
            enable_artifacts: false,
            disable_inline_spec: String::new(),
            enable_concise_resolver_syntax: false,
            enable_kubernetes_sidecar: false,
            enable_wait_exponential_backoff: false,
            enable_termination_message_compression: false,
            deprecated_enable_tekton_oci_bundles: None,
        }
    }

    /// Whether fields of a stage may be used under `enable-api-fields`.
    pub fn allows(&self, stage: Stage) -> bool {
        match stage {
            Stage::Stable => true,
            Stage::Beta => self.enable_api_fields == "beta" || self.enable_api_fields == "alpha",
            Stage::Alpha => self.enable_api_fields == "alpha",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(key: &str, value: &str) -> String {
        FeatureFlags::from_map(&[(key.to_owned(), value.to_owned())].into()).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_map_gives_the_documented_defaults() {
        let flags = FeatureFlags::default();
        assert_eq!(flags.enable_api_fields, "beta");
        assert_eq!(flags.max_result_size, 4096);
        assert!(flags.await_sidecar_readiness && !flags.enable_artifacts);
    }

    #[test]
    fn bad_values_are_refused_in_upstream_words() {
        assert_eq!(
            error("disable-creds-init", "maybe"),
            "failed parsing feature flags config \"maybe\": strconv.ParseBool: parsing \"maybe\": invalid syntax"
        );
        assert_eq!(error("coschedule", "X"), "invalid value for feature flag \"coschedule\": \"x\"");
        assert_eq!(error("max-result-size", "x"), "strconv.Atoi: parsing \"x\": invalid syntax");
        assert!(error("keep-pod-on-cancel", "x").ends_with("invalid syntax for feature keep-pod-on-cancel"));
    }
}
