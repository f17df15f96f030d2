//! Help that needs a look at the document: near names, removed kinds, what to add or take away.

use tekton_types::suggest::nearest;
use tekton_types::yaml::{Node, Value};

use crate::diagnostic::Diagnostic;
use crate::locate::node_at;

/// Adds help to a finding about this document where there is something better to say than what it has.
pub(crate) fn help(diagnostic: &mut Diagnostic, root: &Node<'_>) {
    if let (None, Some((_, variable))) =
        (&diagnostic.about, diagnostic.message.split_once("is currently set to tasks."))
    {
        diagnostic.about = Some(format!("$(tasks.{variable})"));
    }
    let better = match diagnostic.code {
        "unknown-variable" => unknown_variable(diagnostic, root),
        "custom-task" if has_cluster_task(root) => Some(
            "ClusterTask was removed: use the cluster resolver, `resolver: cluster` with params `kind`, `name` and `namespace`"
                .to_owned(),
        ),
        "unknown-task" => near_word(&diagnostic.message, &names(root, &["tasks", "finally"])),
        "unknown-workspace" => near_word(&diagnostic.message, &names(root, &["workspaces"])),
        "when-operator" => operator(diagnostic, root),
        "missing-field" => Some(missing(diagnostic)),
        "disallowed-field" if diagnostic.help.is_none() => Some(format!("take {} away", listed(&diagnostic.paths, "and"))),
        "one-of" if diagnostic.message.ends_with("got neither") => {
            Some(format!("set one of {}", listed(&diagnostic.paths, "or")))
        }
        "one-of" if diagnostic.message.ends_with("got both") && diagnostic.paths.iter().all(|p| p.ends_with("name")) => {
            Some("another one has this name: give each a name of its own".to_owned())
        }
        "one-of" if diagnostic.message.ends_with("got multiple") || diagnostic.paths.len() > 1 => {
            Some(format!("keep one of {}", listed(&diagnostic.paths, "or")))
        }
        "invalid-value" if diagnostic.help.is_none() => value_of(diagnostic).map(str::to_owned),
        _ => None,
    };
    if better.is_some() {
        diagnostic.help = better;
    }
}

/// What the fields take that upstream refuses without saying so: the end of the path, and what to write.
const VALUES: &[(&str, &str)] = &[
    ("onerror", "write `continue` or `stopAndFail`"),
    ("hashalgorithm", "write `sha256`, `sha384`, `sha512` or `sha224`"),
    ("].type", "write `string`, `array` or `object`"),
    (".type", "write `string`, `array` or `object`"),
    ("negative timeout", "write a duration that is not negative, such as `10m`"),
    ("volumemounts[].name", "write one reference to a string parameter, `$(params.x)`, and nothing else"),
    ("].name", "give each a name of its own: lower-case letters, digits and `-`, at most 63 characters"),
];

fn value_of(diagnostic: &Diagnostic) -> Option<&'static str> {
    let mut path = diagnostic.paths.first()?.to_lowercase();
    if let (Some(open), Some(close)) = (path.rfind('['), path.rfind(']'))
        && path[open..close].bytes().skip(1).all(|byte| byte.is_ascii_digit())
    {
        path.replace_range(open + 1..close, "");
    }
    VALUES.iter().find(|(end, _)| path.ends_with(end)).map(|(_, help)| *help)
}

/// Help for text that is no YAML.
pub(crate) fn for_yaml(message: &str, line: &str) -> &'static str {
    let text = line.trim_start();
    if line.contains("{{") {
        "a template's placeholder is no YAML by itself: fill it in first, or quote it"
    } else if line.contains('\t') {
        "indent with spaces: YAML takes no tabs there"
    } else if text.starts_with(['@', '`', '%', '*', '&', '!']) || line.contains(": *") || line.contains(": %") {
        "quote a text that begins with a sign of YAML's own: `\"…\"`"
    } else if line.contains("$(") && message.contains("flow") {
        "quote a text that holds `[`, `]`, `{`, `}` or `,`: `[\"$(params.list[0])\"]`"
    } else if message.contains("mapping values are not allowed") {
        "quote a text that holds `: `, and give keys of one map the same indentation"
    } else if message.contains("quoted scalar") || message.contains("unexpected end of stream") {
        "close the quote, bracket or brace that is open"
    } else {
        "check the indentation: keys of one map begin in one column, elements of a list with `- `"
    }
}

/// The last parts of paths, as a list in words.
fn listed(paths: &[String], last: &str) -> String {
    let name = |path: &String| {
        let last = path.rsplit('.').next().unwrap_or(path);
        // Some rules spell a field as Go does.
        let (first, rest) = last.split_at(last.chars().next().map_or(0, char::len_utf8));
        format!("`{}{rest}`", first.to_lowercase())
    };
    let names: Vec<String> = paths.iter().map(name).collect();
    match names.split_last() {
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => "it".to_owned(),
    }
}

fn missing(diagnostic: &Diagnostic) -> String {
    let parent = diagnostic.paths.first().and_then(|path| path.rsplit_once('.')).map_or("", |(parent, _)| parent);
    let fields = listed(&diagnostic.paths, "and");
    if parent.is_empty() { format!("add {fields}") } else { format!("add {fields} below `{parent}`") }
}

fn operator(diagnostic: &Diagnostic, root: &Node<'_>) -> Option<String> {
    let written = diagnostic.paths.iter().find_map(|path| {
        let node = node_at(root, path)?;
        node.as_str().or_else(|| node.get("operator")?.as_str())
    })?;
    let negated = matches!(written.to_lowercase().as_str(), "!=" | "not in" | "not-in" | "ne" | "notequals" | "not_in");
    Some(if negated { "write `notin`".to_owned() } else { "write `in`, or `notin`".to_owned() })
}

/// Variables of `$(context.…)`.
const CONTEXT: [&str; 9] = [
    "pipelineRun.name",
    "pipelineRun.namespace",
    "pipelineRun.uid",
    "pipeline.name",
    "taskRun.name",
    "taskRun.namespace",
    "taskRun.uid",
    "task.name",
    "task.retry-count",
];

fn unknown_variable(diagnostic: &Diagnostic, root: &Node<'_>) -> Option<String> {
    let inner = diagnostic.about.as_deref()?.strip_prefix("$(")?.strip_suffix(')')?;
    let near =
        |name: &str, known: &[&str]| nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    if let Some(name) = inner.strip_prefix("context.") {
        return near(name, &CONTEXT).or_else(|| {
            Some("known are the name, namespace and uid of the run, and the name of what it runs".to_owned())
        });
    }
    let (scope, rest) = inner.split_at(inner.find(['.', '['])?);
    let rest = rest.trim_start_matches(['.', '[', '\'', '"']);
    let name = &rest[..rest.find(['.', '[', ']', '\'', '"']).unwrap_or(rest.len())];
    let list = match scope {
        "params" => "params",
        "workspaces" => "workspaces",
        "results" => "results",
        "steps" => "steps",
        _ => return None,
    };
    let known = names(root, &[list]);
    if scope == "params" && known.contains(&name) && inner.contains(&format!("{name}.")) {
        return Some(format!("`{name}` has no such key: keys of an object stand in its `properties`"));
    }
    near(name, &known).or_else(|| Some(format!("declare `{name}` under `{list}`, or correct the name")))
}

/// A name that a word of the message comes near to without being it.
fn near_word(message: &str, known: &[&str]) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    message
        .split(|c| !is_part(c))
        .filter(|word| word.len() > 1 && !known.contains(word))
        .find_map(|word| nearest(word, known.iter().copied()))
        .map(|near| format!("did you mean `{near}`?"))
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

/// The names in all lists under these keys.
pub(crate) fn names<'n>(root: &'n Node<'_>, lists: &[&str]) -> Vec<&'n str> {
    let mut found = Vec::new();
    collect(root, lists, &mut found);
    found
}

fn collect<'n>(node: &'n Node<'_>, lists: &[&str], found: &mut Vec<&'n str>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                if let Value::Seq(items) = &entry.value.value
                    && lists.contains(&entry.key.as_ref())
                {
                    found.extend(items.iter().filter_map(|item| item.get("name").and_then(Node::as_str)));
                }
                collect(&entry.value, lists, found);
            }
        }
        Value::Seq(items) => items.iter().for_each(|item| collect(item, lists, found)),
        _ => {}
    }
}
