//! Variables inside scripts.

use k8s_openapi::api::core::v1::EnvVar;
use tekton_types::yaml::edit::Edits;
use tekton_types::yaml::{Node, Value};

use super::{Found, Given, shell, warning};
use crate::fix::Fix;
use crate::locate::{node_at, part_of};
use crate::suggest::names;

/// Warns of parameters pasted into a script, and of `$$(`, which is no escape there.
pub(super) fn check(script: &str, env: &[EnvVar], path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    parameters(script, env, path, given, found);
    escapes(script, env, path, given, found);
}

fn parameters(script: &str, env: &[EnvVar], path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    let mut references: Vec<&str> = Vec::new();
    for (at, _) in script.match_indices("$(params") {
        let rest = &script[at..];
        let reference = rest.find(')').map_or(rest, |end| &rest[..=end]);
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    // A slip, which is an error by itself, comes last.
    references.sort_by_key(|reference| !is_declared(reference, given.root));
    let Some(first) = references.first() else { return };
    let variables: Vec<Variable<'_>> = references.iter().map(|reference| Variable::of(reference, env)).collect();
    let fix = if shell::is_shell(script) { to_variables(script, &variables, path, given) } else { None };
    let (what, become_) = match references.len() {
        1 => ((*first).to_owned(), "becomes"),
        _ => (references.join(", "), "become"),
    };
    let help = if shell::is_shell(script) {
        let name = &variables[0].name;
        format!("set it as a variable, `env: [{{name: {name}, value: {first}}}]`, and write \"${name}\"")
    } else {
        "set it as a variable under `env`, and read the variable of the environment".to_owned()
    };
    let message = format!("{what} {become_} part of the script's text: whoever gives the value can give commands");
    let diagnostic = warning("param-in-script", message, format!("{path}.script")).with_help(help).with_about(*first);
    found.push(Found { diagnostic, fix });
}

/// The variable that holds a parameter.
struct Variable<'r> {
    reference: &'r str,
    name: String,
    is_new: bool,
}

impl<'r> Variable<'r> {
    /// The variable that is there already, or a new one called after the parameter.
    fn of(reference: &'r str, env: &[EnvVar]) -> Self {
        if let Some(known) = env.iter().find(|var| var.value.as_deref() == Some(reference)) {
            return Self { reference, name: known.name.clone(), is_new: false };
        }
        let letters = reference["$(params".len()..].trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let name: String =
            letters.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        Self { reference, name: format!("PARAM_{name}"), is_new: true }
    }
}

/// Whether a parameter of this name is declared or given somewhere in the document.
fn is_declared(reference: &str, root: &Node<'_>) -> bool {
    let rest = reference["$(params".len()..].trim_start_matches(['.', '[', '\'', '"']);
    names(root, &["params"])
        .iter()
        .any(|name| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[', ']', ')', '\'', '"'])))
}

/// Puts variables in the place of references, and sets those that are new.
fn to_variables(script: &str, variables: &[Variable<'_>], path: &str, given: &Given<'_>) -> Option<Fix> {
    if variables.iter().any(|v| v.is_new && !is_declared(v.reference, given.root)) {
        // A slip: moved away, it would only be harder to see.
        return None;
    }
    let named = |name: &str| variables.iter().filter(|other| other.name == name).count();
    if variables.iter().any(|v| named(&v.name) > 1 || (v.is_new && script.contains(&v.name))) {
        return None;
    }
    let name_of = |reference: &str| {
        variables.iter().find(|v| v.reference == reference).map(|v| v.name.clone()).unwrap_or_default()
    };
    let replacements = shell::replacements(script, name_of)?;
    let step = node_at(given.root, path)?;
    let entry = step.entry("script")?;
    let is_block = given.text.get(entry.key_span.end..entry.value.span.start)?.contains(['|', '>']);
    let mut edits = Edits::new(given.text);
    let places: Vec<_> = part_of(given.text, &entry.value, "$(params").collect();
    if edits.is_flow(step) || places.len() != script.matches("$(params").count() || places.len() != replacements.len() {
        return None;
    }
    for (place, (range, text)) in places.iter().zip(replacements) {
        let reference = &script[range];
        let written = place.start..place.start + reference.len();
        if given.text.get(written.clone())? != reference || (!is_block && text.contains(['"', '\''])) {
            return None;
        }
        edits.replace(written, text);
    }
    let new: Vec<&Variable<'_>> = variables.iter().filter(|v| v.is_new).collect();
    if !new.is_empty() {
        set(&mut edits, step, &new)?;
    }
    let names: Vec<&str> = variables.iter().map(|v| v.name.as_str()).collect();
    Some(Fix::of(format!("read {} from the environment", names.join(", ")), &edits))
}

/// Adds entries to the `env` of a step.
fn set(edits: &mut Edits<'_>, step: &Node<'_>, new: &[&Variable<'_>]) -> Option<()> {
    if let Some(env) = step.entry("env") {
        let Value::Seq(items) = &env.value.value else { return None };
        let last = items.last()?;
        if edits.is_flow(&env.value) || edits.is_flow(last) || edits.is_alias(env) {
            return None;
        }
        let indent = edits.text()[edits.line_start(last.span.start)..last.span.start].find('-')?;
        let end = edits.line_end(edits.end_of(env).saturating_sub(1));
        let pad = " ".repeat(indent);
        let entries = new.iter().map(|v| format!("\n{pad}- name: {}\n{pad}  value: {}", v.name, v.reference));
        edits.replace(end..end, entries.collect::<String>());
        return Some(());
    }
    let script = step.entry("script")?;
    let pad = " ".repeat(edits.indent_of(script));
    let entries = new.iter().map(|v| format!("{pad}- name: {}\n{pad}  value: {}\n", v.name, v.reference));
    let at = script.key_span.start;
    edits.replace(at..at, format!("env:\n{}{pad}", entries.collect::<String>()));
    Some(())
}

fn escapes(script: &str, env: &[EnvVar], path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    let Some(at) = script.find("$$(") else { return };
    let rest = &script[at..];
    let about = rest.find(')').map_or("$$(", |end| &rest[..=end]);
    let name = about.trim_start_matches("$$(").trim_end_matches(')');
    let is_variable = env.iter().any(|var| var.name == name);
    let diagnostic = warning(
        "no-escape",
        format!("`{about}` stays as it is in a script: a shell reads `$$` as its process id"),
        format!("{path}.script"),
    )
    .with_about(about)
    .with_help(if is_variable {
        format!("write `${{{name}}}`")
    } else {
        "write `$(command)`: what is no variable of Tekton is left alone".to_owned()
    });
    let fix = if shell::is_shell(script) { unescape(env, path, given) } else { None };
    found.push(Found { diagnostic, fix });
}

/// Writes `$$(NAME)` of variables of the step as `${NAME}`.
fn unescape(env: &[EnvVar], path: &str, given: &Given<'_>) -> Option<Fix> {
    let script = node_at(given.root, &format!("{path}.script"))?;
    let mut edits = Edits::new(given.text);
    for var in env {
        let written = format!("$$({})", var.name);
        for place in part_of(given.text, script, &written) {
            edits.replace(place.start..place.end, format!("${{{}}}", var.name));
        }
    }
    (!edits.is_empty()).then(|| Fix::of("write variables as the shell reads them", &edits))
}
