//! From a CustomResourceDefinition to the resource that it defines.

use std::sync::Arc;

use serde_json::Value;

use super::{Column, Resource, ScalePaths, Version};

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The resource that a CustomResourceDefinition serves, or nothing when it has no stored version.
pub fn resource_of(crd: &Value) -> Option<Resource> {
    let spec = &crd["spec"];
    let (group, plural) = (text(spec, "group"), text(&spec["names"], "plural"));
    let versions = spec["versions"].as_array()?;
    let storage = versions.iter().find(|v| v["storage"].as_bool() == Some(true))?;
    let mut served: Vec<Version> =
        versions.iter().filter(|v| v["served"].as_bool() == Some(true)).map(version).collect();
    served.sort_by(|a, b| compare_versions(&b.name, &a.name));
    let kind = text(&spec["names"], "kind");
    let or = |value: String, default: String| if value.is_empty() { default } else { value };
    Some(Resource {
        singular: or(text(&spec["names"], "singular"), kind.to_lowercase()),
        list_kind: or(text(&spec["names"], "listKind"), format!("{kind}List")),
        kind,
        namespaced: spec["scope"] == "Namespaced",
        short_names: texts(&spec["names"]["shortNames"]),
        categories: texts(&spec["names"]["categories"]),
        versions: served,
        storage: format!("{group}/{}", text(storage, "name")),
        custom: true,
        key: Arc::from(format!("{group}/{plural}")),
        group,
        plural,
    })
}

fn version(declared: &Value) -> Version {
    let scale = &declared["subresources"]["scale"];
    let columns: Vec<Column> = declared["additionalPrinterColumns"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| Column {
            name: text(c, "name"),
            kind: text(c, "type"),
            format: text(c, "format"),
            description: text(c, "description"),
            priority: c["priority"].as_i64().unwrap_or(0),
            json_path: text(c, "jsonPath"),
        })
        .collect();
    Version {
        name: text(declared, "name"),
        status: declared["subresources"]["status"].is_object(),
        scale: scale.is_object().then(|| ScalePaths {
            spec: text(scale, "specReplicasPath"),
            status: text(scale, "statusReplicasPath"),
            selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
        }),
        schema: declared["schema"]["openAPIV3Schema"]
            .is_object()
            .then(|| Arc::new(declared["schema"]["openAPIV3Schema"].clone())),
        columns: if columns.is_empty() {
            vec![super::columns::column("Age", "date", ".metadata.creationTimestamp")]
        } else {
            columns
        },
    }
}

/// The order of versions by stability: `v2` > `v1` > `v1beta2` > `v1beta1` > `v1alpha1` > anything else.
pub fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    fn rank(version: &str) -> Option<(u8, u64, u64)> {
        let rest = version.strip_prefix('v')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let major: u64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        if tail.is_empty() {
            return Some((2, major, 0));
        }
        let (stage, minor) = match (tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
            (Some(minor), _) => (1, minor),
            (_, Some(minor)) => (0, minor),
            _ => return None,
        };
        Some((stage, major, minor.parse().ok()?))
    }
    match (rank(a), rank(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => std::cmp::Ordering::Greater,
        (None, Some(_)) => std::cmp::Ordering::Less,
        (None, None) => b.cmp(a),
    }
}
