//! Typed values from YAML and JSON trees: every problem with its path, its place and a suggestion.
//!
//! Reads as Kubernetes does: `null` is absent, a number may stand for a quantity, quantities come out in canonical
//! form. Strict reading refuses unknown fields and keys that stand twice; lenient reading passes over them.

mod access;
mod de;

use std::fmt;

use serde::de::DeserializeOwned;

use crate::yaml::{Document, Node, Span};

/// What happens to unknown fields and keys that stand twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are errors.
    #[default]
    Strict,
    /// They are passed over; of two equal keys the last one counts.
    Lenient,
}

/// One problem of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong, in Kubernetes' words where it has some: `unknown field "spec.foo"`.
    pub message: String,
    /// Where, as a path: `spec.steps[0].image`; empty for the whole document.
    pub path: String,
    /// Where, in the text.
    pub span: Span,
    /// Which kind of problem it is.
    pub problem: Problem,
}

/// The kinds of problems of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// No field has this name; perhaps another one was meant.
    UnknownField {
        /// The field whose name is nearest.
        suggestion: Option<&'static str>,
        /// Whether only upper and lower case differ from a field.
        case_variant: bool,
    },
    /// A key stands twice in one map.
    DuplicateKey,
    /// A value is of the wrong type or not well formed.
    BadValue,
    /// The kind was removed from Tekton; the text names what to use instead.
    RemovedKind {
        /// What to use instead.
        replacement: &'static str,
    },
    /// The kind belongs to Tekton, but not at this version.
    UnknownKind,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Problem::BadValue = self.problem
            && !self.path.is_empty()
        {
            write!(f, ": {}", self.path)?;
        }
        if let Problem::UnknownField { suggestion: Some(name), .. } = &self.problem {
            write!(f, ", did you mean {name:?}?")?;
        }
        Ok(())
    }
}

impl std::error::Error for DecodeError {}

/// Reads a node as a `T`. Errors: every unknown field (when strict) and every value of a wrong type.
pub fn from_node<T: DeserializeOwned>(node: &Node<'_>, mode: Mode) -> Result<T, Vec<DecodeError>> {
    let (value, errors) = observe(node);
    match value {
        Some(value) if mode == Mode::Lenient || errors.is_empty() => {
            let hard = errors.into_iter().filter(|e| e.problem == Problem::BadValue).collect::<Vec<_>>();
            if hard.is_empty() { Ok(value) } else { Err(hard) }
        }
        _ => Err(errors),
    }
}

/// How many values that no type takes one document may have before reading it is given up.
const REFUSED: usize = 64;

/// Reads a node as a `T` as far as it goes: the value, unless it cannot be read at all, and every problem.
///
/// A value that its type refuses, such as a duration of no unit, is told and then passed over as if it were not there.
pub fn observe<T: DeserializeOwned>(node: &Node<'_>) -> (Option<T>, Vec<DecodeError>) {
    let mut refused: Vec<DecodeError> = Vec::new();
    let mut passed_over: Vec<String> = Vec::new();
    loop {
        let sink = de::Sink::passing_over(passed_over);
        let result = T::deserialize(de::Reader::new(node, &sink));
        let mut errors;
        (errors, passed_over) = sink.into_parts();
        let error = match result {
            Ok(value) => {
                if !refused.is_empty() {
                    errors.extend(refused);
                    errors.sort_by_key(|error| error.span.start);
                }
                return (Some(value), errors);
            }
            Err(error) => error.into_decode_error(),
        };
        let is_around = |path: &String| {
            path.strip_prefix(error.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let follows = passed_over.iter().any(is_around);
        let path = if passed_over.contains(&error.path) { parent(&error.path) } else { &error.path }.to_owned();
        if !follows {
            refused.push(error);
        }
        if path.is_empty() || refused.len() > REFUSED {
            errors.extend(refused);
            errors.sort_by_key(|error| error.span.start);
            return (None, errors);
        }
        passed_over.push(path);
    }
}

/// The path of what holds the field or element of a path.
fn parent(path: &str) -> &str {
    path.rfind(['.', '[']).map_or("", |end| &path[..end])
}

/// What upstream's admission webhook refuses to read: its decoder does not mind the case of field names, nor
/// unknown fields of the metadata.
pub fn refusals<T: DeserializeOwned>(node: &Node<'_>) -> Vec<DecodeError> {
    admit::<T>(node).1
}

/// Reads a node as upstream's admission webhook does: the case of field names does not matter, nor do unknown fields of the
/// metadata. Errors: the other unknown fields, and every value of a wrong type.
pub fn admit<T: DeserializeOwned>(node: &Node<'_>) -> (Option<T>, Vec<DecodeError>) {
    let (value, mut errors) = read::<T>(node, de::Sink::folding_case());
    errors.retain(|error| error.problem == Problem::BadValue || !error.path.starts_with("metadata."));
    (value, errors)
}

fn read<T: DeserializeOwned>(node: &Node<'_>, sink: de::Sink) -> (Option<T>, Vec<DecodeError>) {
    let value = match T::deserialize(de::Reader::new(node, &sink)) {
        Ok(value) => Some(value),
        Err(error) => {
            sink.push(error.into_decode_error());
            None
        }
    };
    (value, sink.into_errors())
}

/// Reads a JSON value as a `T`, leniently, with Kubernetes' rules for `null`, numbers and quantities.
pub fn from_json<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, Vec<DecodeError>> {
    from_node(&Node::from_json(value), Mode::Lenient)
}

/// The keys that stand twice in a document, as errors.
pub fn duplicate_keys(document: &Document<'_>) -> impl Iterator<Item = DecodeError> {
    document.duplicates.iter().map(|duplicate| DecodeError {
        message: format!("yaml: unmarshal errors:\n  {duplicate}"),
        path: String::new(),
        span: duplicate.span,
        problem: Problem::DuplicateKey,
    })
}

#[cfg(test)]
mod tests;
