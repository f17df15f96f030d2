//! Structural comparison of JSON values, and a list of differences that a person can read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

/// How many differences one comparison lists before it stops.
const MAX_DIFFERENCES: usize = 12;

/// True for what Go leaves out or prints as a zero value: `null`, `{}`, `[]`, `""`.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Compares `ours` with `expected`, where absent, `null`, `{}`, `[]` and `""` are equal.
///
/// Errors: the differences, one a line, each with its path.
pub fn equal(expected: &Value, ours: &Value) -> Result<(), String> {
    let found = differences(expected, ours);
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

/// The differences between two values, each with its path; at most a dozen.
pub fn differences(expected: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(&mut String::new(), expected, ours, &mut found);
    found
}

/// Compares two texts exactly.
///
/// Errors: both texts.
pub fn equal_text(expected: &str, ours: &str) -> Result<(), String> {
    if expected == ours { Ok(()) } else { Err(format!("expected {expected:?}\n     got {ours:?}")) }
}

fn walk(path: &mut String, expected: &Value, ours: &Value, found: &mut Vec<String>) {
    if found.len() >= MAX_DIFFERENCES || (is_empty(expected) && is_empty(ours)) {
        return;
    }
    let depth = path.len();
    match (expected, ours) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                path.push('.');
                path.push_str(key);
                walk(path, left.get(key).unwrap_or(&Value::Null), right.get(key).unwrap_or(&Value::Null), found);
                path.truncate(depth);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for index in 0..left.len().max(right.len()) {
                write!(path, "[{index}]").expect("writing to a string cannot fail");
                match (left.get(index), right.get(index)) {
                    (Some(left), Some(right)) => walk(path, left, right, found),
                    (Some(left), None) => found.push(format!("{path}: missing, expected {}", short(left))),
                    (None, Some(right)) => found.push(format!("{path}: unexpected {}", short(right))),
                    (None, None) => {}
                }
                path.truncate(depth);
            }
        }
        (left, right) if left == right || same_number(left, right) => {}
        (left, right) => found.push(format!("{path}: expected {}, got {}", short(left), short(right))),
    }
}

fn same_number(left: &Value, right: &Value) -> bool {
    matches!((left.as_f64(), right.as_f64()), (Some(left), Some(right)) if (left - right).abs() < f64::EPSILON)
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_null_and_empty_are_equal() {
        assert_eq!(equal(&json!({"a": null, "b": {}, "c": [], "d": {"e": {}}}), &json!({})), Ok(()));
    }

    #[test]
    fn a_difference_names_its_path() {
        let found = differences(&json!({"a": [{"b": 1}]}), &json!({"a": [{"b": 2}]}));
        assert_eq!(found, [".a[0].b: expected 1, got 2"]);
    }

    #[test]
    fn a_longer_list_differs() {
        assert_eq!(differences(&json!({"a": [1]}), &json!({"a": [1, 2]})), [".a[1]: unexpected 2"]);
    }
}
