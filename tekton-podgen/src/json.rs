//! JSON texts as Go's encoder prints them, for values that end up inside a Pod.

use serde_json::Value;

/// Serialises with `<`, `>`, `&`, U+2028 and U+2029 escaped, as `encoding/json` does.
pub(crate) fn go_string(value: &Value) -> String {
    escape(&value.to_string())
}

/// Escapes an already serialised JSON text.
pub(crate) fn escape(text: &str) -> String {
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
    out
}
