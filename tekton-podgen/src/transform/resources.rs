//! Default resources of containers, and task-level resources shared out among steps.

use crate::names;
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use std::collections::BTreeMap;
use tekton_types::quantity::Quantity;
use tekton_types::v1::Step;

const DEFAULT_KEY: &str = "default";
const PREFIX: &str = "prefix-";

/// Shares the task's requests out among its steps; each step gets the task's limits. Where neither asks for anything,
/// the limits are shared out as requests, so that Kubernetes does not copy the whole limit to each step.
pub fn spread_resources(steps: &mut [Step], task: &ResourceRequirements) {
    if task.requests.is_none() && task.limits.is_none() {
        return;
    }
    let requests = average(task.requests.as_ref(), steps.len());
    let limits = average(task.limits.as_ref(), steps.len());
    for step in steps {
        let resources = &mut step.compute_resources;
        resources.requests =
            if resources.requests.is_none() && task.requests.is_none() { limits.clone() } else { requests.clone() };
        resources.limits.clone_from(&task.limits);
    }
}

fn average(resources: Option<&BTreeMap<String, ApiQuantity>>, steps: usize) -> Option<BTreeMap<String, ApiQuantity>> {
    let steps = i64::try_from(steps).ok().filter(|steps| *steps > 0)?;
    let resources = resources.filter(|resources| !resources.is_empty())?;
    let share = |(name, quantity): (&String, &ApiQuantity)| {
        let quantity = Quantity::of(quantity);
        let share = if matches!(name.as_str(), "memory" | "ephemeral-storage") {
            Quantity::from_value(quantity.value() / steps, quantity.format())
        } else {
            Quantity::from_millis(quantity.millis() / steps, quantity.format())
        };
        (name.clone(), share.to_api())
    };
    Some(resources.iter().map(share).collect())
}

/// Gives containers the default resources of the configuration. An entry with the container's name wins over
/// `prefix-…`, and that over `default`. Tekton's own containers are overwritten, others only when they have none.
pub fn default_resources(pod: &mut Pod, defaults: &BTreeMap<String, ResourceRequirements>) {
    let Some(spec) = &mut pod.spec else { return };
    let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
    for container in containers {
        if let Some(resources) = default_of(container, defaults) {
            container.resources = Some(resources.clone());
        }
    }
}

fn default_of<'a>(
    container: &Container,
    defaults: &'a BTreeMap<String, ResourceRequirements>,
) -> Option<&'a ResourceRequirements> {
    let none = ResourceRequirements::default();
    let has_own = container.resources.as_ref().is_some_and(|resources| !is_empty(resources));
    if has_own && !names::is_internal(&container.name) {
        return None;
    }
    let usable = |resources: &&ResourceRequirements| **resources != none && !is_empty(resources);
    let by_name = || {
        let named = container.name != DEFAULT_KEY && !container.name.starts_with(PREFIX);
        named.then(|| defaults.get(&container.name)).flatten()
    };
    let by_prefix = || {
        defaults
            .iter()
            .filter(|(_, resources)| usable(resources))
            .find(|(key, _)| {
                key.strip_prefix(PREFIX)
                    .is_some_and(|prefix| container.name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-')))
            })
            .map(|(_, resources)| resources)
    };
    by_name().filter(usable).or_else(by_prefix).or_else(|| defaults.get(DEFAULT_KEY).filter(usable))
}

fn is_empty(resources: &ResourceRequirements) -> bool {
    let ResourceRequirements { claims, limits, requests } = resources;
    claims.as_ref().is_none_or(Vec::is_empty)
        && limits.as_ref().is_none_or(BTreeMap::is_empty)
        && requests.as_ref().is_none_or(BTreeMap::is_empty)
}

/// Rewrites quantities as the API server prints them (`1000m` becomes `1`), so that Pods compare equal.
pub fn canonical_quantities(pod: &mut Pod) {
    let Some(spec) = &mut pod.spec else { return };
    let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
    for resources in containers.filter_map(|container| container.resources.as_mut()) {
        let quantities = [&mut resources.limits, &mut resources.requests];
        for quantity in quantities.into_iter().flatten().flat_map(BTreeMap::values_mut) {
            canonical(quantity);
        }
    }
    for volume in spec.volumes.iter_mut().flatten() {
        if let Some(limit) = volume.empty_dir.as_mut().and_then(|dir| dir.size_limit.as_mut()) {
            canonical(limit);
        }
    }
}

fn canonical(quantity: &mut ApiQuantity) {
    if let Some(parsed) = Quantity::parse(&quantity.0) {
        *quantity = parsed.to_api();
    }
}
