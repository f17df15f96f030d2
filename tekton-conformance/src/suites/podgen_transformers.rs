//! Suite `podgen-transformers`: what is done to a built Pod, and arithmetic over resources.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, Pod, ResourceRequirements};
use serde_json::{Value, json};
use tekton_podgen::affinity::Behavior;
use tekton_podgen::transform;
use tekton_types::quantity::Quantity;
use tekton_types::v1::Step;

use super::podgen_support as support;
use crate::Case;

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let ours = match input["op"].as_str().unwrap_or_default() {
        "defaultResourceRequirements" => {
            let config = support::config(&input["config"])?;
            transformed(input, |pod| {
                transform::default_resources(pod, &config.defaults.default_container_resource_requirements);
            })?
        }
        "limitRange" => {
            let ranges: Vec<LimitRange> = support::read_or_default(&input["limitRanges"])?;
            transformed(input, |pod| transform::limit_range(pod, &ranges))?
        }
        "virtualLimitRange" => {
            let ranges: Vec<LimitRange> = support::read_or_default(&input["limitRanges"])?;
            json!({"limitRange": transform::virtual_limit_range(&ranges).map(std::borrow::Cow::into_owned)})
        }
        "affinityAssistant" => {
            let annotations: BTreeMap<String, String> = support::read_or_default(&input["annotations"])?;
            transformed(input, |pod| transform::affinity_assistant(pod, &annotations))?
        }
        "affinityAssistantBehavior" => match Behavior::of(&support::config(&input["config"])?.feature_flags) {
            Ok(behavior) => json!({"behavior": behavior.as_str()}),
            Err(error) => json!({"error": error.to_string()}),
        },
        "taskLevelComputeResources" => {
            let mut steps: Vec<Step> = support::read_or_default(&input["steps"])?;
            let resources: Option<ResourceRequirements> = support::read_or_default(&input["computeResources"])?;
            if let Some(resources) = resources {
                transform::spread_resources(&mut steps, &resources);
            }
            json!({"steps": steps})
        }
        other => return Err(format!("unknown operation {other:?}")),
    };
    let (mut expect, mut ours) = (case.expect.clone(), ours);
    for side in [&mut expect, &mut ours] {
        support::strip_type(&mut side["pod"]);
        support::strip_type(&mut side["limitRange"]);
        canonical(side, false);
    }
    support::equal_with_pod(&expect, &ours)
}

fn transformed(input: &Value, transform: impl Fn(&mut Pod)) -> Result<Value, String> {
    let mut pod: Pod = support::read(&input["pod"])?;
    transform(&mut pod);
    Ok(json!({"pod": pod}))
}

/// Quantities are equal when they print the same, however they were written.
fn canonical(value: &mut Value, quantity: bool) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let lists = ["requests", "limits", "min", "max", "default", "defaultRequest", "maxLimitRequestRatio"];
                canonical(value, quantity || lists.contains(&key.as_str()));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| canonical(item, quantity)),
        Value::String(text) if quantity => {
            if let Some(parsed) = Quantity::parse(text) {
                *text = parsed.to_string();
            }
        }
        _ => {}
    }
}
