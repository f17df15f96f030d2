//! YAML as Kubernetes reads it: YAML 1.1 scalars, merge keys, every value with its place in the text.
//!
//! ```
//! let documents = tekton_types::yaml::parse("kind: Task\nretries: 017\non: yes\n").unwrap();
//! assert_eq!(documents[0].to_json(), serde_json::json!({"kind": "Task", "retries": 15, "true": true}));
//! ```

pub mod annotate;
mod build;
pub mod edit;
mod fast;
mod scalar;
mod write;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Number};

pub use write::{to_string, write_value};

/// Where something stands in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// Line of the first byte, from 1.
    pub line: usize,
    /// Column of the first byte in characters, from 1.
    pub column: usize,
}

/// One document of a YAML stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document<'a> {
    /// Position in the stream, from 0; empty documents count.
    pub index: usize,
    /// The value; null for an empty document.
    pub root: Node<'a>,
    /// Keys that stand twice in one map; the last one counts.
    pub duplicates: Vec<DuplicateKey>,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// The value.
    pub value: Value<'a>,
    /// Its place.
    pub span: Span,
}

/// A value as JSON knows it; maps keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// A string.
    String(Cow<'a, str>),
    /// A list.
    Seq(Vec<Node<'a>>),
    /// A map, without duplicate keys.
    Map(Vec<Entry<'a>>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The key as JSON would have it.
    pub key: Cow<'a, str>,
    /// Place of the key.
    pub key_span: Span,
    /// The value.
    pub value: Node<'a>,
}

/// A key that stands twice in one map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// Place of the second value.
    pub span: Span,
}

impl fmt::Display for DuplicateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: key {:?} already set in map", self.span.line, self.key)
    }
}

/// A text that is no YAML, or YAML that has no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("yaml: line {}: {message}", span.line)]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Position of the document in the stream, from 0.
    pub document: usize,
}

/// Reads all documents. Errors: the first text that is no YAML.
pub fn parse(text: &str) -> Result<Vec<Document<'_>>, Error> {
    parse_each(text).collect()
}

/// Reads each document by itself: an error in one does not hide the others.
pub fn parse_each(text: &str) -> impl Iterator<Item = Result<Document<'_>, Error>> {
    chunks(text).into_iter().enumerate().map(|(index, chunk)| match fast::document(index, &chunk) {
        Some(document) => Ok(document),
        None => build::document(index, &chunk),
    })
}

/// The text of one document.
struct Chunk<'a> {
    text: &'a str,
    offset: usize,
    /// Lines before it.
    lines: usize,
}

/// Cuts a stream at the lines that begin a document with `---`.
fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line, mut offset, mut content) = (0, 0, 0, false);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker {
            if content {
                chunks.push(Chunk { text: &text[start..offset], offset: start, lines: start_line });
            }
            (start, start_line) = (offset, number);
            content = true;
        } else if !content {
            let line = line.trim_start_matches('\u{feff}').trim_start();
            content = !(line.is_empty() || line.starts_with(['#', '%']));
        }
        offset += line.len();
    }
    if content {
        chunks.push(Chunk { text: &text[start..], offset: start, lines: start_line });
    }
    chunks
}

impl<'a> Document<'a> {
    /// The value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        self.root.to_json()
    }

    /// The node at a path of map keys and list indices, such as `["spec", "steps", "0"]`.
    pub fn at<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Option<&Node<'a>> {
        path.into_iter().try_fold(&self.root, Node::child)
    }
}

impl<'a> Node<'a> {
    /// The value under a map key or a list index.
    pub fn child(&self, segment: &str) -> Option<&Node<'a>> {
        match &self.value {
            Value::Map(_) => self.get(segment),
            Value::Seq(items) => items.get(segment.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The value under a map key.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a map key.
    pub fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The string, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::UInt(value) => (*value).into(),
            Value::Float(value) => float_to_json(*value),
            Value::String(text) => text.as_ref().into(),
            Value::Seq(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|e| (e.key.clone().into_owned(), e.value.to_json())).collect::<Map<_, _>>().into()
            }
        }
    }

    /// A tree without places, of a JSON value.
    pub fn from_json(value: &'a serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let value = match value {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => number_from_json(number),
            Json::String(text) => Value::String(Cow::Borrowed(text)),
            Json::Array(items) => Value::Seq(items.iter().map(Node::from_json).collect()),
            Json::Object(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| Entry {
                        key: Cow::Borrowed(key),
                        key_span: Span::default(),
                        value: Node::from_json(value),
                    })
                    .collect(),
            ),
        };
        Self { value, span: Span::default() }
    }
}

fn number_from_json<'a>(number: &Number) -> Value<'a> {
    if let Some(value) = number.as_i64() {
        Value::Int(value)
    } else if let Some(value) = number.as_u64() {
        Value::UInt(value)
    } else {
        number.as_f64().map_or(Value::Null, Value::Float)
    }
}

/// Go prints a float without a fraction as an integer, so it becomes one.
fn float_to_json(value: f64) -> serde_json::Value {
    match whole(value) {
        Some(whole) => whole.into(),
        None => Number::from_f64(value).map_or(serde_json::Value::Null, serde_json::Value::Number),
    }
}

/// The integer that a float is, when it is one within the reach of `i64`.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked, and the value has no fraction")]
pub(crate) fn whole(value: f64) -> Option<i64> {
    let negative_zero = value == 0.0 && value.is_sign_negative();
    (value.fract() == 0.0 && value.abs() < 9.2e18 && !negative_zero).then_some(value as i64)
}

#[cfg(test)]
mod tests;
