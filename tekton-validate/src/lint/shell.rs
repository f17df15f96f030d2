//! Just enough of the shell to put variables in the place of parameters: quotes, comments, substitutions, documents.

use std::ops::Range;

/// Whether a script is run by a shell: it names one, or names nothing.
pub(super) fn is_shell(script: &str) -> bool {
    let Some(first) = script.strip_prefix("#!") else { return true };
    let mut words = first.lines().next().unwrap_or_default().split_whitespace();
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut program = words.next().map(base).unwrap_or_default();
    if program == "env" {
        program = words.find(|word| !word.starts_with('-')).map(base).unwrap_or_default();
    }
    ["sh", "bash", "dash", "ash", "ksh", "zsh"].contains(&program.as_str())
}

/// The end of a reference to a parameter's text that begins with `$(params` at `start`.
pub(super) fn reference_end(script: &str, start: usize) -> Option<usize> {
    let rest = script.get(start..)?.strip_prefix("$(params")?;
    let end = rest.find(')')?;
    let name = &rest[..end];
    let is_whole = name.ends_with("[*]");
    let is_name = name.starts_with('.') || name.starts_with("['") || name.starts_with("[\"");
    (is_name && !is_whole && !name.contains(['\n', '$'])).then_some(start + "$(params".len() + end + 1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bare,
    Command,
    Double,
    Single,
    Comment,
}

/// What stands in the place of each reference so that the shell gives the value of its variable, left to right; `None`
/// when the script is too intricate to say.
pub(super) fn replacements(script: &str, variable: impl Fn(&str) -> String) -> Option<Vec<(Range<usize>, String)>> {
    let bytes = script.as_bytes();
    let mut found = Vec::new();
    let mut modes = vec![Mode::Bare];
    let mut documents: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let mode = *modes.last()?;
        if let Some(end) = reference_end(script, at) {
            if matches!(mode, Mode::Bare | Mode::Command) && is_command(&script[..at]) {
                return None;
            }
            let plain = format!("${{{}}}", variable(&script[at..end]));
            found.push((at..end, if mode == Mode::Single { format!("'\"{plain}\"'") } else { plain }));
            at = end;
            continue;
        }
        let rest = &script.as_bytes()[at..];
        at += match (mode, rest) {
            (Mode::Single, [b'\'', ..]) | (Mode::Double, [b'"', ..]) | (Mode::Command, [b')', ..]) => {
                modes.pop();
                1
            }
            (Mode::Comment, [b'\n', ..]) => {
                modes.pop();
                // The line break counts outside of the comment, too.
                0
            }
            (Mode::Single | Mode::Comment, _) => 1,
            (_, [b'\\', _, ..]) => 2,
            (_, [b'`', ..]) | (Mode::Bare | Mode::Command, [b'$', b'\'', ..]) => return None,
            (_, [b'$', b'(', ..]) => {
                modes.push(Mode::Command);
                2
            }
            (Mode::Double, _) => 1,
            (_, [b'\'', ..]) => {
                modes.push(Mode::Single);
                1
            }
            (_, [b'"', ..]) => {
                modes.push(Mode::Double);
                1
            }
            (Mode::Command, [b'(', ..]) => {
                modes.push(Mode::Command);
                1
            }
            (_, [b'#', ..]) if at == 0 || bytes[at - 1].is_ascii_whitespace() || bytes[at - 1] == b';' => {
                modes.push(Mode::Comment);
                1
            }
            (_, [b'<', b'<', b'<', ..]) => 3,
            (_, [b'<', b'<', ..]) => {
                let (word, length) = document_end(&script[at + 2..])?;
                documents.push(word);
                2 + length
            }
            (_, [b'\n', ..]) if !documents.is_empty() => {
                let from = at + 1;
                let end = after_documents(script, from, &mut documents)?;
                for (start, _) in script[from..end].match_indices("$(params") {
                    if let Some(stop) = reference_end(script, from + start) {
                        let range = from + start..stop;
                        found.push((range.clone(), format!("${{{}}}", variable(&script[range]))));
                    }
                }
                end - at
            }
            _ => 1,
        };
    }
    matches!(modes.as_slice(), [Mode::Bare] | [Mode::Bare, Mode::Comment]).then_some(found)
}

/// Whether the next word is a command: the text of a parameter there is run, the value of a variable is not.
fn is_command(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t']);
    if before.is_empty() || before.ends_with(['\n', ';', '|', '&', '(', '{']) {
        return true;
    }
    let word = before.rsplit(|c: char| c.is_whitespace() || c == ';').next().unwrap_or_default();
    ["if", "elif", "then", "else", "while", "until", "do", "!", "time", "eval", "exec"].contains(&word)
}

/// The word that ends a document, and how long its writing is; `None` when it is quoted: nothing is expanded then.
fn document_end(rest: &str) -> Option<(&str, usize)> {
    let word = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches(' ');
    let length = word.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(word.len());
    (length > 0).then(|| (&word[..length], rest.len() - word.len() + length))
}

/// Where the documents that begin at `from` have ended.
fn after_documents(script: &str, from: usize, documents: &mut Vec<&str>) -> Option<usize> {
    let mut at = from;
    for word in documents.drain(..) {
        loop {
            let line = script[at..].lines().next()?;
            at = (at + line.len() + 1).min(script.len());
            if line.trim_start_matches('\t') == word {
                break;
            }
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, expected: Option<&str>) {
        let done = replacements(script, |_| "V".to_owned()).map(|found| {
            let mut out = script.to_owned();
            for (range, text) in found.into_iter().rev() {
                out.replace_range(range, &text);
            }
            out
        });
        assert_eq!(done.as_deref(), expected, "{script}");
    }

    #[test]
    fn quotes_decide_what_stands_in_the_place_of_a_reference() {
        check("a $(params.x) \"$(params.x)\"", Some("a ${V} \"${V}\""));
        check("a '$(params.x)b'", Some("a ''\"${V}\"'b'"));
        check("# don't\na $(params['x.y'])", Some("# don't\na ${V}"));
        check("a \"$(b '$(params.x)')\" \\' $(params.x)", Some("a \"$(b ''\"${V}\"'')\" \\' ${V}"));
        check("a $(params.x[*])", Some("a $(params.x[*])"));
    }

    #[test]
    fn documents_are_expanded_unless_their_end_is_quoted() {
        check(
            "cat <<EOF >a\nit's $(params.x)\nEOF\nb '$(params.x)'",
            Some("cat <<EOF >a\nit's ${V}\nEOF\nb ''\"${V}\"''"),
        );
        check("cat <<'EOF'\n$(params.x)\nEOF\n", None);
    }

    #[test]
    fn what_is_too_intricate_is_left_alone() {
        check("a 'open $(params.x)", None);
        check("a `b $(params.x)`", None);
        check("set -e\n$(params.x)\n", None);
        check("if $(params.x); then a; fi", None);
    }

    #[test]
    fn shells_are_known_by_their_names() {
        for (script, expected) in [
            ("echo", true),
            ("#!/usr/bin/env bash\n", true),
            ("#!/bin/sh -e\n", true),
            ("#!/usr/bin/env -S python3 -u\n", false),
            ("#!/usr/bin/python3\n", false),
        ] {
            assert_eq!(is_shell(script), expected, "{script}");
        }
    }
}
