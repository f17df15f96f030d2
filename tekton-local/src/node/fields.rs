//! The downward API: values of a Pod's fields and of its containers' resources.

use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The addresses that a node gives its pods: they share its network.
pub(super) const ADDRESS: &str = crate::runtime::LOOPBACK;

/// The value of `fieldPath`. Errors: the path is none that the downward API knows.
pub(super) fn field(pod: &Pod, path: &str, node: &str) -> Result<String, String> {
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref();
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    if let Some((map, key)) = subscript(path) {
        let map = match map {
            "metadata.labels" => meta.labels.as_ref(),
            "metadata.annotations" => meta.annotations.as_ref(),
            _ => return Err(format!("unsupported fieldPath: {path}")),
        };
        return Ok(map.and_then(|m| m.get(key)).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => text(meta.name.as_ref()),
        "metadata.namespace" => text(meta.namespace.as_ref()),
        "metadata.uid" => text(meta.uid.as_ref()),
        "metadata.labels" => lines(meta.labels.as_ref()),
        "metadata.annotations" => lines(meta.annotations.as_ref()),
        "spec.nodeName" => node.to_owned(),
        "spec.serviceAccountName" => {
            spec.and_then(|s| s.service_account_name.clone()).unwrap_or_else(|| "default".to_owned())
        }
        "status.hostIP" | "status.hostIPs" | "status.podIP" | "status.podIPs" => ADDRESS.to_owned(),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// `metadata.labels['key']` as map and key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.strip_suffix("']")?.split_once("['")?;
    Some((map, key))
}

fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> = map.into_iter().flatten().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    lines.join("\n")
}

/// A string as Go's `%q` prints it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => drop(write!(out, "\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The value of a `resourceFieldRef`, divided and rounded up. Errors: no such container or resource.
pub(super) fn resource(pod: &Pod, own: Option<&Container>, selector: &ResourceFieldSelector) -> Result<String, String> {
    let container = match selector.container_name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => {
            let spec = pod.spec.as_ref();
            let all = spec.into_iter().flat_map(|s| s.containers.iter().chain(s.init_containers.iter().flatten()));
            all.into_iter().find(|c| c.name == name).ok_or_else(|| format!("container {name} not found"))?
        }
        None => own.ok_or("resourceFieldRef needs containerName")?,
    };
    let (which, name) = selector
        .resource
        .split_once('.')
        .ok_or_else(|| format!("unsupported container resource : {}", selector.resource))?;
    let resources = container.resources.as_ref();
    let value = match which {
        "limits" => {
            resources.and_then(|r| r.limits.as_ref()).and_then(|l| l.get(name)).cloned().or_else(|| machine(name))
        }
        "requests" => resources.and_then(|r| r.requests.as_ref()).and_then(|l| l.get(name)).cloned(),
        _ => return Err(format!("unsupported container resource : {}", selector.resource)),
    };
    let value = value.as_ref().and_then(nano).unwrap_or(0);
    let divisor = selector.divisor.as_ref().and_then(nano).filter(|d| *d > 0).unwrap_or(1_000_000_000);
    Ok(((value + divisor - 1) / divisor).to_string())
}

/// What this machine has of a resource: the limit of a container that sets none.
fn machine(name: &str) -> Option<Quantity> {
    match name {
        "cpu" => std::thread::available_parallelism().ok().map(|n| Quantity(n.to_string())),
        "memory" => {
            let text = std::fs::read_to_string("/proc/meminfo").ok()?;
            let kib =
                text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?.trim().to_owned();
            Some(Quantity(format!("{kib}Ki")))
        }
        _ => None,
    }
}

/// A quantity in billionths of its unit.
pub(super) fn nano(quantity: &Quantity) -> Option<i128> {
    let text = quantity.0.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let scale: i128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => 1_000_000_000,
        "k" => 1_000_000_000_000,
        "M" => 1_000_000_000_000_000,
        "G" => 1_000_000_000_000_000_000,
        "T" => 1_000_000_000_000_000_000_000,
        "P" => 1_000_000_000_000_000_000_000_000,
        "Ki" => 1_000_000_000 << 10,
        "Mi" => 1_000_000_000 << 20,
        "Gi" => 1_000_000_000 << 30,
        "Ti" => 1_000_000_000i128 << 40,
        "Pi" => 1_000_000_000i128 << 50,
        exponent if exponent.starts_with(['e', 'E']) => {
            let power: u32 = exponent[1..].parse().ok()?;
            1_000_000_000i128.checked_mul(10i128.checked_pow(power)?)?
        }
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let negative = whole.starts_with('-');
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(scale)?;
    let mut unit = scale;
    for digit in fraction.bytes() {
        unit /= 10;
        let part = i128::from(digit - b'0') * unit;
        value += if negative { -part } else { part };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_decimal_and_binary_suffixes() {
        for (text, expected) in [
            ("1", 1_000_000_000),
            ("250m", 250_000_000),
            ("1.5k", 1_500_000_000_000),
            ("1Ki", 1_024_000_000_000),
            ("2e3", 2_000_000_000_000),
        ] {
            assert_eq!(nano(&Quantity(text.into())), Some(expected), "{text}");
        }
        assert_eq!(nano(&Quantity("1x".into())), None);
    }

    #[test]
    fn annotations_are_one_quoted_line_each() {
        let map = BTreeMap::from([("a".to_owned(), "x\"y\n".to_owned()), ("b".to_owned(), "é".to_owned())]);
        assert_eq!(lines(Some(&map)), "a=\"x\\\"y\\n\"\nb=\"é\"");
    }
}
