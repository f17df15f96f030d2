//! What could not be read, in words that help: unknown fields, values of a wrong type.

use tekton_types::Object;
use tekton_types::decode::{DecodeError, Problem};
use tekton_types::object::KINDS;
use tekton_types::suggest::nearest;

use crate::check::line_of;
use crate::diagnostic::{Diagnostic, Severity};
use crate::fix::Fix;

/// Fields that moved from v1beta1 to v1, or are often looked for elsewhere: end of the path, and what to write.
const MOVED: &[(&str, &str, &str)] = &[
    ("PipelineRun", "spec.serviceAccountName", "spec.taskRunTemplate.serviceAccountName"),
    ("PipelineRun", "spec.podTemplate", "spec.taskRunTemplate.podTemplate"),
    ("PipelineRun", "podTemplate.serviceAccountName", "spec.taskRunTemplate.serviceAccountName"),
    ("PipelineRun", "spec.timeout", "spec.timeouts.pipeline"),
    ("PipelineRun", "taskServiceAccountName", "serviceAccountName"),
    ("PipelineRun", "taskPodTemplate", "podTemplate"),
    ("TaskRun", "podTemplate.serviceAccountName", "spec.serviceAccountName"),
    ("", "stepOverrides", "stepSpecs"),
    ("", "sidecarOverrides", "sidecarSpecs"),
    ("", "taskRef.bundle", "the bundles resolver: `resolver: bundles` with params `bundle`, `name` and `kind`"),
    ("", "pipelineRef.bundle", "the bundles resolver: `resolver: bundles` with params `bundle`, `name` and `kind`"),
    ("", "inputs", "spec.params and spec.workspaces"),
    ("", "outputs", "spec.results and spec.workspaces"),
    ("", "conditions", "when"),
    ("Pipeline", "spec.steps", "a Task, or `tasks` with a `taskSpec` that holds the steps"),
    ("Task", "spec.tasks", "a Pipeline, or `steps`"),
    ("Task", "spec.inputs", "spec.params and spec.workspaces"),
    ("Task", "spec.outputs", "spec.results and spec.workspaces"),
];

/// An error of decoding as a finding, with what settles it when that is plain.
pub(crate) fn explain(error: &DecodeError, object: Option<&Object>, text: &str) -> (Diagnostic, Option<Fix>) {
    let (code, severity) = match &error.problem {
        Problem::UnknownField { .. } => ("unknown-field", Severity::Error),
        Problem::DuplicateKey => ("duplicate-key", Severity::Warning),
        Problem::RemovedKind { .. } => ("removed-kind", Severity::Error),
        Problem::UnknownKind => ("unknown-kind", Severity::Error),
        _ => ("wrong-type", Severity::Error),
    };
    let mut diagnostic = Diagnostic::new(code, severity, error.message.clone(), [error.path.clone()]);
    let written = text.get(error.span.start..error.span.end).unwrap_or_default().trim();
    let mut fix = None;
    match &error.problem {
        Problem::UnknownField { suggestion, .. } => {
            let kind = object.map_or("", Object::kind);
            (diagnostic.help, fix) = unknown_field(error, kind, *suggestion, written);
        }
        Problem::DuplicateKey => {
            // The position says the line already.
            if let Some(at) = diagnostic.message.find("key \"") {
                diagnostic.message.drain(..at);
            }
            diagnostic.help = Some("the last one counts: take the other away".to_owned());
        }
        Problem::BadValue => (diagnostic.help, fix) = bad_value(error, written, line_of(text, error.span)),
        Problem::RemovedKind { .. } => {
            diagnostic.help = Some("`tekton migrate` rewrites what can be rewritten".to_owned());
        }
        Problem::UnknownKind => diagnostic.help = Some(unknown_kind(text, error)),
        _ => {}
    }
    (diagnostic, fix)
}

fn unknown_kind(text: &str, error: &DecodeError) -> String {
    let kind = text.get(error.span.start..error.span.end).unwrap_or_default().trim_matches(['"', '\'', ' ']);
    if let Some((version, _)) = KINDS.iter().find(|(_, known)| *known == kind) {
        return format!("write `apiVersion: {version}`");
    }
    let mut kinds: Vec<&str> = KINDS.iter().map(|(_, kind)| *kind).collect();
    if let Some(near) = nearest(kind, kinds.iter().copied()) {
        return format!("did you mean {near}?");
    }
    kinds.sort_unstable();
    kinds.dedup();
    format!("Tekton's kinds are {}", kinds.join(", "))
}

fn unknown_field(
    error: &DecodeError,
    kind: &str,
    suggestion: Option<&'static str>,
    written: &str,
) -> (Option<String>, Option<Fix>) {
    let moved = MOVED.iter().find(|(of, end, _)| {
        (of.is_empty() || *of == kind) && (error.path == *end || error.path.ends_with(&format!(".{end}")))
    });
    if let Some((_, _, now)) = moved {
        return (Some(format!("did you mean {now}?")), None);
    }
    let is_step_resources = error.path.ends_with("].resources") && error.path.contains("teps[");
    let Some(name) = suggestion.or(is_step_resources.then_some("computeResources")) else {
        return (Some("take it away, or move it to where it belongs".to_owned()), None);
    };
    let is_bare = !written.is_empty() && written.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let fix = is_bare.then(|| Fix::replace(format!("rename it to {name}"), error.span.start..error.span.end, name));
    (Some(format!("did you mean {name}?")), fix)
}

/// Words that YAML 1.1 takes for booleans.
const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];

fn bad_value(error: &DecodeError, written: &str, line: &str) -> (Option<String>, Option<Fix>) {
    if line.contains("{{") {
        let help = "a template's placeholder is no YAML by itself: fill it in first, or quote it";
        return (Some(help.to_owned()), None);
    }
    let message = error.message.as_str();
    let quoted = format!("\"{written}\"");
    let quote = || Some(Fix::replace(format!("write {quoted}"), error.span.start..error.span.end, quoted.clone()));
    let one_word = !written.is_empty() && !written.contains(['\n', '"', '\\']);
    let wants_text = message.starts_with("expected a string") || message.contains("a string, ");
    if wants_text && one_word && WORDS.contains(&written.to_lowercase().as_str()) {
        return (Some(format!("YAML reads {written} as a boolean: write {quoted}")), quote());
    }
    if wants_text && one_word && message.ends_with("found a number") {
        return (Some(format!("YAML reads {written} as a number: write {quoted}")), quote());
    }
    let help = if message.contains("duration") {
        "a duration is numbers with units, such as `90s`, `10m` or `1h30m`"
    } else if message.contains("quantit") {
        "a quantity is a number with a suffix, such as `500m`, `0.5`, `256Mi` or `1Gi`"
    } else if message.starts_with("expected a list, found a map") {
        "begin each element with `- `"
    } else if message.starts_with("expected a list") {
        "write a list: `[a, b]`, or each element in a line of its own after `- `"
    } else if message.starts_with("expected a boolean") {
        "write `true` or `false`, without quotes"
    } else if message.starts_with("expected an integer") {
        "write a whole number, without quotes"
    } else if message.starts_with("expected a map, found a list") {
        "write `key: value` lines without `- ` before them"
    } else if message.starts_with("expected a map") {
        "write `key: value` lines below it, indented"
    } else if message.starts_with("expected a string, found a list")
        || message.starts_with("expected a string, found a map")
    {
        "write one text here, in quotes when it holds `: ` or begins with a sign"
    } else {
        return (None, None);
    };
    (Some(help.to_owned()), None)
}
