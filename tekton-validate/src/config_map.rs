//! The ConfigMaps that an operator of Tekton edits.

use std::collections::BTreeMap;

use serde_json::Value;
use tekton_types::config::{Config, FLAGS};

use crate::diagnostic::{Diagnostic, Severity};

const NAMES: [&str; 7] = [
    "config-defaults",
    "config-events",
    "config-observability",
    "config-spire",
    "config-tracing",
    "config-wait-exponential-backoff",
    "feature-flags",
];

/// Checks the values of one of Tekton's ConfigMaps; others have nothing wrong with them.
///
/// A ConfigMap is Tekton's by its name, and by its namespace `tekton-pipelines` or its `part-of` label.
pub fn validate_config_map(config_map: &Value) -> Vec<Diagnostic> {
    let metadata = &config_map["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let is_ours = metadata["namespace"] == "tekton-pipelines"
        || metadata["labels"]["app.kubernetes.io/part-of"] == "tekton-pipelines";
    if config_map["kind"] != "ConfigMap" || !NAMES.contains(&name) || !is_ours {
        return Vec::new();
    }
    let data: BTreeMap<String, String> = config_map["data"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    match Config::from_config_maps([(name, &data)]) {
        Ok(_) => Vec::new(),
        Err(problem) => {
            let mut found = Diagnostic::new("config", Severity::Error, problem.0, ["data".to_owned()]);
            let key = data.keys().filter(|key| found.message.contains(key.as_str())).max_by_key(|key| key.len());
            found.help = Some(help(key.map(String::as_str)));
            found.about = key.cloned();
            vec![found]
        }
    }
}

/// What a key takes.
fn help(key: Option<&str>) -> String {
    let flag = key.and_then(|key| FLAGS.iter().find(|flag| flag.key == key));
    match flag.map(|flag| (flag.choices(), flag.values())) {
        Some(([], words)) => format!("write {words}"),
        Some((choices, _)) => {
            format!("write one of {}", choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", "))
        }
        None => "correct the value, or take the key away: its default then holds".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_no_gate_takes_is_an_error_in_tektons_own_config_map_only() {
        let map = |namespace: &str, value: &str| {
            serde_json::json!({"kind": "ConfigMap", "metadata": {"name": "feature-flags", "namespace": namespace},
                "data": {"enable-api-fields": value}})
        };
        assert_eq!(validate_config_map(&map("tekton-pipelines", "gamma")).len(), 1);
        assert!(validate_config_map(&map("tekton-pipelines", "alpha")).is_empty());
        assert!(validate_config_map(&map("mine", "gamma")).is_empty());
    }
}
