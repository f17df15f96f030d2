//! ParamValue: a string, an array of strings or an object of strings.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::param_type;

/// The value of a parameter or a result.
///
/// Anything else than a string, an array of strings or an object of strings is read as the string that
/// is its JSON text (`5`, `true`, `[1,2]`); `null` is the empty string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamValue {
    /// A string.
    String(String),
    /// An array of strings.
    Array(Vec<String>),
    /// An object with string values, in the order of declaration.
    Object(IndexMap<String, String>),
}

impl Default for ParamValue {
    fn default() -> Self {
        Self::String(String::new())
    }
}

impl ParamValue {
    /// The name of its type: one of [`param_type`].
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => param_type::STRING,
            Self::Array(_) => param_type::ARRAY,
            Self::Object(_) => param_type::OBJECT,
        }
    }

    /// The string, when it is one.
    pub fn as_string(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// The elements, when it is an array.
    pub fn as_array(&self) -> Option<&[String]> {
        match self {
            Self::Array(a) => Some(a),
            _ => None,
        }
    }

    /// The entries, when it is an object.
    pub fn as_object(&self) -> Option<&IndexMap<String, String>> {
        match self {
            Self::Object(o) => Some(o),
            _ => None,
        }
    }
}

impl From<&str> for ParamValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for ParamValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Vec<String>> for ParamValue {
    fn from(elements: Vec<String>) -> Self {
        Self::Array(elements)
    }
}

impl From<IndexMap<String, String>> for ParamValue {
    fn from(entries: IndexMap<String, String>) -> Self {
        Self::Object(entries)
    }
}

impl Serialize for ParamValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(s) => serializer.serialize_str(s),
            Self::Array(a) => a.serialize(serializer),
            // Go writes maps with sorted keys.
            Self::Object(o) => o.iter().collect::<BTreeMap<_, _>>().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ParamValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = ParamValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an array of strings or an object of strings")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<ParamValue, E> {
        Ok(ParamValue::String(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<ParamValue, E> {
        Ok(ParamValue::String(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<ParamValue, E> {
        Ok(ParamValue::String(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<ParamValue, E> {
        Ok(ParamValue::String(json_number(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<ParamValue, E> {
        Ok(ParamValue::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<ParamValue, E> {
        Ok(ParamValue::String(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<ParamValue, E> {
        Ok(ParamValue::default())
    }

    fn visit_none<E: de::Error>(self) -> Result<ParamValue, E> {
        Ok(ParamValue::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<ParamValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<ParamValue, A::Error> {
        let mut values: Vec<Value> = Vec::with_capacity(elements.size_hint().unwrap_or(0).min(1024));
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        if values.iter().all(is_stringy) {
            return Ok(ParamValue::Array(values.into_iter().map(into_string).collect()));
        }
        Ok(ParamValue::String(Value::Array(values).to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<ParamValue, A::Error> {
        let mut values: IndexMap<String, Value> = IndexMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            values.insert(key, value);
        }
        if values.values().all(is_stringy) {
            return Ok(ParamValue::Object(values.into_iter().map(|(k, v)| (k, into_string(v))).collect()));
        }
        Ok(ParamValue::String(Value::Object(values.into_iter().collect()).to_string()))
    }
}

/// Go reads `null` into a string as the empty string.
fn is_stringy(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Null)
}

fn into_string(value: Value) -> String {
    match value {
        Value::String(s) => s,
        _ => String::new(),
    }
}

/// A float as Go's JSON prints it: plain digits between 1e-6 and 1e21, else an exponent.
pub(crate) fn json_number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => {
            format!("{mantissa}e+{exponent}")
        }
        _ => text,
    }
}

impl JsonSchema for ParamValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ParamValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &ParamValue) {
        assert_eq!(&serde_json::from_str::<ParamValue>(json).unwrap(), expected, "{json}");
    }

    #[test]
    fn what_is_not_made_of_strings_is_its_json_text() {
        for (json, text) in [
            ("5", "5"),
            ("-1.5", "-1.5"),
            ("true", "true"),
            ("null", ""),
            ("[1, 2]", "[1,2]"),
            (r#"{"a": {"b": "c"}}"#, r#"{"a":{"b":"c"}}"#),
            ("1e300", "1e+300"),
        ] {
            check(json, &ParamValue::from(text));
        }
    }

    #[test]
    fn strings_arrays_and_objects_keep_their_shape() {
        check(r#""a""#, &ParamValue::from("a"));
        check(r#"["a", null]"#, &ParamValue::Array(vec!["a".into(), String::new()]));
        check(r#"{"a": "b"}"#, &ParamValue::Object([("a".to_owned(), "b".to_owned())].into_iter().collect()));
        check("[]", &ParamValue::Array(vec![]));
    }
}
