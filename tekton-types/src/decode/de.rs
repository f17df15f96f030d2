//! The deserializer over nodes: knows its path, collects problems and goes on where it can.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::value::StrDeserializer;
use serde::de::{self, Deserializer, Visitor};

use super::access::{Entries, Items, Variant};
use super::{DecodeError, Problem};
use crate::kubernetes::newer;
use crate::quantity::Quantity;
use crate::suggest::nearest;
use crate::yaml::{Entry, Node, Span, Value, whole};

/// The problems so far.
#[derive(Debug, Default)]
pub(super) struct Sink {
    errors: RefCell<Vec<DecodeError>>,
    /// Whether a key that differs from a field only in case is that field.
    folds_case: bool,
    /// Paths of values that are read as if they were not there.
    passed_over: Vec<String>,
}

impl Sink {
    /// One under which a key that differs from a field only in case is that field.
    pub(super) fn folding_case() -> Self {
        Self { folds_case: true, ..Self::default() }
    }

    /// One under which the values at these paths are read as if they were not there.
    pub(super) fn passing_over(paths: Vec<String>) -> Self {
        Self { passed_over: paths, ..Self::default() }
    }

    /// Whether a value is read as if it were not there.
    pub(super) fn passes_over(&self, path: Path<'_>) -> bool {
        !self.passed_over.is_empty() && self.passed_over.contains(&path.to_text())
    }

    /// The problems, and the paths that were passed over.
    pub(super) fn into_parts(self) -> (Vec<DecodeError>, Vec<String>) {
        (self.errors.into_inner(), self.passed_over)
    }

    pub(super) fn push(&self, error: DecodeError) {
        self.errors.borrow_mut().push(error);
    }

    pub(super) fn into_errors(self) -> Vec<DecodeError> {
        self.errors.into_inner()
    }
}

/// A problem that stops the reading: a visitor refused a value.
#[derive(Debug)]
pub(super) struct Error {
    message: String,
    place: Option<(String, Span)>,
}

impl Error {
    pub(super) fn into_decode_error(self) -> DecodeError {
        let (path, span) = self.place.unwrap_or_default();
        DecodeError { message: self.message, path, span, problem: Problem::BadValue }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), place: None }
    }
}

/// The way from the root to a node, as a list in the stack frames.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Root => {}
            Self::Key(parent, key) => {
                parent.write(out);
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Self::Index(parent, index) => {
                parent.write(out);
                let _ = write!(out, "[{index}]");
            }
        }
    }

    fn to_text(self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

/// Reads one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'p, 'n> {
    pub(super) node: &'n Node<'n>,
    pub(super) sink: &'p Sink,
    pub(super) path: &'p Path<'p>,
}

impl<'p, 'n> Reader<'p, 'n> {
    pub(super) fn new(node: &'n Node<'n>, sink: &'p Sink) -> Self {
        Self { node, sink, path: &Path::Root }
    }

    /// Notes that the node is of a wrong type.
    fn wrong(&self, expected: &str) {
        self.bad(format!("expected {expected}, found {}", kind_of(&self.node.value)));
    }

    fn bad(&self, message: String) {
        self.sink.push(DecodeError {
            message,
            path: self.path.to_text(),
            span: self.node.span,
            problem: Problem::BadValue,
        });
    }

    /// Gives an error from below its place, unless it has one.
    pub(super) fn locate(&self, mut error: Error) -> Error {
        error.place.get_or_insert_with(|| (self.path.to_text(), self.node.span));
        error
    }

    pub(super) fn unknown(&self, entry: &Entry<'_>, known: &'static [&'static str]) {
        let path = Path::Key(self.path, &entry.key).to_text();
        // A name that stands beside it already was not what this one was to be.
        let free = known.iter().copied().filter(|name| self.node.get(name).is_none());
        let suggestion = nearest(&entry.key, free);
        self.sink.push(DecodeError {
            message: format!("unknown field {path:?}"),
            path,
            span: entry.key_span,
            problem: Problem::UnknownField {
                suggestion,
                case_variant: known.iter().any(|name| *name != entry.key && name.eq_ignore_ascii_case(&entry.key)),
            },
        });
    }

    /// The field that an entry is.
    pub(super) fn field(&self, entry: &Entry<'_>, fields: &'static [&'static str]) -> Option<&'static str> {
        let exact = fields.iter().find(|field| **field == entry.key);
        if exact.is_some() || !self.sink.folds_case {
            return exact.copied();
        }
        let folded = fields.iter().find(|field| field.eq_ignore_ascii_case(&entry.key))?;
        self.node.get(folded).is_none().then_some(*folded)
    }

    fn integer<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Int(value) => visitor.visit_i64(*value),
            Value::UInt(value) => visitor.visit_u64(*value),
            Value::Float(value) if whole(*value).is_some() => {
                visitor.visit_i64(whole(*value).expect("just seen to be whole"))
            }
            Value::Null => visitor.visit_i64(0),
            _ => {
                self.wrong("an integer");
                visitor.visit_i64(0)
            }
        }
        .map_err(|error| self.locate(error))
    }

    fn text<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::String(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Value::String(Cow::Owned(text)) => visitor.visit_borrowed_str(text),
            Value::Null => visitor.visit_borrowed_str(""),
            _ => {
                self.wrong("a string");
                visitor.visit_borrowed_str("")
            }
        }
        .map_err(|error| self.locate(error))
    }

    pub(super) fn list<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        let items: &[Node<'n>] = match &self.node.value {
            Value::Seq(items) => items,
            Value::Null => &[],
            _ => {
                self.wrong("a list");
                &[]
            }
        };
        visitor
            .visit_seq(Items { left: items.iter().enumerate(), sink: self.sink, path: self.path })
            .map_err(|error| self.locate(error))
    }

    fn entries(self, expected: &str) -> &'n [Entry<'n>] {
        match &self.node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            _ => {
                self.wrong(expected);
                &[]
            }
        }
    }

    /// A quantity in canonical form.
    fn quantity<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        let text: Cow<'_, str> = match &self.node.value {
            Value::String(text) => Cow::Borrowed(text.trim()),
            Value::Int(value) => value.to_string().into(),
            Value::UInt(value) => value.to_string().into(),
            Value::Float(value) => crate::v1::json_number(*value).into(),
            Value::Null => Cow::Borrowed("0"),
            _ => {
                self.wrong("a quantity");
                Cow::Borrowed("0")
            }
        };
        let text = if let Some(quantity) = Quantity::parse(&text) {
            quantity.to_string()
        } else {
            self.bad(BAD_QUANTITY.to_owned());
            text.into_owned()
        };
        visitor.visit_newtype_struct(StrDeserializer::<Error>::new(&text))
    }
}

/// Fields of Kubernetes types that Go has without a pointer: it drops their zero value, the types here would keep it.
const ZERO_IS_ABSENT: &[(&str, &[&str])] = &[
    ("ContainerPort", &["hostIP", "hostPort", "name", "protocol"]),
    ("EnvVar", &["value"]),
    ("PersistentVolumeClaimVolumeSource", &["readOnly"]),
    ("Probe", &["failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"]),
    ("VolumeMount", &["readOnly", "subPath", "subPathExpr"]),
];

/// What Kubernetes says about a text that is no quantity.
const BAD_QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

fn kind_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Seq(_) => "a list",
        Value::Map(_) => "a map",
    }
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
            self.integer(visitor)
        }
    )*};
}

impl<'n> Deserializer<'n> for Reader<'_, 'n> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::UInt(value) => visitor.visit_u64(*value),
            Value::Float(value) => match whole(*value) {
                Some(whole) => visitor.visit_i64(whole),
                None => visitor.visit_f64(*value),
            },
            Value::String(_) => return self.text(visitor),
            Value::Seq(_) => return self.list(visitor),
            Value::Map(_) => return self.deserialize_map(visitor),
        }
        .map_err(|error| self.locate(error))
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Null => visitor.visit_bool(false),
            _ => {
                self.wrong("a boolean");
                visitor.visit_bool(false)
            }
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    #[expect(clippy::cast_precision_loss, reason = "a float field takes what a float can hold of an integer")]
    fn deserialize_f64<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Int(value) => visitor.visit_f64(*value as f64),
            Value::UInt(value) => visitor.visit_f64(*value as f64),
            Value::Null => visitor.visit_f64(0.0),
            _ => {
                self.wrong("a number");
                visitor.visit_f64(0.0)
            }
        }
    }

    fn deserialize_f32<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_char<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == "Quantity" { self.quantity(visitor) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.entries("a map").iter();
        visitor
            .visit_map(Entries { left, fields: None, zero: &[], newer: &[], value: None, reader: self })
            .map_err(|error| self.locate(error))
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let left = self.entries("a map").iter();
        let zero = ZERO_IS_ABSENT.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, fields)| *fields);
        visitor
            .visit_map(Entries { left, fields: Some(fields), zero, newer: newer(name), value: None, reader: self })
            .map_err(|error| self.locate(error))
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(Variant(self)).map_err(|error| self.locate(error))
    }

    fn deserialize_identifier<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}
