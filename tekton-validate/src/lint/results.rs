//! Results that do not fit into the place where they are written.

use tekton_types::config::Config;
use tekton_types::v1::TaskSpec;

use super::{Found, warning};

/// Bytes of a termination message, which holds the results of a step.
const TERMINATION_MESSAGE: usize = 4096;

/// Warns when the results of a task do not fit into the termination message, even if all of them are empty.
pub(super) fn check(spec: &TaskSpec, path: &str, config: &Config, found: &mut Vec<Found>) {
    let flags = &config.feature_flags;
    if flags.result_extraction_method == "sidecar-logs" || flags.enable_termination_message_compression {
        return;
    }
    // `{"key":"name","value":"","type":1}` and a comma each, and what an object needs for its keys.
    let of_keys = |keys: usize, letters: usize| keys * r#"\"\":\"\","#.len() + letters;
    let bytes: usize = spec
        .results
        .iter()
        .filter(|result| result.value.is_none())
        .map(|r| {
            let letters = r.properties.keys().map(String::len).sum();
            r#"{"key":"","value":"","type":1},"#.len() + r.name.len() + of_keys(r.properties.len(), letters)
        })
        .sum();
    if bytes > TERMINATION_MESSAGE {
        let message = format!(
            "the names of {} results alone need {bytes} bytes of the {TERMINATION_MESSAGE} that a step can give back",
            spec.results.len()
        );
        found.push(
            warning("results-too-large", message, format!("{path}.results"))
                .with_help(
                    "write them to a workspace, or set `results-from: sidecar-logs` in the feature-flags ConfigMap",
                )
                .into(),
        );
    }
}
