//! Configuration: the ConfigMaps that an operator edits, as one immutable value.

mod defaults;
mod flags;
mod go;
mod others;

use std::collections::BTreeMap;

pub use defaults::Defaults;
pub use flags::{FLAGS, FeatureFlags, Flag, Stage};
pub use others::{Events, Metrics, Spire, Tracing, WaitExponentialBackoff};

/// Everything that ConfigMaps set. [`Default`] is what no ConfigMap at all means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `config-defaults`.
    pub defaults: Defaults,
    /// `feature-flags`.
    pub feature_flags: FeatureFlags,
    /// `config-observability`.
    pub metrics: Metrics,
    /// `config-spire`.
    pub spire: Spire,
    /// `config-events`.
    pub events: Events,
    /// `config-tracing`.
    pub tracing: Tracing,
    /// `config-wait-exponential-backoff`.
    pub wait_exponential_backoff: WaitExponentialBackoff,
}

/// A value of a ConfigMap that is not allowed, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl Config {
    /// The configuration that ConfigMaps give, by their names; unknown names are passed over.
    pub fn from_config_maps<'a>(
        maps: impl IntoIterator<Item = (&'a str, &'a BTreeMap<String, String>)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (name, data) in maps {
            match name {
                "config-defaults" => config.defaults = Defaults::from_map(data)?,
                "feature-flags" => config.feature_flags = FeatureFlags::from_map(data)?,
                "config-observability" => config.metrics = Metrics::from_map(data),
                "config-spire" => config.spire = Spire::from_map(data)?,
                "config-events" => config.events = Events::from_map(data)?,
                "config-tracing" => config.tracing = Tracing::from_map(data)?,
                "config-wait-exponential-backoff" => {
                    config.wait_exponential_backoff = WaitExponentialBackoff::from_map(data)?;
                }
                _ => {}
            }
        }
        Ok(config)
    }
}
