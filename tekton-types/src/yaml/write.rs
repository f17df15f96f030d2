//! YAML as kubectl prints it: block style, lists not indented, block literals for texts of several lines.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::scalar;

/// A value as YAML, keys in the order in which they are serialised. A value that has no JSON is printed as null.
pub fn to_string<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or(Value::Null);
    let mut out = String::new();
    write_value(&mut out, &value);
    out
}

/// Appends a JSON value as a YAML document, with a line break at its end.
pub fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Object(entries) if !entries.is_empty() => write_map(out, entries, 0),
        Value::Array(items) if !items.is_empty() => write_list(out, items, 0),
        _ => {
            write_scalar(out, value, 0);
            out.push('\n');
        }
    }
}

fn write_map(out: &mut String, entries: &serde_json::Map<String, Value>, indent: usize) {
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            pad(out, indent);
        }
        write_text(out, key, usize::MAX);
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                pad(out, indent + 2);
                write_map(out, inner, indent + 2);
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push('\n');
                pad(out, indent);
                write_list(out, inner, indent);
            }
            _ => {
                out.push(' ');
                write_scalar(out, value, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn write_list(out: &mut String, items: &[Value], indent: usize) {
    for (at, value) in items.iter().enumerate() {
        if at > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match value {
            Value::Object(inner) if !inner.is_empty() => write_map(out, inner, indent + 2),
            Value::Array(inner) if !inner.is_empty() => write_list(out, inner, indent + 2),
            _ => {
                write_scalar(out, value, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn write_scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => write!(out, "{number}").expect("writing to a string cannot fail"),
        Value::String(text) => write_text(out, text, indent),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// A text as a block literal, plain or quoted; `indent` is `usize::MAX` where a block cannot stand.
fn write_text(out: &mut String, text: &str, indent: usize) {
    if indent != usize::MAX && is_block(text) {
        let body = text.trim_end_matches('\n');
        out.push_str(match text.len() - body.len() {
            0 => "|-",
            1 => "|",
            _ => "|+",
        });
        // kubectl keeps every line break of the end; the last one is written by the caller.
        for line in body.split('\n').chain(std::iter::repeat_n("", (text.len() - body.len()).saturating_sub(1))) {
            out.push('\n');
            if !line.is_empty() {
                pad(out, indent);
                out.push_str(line);
            }
        }
    } else if is_plain(text) {
        out.push_str(text);
    } else if text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        write_quoted(out, text);
    } else {
        let _ = write!(out, "'{}'", text.replace('\'', "''"));
    }
}

/// Whether a text can be a block literal: several lines, none of which would change.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && !text.trim_end_matches('\n').is_empty()
        && text.chars().all(|c| {
            c == '\n' || c == '\t' || !(c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
        })
        && text.split('\n').all(|line| !line.starts_with('\t') && !line.ends_with([' ', '\t']))
}

/// Whether a text read without quotes is that text.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let opens = matches!(
        first,
        '-' | '?'
            | ':'
            | ','
            | '['
            | ']'
            | '{'
            | '}'
            | '#'
            | '&'
            | '*'
            | '!'
            | '|'
            | '>'
            | '\''
            | '"'
            | '%'
            | '@'
            | '`'
            | '='
            | '<'
    );
    let opens =
        opens && !(matches!(first, '-' | '?' | ':') && text[1..].starts_with(|c: char| c.is_ascii_alphanumeric()));
    !opens
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.starts_with(' ')
        && !text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
        && !looks_like_date(text)
        && matches!(scalar::resolve(text.into(), None), Ok(super::Value::String(_)))
}

/// Other readers take dates and base-60 numbers for something else than strings.
fn looks_like_date(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b":-TZ. ".contains(&b))
        && text.bytes().any(|b| b == b':' || b == b'-')
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
