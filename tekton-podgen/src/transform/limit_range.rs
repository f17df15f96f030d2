//! Requests of steps that satisfy the LimitRanges of a namespace.

use crate::names;
use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tekton_types::quantity::Quantity;

const CPU: &str = "cpu";
const MEMORY: &str = "memory";
const EPHEMERAL_STORAGE: &str = "ephemeral-storage";
const RESOURCES: [&str; 3] = [CPU, MEMORY, EPHEMERAL_STORAGE];

type Resources = Option<BTreeMap<String, ApiQuantity>>;

/// Gives steps the requests that the LimitRanges imply: the default request shared out among the steps, but no less
/// than the minimum. What a step requests itself stays.
pub fn limit_range(pod: &mut Pod, ranges: &[LimitRange]) {
    let Some(range) = virtual_limit_range(ranges) else {
        return;
    };
    let Some(spec) = &mut pod.spec else { return };
    let steps = spec.containers.iter().filter(|container| names::is_step(&container.name)).count();
    let Some(defaults) = step_requests(&range, i64::try_from(steps).unwrap_or(i64::MAX)) else {
        return;
    };
    for container in &mut spec.containers {
        if !names::is_step(&container.name) {
            continue;
        }
        let requests = &mut container.resources.get_or_insert_default().requests;
        let Some(requests) = requests.as_mut().filter(|requests| !requests.is_empty()) else {
            *requests = Some(defaults.clone());
            continue;
        };
        for (name, quantity) in &defaults {
            let unset = requests.get(name).is_none_or(|own| Quantity::of(own).is_zero());
            if unset {
                requests.insert(name.clone(), quantity.clone());
            }
        }
    }
}

fn step_requests(range: &LimitRange, steps: i64) -> Option<BTreeMap<String, ApiQuantity>> {
    let mut requests: BTreeMap<String, Quantity> = BTreeMap::new();
    let items = range.spec.iter().flat_map(|spec| &spec.limits);
    for item in items.filter(|item| item.type_ == "Container") {
        for name in RESOURCES {
            let default = get(&item.default_request, name);
            let share = if name == CPU {
                Quantity::from_millis(default.millis() / steps.max(1), default.format())
            } else {
                Quantity::from_value(default.value() / steps.max(1), default.format())
            };
            let current = requests.get(name).copied().unwrap_or_default();
            let request = max_request([current, share, get(&item.min, name)]);
            if !request.is_zero() {
                requests.insert(name.to_owned(), request);
            }
        }
    }
    (!requests.is_empty()).then(|| requests.into_iter().map(|(name, quantity)| (name, quantity.to_api())).collect())
}

/// Folds the LimitRanges of a namespace into one with the tightest bounds. One alone is taken as it is.
pub fn virtual_limit_range(ranges: &[LimitRange]) -> Option<Cow<'_, LimitRange>> {
    match ranges {
        [] => return None,
        [one] => return Some(Cow::Borrowed(one)),
        _ => {}
    }
    let mut folded: Vec<LimitRangeItem> = Vec::new();
    let all = || ranges.iter().filter_map(|range| range.spec.as_ref()).flat_map(|spec| &spec.limits);
    for item in all() {
        let into = find(&mut folded, &item.type_);
        for name in RESOURCES {
            fold(&mut into.min, &item.min, name, |a, b| max_request([a, b]));
            fold(&mut into.max, &item.max, name, min_limit);
            fold(&mut into.max_limit_request_ratio, &item.max_limit_request_ratio, name, min_limit);
        }
    }
    for item in all() {
        let into = find(&mut folded, &item.type_);
        for name in RESOURCES {
            fold(&mut into.default, &item.default, name, smaller);
            fold(&mut into.default_request, &item.default_request, name, smaller);
        }
    }
    Some(Cow::Owned(LimitRange { spec: Some(LimitRangeSpec { limits: folded }), ..LimitRange::default() }))
}

fn find<'a>(items: &'a mut Vec<LimitRangeItem>, type_: &str) -> &'a mut LimitRangeItem {
    let index = items.iter().position(|item| item.type_ == type_).unwrap_or_else(|| {
        items.push(LimitRangeItem { type_: type_.to_owned(), ..LimitRangeItem::default() });
        items.len() - 1
    });
    &mut items[index]
}

fn get(resources: &Resources, name: &str) -> Quantity {
    resources.as_ref().and_then(|resources| resources.get(name)).map(Quantity::of).unwrap_or_default()
}

fn fold(into: &mut Resources, from: &Resources, name: &str, choose: impl Fn(Quantity, Quantity) -> Quantity) {
    let chosen = choose(get(into, name), get(from, name));
    into.get_or_insert_default().insert(name.to_owned(), chosen.to_api());
}

/// The largest; zero is the smallest request.
fn max_request<const N: usize>(quantities: [Quantity; N]) -> Quantity {
    let mut largest = Quantity::default();
    for quantity in quantities {
        if quantity > largest {
            largest = quantity;
        }
    }
    largest
}

/// The smaller of two limits, where a zero on the left means that there is none yet.
fn min_limit(a: Quantity, b: Quantity) -> Quantity {
    let first = a;
    if first.is_zero() || b < first { b } else { first }
}

fn smaller(a: Quantity, b: Quantity) -> Quantity {
    if a.is_zero() || a > b { b } else { a }
}
