//! LimitRanges: what containers get that do not say, and what none may ask for.

use serde_json::{Value, json};

use super::quantity;
use crate::api::{Api, ApiError, Target};

/// Fills in and checks the resources of a new pod.
///
/// Errors: `Forbidden`, with every limit that is not kept.
pub(super) fn admit(api: &Api, target: &Target, pod: &mut Value) -> Result<(), ApiError> {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let (mut broken, mut set) = (Vec::new(), Vec::new());
    for range in api.store.list("/limitranges", Some(namespace)).1 {
        for limit in range.value["spec"]["limits"].as_array().into_iter().flatten() {
            match limit["type"].as_str() {
                Some("Container") => {
                    for list in ["containers", "initContainers"] {
                        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                            let is_init = if list == "containers" { "container" } else { "init container" };
                            fill(limit, container, is_init, &mut set);
                            compare(limit, &container["resources"], "Container", &mut broken);
                        }
                    }
                }
                Some("Pod") => compare(limit, &sums(&pod["spec"]), "Pod", &mut broken),
                _ => {}
            }
        }
    }
    if !set.is_empty() {
        let text = format!("LimitRanger plugin set: {}", set.join("; "));
        if !pod["metadata"]["annotations"].is_object() {
            pod["metadata"]["annotations"] = json!({});
        }
        pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] = text.into();
    }
    refused(target, pod, &broken)
}

/// Checks the size that a new claim asks for.
///
/// Errors: `Forbidden`, with every limit that is not kept.
pub(super) fn admit_claim(api: &Api, target: &Target, claim: &Value) -> Result<(), ApiError> {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let mut broken = Vec::new();
    for range in api.store.list("/limitranges", Some(namespace)).1 {
        for limit in range.value["spec"]["limits"].as_array().into_iter().flatten() {
            if limit["type"] == "PersistentVolumeClaim" {
                // A claim has a request only, which stands for both.
                let asked = &claim["spec"]["resources"]["requests"];
                for (bound, word, wrong) in
                    [("min", "minimum", std::cmp::Ordering::Less), ("max", "maximum", std::cmp::Ordering::Greater)]
                {
                    for (what, amount) in limit[bound].as_object().into_iter().flatten() {
                        let own = &asked[what.as_str()];
                        if quantity::compare(own, amount) == Some(wrong) {
                            let shown = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                            broken.push(format!(
                                "{word} {what} usage per PersistentVolumeClaim is {}, but request is {}",
                                shown(amount),
                                shown(own)
                            ));
                        }
                    }
                }
            }
        }
    }
    refused(target, claim, &broken)
}

fn refused(target: &Target, object: &Value, broken: &[String]) -> Result<(), ApiError> {
    if broken.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let text = if let [only] = broken { only.clone() } else { format!("[{}]", broken.join(", ")) };
    Err(ApiError::forbidden(&target.resource, name, &text))
}

fn fill(limit: &Value, container: &mut Value, kind: &str, set: &mut Vec<String>) {
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    for (field, default) in [("requests", "defaultRequest"), ("limits", "default")] {
        for (what, amount) in limit[default].as_object().into_iter().flatten() {
            if !container["resources"].is_object() {
                container["resources"] = json!({});
            }
            let given = &mut container["resources"][field];
            if given[what.as_str()].is_null() {
                given[what.as_str()] = amount.clone();
                set.push(format!("{what} {} for {kind} {name}", field.trim_end_matches('s')));
            }
        }
    }
}

/// The requests and limits of all containers together.
fn sums(spec: &Value) -> Value {
    let mut sums = json!({});
    for of in ["requests", "limits"] {
        for what in ["cpu", "memory", "ephemeral-storage"] {
            let amounts = spec["containers"].as_array().into_iter().flatten();
            let amounts: Option<Vec<i128>> = amounts.map(|c| quantity::nanos(&c["resources"][of][what])).collect();
            if let Some(amounts) = amounts {
                sums[of][what] = quantity::print(amounts.iter().sum(), what).into();
            }
        }
    }
    sums
}

fn compare(limit: &Value, resources: &Value, kind: &str, broken: &mut Vec<String>) {
    let amount = |of: &str, what: &str| quantity::nanos(&resources[of][what]);
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (what, least) in limit["min"].as_object().into_iter().flatten() {
        let bound = quantity::nanos(least);
        match amount("requests", what) {
            None => {
                broken.push(format!("minimum {what} usage per {kind} is {}.  No request is specified", shown(least)));
            }
            own if own < bound => {
                let own = shown(&resources["requests"][what.as_str()]);
                broken.push(format!("minimum {what} usage per {kind} is {}, but request is {own}", shown(least)));
            }
            _ => {}
        }
    }
    for (what, most) in limit["max"].as_object().into_iter().flatten() {
        let bound = quantity::nanos(most);
        match amount("limits", what) {
            None => broken.push(format!("maximum {what} usage per {kind} is {}.  No limit is specified", shown(most))),
            own if own > bound => {
                let own = shown(&resources["limits"][what.as_str()]);
                broken.push(format!("maximum {what} usage per {kind} is {}, but limit is {own}", shown(most)));
            }
            _ => {}
        }
    }
    for (what, most) in limit["maxLimitRequestRatio"].as_object().into_iter().flatten() {
        let (Some(bound), Some(least), Some(own)) =
            (quantity::nanos(most), amount("requests", what), amount("limits", what))
        else {
            continue;
        };
        // Both sides in billionths of a unit: the ratio of the amounts is as exact as it is shown.
        if least > 0 && own * 1_000_000_000 > bound * least {
            let millionths = own * 1_000_000 / least;
            let ratio = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
            let most = shown(most);
            broken
                .push(format!("{what} max limit to request ratio per {kind} is {most}, but provided ratio is {ratio}"));
        }
    }
}
