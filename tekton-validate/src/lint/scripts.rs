//! Variables inside scripts.

use super::warning;
use crate::diagnostic::Diagnostic;

/// Warns of parameters pasted into a script, and of `$$(`, which is no escape there.
pub(super) fn check(script: &str, path: &str, found: &mut Vec<Diagnostic>) {
    if let Some(at) = script.find("$(params") {
        let rest = &script[at..];
        let reference = rest.find(')').map_or(rest, |end| &rest[..=end]);
        found.push(
            warning(
                "param-in-script",
                format!("{reference} becomes part of the script's text: whoever gives the value can give commands"),
                path.to_owned(),
            )
            .with_help(format!(
                "set it as a variable, `env: [{{name: VALUE, value: {reference}}}]`, and use \"$VALUE\""
            )),
        );
    }
    if script.contains("$$(") {
        found.push(
            warning(
                "no-escape",
                "`$$(` stays as it is in a script: a shell reads `$$` as its process id".to_owned(),
                path.to_owned(),
            )
            .with_help("write `$(command)`: what is no variable of Tekton is left alone"),
        );
    }
}
