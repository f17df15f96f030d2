//! Differences between two Pods in words: by container, then by field.
//!
//! Absent, `null` and empty are the same. Containers, volumes, variables and mounts are paired by their names and
//! paths, so that one that was added does not make all that follow it differ. A Pod that was read from a cluster is made
//! [`portable`] first.

mod portable;

pub use portable::portable;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// Longest text that is shown of a value.
const MAX_SHOWN: usize = 160;

/// One difference: where, what was expected and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The part of the Pod: `pod`, `container step-build`, `volume ws-1`.
    pub part: String,
    /// The field within the part.
    pub field: String,
    /// The value that was expected; `None` when the field should not be there.
    pub expected: Option<String>,
    /// The value that is there; `None` when the field is missing.
    pub got: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.field.is_empty() { "" } else { " " };
        write!(out, "{}{separator}{}: ", self.part, self.field)?;
        match (&self.expected, &self.got) {
            (Some(expected), Some(got)) => write!(out, "expected {expected}, got {got}"),
            (Some(expected), None) => write!(out, "missing, expected {expected}"),
            (None, Some(got)) => write!(out, "not expected, got {got}"),
            (None, None) => out.write_str("differs"),
        }
    }
}

/// The differences of two Pods; empty when they are equal. The status is not compared.
///
/// ```
/// use tekton_podgen::diff;
/// use tekton_podgen::k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
/// let pod = |image: &str| Pod {
///     spec: Some(PodSpec {
///         containers: vec![Container { name: "step-a".into(), image: Some(image.into()), ..Container::default() }],
///         ..PodSpec::default()
///     }),
///     ..Pod::default()
/// };
/// let found = diff::pods(&pod("alpine"), &pod("busybox"));
/// assert_eq!(found[0].to_string(), r#"container step-a image: expected "alpine", got "busybox""#);
/// ```
pub fn pods(expected: &Pod, got: &Pod) -> Vec<Difference> {
    let value = |pod: &Pod| serde_json::to_value(pod).expect("a Pod is representable in JSON");
    let (expected, got) = (value(expected), value(got));
    let mut found = Vec::new();
    for key in ["metadata", "spec"] {
        let path = Path { part: "pod".to_owned(), field: key.to_owned() };
        walk(&path, &expected[key], &got[key], &mut found);
    }
    found
}

/// Where a value is.
#[derive(Clone)]
struct Path {
    part: String,
    field: String,
}

impl Path {
    fn key(&self, key: &str) -> Self {
        let field = if self.field.is_empty() { key.to_owned() } else { format!("{}.{key}", self.field) };
        Self { part: self.part.clone(), field }
    }

    fn element(&self, name: &str) -> Self {
        Self { part: self.part.clone(), field: format!("{}[{name}]", self.field) }
    }

    fn named(kind: &str, name: &str) -> Self {
        Self { part: format!("{kind} {name}"), field: String::new() }
    }

    fn report(&self, expected: Option<&Value>, got: Option<&Value>, found: &mut Vec<Difference>) {
        found.push(Difference {
            part: self.part.clone(),
            field: self.field.clone(),
            expected: expected.map(show),
            got: got.map(show),
        });
    }
}

fn show(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn walk(path: &Path, expected: &Value, got: &Value, found: &mut Vec<Difference>) {
    if expected == got || (is_empty(expected) && is_empty(got)) {
        return;
    }
    match (expected, got) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                member(path, key, &side(left), &side(right), found);
            }
        }
        (Value::Array(left), Value::Array(right)) => elements(path, left, right, found),
        (left, right) if is_empty(left) => path.report(None, Some(right), found),
        (left, right) if is_empty(right) => path.report(Some(left), None, found),
        (left, right) => path.report(Some(left), Some(right), found),
    }
}

fn member(path: &Path, key: &str, expected: &Value, got: &Value, found: &mut Vec<Difference>) {
    let (kind, by) = match key {
        "initContainers" => ("init container", "name"),
        "containers" => ("container", "name"),
        "volumes" => ("volume", "name"),
        "env" => ("", "name"),
        "volumeMounts" => ("", "mountPath"),
        _ => return walk(&path.key(key), expected, got, found),
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (left, right) = (list(expected), list(got));
    let at = |name: &str| if kind.is_empty() { path.key(key).element(name) } else { Path::named(kind, name) };
    paired(&path.key(key), (&left, &right), by, at, found);
}

/// Compares two lists whose elements have names, and then their order.
fn paired(
    path: &Path,
    (expected, got): (&[Value], &[Value]),
    by: &str,
    at: impl Fn(&str) -> Path,
    found: &mut Vec<Difference>,
) {
    let name = |element: &Value| element[by].as_str().unwrap_or_default().to_owned();
    for element in expected {
        let name = name(element);
        match got.iter().find(|other| other[by] == element[by]) {
            Some(other) => walk(&at(&name), element, other, found),
            None => at(&name).report(Some(element), None, found),
        }
    }
    for element in got {
        if !expected.iter().any(|other| other[by] == element[by]) {
            at(&name(element)).report(None, Some(element), found);
        }
    }
    let common = |list: &[Value], other: &[Value]| -> Vec<String> {
        list.iter().filter(|element| other.iter().any(|o| o[by] == element[by])).map(&name).collect()
    };
    let (left, right) = (common(expected, got), common(got, expected));
    if left != right {
        path.key("order").report(Some(&Value::from(left)), Some(&Value::from(right)), found);
    }
}

/// Compares two lists element by element, without what they have in common at the start and at the end.
fn elements(path: &Path, expected: &[Value], got: &[Value], found: &mut Vec<Difference>) {
    let start = expected.iter().zip(got).take_while(|(left, right)| left == right).count();
    let (left, right) = (&expected[start..], &got[start..]);
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[..left.len() - end], &right[..right.len() - end]);
    for index in 0..left.len().max(right.len()) {
        let path = path.element(&(start + index).to_string());
        match (left.get(index), right.get(index)) {
            (Some(left), Some(right)) => walk(&path, left, right, found),
            (left, right) => path.report(left, right, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Container, PodSpec};

    fn pod(containers: &[(&str, &[&str])]) -> Pod {
        let container = |(name, args): &(&str, &[&str])| Container {
            name: (*name).to_owned(),
            args: Some(args.iter().map(|arg| (*arg).to_owned()).collect()),
            ..Container::default()
        };
        let containers = containers.iter().map(container).collect();
        Pod { spec: Some(PodSpec { containers, ..PodSpec::default() }), ..Pod::default() }
    }

    fn lines(expected: &Pod, got: &Pod) -> Vec<String> {
        pods(expected, got).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_added_argument_is_the_only_difference() {
        let expected = pod(&[("step-a", &["1", "3"])]);
        let got = pod(&[("step-a", &["1", "2", "3"])]);
        assert_eq!(lines(&expected, &got), ["container step-a args[1]: not expected, got \"2\""]);
    }

    #[test]
    fn containers_in_another_order_are_told_by_their_names() {
        let expected = pod(&[("step-a", &[]), ("step-b", &[])]);
        let got = pod(&[("step-b", &[]), ("step-a", &[])]);
        assert_eq!(
            lines(&expected, &got),
            ["pod spec.containers.order: expected [\"step-a\",\"step-b\"], got [\"step-b\",\"step-a\"]"]
        );
    }

    #[test]
    fn a_missing_container_is_one_difference() {
        let found = lines(&pod(&[("step-a", &[]), ("step-b", &[])]), &pod(&[("step-b", &[])]));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("container step-a: missing"), "{found:?}");
    }
}
