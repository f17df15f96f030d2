//! From a path of a diagnostic to its place in the YAML text.

use tekton_types::yaml::{Node, Span, Value};

use crate::diagnostic::Diagnostic;

/// Where an element or a key is; as deep as the text goes along the path.
pub fn locate(root: &Node<'_>, path: &str) -> Span {
    walk(root, path).span
}

/// The node at a path; `None` when the text does not go so far.
pub(crate) fn node_at<'n, 'a>(root: &'n Node<'a>, path: &str) -> Option<&'n Node<'a>> {
    Some(walk(root, path)).filter(|end| end.complete).map(|end| end.node)
}

/// The places of a diagnostic, in the order of the text: the part of a text that it is about, the value that is wrong,
/// or else the key.
pub(crate) fn places(text: &str, root: &Node<'_>, diagnostic: &Diagnostic) -> Vec<Span> {
    let whole = ["spec".to_owned()];
    let is_nowhere = diagnostic.paths.iter().all(String::is_empty);
    if is_nowhere && diagnostic.code == "feature-gate" {
        // Upstream names the field without its path.
        let field = diagnostic.message.split(' ').next().unwrap_or_default();
        let key = first_key(root, field, false).or_else(|| first_key(root, field, true));
        if let Some(span) = key {
            return vec![span];
        }
    }
    let paths = if is_nowhere { &whole[..] } else { &diagnostic.paths };
    let mut spans: Vec<Span> = paths
        .iter()
        .map(|path| {
            let end = walk(root, path);
            let part = diagnostic.about.as_deref().and_then(|about| within(text, end.node, about));
            let is_word = !matches!(end.node.value, Value::Map(_) | Value::Seq(_) | Value::Null);
            match part {
                Some(span) => span,
                None if end.complete && is_word && is_about_value(diagnostic) => end.node.span,
                None => end.span,
            }
        })
        .collect();
    spans.sort_by_key(|span| span.start);
    spans.dedup();
    spans
}

/// Whether it is the value of a field that is wrong, not that it is there.
fn is_about_value(diagnostic: &Diagnostic) -> bool {
    matches!(
        diagnostic.code,
        "invalid-value"
            | "invalid"
            | "matrix"
            | "variable-place"
            | "when-operator"
            | "name-format"
            | "timeout"
            | "negative"
            | "cel"
            | "duplicate-name"
            | "one-of"
            | "status-reference"
            | "unquoted-value"
            | "unpinned-image"
            | "deprecated-version"
    )
}

/// Where a part of a text stands within a node: in its own text, else in the first text below it that is the part, or
/// holds it.
fn within(text: &str, node: &Node<'_>, part: &str) -> Option<Span> {
    first_text(node, &|value| value == part)
        .or_else(|| first_text(node, &|value| value.contains(part)))
        .and_then(|found| part_of(text, found, part).next())
}

/// The first key of this name, within an element of a list or anywhere.
fn first_key(node: &Node<'_>, name: &str, anywhere: bool) -> Option<Span> {
    match &node.value {
        Value::Map(entries) => entries.iter().find_map(|entry| {
            let is_it = anywhere && entry.key == name;
            if is_it { Some(entry.key_span) } else { first_key(&entry.value, name, anywhere) }
        }),
        Value::Seq(items) => items.iter().find_map(|item| first_key(item, name, true)),
        _ => None,
    }
}

fn first_text<'n, 'a>(node: &'n Node<'a>, fits: &impl Fn(&str) -> bool) -> Option<&'n Node<'a>> {
    match &node.value {
        Value::String(value) => fits(value).then_some(node),
        Value::Map(entries) => entries.iter().find_map(|entry| first_text(&entry.value, fits)),
        Value::Seq(items) => items.iter().find_map(|item| first_text(item, fits)),
        _ => None,
    }
}

/// Every place of a part within the text that a node was written as.
pub(crate) fn part_of<'t>(text: &'t str, node: &Node<'_>, part: &'t str) -> impl Iterator<Item = Span> + 't {
    let range = node.span.start..node.span.end;
    let written = text.get(range.clone()).unwrap_or_default();
    let (start, first_line) = (range.start, node.span.line);
    written.match_indices(part).map(move |(at, part)| {
        let line_start = text[..start + at].rfind('\n').map_or(0, |newline| newline + 1);
        Span {
            start: start + at,
            end: start + at + part.len(),
            line: first_line + written[..at].matches('\n').count(),
            column: text[line_start..start + at].chars().count() + 1,
        }
    })
}

/// How far a path leads.
struct End<'n, 'a> {
    node: &'n Node<'a>,
    span: Span,
    complete: bool,
}

fn walk<'n, 'a>(root: &'n Node<'a>, path: &str) -> End<'n, 'a> {
    let mut end = End { node: root, span: first(root), complete: true };
    for part in parts(path) {
        let found = match part {
            Part::Field(name) => field(end.node, name),
            Part::Element(key) => element(end.node, key),
        };
        let Some((next, place)) = found else { return End { complete: false, ..end } };
        end = End { node: next, span: place, complete: true };
    }
    end
}
/// Where a document begins: at its first key.
fn first(root: &Node<'_>) -> Span {
    match &root.value {
        Value::Map(entries) => entries.first().map_or(root.span, |e| e.key_span),
        _ => root.span,
    }
}

enum Part<'p> {
    Field(&'p str),
    Element(&'p str),
}

/// `a.b[0][name].c`, where what is in brackets may hold dots.
fn parts(path: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('.');
        if rest.is_empty() {
            return None;
        }
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            rest = inner.get(end + 1..).unwrap_or_default();
            return Some(Part::Element(&inner[..end]));
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, more) = rest.split_at(end);
        rest = more;
        Some(Part::Field(name))
    })
}

fn field<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<(&'n Node<'a>, Span)> {
    let entries = match &node.value {
        Value::Map(entries) => entries,
        // Some rules give the name of an element without brackets.
        Value::Seq(_) => return named(node, name),
        _ => return None,
    };
    let exact = entries.iter().find(|e| e.key == name);
    // Some rules spell a field in lower case or in the singular.
    let near = || entries.iter().find(|e| e.key.eq_ignore_ascii_case(name) || e.key.strip_suffix('s') == Some(name));
    if let Some(entry) = exact.or_else(near) {
        return Some((&entry.value, entry.key_span));
    }
    // Rules about parameters and results give the name where the path should go through the list.
    ["params", "results"].iter().find_map(|list| named(node.get(list)?, name))
}

fn element<'n, 'a>(node: &'n Node<'a>, key: &str) -> Option<(&'n Node<'a>, Span)> {
    match &node.value {
        Value::Seq(items) => match key.parse::<usize>() {
            Ok(index) => items.get(index).map(|item| (item, first(item))),
            Err(_) => named(node, key),
        },
        Value::Map(_) => field(node, key),
        _ => None,
    }
}

fn named<'n, 'a>(list: &'n Node<'a>, name: &str) -> Option<(&'n Node<'a>, Span)> {
    let Value::Seq(items) = &list.value else { return None };
    let item = items.iter().find(|item| item.get("name").and_then(Node::as_str) == Some(name))?;
    Some((item, item.get("name").map_or(item.span, |n| n.span)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, line: usize) {
        let text =
            "spec:\n  params:\n  - name: a.b\n    type: x\n  steps:\n  - name: s\n    volumeMounts:\n    - name: v\n";
        let documents = tekton_types::yaml::parse(text).unwrap();
        assert_eq!(locate(&documents[0].root, path).line, line, "{path}");
    }

    #[test]
    fn paths_lead_to_lines() {
        check("spec.params[a.b].type", 4);
        check("spec.a", 1);
        check("spec.steps[0].Image", 6);
        check("spec.steps[0].volumeMount[0].MountPath", 8);
        check("nowhere", 1);
    }
}
