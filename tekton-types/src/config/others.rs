//! The smaller ConfigMaps: events, metrics, tracing, SPIRE, back-off.

use std::collections::BTreeMap;

use super::ConfigError;
use super::go::{parse_bool, parse_float, parse_int};
use crate::duration::GoDuration;

/// `config-events`: where CloudEvents go and in which formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// URL of the sink; none when empty.
    pub sink: String,
    /// Formats; `tektonv1` is the only one.
    pub formats: Vec<String>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sink: String::new(), formats: vec!["tektonv1".to_owned()] }
    }
}

impl Events {
    /// The settings of a ConfigMap. Errors: formats that are empty, unknown or repeated.
    pub fn from_map(data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut out = Self::default();
        if let Some(text) = data.get("formats") {
            out.formats = parse_formats(text).map_err(ConfigError)?;
        }
        if let Some(sink) = data.get("sink") {
            out.sink.clone_from(sink);
        }
        Ok(out)
    }
}

fn parse_formats(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Err("formats cannot be empty".to_owned());
    }
    let mut formats: Vec<String> = Vec::new();
    for format in text.split(',') {
        if format != "tektonv1" {
            return Err(format!("invalid format: {format}"));
        }
        if formats.iter().any(|f| f == format) {
            return Err(format!("duplicate format: {format}"));
        }
        formats.push(format.to_owned());
    }
    Ok(formats)
}

/// `config-observability`: how finely metrics are split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `taskrun`, `task` or `namespace`.
    pub taskrun_level: String,
    /// `pipelinerun`, `pipeline` or `namespace`.
    pub pipelinerun_level: String,
    /// The same for running PipelineRuns; empty for the whole cluster.
    pub running_pipelinerun_level: String,
    /// `histogram` or `lastvalue`.
    pub duration_taskrun_type: String,
    /// `histogram` or `lastvalue`.
    pub duration_pipelinerun_type: String,
    /// Whether counts carry the reason.
    pub count_with_reason: bool,
    /// Whether throttling carries the namespace.
    pub throttle_with_namespace: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            taskrun_level: "task".to_owned(),
            pipelinerun_level: "pipeline".to_owned(),
            running_pipelinerun_level: String::new(),
            duration_taskrun_type: "histogram".to_owned(),
            duration_pipelinerun_type: "histogram".to_owned(),
            count_with_reason: false,
            throttle_with_namespace: false,
        }
    }
}

impl Metrics {
    /// The settings of a ConfigMap; any text is accepted.
    pub fn from_map(data: &BTreeMap<String, String>) -> Self {
        let default = Self::default();
        let text = |key: &str, default: String| data.get(key).cloned().unwrap_or(default);
        let on = |key: &str| data.get(key).is_some_and(|v| v != "false");
        Self {
            taskrun_level: text("metrics.taskrun.level", default.taskrun_level),
            pipelinerun_level: text("metrics.pipelinerun.level", default.pipelinerun_level),
            running_pipelinerun_level: text("metrics.running-pipelinerun.level", default.running_pipelinerun_level),
            duration_taskrun_type: text("metrics.taskrun.duration-type", default.duration_taskrun_type),
            duration_pipelinerun_type: text("metrics.pipelinerun.duration-type", default.duration_pipelinerun_type),
            count_with_reason: on("metrics.count.enable-reason"),
            throttle_with_namespace: on("metrics.taskrun.throttle.enable-namespace"),
        }
    }
}

/// `config-tracing`: where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// Whether traces are sent.
    pub enabled: bool,
    /// URL of the collector.
    pub endpoint: String,
    /// Secret with credentials for the collector.
    pub credentials_secret: String,
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            enabled: false,
            endpoint: "http://jaeger-collector.jaeger.svc.cluster.local:4318/v1/traces".to_owned(),
            credentials_secret: String::new(),
        }
    }
}

impl Tracing {
    /// The settings of a ConfigMap. Errors: `enabled` is no boolean.
    pub fn from_map(data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut out = Self::default();
        if let Some(endpoint) = data.get("endpoint") {
            out.endpoint.clone_from(endpoint);
        }
        if let Some(secret) = data.get("credentialsSecret") {
            out.credentials_secret.clone_from(secret);
        }
        if let Some(text) = data.get("enabled") {
            out.enabled = parse_bool(text)
                .map_err(|error| ConfigError(format!("failed parsing tracing config {text:?}: {error}")))?;
        }
        Ok(out)
    }
}

/// `config-spire`: how to reach SPIRE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spire {
    /// Trust domain.
    pub trust_domain: String,
    /// Socket of the agent.
    pub socket_path: String,
    /// Address of the server.
    pub server_addr: String,
    /// Prefix of node aliases.
    pub node_alias_prefix: String,
}

impl Default for Spire {
    fn default() -> Self {
        Self {
            trust_domain: "example.org".to_owned(),
            socket_path: "unix:///spiffe-workload-api/spire-agent.sock".to_owned(),
            server_addr: "spire-server.spire.svc.cluster.local:8081".to_owned(),
            node_alias_prefix: "/tekton-node/".to_owned(),
        }
    }
}

impl Spire {
    /// The settings of a ConfigMap. Errors: a setting is empty or the prefix does not begin with a slash.
    pub fn from_map(data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let text = |key: &str, default: String| data.get(key).cloned().unwrap_or(default);
        let out = Self {
            trust_domain: text("spire-trust-domain", default.trust_domain),
            socket_path: text("spire-socket-path", default.socket_path),
            server_addr: text("spire-server-addr", default.server_addr),
            node_alias_prefix: text("spire-node-alias-prefix", default.node_alias_prefix),
        };
        out.check().map_err(|error| ConfigError(format!("failed to parse SPIRE configmap: {error}")))?;
        Ok(out)
    }

    fn check(&self) -> Result<(), String> {
        let unset: Vec<&str> = [
            (&self.node_alias_prefix, "spire-node-alias-prefix"),
            (&self.server_addr, "spire-server-addr"),
            (&self.socket_path, "spire-socket-path"),
            (&self.trust_domain, "spire-trust-domain"),
        ]
        .into_iter()
        .filter_map(|(value, name)| value.is_empty().then_some(name))
        .collect();
        if !unset.is_empty() {
            return Err(format!("found unset spire configuration flags: [{}]", unset.join(" ")));
        }
        if !self.node_alias_prefix.starts_with('/') {
            return Err("Spire node alias should start with a /".to_owned());
        }
        Ok(())
    }
}

/// `config-wait-exponential-backoff`: how waits between tries grow.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitExponentialBackoff {
    /// The first wait.
    pub duration: GoDuration,
    /// How much longer each wait is than the one before.
    pub factor: f64,
    /// Share of the wait that is random.
    pub jitter: f64,
    /// How often waits grow.
    pub steps: i64,
    /// The longest wait.
    pub cap: GoDuration,
}

impl Default for WaitExponentialBackoff {
    fn default() -> Self {
        Self { duration: GoDuration::from_secs(1), factor: 2.0, jitter: 0.0, steps: 10, cap: GoDuration::from_secs(60) }
    }
}

impl WaitExponentialBackoff {
    /// The settings of a ConfigMap. Errors: the first value that does not parse.
    pub fn from_map(data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        fn field<T>(
            data: &BTreeMap<String, String>,
            key: &str,
            field: &mut T,
            parse: impl FnOnce(&str) -> Result<T, String>,
        ) -> Result<(), ConfigError> {
            if let Some(text) = data.get(key) {
                *field = parse(text).map_err(|error| ConfigError(format!("failed parsing {key} {text:?}: {error}")))?;
            }
            Ok(())
        }
        let duration = |text: &str| text.parse::<GoDuration>().map_err(|error| error.to_string());
        let mut out = Self::default();
        field(data, "duration", &mut out.duration, duration)?;
        field(data, "factor", &mut out.factor, parse_float)?;
        field(data, "jitter", &mut out.jitter, parse_float)?;
        field(data, "steps", &mut out.steps, |text| parse_int("Atoi", text))?;
        field(data, "cap", &mut out.cap, duration)?;
        Ok(out)
    }
}
