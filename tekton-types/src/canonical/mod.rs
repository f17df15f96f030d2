//! The text of a Task or Pipeline that its signature is made over: JSON as Go prints upstream's types.
//!
//! Signatures are made over bytes, so the order of fields and what is left out have to be Go's. `types.txt` says both, a
//! type a line: its name, then its fields in the order of the Go struct. After the name of a field stands `*` when it is
//! a pointer (printed whenever it is set), `!` and what an absent one prints (`s` an empty string, `b` false, `i` zero,
//! `q` a zero quantity, `o` an empty object, `n` null), or nothing when an empty one is left out; after a colon its type,
//! with `[` for a list and `{` for a map of it. Maps print in the order of their keys.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::object::Object;
use crate::quantity::Quantity;

/// The annotation that holds the signature of a definition, in base64.
pub const SIGNATURE: &str = "tekton.dev/signature";

/// Annotations that are not part of what is signed.
const UNSIGNED: [&str; 3] =
    ["kubectl-client-side-apply", "kubectl.kubernetes.io/last-applied-configuration", SIGNATURE];

/// The text that is signed for a definition: name, namespace, labels, annotations and spec. `None` for kinds that
/// carry no signature.
///
/// Source: trusted-resources.md.
pub fn signed_text(object: &Object) -> Option<String> {
    let (value, package, kind) = match object {
        Object::Task(task) => (serde_json::to_value(task), "v1", "Task"),
        Object::Pipeline(pipeline) => (serde_json::to_value(pipeline), "v1", "Pipeline"),
        Object::V1Beta1Task(task) => (serde_json::to_value(task), "v1beta1", "Task"),
        Object::V1Beta1Pipeline(pipeline) => (serde_json::to_value(pipeline), "v1beta1", "Pipeline"),
        _ => return None,
    };
    let mut value = value.expect("objects of the API are JSON objects with text keys");
    let metadata = value["metadata"].take();
    let mut signed = Map::new();
    for field in ["name", "generateName", "namespace", "labels", "annotations"] {
        if let Some(content) = metadata.get(field) {
            signed.insert(field.to_owned(), content.clone());
        }
    }
    if let Some(annotations) = signed.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !UNSIGNED.contains(&key.as_str()));
    }
    value["metadata"] = Value::Object(signed);
    value["apiVersion"] = format!("tekton.dev/{package}").into();
    value["kind"] = kind.into();
    let mut text = String::new();
    structure(&mut text, &value, &format!("{package}.{kind}"));
    Some(text)
}

/// One field of a Go struct.
#[derive(Debug)]
struct Field {
    name: &'static str,
    /// It is printed whenever it is there, however empty.
    is_pointer: bool,
    /// What is printed when there is nothing to print.
    empty: Option<&'static str>,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    /// Printed as it is, with the keys of maps in order.
    Plain,
    One(&'static str),
    List(&'static str),
    Map(&'static str),
}

/// The type that stands for a quantity.
const QUANTITY: &str = "Q";

static TYPES: LazyLock<HashMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    include_str!("types.txt")
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.map(field).collect()))
        })
        .collect()
});

fn field(word: &'static str) -> Field {
    let (name, shape) = match word.split_once(':') {
        None => (word, Shape::Plain),
        Some((name, of)) => match of.split_at(1) {
            ("[", of) => (name, Shape::List(of)),
            ("{", of) => (name, Shape::Map(of)),
            _ => (name, Shape::One(of)),
        },
    };
    let (name, empty) = match name.split_once('!') {
        None => (name, None),
        Some((name, "s")) => (name, Some("\"\"")),
        Some((name, "b")) => (name, Some("false")),
        Some((name, "i")) => (name, Some("0")),
        Some((name, "q")) => (name, Some("\"0\"")),
        Some((name, "o")) => (name, Some("{}")),
        Some((name, _)) => (name, Some("null")),
    };
    match name.strip_suffix('*') {
        Some(name) => Field { name, is_pointer: true, empty, shape },
        None => Field { name, is_pointer: false, empty, shape },
    }
}

fn structure(out: &mut String, value: &Value, of: &str) {
    out.push('{');
    let mut first = true;
    for field in TYPES.get(of).into_iter().flatten() {
        let content = value.get(field.name).filter(|content| !content.is_null());
        let content = content.filter(|content| field.is_pointer || field.empty.is_some() || !is_empty(content));
        // An object that is always printed may hold fields that are.
        let nested = matches!((&field.shape, field.empty), (Shape::One(_), Some("{}")));
        if content.is_none() && field.empty.is_none() {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        string(out, field.name);
        out.push(':');
        match (content, field.empty) {
            (Some(content), _) => shaped(out, content, &field.shape),
            (None, _) if nested => shaped(out, &Value::Object(Map::new()), &field.shape),
            (None, empty) => out.push_str(empty.unwrap_or("null")),
        }
    }
    out.push('}');
}

fn shaped(out: &mut String, value: &Value, shape: &Shape) {
    match (shape, value) {
        (Shape::One(QUANTITY), _) => quantity(out, value),
        (Shape::One(of), _) => structure(out, value, of),
        (Shape::List(of), Value::Array(items)) => list(out, items, |out, item| structure(out, item, of)),
        (Shape::Map(of), Value::Object(map)) => {
            sorted(out, map, |out, item| if *of == QUANTITY { quantity(out, item) } else { structure(out, item, of) });
        }
        (_, value) => plain(out, value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn quantity(out: &mut String, value: &Value) {
    let text = value.as_str().unwrap_or_default();
    match Quantity::parse(text) {
        Some(quantity) => string(out, &quantity.to_api().0),
        None => plain(out, value),
    }
}

/// Prints a value whose Go type has no fields of its own: keys in order, as Go prints maps.
fn plain(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => string(out, text),
        Value::Array(items) => list(out, items, plain),
        Value::Object(map) => sorted(out, map, plain),
        other => write!(out, "{other}").expect("writing to a string cannot fail"),
    }
}

fn list(out: &mut String, items: &[Value], mut print: impl FnMut(&mut String, &Value)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        print(out, item);
    }
    out.push(']');
}

fn sorted(out: &mut String, map: &Map<String, Value>, mut print: impl FnMut(&mut String, &Value)) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(out, key);
        out.push(':');
        print(out, value);
    }
    out.push('}');
}

/// Prints a value as Go's encoder does, which escapes what HTML could trip over.
pub fn go_json(value: &Value) -> String {
    let mut out = String::new();
    plain(&mut out, value);
    out
}

fn string(out: &mut String, text: &str) {
    for c in Value::from(text).to_string().chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Mode;
    use crate::yaml;

    fn text(source: &str) -> String {
        let documents = yaml::parse(source).expect("the source is YAML");
        let object = Object::decode(&documents[0], Mode::Strict).expect("the source is an object");
        signed_text(&object).expect("the object can be signed")
    }

    #[test]
    fn a_task_is_printed_in_the_order_of_gos_fields() {
        let printed = text(
            "apiVersion: tekton.dev/v1\nkind: Task\nmetadata:\n  name: t\n  annotations: {tekton.dev/signature: c2ln, a: b}\n\
             spec:\n  steps:\n  - image: busybox\n    name: s\n    script: echo a && echo <b>\n    volumeMounts:\n    \
             - {readOnly: false, name: v, mountPath: /v}\n    computeResources: {limits: {cpu: 1000m}}\n  \
             volumes:\n  - {emptyDir: {}, name: v}\n",
        );
        assert_eq!(
            printed,
            r#"{"kind":"Task","apiVersion":"tekton.dev/v1","metadata":{"name":"t","annotations":{"a":"b"}},"spec":{"steps":[{"name":"s","image":"busybox","computeResources":{"limits":{"cpu":"1"}},"volumeMounts":[{"name":"v","mountPath":"/v"}],"script":"echo a \u0026\u0026 echo \u003cb\u003e"}],"volumes":[{"name":"v","emptyDir":{}}]}}"#
        );
    }

    #[test]
    fn what_go_always_prints_is_printed() {
        let printed = text(
            "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n  - name: a\n    \
             taskSpec:\n      steps:\n      - image: busybox\n  results:\n  - {name: r, value: x}\n",
        );
        assert_eq!(
            printed,
            r#"{"kind":"Pipeline","apiVersion":"tekton.dev/v1","metadata":{"name":"p"},"spec":{"tasks":[{"name":"a","taskSpec":{"spec":null,"metadata":{},"steps":[{"name":"","image":"busybox","computeResources":{}}]}}],"results":[{"name":"r","description":"","value":"x"}]}}"#
        );
    }

    #[test]
    fn every_type_that_a_field_names_is_there() {
        for field in TYPES.values().flatten() {
            if let Shape::One(of) | Shape::List(of) | Shape::Map(of) = field.shape {
                assert!(of == QUANTITY || TYPES.contains_key(of), "{of} of {} is not in the table", field.name);
            }
        }
    }
}
