//! ResourceQuotas: what a namespace may hold, checked when an object is stored, and counted in the quota's status.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::quantity;
use crate::api::{Api, ApiError, Target};
use crate::gc::rewrite;
use crate::resources::Resource;
use crate::store::{Key, Object};

const QUOTAS: &str = "/resourcequotas";
/// Resources of a namespace that quotas count by a name of their own.
const COUNTED: [&str; 8] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "serviceaccounts",
];

/// What is counted, in billionths of a unit.
type Usage = BTreeMap<String, i128>;

/// Whether the namespace has quotas at all.
pub(crate) fn applies(api: &Api, namespace: &str) -> bool {
    !namespace.is_empty() && !api.store.list(QUOTAS, Some(namespace)).1.is_empty()
}

/// Checks a new object against every quota of its namespace. The caller stores the object before anybody else does.
///
/// Errors: `Forbidden`, with the name of the quota, what is asked for, used and allowed.
pub(crate) fn check(api: &Api, target: &Target, object: &Value) -> Result<(), ApiError> {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let asked = usage_of(&target.resource, object);
    for quota in api.store.list(QUOTAS, Some(namespace)).1 {
        if !in_scope(&quota.value, object) {
            continue;
        }
        let hard = hard(&quota.value);
        let missing: Vec<&str> = hard
            .keys()
            .map(String::as_str)
            .filter(|limit| must_say(limit, &target.resource) && !asked.contains_key(*limit))
            .collect();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.into_iter().map(|limit| unsaid(limit, object)).collect();
            let text = format!("failed quota: {}: must specify {}", quota.meta("name"), missing.join("; "));
            return Err(ApiError::forbidden(&target.resource, name, &text));
        }
        let used = used(api, &quota.value, namespace, &hard);
        let over: Vec<&str> = hard
            .iter()
            .filter(|(limit, most)| {
                let more = asked.get(*limit).copied().unwrap_or(0);
                more > 0 && used.get(*limit).copied().unwrap_or(0) + more > **most
            })
            .map(|(limit, _)| limit.as_str())
            .collect();
        if !over.is_empty() {
            let list = |usage: &Usage| {
                let each = over.iter().map(|limit| {
                    format!("{limit}={}", quantity::print(usage.get(*limit).copied().unwrap_or(0), limit))
                });
                each.collect::<Vec<_>>().join(",")
            };
            let text = format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                quota.meta("name"),
                list(&asked),
                list(&used),
                list(&hard)
            );
            return Err(ApiError::forbidden(&target.resource, name, &text));
        }
    }
    Ok(())
}

/// A limit, and the containers that do not say how much of it they want.
fn unsaid(limit: &str, pod: &Value) -> String {
    let (of, what) = limit.split_once('.').unwrap_or(("requests", limit));
    let containers =
        ["containers", "initContainers"].iter().flat_map(|list| pod["spec"][*list].as_array().into_iter().flatten());
    let silent = containers.filter(|container| container["resources"][of][what].is_null());
    let names: Vec<&str> = silent.filter_map(|container| container["name"].as_str()).collect();
    format!("{limit} for: {}", names.join(","))
}

/// Counts anew what the quotas of a namespace see.
pub(crate) fn count(api: &Api, namespace: &str) {
    for quota in api.store.list(QUOTAS, Some(namespace)).1 {
        let limits = hard(&quota.value);
        let used = used(api, &quota.value, namespace, &limits);
        let shown: serde_json::Map<String, Value> = limits
            .keys()
            .map(|limit| (limit.clone(), quantity::print(used.get(limit).copied().unwrap_or(0), limit).into()))
            .collect();
        let status = json!({"hard": quota.value["spec"]["hard"], "used": shown});
        let key = Key { resource: QUOTAS.into(), namespace: namespace.to_owned(), name: quota.meta("name").to_owned() };
        if quota.value["status"] != status {
            rewrite(api, &key, |value| value["status"] = status.clone());
        }
    }
}

fn hard(quota: &Value) -> Usage {
    let limits = quota["spec"]["hard"].as_object().into_iter().flatten();
    limits.filter_map(|(limit, most)| Some((limit.clone(), quantity::nanos(most)?))).collect()
}

fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether the quota is about such objects; scopes speak of pods.
fn in_scope(quota: &Value, object: &Value) -> bool {
    let spec = &object["spec"];
    let best_effort = || {
        let containers = spec["containers"].as_array().into_iter().flatten();
        !containers
            .flat_map(|c| [&c["resources"]["requests"], &c["resources"]["limits"]])
            .any(|r| r.as_object().is_some_and(|r| !r.is_empty()))
    };
    quota["spec"]["scopes"].as_array().into_iter().flatten().all(|scope| match scope.as_str() {
        Some("Terminating") => !spec["activeDeadlineSeconds"].is_null(),
        Some("NotTerminating") => spec["activeDeadlineSeconds"].is_null(),
        Some("BestEffort") => best_effort(),
        Some("NotBestEffort") => !best_effort(),
        _ => true,
    })
}

fn used(api: &Api, quota: &Value, namespace: &str, limits: &Usage) -> Usage {
    let mut used = Usage::new();
    let mut add = |resource: &Resource, objects: &[std::sync::Arc<Object>]| {
        for object in objects.iter().filter(|object| in_scope(quota, &object.value)) {
            if &*resource.key == "/pods" && is_over(&object.value) {
                continue;
            }
            for (limit, amount) in usage_of(resource, &object.value) {
                if limits.contains_key(&limit) {
                    *used.entry(limit).or_default() += amount;
                }
            }
        }
    };
    for resource in api.registry.all() {
        let counted = format!("count/{}", resource.qualified());
        let own = resource.group.is_empty() && COUNTED.contains(&resource.plural.as_str());
        if resource.namespaced && (own || limits.contains_key(&counted)) {
            add(&resource, &api.store.list(&resource.key, Some(namespace)).1);
        }
    }
    used
}

/// Whether pods have to say how much they want when a quota limits it.
fn must_say(limit: &str, resource: &Resource) -> bool {
    resource.group.is_empty()
        && resource.kind == "Pod"
        && matches!(limit, "cpu" | "memory" | "requests.cpu" | "requests.memory" | "limits.cpu" | "limits.memory")
}

/// What one object counts for.
fn usage_of(resource: &Resource, object: &Value) -> Usage {
    const ONE: i128 = 1_000_000_000;
    let mut usage = Usage::from([(format!("count/{}", resource.qualified()), ONE)]);
    if !resource.group.is_empty() {
        return usage;
    }
    if COUNTED.contains(&resource.plural.as_str()) {
        usage.insert(resource.plural.clone(), ONE);
    }
    if resource.kind == "PersistentVolumeClaim"
        && let Some(storage) = quantity::nanos(&object["spec"]["resources"]["requests"]["storage"])
    {
        usage.insert("requests.storage".to_owned(), storage);
    }
    if resource.kind == "Pod" {
        for (of, prefix) in [("requests", "requests."), ("limits", "limits.")] {
            for what in ["cpu", "memory", "ephemeral-storage"] {
                if let Some(amount) = pod_total(&object["spec"], of, what) {
                    usage.insert(format!("{prefix}{what}"), amount);
                    if of == "requests" {
                        usage.insert(what.to_owned(), amount);
                    }
                }
            }
        }
    }
    usage
}

/// What a pod wants of a resource: the sum over its containers, or what its hungriest init container wants; nothing when
/// one of its containers does not say.
fn pod_total(spec: &Value, of: &str, what: &str) -> Option<i128> {
    let amount = |container: &Value| quantity::nanos(&container["resources"][of][what]);
    let mut total = 0;
    for container in spec["containers"].as_array()? {
        total += amount(container)?;
    }
    let mut most = 0;
    for container in spec["initContainers"].as_array().into_iter().flatten() {
        let own = amount(container)?;
        if container["restartPolicy"] == "Always" {
            total += own;
        } else {
            most = most.max(own);
        }
    }
    Some(total.max(most))
}
