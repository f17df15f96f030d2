//! JSON as Go's `encoding/json` reads and writes it: its leniency, its escapes, its error texts.
//!
//! Small enough for the entrypoint binary, which reads a handful of shapes and needs Go's texts.

use std::borrow::Cow;
use std::fmt;

/// A parsed JSON value. Objects keep their order, and equal keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A string; each byte of it that was not UTF-8 became U+FFFD.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// Members in the order of the text.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What Go calls the kind of value in its errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The value of a member as Go's decoder picks it: without regard to case, the last one wins.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

/// Why a text is not JSON, or not the expected JSON, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(
    /// The text of the error.
    pub String,
);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// The error of a value that a Go type can not hold.
    pub fn unmarshal(value: &Value, target: &str) -> Self {
        Self(format!("json: cannot unmarshal {} into Go value of type {target}", value.kind()))
    }
}

/// The text of bytes; each byte that is not UTF-8 becomes U+FFFD.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n('\u{fffd}', chunk.invalid().len()));
    }
    text
}

/// Appends a string with quotes and Go's escapes (`<`, `>`, `&`, U+2028 and U+2029 among them).
///
/// ```
/// let mut out = String::new();
/// tekton_contract::json::quote(&mut out, "a<b>\n");
/// assert_eq!(out, r#""a\u003cb\u003e\n""#);
/// ```
pub fn quote(out: &mut String, text: &str) {
    out.push('"');
    escape_all(out, text);
    out.push('"');
}

/// The same for bytes that may be anything: in place of each that is not UTF-8 stands the escape of U+FFFD.
///
/// ```
/// let mut out = String::new();
/// tekton_contract::json::quote_bytes(&mut out, b"a\xff<");
/// assert_eq!(out, r#""a\ufffd\u003c""#);
/// ```
pub fn quote_bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        escape_all(out, chunk.valid());
        for _ in chunk.invalid() {
            out.push_str("\\ufffd");
        }
    }
    out.push('"');
}

fn escape_all(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escape(out, c),
            _ => out.push(c),
        }
    }
}

/// Escapes in a text that is JSON already what Go's encoder escapes and others do not: `<`, `>`, `&`, U+2028, U+2029.
///
/// ```
/// assert_eq!(tekton_contract::json::escape_html(r#"{"a":"<b>"}"#), r#"{"a":"\u003cb\u003e"}"#);
/// ```
pub fn escape_html(json: &str) -> Cow<'_, str> {
    const ESCAPED: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];
    if !json.contains(ESCAPED) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if ESCAPED.contains(&c) {
            escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Appends `\u` and four hex digits.
fn escape(out: &mut String, c: char) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.push(char::from_digit((c as u32 >> shift) & 15, 16).expect("four bits are a digit"));
    }
}

/// Prints a list of strings as compact JSON.
pub fn quote_list<S: AsRef<str>>(list: &[S]) -> String {
    let mut out = String::from("[");
    for (i, item) in list.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        quote(&mut out, item.as_ref());
    }
    out.push(']');
    out
}

/// Parses one JSON text.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    let mut parser = Parser { bytes, at: 0, depth: 0 };
    parser.skip_space();
    let value = parser.value()?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.invalid("after top-level value")),
    }
}

/// Deeper than any real message, and far below what a stack holds.
const MAX_DEPTH: usize = 1_000;

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The error of the character here, or of the text's end.
    fn invalid(&self, place: &str) -> Error {
        let Some(byte) = self.peek() else {
            return Error("unexpected end of JSON input".to_owned());
        };
        let shown = match byte {
            b'\'' => "'\\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            _ => {
                let rest = &self.bytes[self.at..];
                let chunk = rest.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                match chunk.chars().next() {
                    Some('\\') => "'\\\\'".to_owned(),
                    Some('\u{7}') => "'\\a'".to_owned(),
                    Some('\u{8}') => "'\\b'".to_owned(),
                    Some('\u{c}') => "'\\f'".to_owned(),
                    Some('\n') => "'\\n'".to_owned(),
                    Some('\r') => "'\\r'".to_owned(),
                    Some('\t') => "'\\t'".to_owned(),
                    Some('\u{b}') => "'\\v'".to_owned(),
                    Some(c) if c < ' ' || c == '\u{7f}' => format!("'\\x{:02x}'", c as u32),
                    Some(c) => format!("'{c}'"),
                    None => format!("'\\x{byte:02x}'"),
                }
            }
        };
        Error(format!("invalid character {shown} {place}"))
    }

    fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            Some(b'n') => self.literal("null", Value::Null),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(open @ (b'[' | b'{')) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Error("exceeded max depth".to_owned()));
                }
                self.at += 1;
                let value = if open == b'[' { self.array() } else { self.object() };
                self.depth -= 1;
                value
            }
            _ => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        for expected in word.chars() {
            if self.peek() != Some(expected as u8) {
                return Err(self.invalid(&format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Value::Number(text(&self.bytes[start..self.at])))
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.invalid("in numeric literal")) } else { Ok(()) }
    }

    fn array(&mut self) -> Result<Value, Error> {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value()?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn object(&mut self) -> Result<Value, Error> {
        let mut members = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value()?;
            members.push((key, value));
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return Err(self.invalid("after object key:value pair")),
            }
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            out.push_str(&text(&self.bytes[start..self.at]));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return Err(self.invalid("in string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let high = self.four_digits()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return Ok(char::from_u32(high).unwrap_or('\u{fffd}'));
                }
                let mark = self.at;
                if self.bytes[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let low = self.four_digits()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(code).expect("a surrogate pair is a character"));
                    }
                    self.at = mark;
                }
                return Ok('\u{fffd}');
            }
            None => return Err(self.invalid("in string")),
            Some(_) => return Err(self.invalid("in string escape code")),
        };
        self.at += 1;
        Ok(c)
    }

    fn four_digits(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.invalid("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn errors_read_as_those_of_go() {
        for (text, error) in [
            ("", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{1}", "invalid character '1' looking for beginning of object key string"),
            ("nul0", "invalid character '0' in literal null (expecting 'l')"),
            ("\"\t\"", "invalid character '\\t' in string"),
            ("{} x", "invalid character 'x' after top-level value"),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Error(error.to_owned())), "{text}");
        }
    }

    #[test]
    fn members_are_found_without_regard_to_case() {
        let value = parse(br#"{"Key":1,"key":2}"#).unwrap();
        assert_eq!(value.member("KEY"), Some(&Value::Number("2".to_owned())));
    }

    proptest! {
        #[test]
        fn what_is_quoted_parses(text: String) {
            let mut out = String::new();
            quote(&mut out, &text);
            prop_assert_eq!(parse(out.as_bytes()), Ok(Value::String(text)));
        }

        #[test]
        fn any_bytes_parse_or_fail_without_a_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
