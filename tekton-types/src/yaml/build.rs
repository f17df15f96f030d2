//! From parser events to a tree: anchors, merge keys, duplicates, limits.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span as ParserSpan, StrInput};

use super::scalar::{self, Tag};
use super::{Chunk, Document, DuplicateKey, Entry, Error, Node, Span, Value};

/// Collections deeper than this are refused.
const MAX_DEPTH: usize = 255;

/// Reads the first document of a chunk from the events of the parser.
pub(super) fn document<'a>(index: usize, chunk: &Chunk<'a>) -> Result<Document<'a>, Error> {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(chunk.text, options),
        text: chunk.text,
        offset: chunk.offset,
        lines: chunk.lines,
        document: index,
        anchors: HashMap::new(),
        open_anchors: HashSet::new(),
        duplicates: Vec::new(),
        nodes: 0,
        aliased: 0,
    };
    let root = builder.document_root()?;
    Ok(Document { index, root, duplicates: builder.duplicates })
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    text: &'a str,
    offset: usize,
    lines: usize,
    document: usize,
    anchors: HashMap<usize, Node<'a>>,
    open_anchors: HashSet<usize>,
    duplicates: Vec<DuplicateKey>,
    /// Nodes in the tree, and how many of them are there because of aliases.
    nodes: usize,
    aliased: usize,
}

impl<'a> Builder<'a> {
    fn document_root(&mut self) -> Result<Node<'a>, Error> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return Ok(Node { value: Value::Null, span: self.span(span) });
                }
                event => {
                    let root = self.node(event, span, 0)?;
                    // What follows the first node must be in order, too.
                    while !matches!(self.next()?.0, Event::DocumentEnd | Event::StreamEnd) {}
                    return Ok(root);
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, ParserSpan), Error> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, ParserSpan::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: ParserSpan, depth: usize) -> Result<Node<'a>, Error> {
        let span = self.span(span);
        if depth > MAX_DEPTH {
            return Err(self.error("exceeded max depth", span));
        }
        self.nodes += 1;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag.as_deref().map(|tag| match tag.suffix_in_namespace("tag:yaml.org,2002:") {
                    Some(suffix) => Tag::from_core(&suffix),
                    None => Tag::Foreign,
                });
                let value = if core.is_none() && style != ScalarStyle::Plain {
                    let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                    Value::String(if block && self.ends_without_break(span) { without_break(text) } else { text })
                } else {
                    scalar::resolve(text, core).map_err(|message| self.error(&message, span))?
                };
                let node = Node { value, span };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(anchor);
                let mut items = Vec::new();
                let end = loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break self.span(span);
                    }
                    items.push(self.node(event, span, depth + 1)?);
                };
                Ok(self.close(anchor, Node { value: Value::Seq(items), span: Span { end: end.end, ..span } }))
            }
            Event::MappingStart(_, anchor, _) => {
                self.open(anchor);
                let mut map = MapBuilder::default();
                let end = loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        break self.span(span);
                    }
                    self.entry(&mut map, event, span, depth)?;
                };
                let value = Value::Map(map.entries);
                Ok(self.close(anchor, Node { value, span: Span { end: end.end, ..span } }))
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Err(self.error("did not find expected node content", span)),
        }
    }

    fn entry(
        &mut self,
        map: &mut MapBuilder<'a>,
        event: Event<'a>,
        span: ParserSpan,
        depth: usize,
    ) -> Result<(), Error> {
        let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
        let key = self.node(event, span, depth + 1)?;
        let (event, span) = self.next()?;
        let value = self.node(event, span, depth + 1)?;
        if merge {
            return self.merge(map, value);
        }
        let key_span = key.span;
        let key = scalar::key(key.value).map_err(|message| self.error(&message, key_span))?;
        map.put(Entry { key, key_span, value }, &mut self.duplicates);
        Ok(())
    }

    /// Puts the entries of merged maps in; of several maps the first one wins.
    fn merge(&mut self, map: &mut MapBuilder<'a>, value: Node<'a>) -> Result<(), Error> {
        let refused =
            |builder: &Self, span| builder.error("map merge requires map or sequence of maps as the value", span);
        let sources = match value.value {
            Value::Map(_) => vec![value],
            Value::Seq(items) => items,
            _ => return Err(refused(self, value.span)),
        };
        for source in sources.into_iter().rev() {
            let Value::Map(entries) = source.value else { return Err(refused(self, source.span)) };
            for entry in entries {
                map.put(entry, &mut self.duplicates);
            }
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node<'a>, Error> {
        if self.open_anchors.contains(&anchor) {
            return Err(self.error("anchor value contains itself", span));
        }
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(self.error("unknown anchor referenced", span));
        };
        let size = size(&target.value);
        self.nodes += size;
        self.aliased += size;
        if self.aliased > 100 && self.nodes > 1000 && excessive(self.aliased, self.nodes) {
            return Err(self.error("document contains excessive aliasing", span));
        }
        Ok(self.anchors[&anchor].clone())
    }

    fn open(&mut self, anchor: usize) {
        if anchor != 0 {
            self.open_anchors.insert(anchor);
        }
    }

    fn close(&mut self, anchor: usize, node: Node<'a>) -> Node<'a> {
        if anchor != 0 {
            self.open_anchors.remove(&anchor);
        }
        self.remember(anchor, &node);
        node
    }

    fn remember(&mut self, anchor: usize, node: &Node<'a>) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    /// Whether a block scalar is the end of the text and its last line has no line break.
    fn ends_without_break(&self, span: Span) -> bool {
        span.end - self.offset == self.text.len() && !self.text.trim_end_matches(' ').ends_with('\n')
    }

    fn span(&self, span: ParserSpan) -> Span {
        Span {
            start: self.offset + span.start.byte_offset().unwrap_or_default(),
            end: self.offset + span.end.byte_offset().unwrap_or_default(),
            line: self.lines + span.start.line(),
            column: span.start.col() + 1,
        }
    }

    fn scan_error(&self, error: &ScanError) -> Error {
        let mark = *error.marker();
        let span = self.span(ParserSpan::empty(mark));
        self.error(&error.info(), span)
    }

    fn error(&self, message: &str, span: Span) -> Error {
        Error { message: message.to_owned(), span, document: self.document }
    }
}

/// Go's reader does not add a line break that the text does not have.
fn without_break(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix('\n').unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.ends_with('\n') {
                text.pop();
            }
            Cow::Owned(text)
        }
    }
}

/// How many nodes a value has.
fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Seq(items) => 1 + items.iter().map(|item| size(&item.value)).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| 1 + size(&entry.value.value)).sum::<usize>(),
        _ => 1,
    }
}

/// Go's limit: nearly all nodes of a small document may come from aliases, a tenth of those of a huge one.
fn excessive(aliased: usize, nodes: usize) -> bool {
    const LOW: usize = 400_000;
    const HIGH: usize = 4_000_000;
    let permille = match nodes {
        ..=LOW => 990,
        HIGH.. => 100,
        _ => 990 - 890 * (nodes - LOW) / (HIGH - LOW),
    };
    aliased > nodes / 1000 * permille + nodes % 1000 * permille / 1000
}

/// Entries of a map in order, each key once.
#[derive(Default)]
pub(super) struct MapBuilder<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// Places of keys; only filled for maps too large to be searched.
    index: HashMap<String, usize>,
}

impl<'a> MapBuilder<'a> {
    const SEARCHED: usize = 32;

    pub(super) fn put(&mut self, entry: Entry<'a>, duplicates: &mut Vec<DuplicateKey>) {
        if let Some(at) = self.find(&entry.key) {
            duplicates.push(DuplicateKey { key: entry.key.to_string(), span: entry.value.span });
            self.entries[at] = entry;
            return;
        }
        if self.entries.len() >= Self::SEARCHED {
            self.index.insert(entry.key.to_string(), self.entries.len());
        }
        self.entries.push(entry);
    }

    fn find(&self, key: &str) -> Option<usize> {
        let searched = self.entries.len().min(Self::SEARCHED);
        let near = self.entries[..searched].iter().position(|entry| entry.key == key);
        near.or_else(|| self.index.get(key).copied())
    }
}
