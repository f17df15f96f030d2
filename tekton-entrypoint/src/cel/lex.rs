//! Words of an expression.

use std::ops::Range;

use super::ast::Fault;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Int(u64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Name(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 27] = [
    "&&", "||", "<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}", "=", "&", "|",
];

/// Splits a text into words, each with its place.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Fault> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        if matches!(first, ' ' | '\t' | '\r' | '\n' | '\u{c}') {
            rest = &rest[1..];
        } else if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else {
            let (token, after) = token(rest, first).map_err(|text| Fault { at, text })?;
            rest = after;
            found.push((token, at..text.len() - rest.len()));
        }
    }
    Ok(found)
}

fn token(text: &str, first: char) -> Result<(Token, &str), String> {
    if let Some(literal) = string_start(text) {
        literal.read()
    } else if first.is_ascii_digit() || (first == '.' && text[1..].starts_with(|c: char| c.is_ascii_digit())) {
        number(text)
    } else if first.is_ascii_alphabetic() || first == '_' {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        Ok((Token::Name(text[..end].to_owned()), &text[end..]))
    } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| text.starts_with(**symbol)) {
        Ok((Token::Symbol(symbol), &text[symbol.len()..]))
    } else {
        Err(format!("token recognition error at: '{first}'"))
    }
}

/// A string literal whose quote was seen.
struct Literal<'a> {
    raw: bool,
    bytes: bool,
    quote: &'a str,
    rest: &'a str,
}

fn string_start(text: &str) -> Option<Literal<'_>> {
    let prefix = text.bytes().take_while(|c| b"rRbB".contains(c)).count();
    let letters = &text[..prefix.min(2)];
    let rest = &text[letters.len()..];
    let raw = letters.contains(['r', 'R']);
    let bytes = letters.contains(['b', 'B']);
    if letters.len() == 2 && !(raw && bytes) {
        return None;
    }
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote))?;
    Some(Literal { raw, bytes, quote: &rest[..quote.len()], rest: &rest[quote.len()..] })
}

impl<'a> Literal<'a> {
    fn read(self) -> Result<(Token, &'a str), String> {
        let mut rest = self.rest;
        let mut text = String::new();
        let mut bytes = Vec::new();
        let mut push = |c: char, byte: bool| {
            text.push(c);
            if byte {
                bytes.push(u8::try_from(u32::from(c)).unwrap_or_default());
            } else {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        };
        loop {
            if let Some(after) = rest.strip_prefix(self.quote) {
                let token = if self.bytes { Token::Bytes(bytes) } else { Token::String(text) };
                return Ok((token, after));
            }
            let c = rest.chars().next().ok_or("a string has no end")?;
            if self.quote.len() == 1 && matches!(c, '\n' | '\r') {
                return Err("a string has no end".to_owned());
            }
            rest = &rest[c.len_utf8()..];
            if c != '\\' || self.raw {
                if c == '\\' && self.raw && rest.starts_with(self.quote) && self.quote.len() == 1 {
                    // A backslash keeps a quote from ending a raw string, too, and both stay.
                    push(c, false);
                    push(self.quote.chars().next().unwrap_or('"'), false);
                    rest = &rest[1..];
                    continue;
                }
                push(c, false);
                continue;
            }
            let escaped = rest.chars().next().ok_or("a string has no end")?;
            rest = &rest[escaped.len_utf8()..];
            let simple = match escaped {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                '\\' | '?' | '"' | '\'' | '`' => escaped,
                _ => {
                    let (length, radix) = match escaped {
                        'x' | 'X' => (2, 16),
                        'u' if !self.bytes => (4, 16),
                        'U' if !self.bytes => (8, 16),
                        '0'..='3' => (2, 8),
                        _ => return Err(format!("unknown escape \\{escaped}")),
                    };
                    let digits = rest.get(..length).ok_or("an escape has no end")?;
                    let mut code = u32::from_str_radix(digits, radix).map_err(|_| "an escape has no number")?;
                    if radix == 8 {
                        code += escaped.to_digit(8).unwrap_or_default() * 64;
                    }
                    rest = &rest[length..];
                    push(char::from_u32(code).ok_or("an escape is no character")?, code < 256 && length == 2);
                    continue;
                }
            };
            push(simple, false);
        }
    }
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let bad = |text: &str| format!("invalid number {text}");
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let value = u64::from_str_radix(&hex[..end], 16).map_err(|_| bad(text))?;
        return Ok(unsigned_suffix(value, &hex[end..]));
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(text);
    let mut double = false;
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        double = true;
        end += 1 + digits(&text[end + 1..]);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&text[end + 1 + sign..]);
        if exponent > 0 {
            double = true;
            end += 1 + sign + exponent;
        }
    }
    if double {
        return Ok((Token::Double(text[..end].parse().map_err(|_| bad(text))?), &text[end..]));
    }
    Ok(unsigned_suffix(text[..end].parse().map_err(|_| bad(text))?, &text[end..]))
}

fn unsigned_suffix(value: u64, rest: &str) -> (Token, &str) {
    match rest.strip_prefix(['u', 'U']) {
        Some(rest) => (Token::Uint(value), rest),
        None => (Token::Int(value), rest),
    }
}
