//! `config-defaults`: values for what runs leave open.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ResourceRequirements;

use super::ConfigError;
use super::go::parse_int;
use crate::decode::{Mode, from_node};
use crate::duration::GoDuration;
use crate::pod::{AffinityAssistantTemplate, PodTemplate};

/// Values for what runs leave open. [`Default`] is what an empty ConfigMap means.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// Minutes that a run may take; 0 is no limit.
    pub default_timeout_minutes: i64,
    /// Service account of pods.
    pub default_service_account: String,
    /// Value of the `app.kubernetes.io/managed-by` label.
    pub default_managed_by_label_value: String,
    /// Pod template that every pod starts from.
    pub default_pod_template: Option<PodTemplate>,
    /// Pod template of the affinity assistant.
    pub default_aa_pod_template: Option<AffinityAssistantTemplate>,
    /// Where CloudEvents go (deprecated: see `Events::sink`).
    pub default_cloud_events_sink: String,
    /// YAML of the workspace binding for TaskRuns that bind none.
    pub default_task_run_workspace_binding: String,
    /// How many runs a matrix may fan out to.
    pub default_max_matrix_combinations_count: i64,
    /// Variables that a run's pod template may not set, sorted.
    pub default_forbidden_env: Vec<String>,
    /// Resolver for references that name none.
    pub default_resolver_type: String,
    /// Requests and limits by container name; `default` is for all others.
    pub default_container_resource_requirements: BTreeMap<String, ResourceRequirements>,
    /// How long an image may fail to be pulled.
    pub default_image_pull_back_off_timeout: GoDuration,
    /// How long a container may fail to be created.
    pub default_create_container_error_timeout: GoDuration,
    /// How long a resolution may take.
    pub default_maximum_resolution_timeout: GoDuration,
    /// How often the sidecar that reads results looks for finished steps.
    pub default_sidecar_log_polling_interval: GoDuration,
    /// How many StepActions are resolved at a time.
    pub default_step_ref_concurrency_limit: i64,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            default_timeout_minutes: 60,
            default_service_account: "default".to_owned(),
            default_managed_by_label_value: "tekton-pipelines".to_owned(),
            default_pod_template: None,
            default_aa_pod_template: None,
            default_cloud_events_sink: String::new(),
            default_task_run_workspace_binding: String::new(),
            default_max_matrix_combinations_count: 256,
            default_forbidden_env: Vec::new(),
            default_resolver_type: String::new(),
            default_container_resource_requirements: BTreeMap::new(),
            default_image_pull_back_off_timeout: GoDuration::ZERO,
            default_create_container_error_timeout: GoDuration::ZERO,
            default_maximum_resolution_timeout: GoDuration::from_mins(1),
            default_sidecar_log_polling_interval: GoDuration::from_millis(100),
            default_step_ref_concurrency_limit: 5,
        }
    }
}

impl Defaults {
    /// The defaults of a ConfigMap. Errors: the first value that is not allowed, in upstream's words.
    pub fn from_map(data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut out = Self::default();
        let int = |key: &str, field: &mut i64| -> Result<(), ConfigError> {
            if let Some(text) = data.get(key) {
                *field = parse_int("ParseInt", text).map_err(|_| failed(key))?;
            }
            Ok(())
        };
        let text = |key: &str, field: &mut String| {
            if let Some(text) = data.get(key) {
                field.clone_from(text);
            }
        };
        let duration = |key: &str, field: &mut GoDuration| -> Result<(), String> {
            if let Some(text) = data.get(key) {
                *field = text.parse().map_err(|e: crate::duration::ParseDurationError| e.to_string())?;
            }
            Ok(())
        };
        int("default-timeout-minutes", &mut out.default_timeout_minutes)?;
        text("default-service-account", &mut out.default_service_account);
        text("default-managed-by-label-value", &mut out.default_managed_by_label_value);
        out.default_pod_template = yaml(data, "default-pod-template")?;
        out.default_aa_pod_template = yaml(data, "default-affinity-assistant-pod-template")?;
        text("default-cloud-events-sink", &mut out.default_cloud_events_sink);
        text("default-task-run-workspace-binding", &mut out.default_task_run_workspace_binding);
        int("default-max-matrix-combinations-count", &mut out.default_max_matrix_combinations_count)?;
        if let Some(names) = data.get("default-forbidden-env") {
            let names: BTreeSet<&str> = names.split(',').map(str::trim).collect();
            out.default_forbidden_env = names.into_iter().map(str::to_owned).collect();
        }
        text("default-resolver-type", &mut out.default_resolver_type);
        out.default_container_resource_requirements =
            yaml(data, "default-container-resource-requirements")?.unwrap_or_default();
        let key = "default-imagepullbackoff-timeout";
        duration(key, &mut out.default_image_pull_back_off_timeout).map_err(|_| failed(key))?;
        let key = "default-create-container-error-timeout";
        duration(key, &mut out.default_create_container_error_timeout)
            .map_err(|error| ConfigError(format!("{}: {error}", failed(key))))?;
        let key = "default-maximum-resolution-timeout";
        duration(key, &mut out.default_maximum_resolution_timeout).map_err(|_| failed(key))?;
        // Upstream's text has the value here, not the key.
        let key = "default-sidecar-log-polling-interval";
        duration(key, &mut out.default_sidecar_log_polling_interval)
            .map_err(|_| failed(data.get(key).map_or("", String::as_str)))?;
        int("default-step-ref-concurrency-limit", &mut out.default_step_ref_concurrency_limit)?;
        Ok(out)
    }
}

fn failed(what: &str) -> ConfigError {
    ConfigError(format!("failed parsing default config {what:?}"))
}

fn yaml<T: serde::de::DeserializeOwned>(data: &BTreeMap<String, String>, key: &str) -> Result<Option<T>, ConfigError> {
    let Some(text) = data.get(key) else { return Ok(None) };
    let failed = || ConfigError(format!("failed to unmarshal {text}"));
    let Some(document) = crate::yaml::parse_each(text).next() else { return Ok(None) };
    let root = document.map_err(|_| failed())?.root;
    from_node(&root, Mode::Lenient).map(Some).map_err(|_| failed())
}
