//! Flow collections: `[a, b]` and `{a: b}`.

use super::super::build::MapBuilder;
use super::super::{Entry, Node, Value, scalar};
use super::scalars::Stop;
use super::{Fast, MAX_DEPTH};

impl<'a> Fast<'a> {
    /// A flow collection; lines that it goes on in are indented deeper than `parent`.
    pub(super) fn flow(&mut self, parent: isize) -> Option<Node<'a>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let from = self.at;
        let is_map = self.peek() == Some(b'{');
        self.at.pos += 1;
        let value = if is_map { self.flow_map(parent)? } else { self.flow_sequence(parent)? };
        self.depth -= 1;
        Some(Node { value, span: self.span(from, self.at.pos) })
    }

    fn flow_sequence(&mut self, parent: isize) -> Option<Value<'a>> {
        let mut items = Vec::new();
        loop {
            self.flow_space(parent)?;
            if self.peek()? == b']' {
                break;
            }
            items.push(self.flow_node(parent)?);
            if !self.flow_goes_on(parent, b']')? {
                break;
            }
        }
        self.at.pos += 1;
        Some(Value::Seq(items))
    }

    fn flow_map(&mut self, parent: isize) -> Option<Value<'a>> {
        let mut map = MapBuilder::default();
        loop {
            self.flow_space(parent)?;
            if self.peek()? == b'}' {
                break;
            }
            let is_quoted = matches!(self.peek()?, b'"' | b'\'');
            let (key, key_span) = self.flow_key()?;
            self.spaces();
            if self.peek()? != b':' || !(is_quoted || self.is_blank_at(self.at.pos + 1)) {
                return None;
            }
            self.at.pos += 1;
            self.flow_space(parent)?;
            let value = self.flow_node(parent)?;
            map.put(Entry { key, key_span, value }, &mut self.duplicates);
            if !self.flow_goes_on(parent, b'}')? {
                break;
            }
        }
        self.at.pos += 1;
        Some(Value::Map(map.entries))
    }

    /// Whether a comma follows, which is gone past, or the end, which is not.
    fn flow_goes_on(&mut self, parent: isize, end: u8) -> Option<bool> {
        self.flow_space(parent)?;
        match self.peek()? {
            b',' => {
                self.at.pos += 1;
                Some(true)
            }
            byte => (byte == end).then_some(false),
        }
    }

    fn flow_key(&mut self) -> Option<(std::borrow::Cow<'a, str>, super::Span)> {
        if matches!(self.peek()?, b'"' | b'\'') {
            return self.key();
        }
        let from = self.at;
        let text = self.flow_plain()?;
        if text == "<<" || text.len() > super::MAX_KEY {
            return None;
        }
        let key = scalar::key(scalar::resolve(text.into(), None).ok()?).ok()?;
        Some((key, self.span(from, from.pos + text.len())))
    }

    fn flow_node(&mut self, parent: isize) -> Option<Node<'a>> {
        let from = self.at;
        let value = match self.peek()? {
            b'[' | b'{' => return self.flow(parent),
            b'"' | b'\'' => Value::String(self.quoted(parent)?),
            _ => {
                let text = self.flow_plain()?;
                let value = scalar::resolve(text.into(), None).ok()?;
                return Some(Node { value, span: self.span(from, from.pos + text.len()) });
            }
        };
        Some(Node { value, span: self.span(from, self.at.pos) })
    }

    /// A plain scalar within a flow collection, in one line.
    fn flow_plain(&mut self) -> Option<&'a str> {
        let from = self.at.pos;
        let first = self.peek()?;
        if !self.may_begin_plain(first)
            || (first == b'-' && matches!(self.bytes.get(from + 1), Some(b',' | b']' | b'}')))
        {
            return None;
        }
        let (mut end, stop) = self.plain_line()?;
        let text = &self.text[from..end];
        if let Some(stop) = text.find([',', '[', ']', '{', '}']) {
            let before = text[..stop].trim_end_matches(' ');
            end = from + before.len();
            self.at.pos = from + stop;
            // A colon before these ends a key without a value.
            if before.ends_with(':') {
                return None;
            }
        } else if stop == Stop::Comment {
            return None;
        }
        Some(&self.text[from..end])
    }

    /// Goes past spaces and line breaks; `None` at comments, tabs and lines that are not deep enough.
    fn flow_space(&mut self, parent: isize) -> Option<()> {
        let line = self.at.line;
        loop {
            self.spaces();
            match self.peek()? {
                b'\n' => self.newline(),
                b'#' | b'\t' => return None,
                _ if self.at.line != line && self.indent() <= parent => return None,
                _ => return Some(()),
            }
        }
    }
}
