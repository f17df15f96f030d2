//! Setting one annotation of an object in its text, with everything around it left as it is.

use super::edit::{Edits, own_entries};
use super::{Entry, Node};

/// Asks `edits` to give the object at `root` the annotation `key`, or another value if it has it already.
///
/// Key and value must be plain words. `false` when there is no map `metadata` in the object itself to put it into.
pub fn set(edits: &mut Edits<'_>, root: &Node<'_>, key: &str, value: &str) -> bool {
    let Some(metadata) = root.entry("metadata") else { return false };
    let in_place = own_entries(root).iter().any(|entry| entry.key_span == metadata.key_span);
    if !in_place || edits.is_alias(metadata) || own_entries(&metadata.value).is_empty() {
        return false;
    }
    let all = &metadata.value;
    let Some(annotations) = all.entry("annotations") else {
        append(edits, all, &["annotations", key], value);
        return true;
    };
    if edits.is_alias(annotations) {
        return false;
    }
    match annotations.value.entry(key) {
        Some(old) => {
            let end = edits.end_of(old);
            edits.replace(old.value.span.start..end, format!("\"{value}\""));
        }
        None if own_entries(&annotations.value).is_empty() => {
            let start = annotations.key_span.end;
            let end = edits.end_of(annotations);
            // What stands there is nothing, `null` or `{}`; the colon stays where it is.
            let colon = edits.text()[start..].find(':').map_or(start, |colon| start + colon + 1);
            edits.replace(colon..end, format!(" {{\"{key}\": \"{value}\"}}"));
        }
        None => append(edits, &annotations.value, &[key], value),
    }
    true
}

/// Puts a chain of keys and a value behind the last entry of a map.
fn append(edits: &mut Edits<'_>, map: &Node<'_>, keys: &[&str], value: &str) {
    let own = own_entries(map);
    let last: &Entry<'_> = own.last().expect("the caller has seen an entry");
    let end = edits.end_of(last);
    if edits.is_flow(map) {
        let mut text = format!("\"{value}\"");
        for (depth, key) in keys.iter().enumerate().rev() {
            text = if depth == 0 { format!(", \"{key}\": {text}") } else { format!("{{\"{key}\": {text}}}") };
        }
        edits.replace(end..end, text);
        return;
    }
    let indent = edits.indent_of(last);
    let mut text = String::new();
    for (depth, key) in keys.iter().enumerate() {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent + 2 * depth));
        text.push_str(key);
        text.push(':');
    }
    text.push_str(" \"");
    text.push_str(value);
    text.push('"');
    // A comment behind the last entry stays with it.
    let at = edits.line_end(end);
    edits.replace(at..at, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn check(before: &str, after: &str) {
        let documents = yaml::parse(before).expect(before);
        let mut edits = Edits::new(before);
        assert!(set(&mut edits, &documents[0].root, "a/b", "v="), "{before}");
        let text = edits.apply();
        assert_eq!(text, after);
        let documents = yaml::parse(&text).expect(&text);
        let value = documents[0].at(["metadata", "annotations", "a/b"]).and_then(Node::as_str);
        assert_eq!(value, Some("v="), "{text}");
    }

    #[test]
    fn an_annotation_comes_behind_the_others_and_comments_stay() {
        check(
            "# top\nkind: Task\nmetadata:\n  annotations: # why\n    x: y # z\n  name: n\nspec: {}\n",
            "# top\nkind: Task\nmetadata:\n  annotations: # why\n    x: y # z\n    a/b: \"v=\"\n  name: n\nspec: {}\n",
        );
        check(
            "metadata:\n    annotations:\n        text: |\n            one\n            two\n    name: n\n",
            "metadata:\n    annotations:\n        text: |\n            one\n            two\n        a/b: \"v=\"\n    name: n\n",
        );
    }

    #[test]
    fn annotations_are_begun_where_there_are_none() {
        check("metadata:\n  name: n\nspec: {}\n", "metadata:\n  name: n\n  annotations:\n    a/b: \"v=\"\nspec: {}\n");
        check("metadata:\n  name: n", "metadata:\n  name: n\n  annotations:\n    a/b: \"v=\"");
        check("metadata:\n  annotations: {}\n  name: n\n", "metadata:\n  annotations: {\"a/b\": \"v=\"}\n  name: n\n");
        check("metadata:\n  annotations:\n  name: n\n", "metadata:\n  annotations: {\"a/b\": \"v=\"}\n  name: n\n");
    }

    #[test]
    fn an_old_value_makes_room() {
        check(
            "metadata:\n  annotations:\n    a/b: old # when\n",
            "metadata:\n  annotations:\n    a/b: \"v=\" # when\n",
        );
        check("metadata: {annotations: {a/b: 'old'}}\n", "metadata: {annotations: {a/b: \"v=\"}}\n");
    }

    #[test]
    fn json_stays_json() {
        check(
            r#"{"metadata": {"name": "n"}, "spec": {}}"#,
            r#"{"metadata": {"name": "n", "annotations": {"a/b": "v="}}, "spec": {}}"#,
        );
    }

    #[test]
    fn what_stands_elsewhere_is_not_touched() {
        for text in ["spec: {}\n", "metadata: {}\n", "x: &m {name: n}\nmetadata: *m\n"] {
            let documents = yaml::parse(text).expect(text);
            assert!(!set(&mut Edits::new(text), &documents[0].root, "a", "b"), "{text}");
        }
    }
}
