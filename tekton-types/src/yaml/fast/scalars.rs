//! Plain, quoted and block scalars.

use std::borrow::Cow;

use super::super::{Node, Value, scalar};
use super::Fast;

/// What ends a plain scalar within its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Colon,
    Comment,
    Line,
}

impl<'a> Fast<'a> {
    /// Whether a plain scalar can begin with this byte, which is the next one.
    pub(super) fn may_begin_plain(&self, first: u8) -> bool {
        match first {
            b'-' => !self.is_blank_at(self.at.pos + 1) && self.bytes[self.at.pos + 1] != b'\t',
            b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
            | b'%' | b'@' | b'`' | b' ' | b'\n' | b'\t' => false,
            _ => true,
        }
    }

    /// The end of the plain text in this line, and what ends it, where the reader then is; `None` at a tab.
    pub(super) fn plain_line(&mut self) -> Option<(usize, Stop)> {
        let from = self.at.pos;
        let mut pos = from;
        let stop = loop {
            match self.bytes.get(pos) {
                None | Some(b'\n') => break Stop::Line,
                Some(b'\t') => return None,
                Some(b':') if self.is_blank_at(pos + 1) => break Stop::Colon,
                Some(b'#') if pos > from && self.bytes[pos - 1] == b' ' => break Stop::Comment,
                Some(_) => pos += 1,
            }
        };
        self.at.pos = pos;
        Some((from + self.text[from..pos].trim_end_matches(' ').len(), stop))
    }

    /// A plain scalar outside of flow collections; it goes on in lines that are indented deeper than `parent`.
    pub(super) fn plain(&mut self, parent: isize) -> Option<Node<'a>> {
        let from = self.at;
        let (mut end, mut stop) = self.plain_line()?;
        let mut text = Cow::Borrowed(&self.text[from.pos..end]);
        while stop == Stop::Line && self.peek().is_some() {
            let back = self.at;
            let mut breaks = 0;
            while self.peek() == Some(b'\n') {
                self.newline();
                breaks += 1;
                self.spaces();
            }
            match self.peek() {
                Some(b'\t') => return None,
                Some(first) if first != b'#' && self.indent() > parent => {
                    if !self.may_begin_plain(first) && !matches!(first, b'"' | b'\'') {
                        return None;
                    }
                    let start = self.at.pos;
                    (end, stop) = self.plain_line()?;
                    fold(text.to_mut(), breaks);
                    text.to_mut().push_str(&self.text[start..end]);
                }
                _ => {
                    self.at = back;
                    break;
                }
            }
        }
        if stop == Stop::Colon {
            return None;
        }
        Some(Node { value: scalar::resolve(text, None).ok()?, span: self.span(from, end) })
    }

    /// A quoted scalar; lines that it goes on in are indented deeper than `parent`.
    pub(super) fn quoted(&mut self, parent: isize) -> Option<Cow<'a, str>> {
        let quote = self.peek()?;
        self.at.pos += 1;
        let mut start = self.at.pos;
        let mut text = String::new();
        // What was escaped is no white space to be folded.
        let mut kept = 0;
        loop {
            let byte = self.peek()?;
            if byte == quote && !(quote == b'\'' && self.bytes.get(self.at.pos + 1) == Some(&b'\'')) {
                break;
            }
            match byte {
                b'\'' if quote == b'\'' => {
                    text.push_str(&self.text[start..=self.at.pos]);
                    self.at.pos += 2;
                    start = self.at.pos;
                }
                b'\\' if quote == b'"' => {
                    text.push_str(&self.text[start..self.at.pos]);
                    self.at.pos += 1;
                    match self.peek()? {
                        b'n' => text.push('\n'),
                        b't' => text.push('\t'),
                        b'r' => text.push('\r'),
                        escaped @ (b'"' | b'\\' | b'/' | b' ') => text.push(char::from(escaped)),
                        b'\n' => {
                            if self.line_break(parent)? != 1 {
                                return None;
                            }
                            self.at.pos -= 1;
                        }
                        _ => return None,
                    }
                    self.at.pos += 1;
                    kept = text.len();
                    start = self.at.pos;
                }
                b'\n' => {
                    text.push_str(&self.text[start..self.at.pos]);
                    text.truncate(text.trim_end_matches(' ').len().max(kept));
                    fold(&mut text, self.line_break(parent)?);
                    kept = text.len();
                    start = self.at.pos;
                }
                b'\t' => return None,
                _ => self.at.pos += 1,
            }
        }
        let rest = &self.text[start..self.at.pos];
        self.at.pos += 1;
        if text.is_empty() && kept == 0 {
            return Some(Cow::Borrowed(rest));
        }
        text.push_str(rest);
        Some(Cow::Owned(text))
    }

    /// Goes past line breaks within a quoted scalar, and says how many.
    fn line_break(&mut self, parent: isize) -> Option<usize> {
        let mut breaks = 0;
        while self.peek() == Some(b'\n') {
            self.newline();
            breaks += 1;
            self.spaces();
        }
        (self.peek()? != b'\t' && self.indent() > parent).then_some(breaks)
    }

    /// A block scalar below something indented by `parent`.
    pub(super) fn block_scalar(&mut self, parent: isize) -> Option<Node<'a>> {
        let folded = self.peek()? == b'>';
        self.at.pos += 1;
        let chomp = self.peek().filter(|b| matches!(b, b'-' | b'+'));
        self.at.pos += usize::from(chomp.is_some());
        self.end_of_line()?;
        let mut text = String::new();
        let mut from = self.at;
        let mut indent = None;
        let (mut widest_blank, mut breaks) = (0, 0);
        while self.peek().is_some() {
            self.newline();
            self.spaces();
            let spaces = self.at.pos - self.at.line_start;
            if matches!(self.peek(), None | Some(b'\n')) && indent.is_none_or(|indent| spaces <= indent) {
                widest_blank = widest_blank.max(spaces);
                breaks += usize::from(self.peek().is_some());
                continue;
            }
            let is_first = indent.is_none();
            if is_first {
                if spaces.cast_signed() <= parent || widest_blank > spaces {
                    return None;
                }
                from = self.at;
            }
            let column = *indent.get_or_insert(spaces);
            if spaces < column {
                if self.peek() == Some(b'\t') {
                    return None;
                }
                break;
            }
            if folded && (spaces > column || matches!(self.peek(), Some(b'\t' | b'\n'))) {
                return None;
            }
            if folded && !is_first {
                fold(&mut text, breaks);
            } else {
                (0..breaks).for_each(|_| text.push('\n'));
            }
            let line = &self.text[self.at.line_start + column..];
            let length = line.find('\n')?;
            text.push_str(&line[..length]);
            self.at.pos = self.at.line_start + column + length;
            breaks = 1;
        }
        indent?;
        match chomp {
            Some(b'-') => {}
            Some(_) => (0..breaks).for_each(|_| text.push('\n')),
            None => text.push('\n'),
        }
        Some(Node { value: Value::String(Cow::Owned(text)), span: self.span(from, self.at.pos) })
    }
}

/// One line break is a space; of several, one goes.
fn fold(text: &mut String, breaks: usize) {
    if breaks == 1 {
        text.push(' ');
    }
    for _ in 1..breaks {
        text.push('\n');
    }
}
