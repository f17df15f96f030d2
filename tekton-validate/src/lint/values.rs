//! Values of parameters that YAML reads as something else than was written.

use tekton_types::yaml::{Node, Value};

use super::{Found, Given, warning};
use crate::fix::Fix;

/// Warns of `value: 1.10` and `default: no`, which arrive as the texts `1.1` and `false`.
pub(super) fn check(given: &Given<'_>, found: &mut Vec<Found>) {
    if let Some(spec) = given.root.get("spec") {
        walk(spec, "spec", given, found);
    }
}

fn walk(node: &Node<'_>, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let path = format!("{path}.{}", entry.key);
                if matches!(entry.key.as_ref(), "value" | "default") && node.get("name").is_some() {
                    value(&entry.value, &path, given, found);
                }
                walk(&entry.value, &path, given, found);
            }
        }
        Value::Seq(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), given, found);
            }
        }
        _ => {}
    }
}

fn value(node: &Node<'_>, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    if let Value::Seq(items) = &node.value {
        for (index, item) in items.iter().enumerate() {
            value(item, &format!("{path}[{index}]"), given, found);
        }
    }
    if !matches!(node.value, Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_)) {
        return;
    }
    let Some(written) = given.text.get(node.span.start..node.span.end) else { return };
    let read = node.to_json().to_string();
    if read == written || written.contains(['"', '\'', '\n']) {
        return;
    }
    let quoted = format!("\"{written}\"");
    let diagnostic = warning("unquoted-value", format!("{written} arrives as the text {read:?}"), path)
        .with_about(written)
        .with_help(format!("write {quoted} to have it as it stands"));
    let fix = Fix::replace(format!("write {quoted}"), node.span.start..node.span.end, quoted);
    found.push(Found { diagnostic, fix: Some(fix) });
}
