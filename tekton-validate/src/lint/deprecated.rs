//! Kinds, versions and fields that upstream has deprecated.

use tekton_types::Object;
use tekton_types::yaml::edit::Edits;
use tekton_types::yaml::{Node, Value};

use super::{Found, Given, warning};
use crate::fix::Fix;

/// Fields without effect since Tekton runs steps, not containers, in order; v1 no longer has them.
const OF_STEPS: &[&str] = &[
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "startupProbe",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
];

/// Variables of the time of PipelineResources.
const OLD_VARIABLES: &str = "$(inputs.params.";

/// Warns of what works today and is to go.
pub(super) fn check(object: &Object, given: &Given<'_>, found: &mut Vec<Found>) {
    let now = match object {
        Object::V1Beta1Task(_)
        | Object::V1Beta1TaskRun(_)
        | Object::V1Beta1Pipeline(_)
        | Object::V1Beta1PipelineRun(_) => "tekton.dev/v1",
        Object::V1Alpha1StepAction(_) => "tekton.dev/v1beta1",
        Object::V1Alpha1ResolutionRequest(_) => "resolution.tekton.dev/v1beta1",
        _ => "",
    };
    if !now.is_empty() {
        let message = format!("{} of {} is deprecated: it is {now} today", object.kind(), object.api_version());
        let help = "`tekton migrate` rewrites it, with everything that goes by another name";
        found.push(warning("deprecated-version", message, "apiVersion").with_help(help).into());
    }
    walk(given.root, "", given, found);
}

fn walk(node: &Node<'_>, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let path = if path.is_empty() { entry.key.to_string() } else { format!("{path}.{}", entry.key) };
                if entry.key == "stepTemplate" {
                    fields(&entry.value, &path, given, found);
                }
                if let (Value::Seq(steps), "steps") = (&entry.value.value, entry.key.as_ref()) {
                    for (index, step) in steps.iter().enumerate() {
                        fields(step, &format!("{path}[{index}]"), given, found);
                    }
                }
                walk(&entry.value, &path, given, found);
            }
        }
        Value::Seq(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), given, found);
            }
        }
        Value::String(text) if text.contains(OLD_VARIABLES) => old_variable(node, path, given, found),
        _ => {}
    }
}

/// Deprecated fields of a step or of the template of steps.
fn fields(step: &Node<'_>, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    for field in OF_STEPS {
        let Some(entry) = step.entry(field) else { continue };
        let mut edits = Edits::new(given.text);
        edits.remove(step, &[entry]);
        let message = format!("`{field}` of a step has no effect and is gone in v1");
        let diagnostic = warning("deprecated-field", message, format!("{path}.{field}")).with_help("take it away");
        found.push(Found { diagnostic, fix: Some(Fix::of(format!("take `{field}` away"), &edits)) });
    }
}

fn old_variable(node: &Node<'_>, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    let diagnostic = warning("deprecated-variable", "`$(inputs.params.…)` is `$(params.…)` today", path)
        .with_about(OLD_VARIABLES)
        .with_help("take `inputs.` away");
    let mut edits = Edits::new(given.text);
    for place in crate::locate::part_of(given.text, node, OLD_VARIABLES) {
        edits.replace(place.start..place.end, "$(params.");
    }
    let fix = (!edits.is_empty()).then(|| Fix::of("write `$(params.…)`", &edits));
    found.push(Found { diagnostic, fix });
}
