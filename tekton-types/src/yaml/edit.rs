//! Changes to a YAML text that leave everything around them as it is: comments, quotes, order and layout.
//!
//! ```
//! use tekton_types::yaml::{self, edit::Edits};
//! let text = "spec:\n  resources: {} # none\n  tty: true\n";
//! let documents = yaml::parse(text).unwrap();
//! let spec = documents[0].at(["spec"]).unwrap();
//! let mut edits = Edits::new(text);
//! edits.rename(spec.entry("resources").unwrap(), "computeResources");
//! edits.remove(spec, &[spec.entry("tty").unwrap()]);
//! assert_eq!(edits.apply(), "spec:\n  computeResources: {} # none\n");
//! ```

use std::ops::Range;

use super::{Entry, Node, Value};

/// Changes to one text, made at the end and all at once.
#[derive(Clone, Debug)]
pub struct Edits<'t> {
    text: &'t str,
    list: Vec<(Range<usize>, String)>,
}

/// The entries that stand in a map itself, in the order of the text: those of merged maps stand elsewhere.
pub fn own_entries<'n, 'a>(map: &'n Node<'a>) -> Vec<&'n Entry<'a>> {
    let Value::Map(entries) = &map.value else { return Vec::new() };
    let within = |entry: &&Entry<'_>| (map.span.start..map.span.end).contains(&entry.key_span.start);
    let mut own: Vec<_> = entries.iter().filter(within).collect();
    own.sort_by_key(|entry| entry.key_span.start);
    own
}

impl<'t> Edits<'t> {
    /// No changes yet.
    pub fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// The text as it was.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The changes so far, in the order in which they were asked for.
    pub fn changes(&self) -> &[(Range<usize>, String)] {
        &self.list
    }

    /// How many changes there are; what is left when the list is cut back to it with [`truncate`](Self::truncate).
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Forgets the changes after the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.list.truncate(len);
    }

    /// Takes over the changes of another list for the same text.
    pub fn extend(&mut self, other: &Self) {
        self.list.extend_from_slice(&other.list);
    }

    /// Puts a text in the place of a range of bytes.
    pub fn replace(&mut self, range: Range<usize>, with: impl Into<String>) {
        self.list.push((range, with.into()));
    }

    /// Gives a key another name; it keeps its quotes.
    pub fn rename(&mut self, entry: &Entry<'_>, name: &str) {
        self.replace(unquoted(self.text, entry.key_span.start..entry.key_span.end), name);
    }

    /// Gives a string another text; it keeps its quotes. Both texts must be plain words.
    pub fn set_word(&mut self, node: &Node<'_>, word: &str) {
        self.replace(unquoted(self.text, node.span.start..node.span.end), word);
    }

    /// Takes entries out of their map, with their lines.
    pub fn remove(&mut self, map: &Node<'_>, gone: &[&Entry<'_>]) {
        let own = own_entries(map);
        let goes = |entry: &Entry<'_>| gone.iter().any(|other| other.key_span == entry.key_span);
        let Some(first) = own.first() else { return };
        let leading = own.iter().take_while(|entry| goes(entry)).count();
        let merges = self.text[map.span.start..map.span.end].contains("<<");
        if leading == own.len() && !merges {
            let end = self.end_of(own[leading - 1]);
            let nothing = if self.is_flow(map) { "" } else { "{}" };
            self.replace(first.key_span.start..end, nothing);
            return;
        }
        let flow = self.is_flow(map);
        // The first entry of a list's item: the next one takes its place behind the dash.
        let behind_dash = !self.text[self.line_start(first.key_span.start)..first.key_span.start].trim().is_empty();
        let joined = if flow || behind_dash { leading } else { 0 };
        if let Some(last) = joined.checked_sub(1) {
            let end = match own.get(joined) {
                Some(next) if flow => next.key_span.start,
                _ => {
                    let after = (self.line_end(self.end_of(own[last])) + 1).min(self.text.len());
                    after + self.text[after..].len() - self.text[after..].trim_start().len()
                }
            };
            self.replace(first.key_span.start..end, "");
        }
        for (at, entry) in own.iter().enumerate().skip(joined).filter(|(_, entry)| goes(entry)) {
            let end = self.end_of(entry);
            if flow {
                let kept = own[..at].iter().rfind(|entry| !goes(entry)).expect("leading ones are gone already");
                self.replace(self.end_of(kept)..end, "");
            } else {
                let after = (self.line_end(end) + 1).min(self.text.len());
                self.replace(self.line_start(entry.key_span.start)..after, "");
            }
        }
    }

    /// Whether a map or list is written with brackets.
    pub fn is_flow(&self, node: &Node<'_>) -> bool {
        matches!(node.value, Value::Map(_) | Value::Seq(_)) && self.text[node.span.start..].starts_with(['{', '['])
    }

    /// Whether the value of an entry stands elsewhere and is only named here.
    pub fn is_alias(&self, entry: &Entry<'_>) -> bool {
        entry.value.span.start < entry.key_span.start
    }

    /// Where an entry ends: after the last byte of its value.
    pub fn end_of(&self, entry: &Entry<'_>) -> usize {
        let after_key = entry.key_span.end + self.text[entry.key_span.end..].find(':').map_or(0, |colon| colon + 1);
        if self.is_alias(entry) {
            let rest = &self.text[after_key..];
            let name = rest.find('*').unwrap_or_default();
            let len = rest[name..].find([',', '}', ']', ' ', '\n', '\r']).unwrap_or(rest.len() - name);
            return after_key + name + len;
        }
        self.end_of_node(&entry.value).max(after_key)
    }

    fn end_of_node(&self, node: &Node<'_>) -> usize {
        let trimmed = |range: Range<usize>| range.start + self.text[range].trim_end().len();
        if self.is_flow(node) {
            return node.span.end;
        }
        match &node.value {
            Value::Map(_) => own_entries(node).last().map_or(node.span.end, |entry| {
                // What a merge key names may stand after the last entry.
                let last = self.end_of(entry);
                if self.text[last..node.span.end.max(last)].trim().starts_with("<<") {
                    trimmed(node.span.start..node.span.end)
                } else {
                    last
                }
            }),
            Value::Seq(items) => match items.last() {
                Some(last) if last.span.start >= node.span.start => self.end_of_node(last),
                _ => trimmed(node.span.start..node.span.end),
            },
            _ => trimmed(node.span.start..node.span.end),
        }
    }

    /// The text of an entry, from its key to the end of its value, with a comment on the last line.
    pub fn source_of(&self, map: &Node<'_>, entry: &Entry<'_>) -> Range<usize> {
        let end = self.end_of(entry);
        let line_end = self.line_end(end);
        let rest = self.text[end..line_end].trim();
        let with_comment = !self.is_flow(map) && (rest.is_empty() || rest.starts_with('#'));
        entry.key_span.start..if with_comment { end + self.text[end..line_end].trim_end().len() } else { end }
    }

    /// Where the line of a byte begins.
    pub fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Where the line of a byte ends: at its line break, or at the end of the text.
    pub fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline)
    }

    /// How many spaces stand before an entry, counting the dash of a list's item.
    pub fn indent_of(&self, entry: &Entry<'_>) -> usize {
        entry.key_span.column.saturating_sub(1)
    }

    /// The changed text. Equal changes are made once; a change within another one is not made.
    pub fn apply(mut self) -> String {
        self.list.sort_by(|(a, _), (b, _)| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
        let mut out = String::with_capacity(self.text.len());
        let mut at = 0;
        let mut previous: Option<&(Range<usize>, String)> = None;
        for edit in &self.list {
            let (range, with) = edit;
            if range.start < at || previous == Some(edit) {
                continue;
            }
            out.push_str(&self.text[at..range.start]);
            out.push_str(with);
            at = range.end;
            previous = Some(edit);
        }
        out.push_str(&self.text[at..]);
        out
    }
}

/// The range within the quotes, when there are some.
fn unquoted(text: &str, range: Range<usize>) -> Range<usize> {
    let quoted = text[range.clone()].starts_with(['"', '\'']);
    if quoted { range.start + 1..range.end - 1 } else { range }
}

/// A text with every line but the first moved to the right; empty lines stay empty.
pub fn shift_right(text: &str, by: usize) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
            if !line.trim().is_empty() {
                out.extend(std::iter::repeat_n(' ', by));
            }
        }
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[track_caller]
    fn check(text: &str, path: &[&str], key: &str, expected: &str) {
        let documents = yaml::parse(text).unwrap();
        let map = documents[0].at(path.iter().copied()).unwrap();
        let mut edits = Edits::new(text);
        let gone: Vec<_> = key.split(',').map(|key| map.entry(key).unwrap()).collect();
        edits.remove(map, &gone);
        assert_eq!(edits.apply(), expected);
    }

    #[test]
    fn an_entry_goes_with_its_lines_and_leaves_the_comments_around_it() {
        check(
            "a: 1\n# about b\nb:\n  c: |\n    text\n\n# about d\nd: 2\n",
            &[],
            "b",
            "a: 1\n# about b\n\n# about d\nd: 2\n",
        );
        check("a: 1\nb: 2", &[], "b", "a: 1\n");
    }

    #[test]
    fn the_first_entry_of_an_item_leaves_its_dash_to_the_next() {
        check("- tty: true # no\n  name: a\n", &["0"], "tty", "- name: a\n");
        check("- tty: true\n\n  # a step\n  name: a\n", &["0"], "tty", "- # a step\n  name: a\n");
    }

    #[test]
    fn an_entry_between_brackets_goes_with_its_comma() {
        check("x: {a: 1, b: [2, 3], c: 4}\n", &["x"], "b", "x: {a: 1, c: 4}\n");
        check("x: {a: 1, b: {c: 2}}\n", &["x"], "b", "x: {a: 1}\n");
        check("{\n  \"a\": 1,\n  \"b\": 2\n}\n", &[], "b", "{\n  \"a\": 1\n}\n");
    }

    #[test]
    fn several_entries_go_at_once() {
        check("- tty: true\n  stdin: true\n  name: a\n  ports: []\n", &["0"], "tty,stdin,ports", "- name: a\n");
        check("x: {a: 1, b: 2, c: 3, d: 4}", &["x"], "a,c,d", "x: {b: 2}");
    }

    #[test]
    fn the_only_entry_leaves_an_empty_map() {
        check("spec:\n  a:\n  - 1\nz: 1\n", &["spec"], "a", "spec:\n  {}\nz: 1\n");
    }

    #[test]
    fn an_alias_ends_where_its_name_does() {
        check("a: &x {b: 1}\nc: *x # same\nd: 2\n", &[], "c", "a: &x {b: 1}\nd: 2\n");
    }

    #[test]
    fn a_change_within_another_one_or_made_twice_counts_once() {
        let mut edits = Edits::new("abcdef");
        edits.replace(1..2, "");
        edits.replace(3..6, "x");
        edits.replace(4..5, "y");
        edits.replace(1..2, "");
        assert_eq!(edits.apply(), "acx");
    }
}
