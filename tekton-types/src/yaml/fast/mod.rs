//! A quick reader of the YAML that people mostly write: block and flow collections, plain, quoted and block scalars.
//!
//! It gives the very tree that the events of the parser would give, or nothing: at an anchor, a tag, a tab between
//! tokens, a text that is no YAML, anything out of the ordinary, it stops and the parser reads the document. So it
//! has no errors of its own. The parser makes events of tokens of characters and costs five times as much.

mod flow;
mod scalars;

use std::borrow::Cow;

use super::build::MapBuilder;
use super::{Chunk, Document, DuplicateKey, Entry, Node, Span, Value, scalar};

/// Collections deeper than this are left to the parser.
const MAX_DEPTH: usize = 100;

/// Keys longer than this are left to the parser, which has a limit of 1,024 characters.
const MAX_KEY: usize = 1000;

/// Reads a document; `None` when it is not plain enough.
pub(super) fn document<'a>(index: usize, chunk: &Chunk<'a>) -> Option<Document<'a>> {
    let text = chunk.text;
    if !is_ordinary(text) {
        return None;
    }
    let mut reader = Fast {
        text,
        bytes: text.as_bytes(),
        at: Mark::default(),
        is_ascii: text.is_ascii(),
        offset: chunk.offset,
        lines: chunk.lines,
        depth: 0,
        duplicates: Vec::new(),
    };
    if text.starts_with("---") {
        reader.at.pos = 3;
        reader.end_of_line()?;
    }
    reader.skip_to_content()?;
    let begins_collection = matches!(reader.peek(), Some(b'[' | b'{')) || reader.is_dash() || reader.is_key()?;
    if !begins_collection {
        return None;
    }
    let root = reader.node(-1)?;
    reader.skip_to_content()?;
    reader.peek().is_none().then_some(Document { index, root, duplicates: reader.duplicates })
}

/// Whether a text holds only characters that stand for themselves, and no end of a document.
fn is_ordinary(text: &str) -> bool {
    let is_plain = |b: u8| (b >= b' ' && b != 0x7f) || b == b'\n' || b == b'\t';
    // A fold without early exit, so that it is done many bytes at a time.
    let bytes_are_plain = text.bytes().fold(true, |plain, b| plain & is_plain(b));
    let special =
        |c: char| matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}');
    bytes_are_plain && (text.is_ascii() || !text.chars().any(special)) && !text.contains("\n...")
}

/// A place in the chunk.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    pos: usize,
    /// Lines before it in the chunk.
    line: usize,
    /// Where its line begins.
    line_start: usize,
}

struct Fast<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: Mark,
    is_ascii: bool,
    offset: usize,
    lines: usize,
    depth: usize,
    duplicates: Vec<DuplicateKey>,
}

impl<'a> Fast<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at.pos).copied()
    }

    /// Whether what follows byte `pos` is a space, a line break or the end.
    fn is_blank_at(&self, pos: usize) -> bool {
        matches!(self.bytes.get(pos), None | Some(b' ' | b'\n'))
    }

    /// How far into its line the reader is; before the first node of a line there are only spaces and dashes.
    fn indent(&self) -> isize {
        (self.at.pos - self.at.line_start).cast_signed()
    }

    fn is_dash(&self) -> bool {
        self.peek() == Some(b'-') && self.is_blank_at(self.at.pos + 1)
    }

    fn span(&self, from: Mark, end: usize) -> Span {
        let before = &self.bytes[from.line_start..from.pos];
        // Bytes that go on with a character do not begin one.
        let column = if self.is_ascii { before.len() } else { before.iter().filter(|b| (**b & 0xc0) != 0x80).count() };
        Span {
            start: self.offset + from.pos,
            end: self.offset + end,
            line: self.lines + from.line + 1,
            column: column + 1,
        }
    }

    fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at.pos += 1;
        }
    }

    fn newline(&mut self) {
        self.at.pos += 1;
        self.at.line += 1;
        self.at.line_start = self.at.pos;
    }

    /// Goes past spaces and a comment to the end of the line; `None` when there is anything else.
    fn end_of_line(&mut self) -> Option<()> {
        let from = self.at.pos;
        self.spaces();
        match self.peek() {
            None | Some(b'\n') => Some(()),
            Some(b'#') if self.at.pos > from || self.at.pos == self.at.line_start || self.bytes[from - 1] == b' ' => {
                let rest = &self.text[self.at.pos..];
                self.at.pos += rest.find('\n').unwrap_or(rest.len());
                Some(())
            }
            _ => None,
        }
    }

    /// Goes past spaces, comments and line breaks; `None` at a tab.
    fn skip_to_content(&mut self) -> Option<()> {
        loop {
            self.spaces();
            match self.peek() {
                Some(b'\n') => self.newline(),
                Some(b'#') => self.end_of_line()?,
                Some(b'\t') => return None,
                _ => return Some(()),
            }
        }
    }

    /// Whether an entry of a block map begins here; `None` when that is beyond this reader.
    fn is_key(&mut self) -> Option<bool> {
        let from = self.at;
        let is_key = match self.peek() {
            Some(b'"' | b'\'') => {
                self.quoted(-1)?;
                let one_line = self.at.line == from.line;
                self.spaces();
                one_line && self.peek() == Some(b':')
            }
            Some(first) if self.may_begin_plain(first) => self.plain_line()?.1 == scalars::Stop::Colon,
            _ => false,
        };
        self.at = from;
        Some(is_key)
    }

    /// A node that begins here, in a line of its own or after a dash, below something indented by `parent`.
    fn node(&mut self, parent: isize) -> Option<Node<'a>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let node = if self.is_dash() {
            self.sequence(false)
        } else if self.is_key()? {
            self.mapping()
        } else {
            self.leaf(parent)
        };
        self.depth -= 1;
        node
    }

    /// A scalar or a flow collection, with nothing after it in its line.
    fn leaf(&mut self, parent: isize) -> Option<Node<'a>> {
        let node = match self.peek()? {
            b'|' | b'>' => return self.block_scalar(parent),
            b'[' | b'{' => self.flow(parent)?,
            b'"' | b'\'' => {
                let from = self.at;
                let text = self.quoted(parent)?;
                Node { value: Value::String(text), span: self.span(from, self.at.pos) }
            }
            first if self.may_begin_plain(first) => self.plain(parent)?,
            _ => return None,
        };
        self.end_of_line()?;
        Some(node)
    }

    fn mapping(&mut self) -> Option<Node<'a>> {
        let (from, indent) = (self.at, self.indent());
        let mut map = MapBuilder::default();
        loop {
            let (key, key_span) = self.key()?;
            self.spaces();
            let colon = self.at;
            if self.peek() != Some(b':') || !self.is_blank_at(colon.pos + 1) {
                return None;
            }
            self.at.pos += 1;
            let value = self.value(indent, colon)?;
            map.put(Entry { key, key_span, value }, &mut self.duplicates);
            self.skip_to_content()?;
            if self.peek().is_none() || self.indent() < indent {
                break;
            }
            if self.indent() > indent || self.is_dash() {
                return None;
            }
        }
        Some(Node { value: Value::Map(map.entries), span: self.span(from, self.at.pos) })
    }

    /// A key of a block or flow map, within one line.
    fn key(&mut self) -> Option<(Cow<'a, str>, Span)> {
        let from = self.at;
        let (value, end) = match self.peek()? {
            b'"' | b'\'' => (Value::String(self.quoted(-1)?), self.at.pos),
            first if self.may_begin_plain(first) => {
                let (end, _) = self.plain_line()?;
                let text = &self.text[from.pos..end];
                if text == "<<" {
                    return None;
                }
                (scalar::resolve(Cow::Borrowed(text), None).ok()?, end)
            }
            _ => return None,
        };
        if self.at.line != from.line || end - from.pos > MAX_KEY {
            return None;
        }
        Some((scalar::key(value).ok()?, self.span(from, end)))
    }

    /// The value after the colon of an entry.
    fn value(&mut self, indent: isize, colon: Mark) -> Option<Node<'a>> {
        self.spaces();
        if !matches!(self.peek(), None | Some(b'\n' | b'#')) {
            return self.leaf(indent);
        }
        self.skip_to_content()?;
        if self.peek().is_some() {
            if self.indent() > indent {
                return self.node(indent);
            }
            if self.indent() == indent && self.is_dash() {
                return self.sequence(true);
            }
        }
        Some(Node { value: Value::Null, span: self.span(colon, colon.pos) })
    }

    /// A block sequence; one that stands in the column of its key has its place after the first dash.
    fn sequence(&mut self, beside_its_key: bool) -> Option<Node<'a>> {
        let (mut from, indent) = (self.at, self.indent());
        let mut items = Vec::new();
        loop {
            self.at.pos += 1;
            self.spaces();
            let is_empty = matches!(self.peek(), None | Some(b'\n' | b'#'));
            if is_empty {
                self.end_of_line()?;
            }
            let after_dash = self.at;
            if items.is_empty() && beside_its_key {
                from = after_dash;
            }
            if is_empty {
                self.skip_to_content()?;
            }
            let is_null = is_empty && (self.peek().is_none() || self.indent() <= indent);
            items.push(if is_null {
                Node { value: Value::Null, span: self.span(after_dash, after_dash.pos) }
            } else {
                self.node(indent)?
            });
            self.skip_to_content()?;
            if self.peek().is_none() || self.indent() < indent {
                break;
            }
            if self.indent() > indent {
                return None;
            }
            if !self.is_dash() {
                if beside_its_key {
                    break;
                }
                return None;
            }
        }
        Some(Node { value: Value::Seq(items), span: self.span(from, self.at.pos) })
    }
}

#[cfg(test)]
mod tests;
