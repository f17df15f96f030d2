//! Tekton's configuration from the command line: `--config FILE` and `--api-fields STAGE`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use tekton_types::config::Config;

use crate::files;

/// The ConfigMap of the feature flags.
const FEATURE_FLAGS: &str = "feature-flags";

/// What the command line says about Tekton's configuration.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Settings {
    /// File with ConfigMaps of Tekton, such as `feature-flags` and `config-defaults`; may be given more than once.
    #[arg(long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Which fields are permitted [default: beta].
    #[arg(long, value_name = "STAGE", value_parser = ["stable", "beta", "alpha"])]
    api_fields: Option<String>,
}

/// The data of ConfigMaps by their names.
pub(crate) type ConfigMaps = BTreeMap<String, BTreeMap<String, String>>;

/// The ConfigMaps that the command line asks for.
///
/// Errors: a file that cannot be read, or holds something else.
pub(crate) fn config_maps(settings: &Settings) -> Result<ConfigMaps, String> {
    let mut maps = ConfigMaps::new();
    for object in files::objects(&files::read_all(&settings.config)?)? {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if object["kind"] != "ConfigMap" || name.is_empty() {
            return Err(format!("--config: expected ConfigMaps with names, found a {}", object["kind"]));
        }
        let data = object["data"].as_object().into_iter().flatten();
        maps.entry(name.to_owned())
            .or_default()
            .extend(data.map(|(key, value)| (key.clone(), value.as_str().map_or(value.to_string(), str::to_owned))));
    }
    if let Some(stage) = &settings.api_fields {
        maps.entry(FEATURE_FLAGS.to_owned()).or_default().insert("enable-api-fields".to_owned(), stage.clone());
    }
    Ok(maps)
}

/// The configuration that ConfigMaps come to.
///
/// Errors: a value that is not allowed.
pub(crate) fn config(maps: &ConfigMaps) -> Result<Config, String> {
    Config::from_config_maps(maps.iter().map(|(name, data)| (name.as_str(), data))).map_err(|error| error.to_string())
}
