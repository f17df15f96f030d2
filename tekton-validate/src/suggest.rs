//! Help that needs a look at the document: near names, removed kinds, words that YAML takes for booleans.

use tekton_types::yaml::{Node, Value};

use crate::diagnostic::Diagnostic;

/// Adds help to a finding about this document where there is something to say.
pub(crate) fn help(diagnostic: &mut Diagnostic, root: &Node<'_>) {
    match diagnostic.code {
        "unknown-variable" => {
            if let Some(near) = near_param(&diagnostic.message, root) {
                diagnostic.help = Some(format!("did you mean `{near}`?"));
            }
        }
        "custom-task" if has_cluster_task(root) => {
            diagnostic.help = Some(
                "ClusterTask was removed: use the cluster resolver, `resolver: cluster` with params `kind`, `name` and `namespace`"
                    .to_owned(),
            );
        }
        _ => {}
    }
}

/// Help for a value of a wrong type, and for text that is no YAML.
pub(crate) fn for_text(message: &str, line: &str) -> Option<String> {
    if line.contains("{{") {
        return Some("a template's placeholder is no YAML by itself: fill it in first, or quote it".to_owned());
    }
    let value = line.rsplit([':', '-']).next().unwrap_or_default().trim();
    let is_word = ["y", "n", "yes", "no", "on", "off", "true", "false"].contains(&value.to_lowercase().as_str());
    (is_word && message.contains("bool")).then(|| format!("YAML reads {value} as a boolean: write \"{value}\""))
}

fn has_cluster_task(node: &Node<'_>) -> bool {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .any(|e| (e.key == "kind" && e.value.as_str() == Some("ClusterTask")) || has_cluster_task(&e.value)),
        Value::Seq(items) => items.iter().any(has_cluster_task),
        _ => false,
    }
}

/// The declared parameter whose name is nearest to one in the message that nobody declares.
fn near_param(message: &str, root: &Node<'_>) -> Option<String> {
    let mut declared = Vec::new();
    names(root, &mut declared);
    message.match_indices("$(params.").find_map(|(at, opening)| {
        let rest = &message[at + opening.len()..];
        let name = &rest[..rest.find([')', '[', '.'])?];
        if declared.contains(&name) {
            return None;
        }
        let nearest = declared.iter().map(|d| (distance(name, d), *d)).min()?;
        (nearest.0 <= 1 + name.len() / 4).then(|| nearest.1.to_owned())
    })
}

fn names<'n>(node: &'n Node<'_>, found: &mut Vec<&'n str>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                if entry.key == "params"
                    && let Value::Seq(items) = &entry.value.value
                {
                    found.extend(items.iter().filter_map(|item| item.get("name").and_then(Node::as_str)));
                }
                names(&entry.value, found);
            }
        }
        Value::Seq(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

/// How many letters must change to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    if a != b && sorted(a) == sorted(b) {
        // Letters that changed places are one slip.
        return 1;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_changes() {
        for (a, b, expected) in [("url", "urls", 1), ("image", "imgae", 1), ("", "ab", 2), ("same", "same", 0)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
