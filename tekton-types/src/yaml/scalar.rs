//! What a scalar means: the rules of Go's YAML 1.1 reader.

use std::borrow::Cow;

use super::Value;

/// The core tags that a scalar may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Str,
    Bool,
    Int,
    Float,
    Null,
    Timestamp,
    Binary,
    /// A tag of somebody else: the text stays as it is.
    Foreign,
}

impl Tag {
    pub(super) fn from_core(suffix: &str) -> Self {
        match suffix {
            "str" => Self::Str,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "null" => Self::Null,
            "timestamp" => Self::Timestamp,
            "binary" => Self::Binary,
            _ => Self::Foreign,
        }
    }
}

/// The value of a scalar that is not quoted or has a tag. Errors: the text does not fit the tag.
pub(super) fn resolve(text: Cow<'_, str>, tag: Option<Tag>) -> Result<Value<'_>, String> {
    let Some(tag) = tag else { return finite(plain(text)) };
    match tag {
        Tag::Str | Tag::Foreign => Ok(Value::String(text)),
        Tag::Binary => binary(&text).map(|text| Value::String(Cow::Owned(text))),
        Tag::Bool | Tag::Int | Tag::Float | Tag::Null | Tag::Timestamp => {
            let value = plain(text.clone());
            let fits = match &value {
                Value::Null => tag == Tag::Null,
                Value::Bool(_) => tag == Tag::Bool,
                Value::Int(_) | Value::UInt(_) => tag == Tag::Int || tag == Tag::Float,
                Value::Float(_) => tag == Tag::Float,
                _ => tag == Tag::Timestamp,
            };
            if fits { finite(value) } else { Err(format!("cannot decode `{text}` as a {}", tag_name(tag))) }
        }
    }
}

fn tag_name(tag: Tag) -> &'static str {
    match tag {
        Tag::Bool => "!!bool",
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Null => "!!null",
        Tag::Timestamp => "!!timestamp",
        Tag::Str | Tag::Binary | Tag::Foreign => "!!str",
    }
}

fn finite(value: Value<'_>) -> Result<Value<'_>, String> {
    match value {
        Value::Float(f) if f.is_nan() => Err("json: unsupported value: NaN".to_owned()),
        Value::Float(f) if f.is_infinite() => {
            Err(format!("json: unsupported value: {}Inf", if f < 0.0 { '-' } else { '+' }))
        }
        value => Ok(value),
    }
}

fn plain(text: Cow<'_, str>) -> Value<'_> {
    let Some(&first) = text.as_bytes().first() else { return Value::Null };
    let known = match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(&text),
        b'.' => word(&text).or_else(|| go_float(&text).map(Value::Float)),
        b'0'..=b'9' | b'+' | b'-' => word(&text).or_else(|| number(&text)),
        _ => None,
    };
    known.unwrap_or(Value::String(text))
}

fn word(text: &str) -> Option<Value<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        "~" | "null" | "Null" | "NULL" => Value::Null,
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// An integer or a float; underscores do not count.
fn number(text: &str) -> Option<Value<'static>> {
    let cleaned: Cow<'_, str> =
        if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    integer(&cleaned).or_else(|| if is_float(&cleaned) { go_float(&cleaned).map(Value::Float) } else { None })
}

/// Go's `ParseInt` in base 0: `0x`, `0o`, `0b` and a leading `0` set the base.
fn integer(text: &str) -> Option<Value<'static>> {
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Value::Int);
    }
    // A plus sign is not part of an unsigned number.
    match i64::try_from(magnitude) {
        Ok(value) => Some(Value::Int(value)),
        Err(_) if text.starts_with('+') => None,
        Err(_) => Some(Value::UInt(magnitude)),
    }
}

/// Digits with an optional fraction and exponent.
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole = digits(rest);
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let len = digits(fraction);
        if whole + len == 0 {
            return false;
        }
        rest = &fraction[len..];
    } else if whole == 0 {
        return false;
    }
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else { return rest.is_empty() };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// Go's `ParseFloat`, which refuses what is out of range.
fn go_float(text: &str) -> Option<f64> {
    if !is_float(text) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Standard base64, line breaks allowed.
fn binary(text: &str) -> Result<String, String> {
    let failed = || "!!binary value contains invalid base64 data".to_owned();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits, mut count, mut padding) = (0_u32, 0, 0_usize, 0_usize);
    for byte in text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')) {
        count += 1;
        let sextet = match byte {
            b'=' => {
                padding += 1;
                continue;
            }
            _ if padding > 0 => return Err(failed()),
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(failed()),
        };
        buffer = (buffer << 6) | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).expect("masked to eight bits"));
        }
    }
    if count % 4 != 0 || padding > 2 {
        return Err(failed());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The key that a scalar is in JSON. Errors: null and other values that cannot be keys.
pub(super) fn key(value: Value<'_>) -> Result<Cow<'_, str>, String> {
    Ok(match value {
        Value::String(text) => text,
        Value::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
        Value::Int(value) => Cow::Owned(value.to_string()),
        Value::Float(value) => Cow::Owned(float_key(value)),
        Value::Null => return Err("unsupported map key of type: null".to_owned()),
        Value::UInt(_) => return Err("unsupported map key of type: uint64".to_owned()),
        Value::Seq(_) | Value::Map(_) => return Err("invalid map key".to_owned()),
    })
}

/// A float as Go's `FormatFloat(v, 'g', -1, 32)`: shortest for 32 bits, exponent of two digits from 1e21 on.
#[expect(clippy::cast_possible_truncation, reason = "Go formats these keys with 32 bits of precision")]
fn float_key(value: f64) -> String {
    let value = value as f32;
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&exponent) {
        return format!("{value}");
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
