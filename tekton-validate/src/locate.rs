//! From a path of a diagnostic to its place in the YAML text.

use tekton_types::yaml::{Node, Span, Value};

/// Where an element or a key is; as deep as the text goes along the path.
pub fn locate(root: &Node<'_>, path: &str) -> Span {
    let mut node = root;
    let mut span = first(root);
    for part in parts(path) {
        let found = match part {
            Part::Field(name) => field(node, name),
            Part::Element(key) => element(node, key),
        };
        let Some((next, place)) = found else { break };
        node = next;
        span = place;
    }
    span
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
    let Value::Map(entries) = &node.value else { return None };
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
