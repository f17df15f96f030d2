//! The functions of CEL's standard library.

use regex_lite::Regex;
use tekton_contract::duration;

use super::{
    check::{BOOL, DURATION, INT, TIMESTAMP, Type},
    time,
    value::Value,
};

/// What `timestamp` accepts, in nanoseconds: the years 1 to 9999.
const TIMESTAMP_RANGE: std::ops::RangeInclusive<i128> = -62_135_596_800_000_000_000..=253_402_300_799_999_999_999;

const CONVERSIONS: [&str; 10] =
    ["int", "uint", "double", "string", "bytes", "bool", "dyn", "type", "duration", "timestamp"];

const FIELDS: [&str; 10] = [
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

/// Whether there is a function or a method of this name.
pub(super) fn is_known(name: &str) -> bool {
    CONVERSIONS.contains(&name)
        || FIELDS.contains(&name)
        || ["size", "contains", "startsWith", "endsWith", "matches"].contains(&name)
}

fn one_of(argument: &Type, names: &[&str]) -> bool {
    match argument {
        Type::Dyn => true,
        Type::Simple(name) => names.contains(name),
        Type::List(_) => names.contains(&"list"),
        Type::Map(..) => names.contains(&"map"),
    }
}

/// The type of a function's outcome; `None` when its arguments are not for it.
pub(super) fn function_type(name: &str, args: &[Type]) -> Option<Type> {
    let simple = |accepted: &[&str], outcome: &'static str| match args {
        [argument] if one_of(argument, accepted) => Some(Type::Simple(outcome)),
        _ => None,
    };
    match name {
        "size" => simple(&["string", "bytes", "list", "map"], "int"),
        "int" => simple(&["int", "uint", "double", "string", TIMESTAMP], "int"),
        "uint" => simple(&["int", "uint", "double", "string"], "uint"),
        "double" => simple(&["int", "uint", "double", "string"], "double"),
        "string" => simple(&["int", "uint", "double", "string", "bytes", "bool", DURATION, TIMESTAMP], "string"),
        "bytes" => simple(&["string", "bytes"], "bytes"),
        "bool" => simple(&["string", "bool"], "bool"),
        "duration" => simple(&["string", "int", DURATION], DURATION),
        "timestamp" => simple(&["string", "int", TIMESTAMP], TIMESTAMP),
        "dyn" => (args.len() == 1).then_some(Type::Dyn),
        "type" => (args.len() == 1).then_some(Type::Simple("type")),
        "matches" => match args {
            [text, pattern] => (one_of(text, &["string"]) && one_of(pattern, &["string"])).then_some(BOOL),
            _ => None,
        },
        _ => None,
    }
}

/// The type of a method's outcome; `None` when it is not for these types.
pub(super) fn method_type(name: &str, target: &Type, args: &[Type]) -> Option<Type> {
    match (name, args) {
        ("size", []) => function_type("size", std::slice::from_ref(target)),
        ("contains" | "startsWith" | "endsWith" | "matches", [argument]) => {
            (one_of(target, &["string"]) && one_of(argument, &["string"])).then_some(BOOL)
        }
        (name, []) if FIELDS.contains(&name) => {
            let spans = ["getHours", "getMinutes", "getSeconds", "getMilliseconds"].contains(&name);
            let fits = one_of(target, &[TIMESTAMP]) || (spans && one_of(target, &[DURATION]));
            fits.then_some(INT)
        }
        (name, [zone]) if FIELDS.contains(&name) => {
            (one_of(target, &[TIMESTAMP]) && one_of(zone, &["string"])).then_some(INT)
        }
        _ => None,
    }
}

fn no_overload() -> String {
    "no such overload".to_owned()
}

/// A point in time, if there is such a one.
pub(super) fn timestamp(nanoseconds: i128) -> Result<Value, String> {
    if TIMESTAMP_RANGE.contains(&nanoseconds) {
        Ok(Value::Timestamp(nanoseconds))
    } else {
        Err("timestamp overflow".to_owned())
    }
}

/// Calls a function.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    match (name, args) {
        ("matches", [text, pattern]) => method("matches", text, std::slice::from_ref(pattern)),
        ("size", [value]) => size(value),
        ("dyn", [value]) => Ok(value.clone()),
        ("type", [value]) => Ok(Value::Type(value.type_name())),
        (_, [value]) => convert(name, value),
        _ => Err(no_overload()),
    }
}

fn size(value: &Value) -> Result<Value, String> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        _ => return Err(no_overload()),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the range is checked before, and doubles are as exact as they are"
)]
fn convert(name: &str, value: &Value) -> Result<Value, String> {
    let bad = || match value {
        Value::String(text) => format!("type conversion error from string '{text}' to {name}"),
        value => format!("type conversion error from '{}' to '{name}'", value.type_name()),
    };
    let range = || "range error converting number".to_owned();
    Ok(match (name, value) {
        ("int", Value::Int(_))
        | ("uint", Value::Uint(_))
        | ("double", Value::Double(_))
        | ("string", Value::String(_))
        | ("bytes", Value::Bytes(_))
        | ("bool", Value::Bool(_))
        | ("duration", Value::Duration(_))
        | ("timestamp", Value::Timestamp(_)) => value.clone(),
        ("int", Value::Uint(number)) => Value::Int(i64::try_from(*number).map_err(|_| range())?),
        ("int", Value::Double(number)) if number.abs() < 9_223_372_036_854_775_808.0 => Value::Int(*number as i64),
        ("int", Value::String(text)) => Value::Int(text.parse().map_err(|_| bad())?),
        ("int", Value::Timestamp(at)) => Value::Int(i64::try_from(at.div_euclid(1_000_000_000)).map_err(|_| range())?),
        ("uint", Value::Int(number)) => Value::Uint(u64::try_from(*number).map_err(|_| range())?),
        ("uint", Value::Double(number)) if (0.0..18_446_744_073_709_551_616.0).contains(number) => {
            Value::Uint(*number as u64)
        }
        ("uint", Value::String(text)) => Value::Uint(text.parse().map_err(|_| bad())?),
        ("int" | "uint", Value::Double(_)) => return Err(range()),
        ("double", Value::Int(number)) => Value::Double(*number as f64),
        ("double", Value::Uint(number)) => Value::Double(*number as f64),
        ("double", Value::String(text)) => Value::Double(text.parse().map_err(|_| bad())?),
        ("string", Value::Int(number)) => Value::String(number.to_string()),
        ("string", Value::Uint(number)) => Value::String(number.to_string()),
        ("string", Value::Double(number)) => Value::String(number.to_string()),
        ("string", Value::Bool(truth)) => Value::String(truth.to_string()),
        ("string", Value::Bytes(bytes)) => Value::String(
            String::from_utf8(bytes.clone()).map_err(|_| "invalid UTF-8 in bytes, cannot convert to string")?,
        ),
        ("string", Value::Duration(span)) => Value::String(time::seconds(*span)),
        ("string", Value::Timestamp(at)) => Value::String(time::print(*at)),
        ("bytes", Value::String(text)) => Value::Bytes(text.clone().into_bytes()),
        ("bool", Value::String(text)) => Value::Bool(tekton_contract::argv::boolean(text).ok_or_else(bad)?),
        ("duration", Value::String(text)) => Value::Duration(duration::parse(text).ok_or_else(bad)?),
        ("duration", Value::Int(seconds)) => Value::Duration(seconds.checked_mul(1_000_000_000).ok_or_else(range)?),
        ("timestamp", Value::String(text)) => return timestamp(time::parse(text).ok_or_else(bad)?),
        ("timestamp", Value::Int(seconds)) => return timestamp(i128::from(*seconds) * 1_000_000_000),
        _ => return Err(no_overload()),
    })
}

/// Calls a method.
pub(super) fn method(name: &str, target: &Value, args: &[Value]) -> Result<Value, String> {
    match (name, target, args) {
        ("size", value, []) => size(value),
        ("contains", Value::String(text), [Value::String(part)]) => Ok(Value::Bool(text.contains(part.as_str()))),
        ("startsWith", Value::String(text), [Value::String(part)]) => Ok(Value::Bool(text.starts_with(part.as_str()))),
        ("endsWith", Value::String(text), [Value::String(part)]) => Ok(Value::Bool(text.ends_with(part.as_str()))),
        ("matches", Value::String(text), [Value::String(pattern)]) => {
            let pattern = Regex::new(pattern).map_err(|error| format!("error parsing regexp: {error}"))?;
            Ok(Value::Bool(pattern.is_match(text)))
        }
        ("getHours", Value::Duration(span), []) => Ok(Value::Int(span / 3_600_000_000_000)),
        ("getMinutes", Value::Duration(span), []) => Ok(Value::Int(span / 60_000_000_000)),
        ("getSeconds", Value::Duration(span), []) => Ok(Value::Int(span / 1_000_000_000)),
        ("getMilliseconds", Value::Duration(span), []) => Ok(Value::Int(span / 1_000_000)),
        (_, Value::Timestamp(at), []) => time::field(name, *at).map(Value::Int).ok_or_else(no_overload),
        (_, Value::Timestamp(at), [Value::String(zone)]) => {
            let offset = time::zone(zone, *at).ok_or_else(|| format!("unknown time zone {zone}"))?;
            time::field(name, at + i128::from(offset) * 1_000_000_000).map(Value::Int).ok_or_else(no_overload)
        }
        _ => Err(no_overload()),
    }
}
