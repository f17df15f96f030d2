//! References to variables inside strings, with the reading rules of upstream's checks.
//!
//! A prefix is written as upstream writes it: `\.` is a dot, a bare `.` any character.

use std::collections::HashSet;

use tekton_contract::var::opening;

use crate::errors::{Errors, FieldError};
use crate::text::quote;

/// Names that a check knows.
pub(crate) type Names<'a> = HashSet<&'a str>;

/// One reference `$(prefix.name)`, `$(prefix["name"])` or `$(prefix['name'])`.
#[derive(Clone, Copy, Debug)]
struct Reference<'a> {
    whole: &'a str,
    name: &'a str,
    dotted: bool,
}

/// All references with this prefix, left to right.
fn references<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = Reference<'a>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(found) = opening(&text[at..]) {
            let start = at + found;
            if let Some(reference) = reference_at(text, start, prefix) {
                at = start + reference.whole.len();
                return Some(reference);
            }
            at = start + 2;
        }
        at = text.len();
        None
    })
}

fn reference_at<'a>(text: &'a str, start: usize, prefix: &str) -> Option<Reference<'a>> {
    let after = start + 2 + match_prefix(&text[start + 2..], prefix)?;
    let rest = &text[after..];
    let (opening, closing, dotted) = if rest.starts_with('.') {
        (1, ")", true)
    } else if rest.starts_with("[\"") {
        (2, "\"])", false)
    } else if rest.starts_with("['") {
        (2, "'])", false)
    } else {
        return None;
    };
    let body = &rest[opening..];
    let line = &body[..body.find('\n').unwrap_or(body.len())];
    let end = line.find(closing)?;
    let whole = &text[start..after + opening + end + closing.len()];
    Some(Reference { whole, name: &line[..end], dotted })
}

/// Length of the prefix at the start of the text.
fn match_prefix(text: &str, prefix: &str) -> Option<usize> {
    let mut rest = text.chars();
    let mut pattern = prefix.chars();
    while let Some(p) = pattern.next() {
        let c = rest.next()?;
        let fits = match p {
            '\\' => pattern.next() == Some(c),
            '.' => c != '\n',
            p => p == c,
        };
        if !fits {
            return None;
        }
    }
    Some(text.len() - rest.as_str().len())
}

/// Whether a text may hold a reference.
pub(crate) fn may_refer(text: &str) -> bool {
    opening(text).is_some()
}

/// A name referred to, with the reference that it stands in.
type Named<'a> = (&'a str, &'a str);

/// The names referred to, cut at the first dot; or the error that a name has too many dots.
fn named<'a>(text: &'a str, prefix: &'a str) -> Result<Vec<Named<'a>>, FieldError> {
    if !may_refer(text) {
        return Ok(Vec::new());
    }
    references(text, prefix)
        .map(|reference| {
            if reference.dotted && reference.name.contains('.') {
                if reference.name.matches('.').count() > 1 {
                    let message = format!(
                        "Invalid referencing of parameters in \"{text}\"! Only two dot-separated components after the prefix \"{prefix}\" are allowed."
                    );
                    return Err(FieldError::new(message, &[""]).about(reference.whole));
                }
                return Ok((reference.name.split('.').next().unwrap_or_default(), reference.whole));
            }
            Ok((reference.name, reference.whole))
        })
        .collect()
}

/// The names referred to, cut at the first dot; or the text of the error that a name has too many dots.
pub(crate) fn extract<'a>(text: &'a str, prefix: &'a str) -> Result<Vec<&'a str>, String> {
    named(text, prefix).map(|found| found.into_iter().map(|(name, _)| name).collect()).map_err(|error| error.message)
}

/// The references themselves.
pub(crate) fn expressions<'a>(text: &'a str, prefix: &'a str) -> Vec<&'a str> {
    references(text, prefix).map(|r| r.whole).collect()
}

/// A name without its `[3]` and `[*]`.
pub(crate) fn trim_array_index(name: &str) -> std::borrow::Cow<'_, str> {
    if !name.contains('[') {
        return name.into();
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let tail = &rest[open + 1..];
        let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
        let tail = tail.strip_prefix('*').unwrap_or(tail);
        if let Some(tail) = tail.strip_prefix(']') {
            rest = tail;
        } else {
            out.push('[');
            rest = &rest[open + 1..];
        }
    }
    out.push_str(rest);
    out.into()
}

fn one(message: String, reference: &str) -> Errors {
    FieldError::new(message, &[""]).about(reference).into()
}

/// An error if the text refers to a name that is not among the known ones.
pub(crate) fn unknown(text: &str, prefix: &str, known: &Names<'_>) -> Errors {
    match named(text, prefix) {
        Err(error) => error.into(),
        Ok(found) => match found.into_iter().find(|(name, _)| !known.contains(&*trim_array_index(name))) {
            Some((_, whole)) => one(format!("non-existent variable in {}", quote(text)), whole),
            None => Errors::none(),
        },
    }
}

/// The same, naming the variable.
pub(crate) fn unknown_with_detail(text: &str, prefix: &str, known: &Names<'_>) -> Errors {
    match named(text, prefix) {
        Err(error) => error.into(),
        Ok(found) => {
            let unknown = |(name, whole)| {
                let name = trim_array_index(name);
                (!known.contains(&*name)).then_some((name, whole))
            };
            match found.into_iter().find_map(unknown) {
                Some((name, whole)) => one(format!("non-existent variable `{name}` in {}", quote(text)), whole),
                None => Errors::none(),
            }
        }
    }
}

/// An error if the text refers to one of these names other than by index.
pub(crate) fn prohibited(text: &str, prefix: &str, names: &Names<'_>) -> Errors {
    if names.is_empty() && !may_refer(text) {
        return Errors::none();
    }
    match named(text, prefix) {
        Err(error) => error.into(),
        Ok(found) => match found.into_iter().find(|(name, _)| names.contains(name.strip_suffix("[*]").unwrap_or(name)))
        {
            Some((_, whole)) => one(format!("variable type invalid in {}", quote(text)), whole),
            None => Errors::none(),
        },
    }
}

/// What makes a prefix no regular expression, which upstream takes it for.
fn bad_pattern(prefix: &str) -> Option<String> {
    if !prefix.contains(['?', '*', '+', '(', ')', '[', ']', '{']) {
        return None;
    }
    crate::pattern::check(&format!("(\\$(\\({prefix}(\\.x)\\)))")).err()
}

/// An error if the text refers to one of these names as a whole.
pub(crate) fn prohibited_as_whole(text: &str, prefix: &str, names: &Names<'_>) -> Errors {
    if let Some(problem) = bad_pattern(prefix) {
        let message = format!("extractEntireVariablesFromString failed : failed to parse regex pattern: {problem}");
        return FieldError::new(message, &[""]).into();
    }
    if names.is_empty() || !may_refer(text) {
        return Errors::none();
    }
    for reference in references(text, prefix) {
        if names.contains(reference.name.strip_suffix("[*]").unwrap_or(reference.name)) {
            return one(format!("variable type invalid in {}", quote(text)), reference.whole);
        }
    }
    Errors::none()
}

/// An error if the text refers to one of these names and holds anything else too.
pub(crate) fn isolated(text: &str, prefix: &str, names: &Names<'_>) -> Errors {
    if !may_refer(text) {
        return Errors::none();
    }
    match named(text, prefix) {
        Err(error) => error.into(),
        Ok(found) => {
            let first = references(text, prefix).next().map_or("", |r| r.whole);
            let hit = found.into_iter().find(|(name, _)| names.contains(name.strip_suffix("[*]").unwrap_or(name)));
            match hit {
                Some((_, whole)) if text.len() != first.len() => {
                    one(format!("variable is not properly isolated in {}", quote(text)), whole)
                }
                _ => Errors::none(),
            }
        }
    }
}

/// Whether the text is one reference to a whole array or object and nothing else.
pub(crate) fn is_isolated_whole(text: &str, prefix: &str) -> bool {
    let Some(inner) = text.strip_prefix("$(").and_then(|t| t.strip_suffix(')')) else { return false };
    let Some(length) = match_prefix(inner, prefix) else { return false };
    let rest = &inner[length..];
    let name = if let Some(name) = rest.strip_prefix('.') {
        name
    } else if let Some(name) = rest.strip_prefix("[\"").and_then(|r| r.strip_suffix("\"]")) {
        name
    } else if let Some(name) = rest.strip_prefix("['").and_then(|r| r.strip_suffix("']")) {
        name
    } else {
        return false;
    };
    name.strip_suffix("[*]").is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    })
}

/// Every `$(params.name[3])`, also with the name in brackets.
pub(crate) fn array_index_references(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = opening(text).unwrap_or(text.len());
    while let Some(open) = text[at..].find("$(params") {
        let start = at + open;
        let after = start + "$(params".len();
        at = after;
        if let Some(end) = array_index_end(&text[after..]) {
            found.push(&text[start..after + end]);
            at = after + end;
        }
    }
    found
}

fn array_index_end(rest: &str) -> Option<usize> {
    let name =
        |b: u8, slash: bool| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-') || (slash && b == b'/');
    let bytes = rest.as_bytes();
    let mut at;
    if bytes.first() == Some(&b'.') {
        at = 1;
        while bytes.get(at).is_some_and(|&b| name(b, false)) {
            at += 1;
        }
        if at == 1 {
            return None;
        }
    } else {
        let quote = if rest.starts_with("['") {
            b'\''
        } else if rest.starts_with("[\"") {
            b'"'
        } else {
            return None;
        };
        at = 2;
        while bytes.get(at).is_some_and(|&b| name(b, true)) {
            at += 1;
        }
        if at == 2 || bytes.get(at) != Some(&quote) || bytes.get(at + 1) != Some(&b']') {
            return None;
        }
        at += 2;
    }
    if bytes.get(at) != Some(&b'[') {
        return None;
    }
    let digits = at + 1;
    at = digits;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > digits && rest[at..].starts_with("])")).then_some(at + 2)
}

/// Whether a step result is referred to: `$(steps.<s>.results.<r>)`.
pub(crate) fn has_step_result(text: &str) -> bool {
    step_result(text).is_some()
}

/// The step and the result of the first `$(steps.<s>.results.<r>)`.
pub(crate) fn step_result(text: &str) -> Option<(&str, &str)> {
    if !may_refer(text) {
        return None;
    }
    text.match_indices("$(steps.").find_map(|(at, opening)| {
        let rest = &text[at + opening.len()..];
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        line.match_indices(".results.").find_map(|(dot, middle)| {
            let result = &line[dot + middle.len()..];
            result.find(')').map(|end| (&line[..dot], &result[..end]))
        })
    })
}

/// Whether artifacts of `steps` or `tasks` are referred to: `$(steps.<s>.outputs)`, `$(steps.<s>.inputs.<a>)`.
fn has_artifacts_of(text: &str, opening: &str) -> bool {
    may_refer(text)
        && text.match_indices(opening).any(|(at, _)| {
            let rest = &text[at + opening.len()..];
            let Some(dot) = rest.find('.').filter(|&dot| dot > 0) else { return false };
            let rest = &rest[dot + 1..];
            let Some(rest) = rest.strip_prefix("inputs.").or_else(|| rest.strip_prefix("outputs.")) else {
                return false;
            };
            rest.find(['.', ')']).is_some_and(|end| end > 0 && rest.as_bytes()[end] == b')')
        })
}

/// Whether artifacts of a step are referred to.
pub(crate) fn has_step_artifacts(text: &str) -> bool {
    may_refer(text) && (has_artifacts_of(text, "$(steps.") || text.contains("$(step.artifacts.path)"))
}

/// Whether artifacts of a task are referred to by name.
pub(crate) fn has_named_task_artifacts(text: &str) -> bool {
    has_artifacts_of(text, "$(tasks.")
}

/// Whether artifacts of a task are referred to.
pub(crate) fn has_task_artifacts(text: &str) -> bool {
    may_refer(text) && (has_named_task_artifacts(text) || text.contains("$(artifacts.path)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(list: &[&'a str]) -> Names<'a> {
        list.iter().copied().collect()
    }

    #[test]
    fn references_are_read_in_three_notations() {
        assert_eq!(
            extract("a $(params.x) $(params[\"y.z\"]) $(params['w[*]']) $(params.o.k)", "params"),
            Ok(vec!["x", "y.z", "w[*]", "o"])
        );
        assert_eq!(extract("$(params.a\n) $(param.x)", "params"), Ok(vec![]));
        assert!(extract("$(params.a.b.c)", "params").is_err());
        assert_eq!(extract("$(context.task.name)", "context\\.task"), Ok(vec!["name"]));
    }

    #[test]
    fn unknown_names_are_found_past_their_index() {
        assert!(unknown("$(params.a[2])", "params", &names(&["a"])).is_empty());
        assert!(!unknown("$(params.b)", "params", &names(&["a"])).is_empty());
    }

    #[test]
    fn whole_references_are_isolated() {
        assert!(is_isolated_whole("$(params.a[*])", "params"));
        assert!(!is_isolated_whole("x$(params.a[*])", "params"));
        assert!(!is_isolated_whole("$(params.a)", "params"));
        assert!(!isolated("-$(params.a[*])", "params", &names(&["a"])).is_empty());
    }

    #[test]
    fn artifacts_and_step_results_are_recognised() {
        assert!(has_step_artifacts("$(steps.a.outputs.b)") && !has_step_artifacts("$(steps.a.results.b)"));
        assert!(has_task_artifacts("$(tasks.a.inputs.b)") && has_task_artifacts("$(artifacts.path)"));
        assert_eq!(step_result("$(steps.a.results.b)"), Some(("a", "b")));
    }

    #[test]
    fn array_indices_are_listed() {
        assert_eq!(
            array_index_references("$(params.a[1])-$(params['b/c'][2]) $(params.a[*]) $(params.a)"),
            ["$(params.a[1])", "$(params['b/c'][2])"]
        );
    }
}
