//! Shapes that the suites about Pods share: configuration, images, facts.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, Pod, Secret, ServiceAccount};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tekton_podgen::image::{ImageMetadata, Reference};
use tekton_podgen::{Fact, Facts, Images, Need, ServerVersion};
use tekton_types::config::Config;

use crate::diff;

/// Reads a part of a case.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| format!("cannot read {value}: {error}"))
}

/// Reads a part of a case that may be absent.
pub(crate) fn read_or_default<T: DeserializeOwned + Default>(value: &Value) -> Result<T, String> {
    if value.is_null() { Ok(T::default()) } else { read(value) }
}

/// The configuration of a case.
pub(crate) fn config(value: &Value) -> Result<Config, String> {
    let maps: BTreeMap<String, BTreeMap<String, String>> = read_or_default(value)?;
    Config::from_config_maps(maps.iter().map(|(name, data)| (name.as_str(), data))).map_err(|error| error.to_string())
}

/// A text of a case; empty when absent.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The images of a case.
pub(crate) fn images(value: &Value) -> Images {
    Images {
        entrypoint: text(&value["entrypointImage"]),
        sidecar_log_results: text(&value["sidecarLogResultsImage"]),
        nop: text(&value["nopImage"]),
        shell: text(&value["shellImage"]),
        shell_windows: text(&value["shellImageWin"]),
        working_dir_init: text(&value["workingDirInitImage"]),
    }
}

/// The facts of a case: accounts, secrets and limits among its objects of a namespace, and the version.
pub(crate) fn facts(input: &Value, namespace: &Value) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let mut ranges: Vec<LimitRange> = Vec::new();
    let namespace = text(namespace);
    let objects = input["objects"].as_array().into_iter().flatten();
    for object in objects.filter(|object| text(&object["metadata"]["namespace"]) == namespace) {
        let name = text(&object["metadata"]["name"]);
        match object["kind"].as_str().unwrap_or_default() {
            "ServiceAccount" => {
                let account: ServiceAccount = read(object)?;
                facts.service_accounts.insert(name, Fact::Known(account));
            }
            "Secret" => {
                let secret: Secret = read(object)?;
                facts.secrets.insert(name, Fact::Known(secret));
            }
            "LimitRange" => ranges.push(read(object)?),
            _ => {}
        }
    }
    facts.limit_ranges = Some(Fact::Known(ranges));
    if !input["kubernetesVersion"].is_null() {
        facts.server_version = Some(Fact::Known(ServerVersion {
            major: text(&input["kubernetesVersion"]["major"]),
            minor: text(&input["kubernetesVersion"]["minor"]),
        }));
    }
    Ok(facts)
}

/// Answers needs the way the recorded cluster and registry did.
pub(crate) fn answer(facts: &mut Facts, needs: Vec<Need>, registry: &Value) -> Result<(), String> {
    for need in needs {
        match need {
            Need::ServiceAccount(name) => {
                facts.service_accounts.insert(name, Fact::Missing);
            }
            Need::Secret(name) => {
                facts.secrets.insert(name, Fact::Missing);
            }
            Need::Image(lookup) => {
                let reference = Reference::parse(&lookup.image).map_err(|error| error.to_string())?;
                let answer = metadata(&registry[reference.name()])?;
                facts.images.insert(lookup.image, answer);
            }
            Need::ServerVersion => facts.server_version = Some(Fact::Missing),
            Need::LimitRanges => facts.limit_ranges = Some(Fact::Missing),
            other => return Err(format!("the case does not answer {other:?}")),
        }
    }
    Ok(())
}

fn metadata(value: &Value) -> Result<Fact<ImageMetadata>, String> {
    if let Some(error) = value["error"].as_str() {
        return Ok(Fact::Denied(error.to_owned()));
    }
    if value.is_null() {
        return Ok(Fact::Missing);
    }
    Ok(Fact::Known(ImageMetadata { digest: text(&value["digest"]), commands: read_or_default(&value["commands"])? }))
}

/// `apiVersion` and `kind` are implied by the type.
pub(crate) fn strip_type(pod: &mut Value) {
    if let Some(pod) = pod.as_object_mut() {
        pod.remove("apiVersion");
        pod.remove("kind");
    }
}

/// Compares two answers. Where their member `pod` differs, the differences are told by container and field.
pub(crate) fn equal_with_pod(expected: &Value, ours: &Value) -> Result<(), String> {
    let Err(found) = diff::equal(expected, ours) else { return Ok(()) };
    let pods = serde_json::from_value::<Pod>(expected["pod"].clone())
        .and_then(|expected| Ok((expected, serde_json::from_value::<Pod>(ours["pod"].clone())?)));
    let Ok((pod, our_pod)) = pods else { return Err(found) };
    let mut lines: Vec<String> = tekton_podgen::diff::pods(&pod, &our_pod).iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        return Err(found);
    }
    let (mut left, mut right) = (expected.clone(), ours.clone());
    (left["pod"], right["pod"]) = (Value::Null, Value::Null);
    lines.extend(diff::differences(&left, &right));
    Err(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_differs_is_told_by_container_and_field_and_the_rest_by_path() {
        let answer = |image: &str, lookups: u8| {
            json!({
                "pod": {"spec": {"containers": [{"name": "step-a", "image": image}]}},
                "lookups": lookups,
            })
        };
        assert_eq!(equal_with_pod(&answer("a", 1), &answer("a", 1)), Ok(()));
        assert_eq!(
            equal_with_pod(&answer("a", 1), &answer("b", 2)),
            Err("container step-a image: expected \"a\", got \"b\"\n.lookups: expected 1, got 2".to_owned())
        );
    }
}
