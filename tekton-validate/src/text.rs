//! Texts as Go prints them: quoted strings, lists, cleaned paths.

use std::fmt::Write as _;

pub(crate) use tekton_contract::paths::clean as clean_path;
pub(crate) use tekton_contract::var::extract::go_quote as quote;

/// A list of strings, as `%v` prints it.
pub(crate) fn list<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let mut out = String::from("[");
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(item.as_ref());
    }
    out.push(']');
    out
}

/// A map from names to lists, as `%v` prints it: `map[a:[x y] b:[]]`.
pub(crate) fn map_of_lists<'a>(entries: impl IntoIterator<Item = (&'a str, Vec<&'a str>)>) -> String {
    let mut out = String::from("map[");
    for (index, (key, items)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        let _ = write!(out, "{key}:{}", list(items));
    }
    out.push(']');
    out
}
