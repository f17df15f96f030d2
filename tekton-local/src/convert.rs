//! Between the versions in which a resource is served and the one in which it is stored.

use std::borrow::Cow;

use serde_json::{Map, Value};
use tekton_types::Object;
use tekton_types::v1beta1::convert::{self, ConvertError};

/// `value` in another version of its kind; one that cannot be converted keeps its fields.
pub fn to_version<'a>(value: &'a Value, api_version: &str) -> Cow<'a, Value> {
    try_version(value, api_version).unwrap_or_else(|_refused| {
        let mut renamed = value.clone();
        renamed["apiVersion"] = api_version.into();
        Cow::Owned(renamed)
    })
}

/// `value` in another version of its kind. Errors: why one of Tekton's objects cannot be converted.
pub fn try_version<'a>(value: &'a Value, api_version: &str) -> Result<Cow<'a, Value>, ConvertError> {
    let own = value["apiVersion"].as_str().unwrap_or_default();
    if own == api_version {
        return Ok(Cow::Borrowed(value));
    }
    let mut converted = match (own, api_version) {
        ("v1", "events.k8s.io/v1") => rename(value, EVENT_FIELDS, false),
        ("events.k8s.io/v1", "v1") => rename(value, EVENT_FIELDS, true),
        _ => match Object::from_json(value).0.filter(|_| is_tekton(api_version)) {
            Some(object) => convert::to_version(object, api_version)?.to_json(),
            None => value.clone(),
        },
    };
    converted["apiVersion"] = api_version.into();
    Ok(Cow::Owned(converted))
}

fn is_tekton(api_version: &str) -> bool {
    api_version.starts_with("tekton.dev/") || api_version.starts_with("resolution.tekton.dev/")
}

/// The fields of an Event in `v1` and in `events.k8s.io/v1`.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename(value: &Value, names: &[(&str, &str)], back: bool) -> Value {
    let fields: Map<String, Value> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| {
            let to = names.iter().find_map(|(core, new)| {
                if back { (name == new).then_some(*core) } else { (name == core).then_some(*new) }
            });
            (to.map_or_else(|| name.clone(), str::to_owned), field.clone())
        })
        .collect();
    Value::Object(fields)
}
