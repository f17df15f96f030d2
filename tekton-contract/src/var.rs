//! The `$(…)` language: tables of replacements and the one sweep that applies them.
//!
//! A reference matches by its whole key inside `$( )`. On an unknown key the sweep steps past the
//! `$(` only, so `$(params.$(params.x))` still has its inner part replaced. One pass goes once from
//! left to right, and inserted text is never looked at again in that pass.
//!
//! [`extract`] finds references without replacing them.

pub mod extract;

use std::{borrow::Cow, collections::BTreeMap};

/// Where the first `$(` of a text stands. Most texts have none, and are looked through once, byte by byte.
pub fn opening(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text[at..].find('$')?;
        if text[at + 1..].starts_with('(') {
            return Some(at);
        }
        at += 1;
    }
}

/// The replacements of one pass, by whole key (`params.image`, `params["image"]`, `params.list[0]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    strings: BTreeMap<String, String>,
    arrays: BTreeMap<String, Vec<String>>,
    objects: BTreeMap<String, BTreeMap<String, String>>,
    /// Some key holds a `)`, so a reference may go on after its first one.
    parenthesis_in_key: bool,
}

impl Table {
    /// A table that replaces nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `$(key)` by a string.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        self.parenthesis_in_key |= key.contains(')');
        self.strings.insert(key, value.into());
    }

    /// Replaces `$(key)` and `$(key[*])` by a list, where a list may stand.
    pub fn set_array<S: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = S>) {
        self.arrays.insert(key.into(), values.into_iter().map(Into::into).collect());
    }

    /// Replaces `$(key[*])` by an object, where an object may stand.
    pub fn set_object<K: Into<String>, V: Into<String>>(
        &mut self,
        key: impl Into<String>,
        members: impl IntoIterator<Item = (K, V)>,
    ) {
        let members = members.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.objects.insert(key.into(), members);
    }

    /// The string of a key.
    pub fn string(&self, key: &str) -> Option<&str> {
        self.strings.get(key).map(String::as_str)
    }

    /// The list of a key.
    pub fn array(&self, key: &str) -> Option<&[String]> {
        self.arrays.get(key).map(Vec::as_slice)
    }

    /// The object of a key.
    pub fn object(&self, key: &str) -> Option<&BTreeMap<String, String>> {
        self.objects.get(key)
    }

    /// All strings, by key.
    pub fn strings(&self) -> &BTreeMap<String, String> {
        &self.strings
    }

    /// All lists, by key.
    pub fn arrays(&self) -> &BTreeMap<String, Vec<String>> {
        &self.arrays
    }

    /// All objects, by key.
    pub fn objects(&self) -> &BTreeMap<String, BTreeMap<String, String>> {
        &self.objects
    }

    /// Whether the table replaces nothing.
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty() && self.arrays.is_empty() && self.objects.is_empty()
    }

    /// Takes over all entries of another table; those of the other win.
    pub fn extend(&mut self, other: Self) {
        let Self { strings, arrays, objects, parenthesis_in_key } = other;
        self.strings.extend(strings);
        self.arrays.extend(arrays);
        self.objects.extend(objects);
        self.parenthesis_in_key |= parenthesis_in_key;
    }

    /// The text with its known string references replaced; borrowed when nothing was.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.strings.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(offset) = opening(&text[at..]) {
            let start = at + offset;
            at = start + 2;
            if let Some((value, end)) = self.reference(text, at) {
                out.push_str(&text[copied..start]);
                out.push_str(value);
                copied = end;
                at = end;
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[copied..]);
        Cow::Owned(out)
    }

    /// [`Table::apply`] in place.
    pub fn apply_to(&self, text: &mut String) {
        if let Cow::Owned(replaced) = self.apply(text) {
            *text = replaced;
        }
    }

    /// The value of the reference whose key starts at `start`, and the offset behind its `)`.
    fn reference(&self, text: &str, start: usize) -> Option<(&str, usize)> {
        let mut close = start + text[start..].find(')')?;
        loop {
            if let Some(value) = self.strings.get(&text[start..close]) {
                return Some((value, close + 1));
            }
            if !self.parenthesis_in_key {
                return None;
            }
            close += 1 + text[close + 1..].find(')')?;
        }
    }

    /// The list that a text stands for, when it is exactly `$(key)` or `$(key[*])` of a list.
    pub fn whole_array(&self, text: &str) -> Option<&[String]> {
        let key = text.strip_prefix("$(")?.strip_suffix(')')?;
        let list = self.arrays.get(key).or_else(|| self.arrays.get(key.strip_suffix("[*]")?))?;
        Some(list)
    }

    /// The object that a text stands for, when it is exactly `$(key)` or `$(key[*])` of an object.
    pub fn whole_object(&self, text: &str) -> Option<&BTreeMap<String, String>> {
        let key = text.strip_prefix("$(")?.strip_suffix(')')?;
        self.objects.get(key.strip_suffix("[*]").unwrap_or(key))
    }

    /// What one list element becomes: all elements of a list that it stands for, or itself with its
    /// strings replaced.
    pub fn apply_array(&self, text: &str) -> Vec<String> {
        match self.whole_array(text) {
            Some(list) => list.to_vec(),
            None => vec![self.apply(text).into_owned()],
        }
    }

    /// A list with each element replaced or spliced; see [`Table::apply_array`].
    pub fn apply_list(&self, list: &[String]) -> Vec<String> {
        let mut out = Vec::with_capacity(list.len());
        for text in list {
            match self.whole_array(text) {
                Some(values) => out.extend_from_slice(values),
                None => out.push(self.apply(text).into_owned()),
            }
        }
        out
    }
}

/// The three spellings of a name below a prefix: `prefix.name`, `prefix["name"]`, `prefix['name']`.
///
/// ```
/// use tekton_contract::var::spellings;
/// assert_eq!(spellings("params", "a.b"), ["params.a.b", "params[\"a.b\"]", "params['a.b']"]);
/// ```
pub fn spellings(prefix: &str, name: &str) -> [String; 3] {
    [format!("{prefix}.{name}"), format!("{prefix}[\"{name}\"]"), format!("{prefix}['{name}']")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new();
        table.set("params.x", "a");
        table.set("params.a", "$(params.x)");
        table.set("odd)key", "odd");
        table.set_array("params.list", ["1", "2"]);
        table
    }

    #[test]
    fn the_inner_part_of_an_unknown_reference_is_replaced() {
        assert_eq!(table().apply("$(params.$(params.x))"), "$(params.a)");
    }

    #[test]
    fn inserted_text_is_not_scanned_again() {
        assert_eq!(table().apply("$(params.a) $(params.x)"), "$(params.x) a");
    }

    #[test]
    fn what_is_unknown_or_unclosed_stays() {
        for text in ["$(params.y)", "$(params.x", "$params.x)", "$()", "$$("] {
            assert!(matches!(table().apply(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(table().apply("$(odd)key)"), "odd");
    }

    #[test]
    fn only_a_lone_reference_is_spliced() {
        let table = table();
        assert_eq!(table.apply_array("$(params.list)"), ["1", "2"]);
        assert_eq!(table.apply_array("$(params.list[*])"), ["1", "2"]);
        assert_eq!(table.apply_array("x$(params.list[*])"), ["x$(params.list[*])"]);
        assert_eq!(table.apply_list(&["$(params.list)".into(), "$(params.x)".into()]), ["1", "2", "a"]);
    }
}
