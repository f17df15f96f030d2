//! Finds and checks references without replacing them: `$(prefix.name)`, `$(prefix["name"])` and
//! `$(prefix['name'])`.
//!
//! Prefixes are the patterns that upstream splices into its regular expression: plain text in
//! which `.` stands for any character and `\.` for a dot, with groups such as `(?:inputs\.)?` and
//! `(?:inputs|outputs)`.

/// One piece of a prefix pattern.
#[derive(Debug, Clone)]
enum Piece {
    Any,
    Char(char),
    /// One of the alternatives, or nothing when it may be left out.
    Group {
        alternatives: Vec<Vec<Piece>>,
        optional: bool,
    },
}

fn pieces(pattern: &str) -> Option<Vec<Piece>> {
    let mut out = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if let Some(group) = rest.strip_prefix("(?:") {
            let end = group.find(')')?;
            let alternatives = group[..end].split('|').map(pieces).collect::<Option<_>>()?;
            rest = &group[end + 1..];
            let optional = rest.starts_with('?');
            rest = &rest[usize::from(optional)..];
            out.push(Piece::Group { alternatives, optional });
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = rest.chars().next()?;
                rest = &rest[escaped.len_utf8()..];
                out.push(Piece::Char(escaped));
            }
            '.' => out.push(Piece::Any),
            '?' | '*' | '+' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|' => return None,
            c => out.push(Piece::Char(c)),
        }
    }
    Some(out)
}

/// Operators of a pattern that repeat what is repeated already, up to the one too many. One `?` behind an operator
/// makes it lazy and is fine.
fn nested_repetition(pattern: &str) -> Option<&str> {
    let operator = |at: usize| pattern.as_bytes().get(at).is_some_and(|c| b"?*+".contains(c));
    let mut at = 0;
    while at < pattern.len() {
        // What is escaped, and the mark of a group, is no operator.
        if pattern[at..].starts_with('\\') || pattern[at..].starts_with("(?") {
            at += 2;
        } else if operator(at) {
            let start = at;
            at += 1 + usize::from(pattern[at + 1..].starts_with('?'));
            if operator(at) {
                return Some(&pattern[start..=at]);
            }
        } else {
            at += pattern[at..].chars().next().map_or(1, char::len_utf8);
        }
        if !pattern.is_char_boundary(at) {
            return None;
        }
    }
    None
}

/// Matches the pieces at the start of the text and then what follows them.
fn matches_pieces<T>(pieces: &[Piece], text: &str, then: &mut dyn FnMut(&str) -> Option<T>) -> Option<T> {
    let Some((first, rest)) = pieces.split_first() else {
        return then(text);
    };
    match first {
        Piece::Any => {
            let c = text.chars().next().filter(|c| *c != '\n')?;
            matches_pieces(rest, &text[c.len_utf8()..], then)
        }
        Piece::Char(c) => matches_pieces(rest, text.strip_prefix(*c)?, then),
        Piece::Group { alternatives, optional } => {
            for alternative in alternatives {
                let found = matches_pieces(alternative, text, &mut |after| matches_pieces(rest, after, then));
                if found.is_some() {
                    return found;
                }
            }
            if *optional { matches_pieces(rest, text, then) } else { None }
        }
    }
}

/// How the name in a reference was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notation {
    Dot,
    Bracket,
}

#[derive(Debug)]
struct Match<'a> {
    expression: &'a str,
    name: &'a str,
    notation: Notation,
}

/// All references below a prefix, in order, not overlapping. `None` when the prefix is no pattern.
fn find<'a>(text: &'a str, prefix: &str) -> Option<Vec<Match<'a>>> {
    let prefix = pieces(prefix)?;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = super::opening(&text[at..]) {
        let start = at + offset;
        let after = &text[start + 2..];
        let matched = matches_pieces(&prefix, after, &mut |rest| {
            let here = text.len() - rest.len();
            name(rest).map(|(from, to, end, notation)| (here + from, here + to, here + end, notation))
        });
        at = start + 2;
        if let Some((from, to, end, notation)) = matched {
            found.push(Match { expression: &text[start..end], name: &text[from..to], notation });
            at = end;
        }
    }
    Some(found)
}

/// The name at the start of what follows a prefix: where it starts and ends, and where the
/// reference ends.
fn name(rest: &str) -> Option<(usize, usize, usize, Notation)> {
    let (open, close, notation) = if rest.starts_with('.') {
        (1, ")", Notation::Dot)
    } else if rest.starts_with("[\"") {
        (2, "\"])", Notation::Bracket)
    } else if rest.starts_with("['") {
        (2, "'])", Notation::Bracket)
    } else {
        return None;
    };
    let end = open + rest[open..].find(close)?;
    if rest[open..end].contains('\n') {
        return None;
    }
    Some((open, end, end + close.len(), notation))
}

/// What [`variables`] finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Names in order, as far as they were read.
    pub names: Vec<String>,
    /// Whether there was any reference.
    pub present: bool,
    /// Why a reference is invalid; empty when none is.
    pub error: String,
}

/// The names that a text refers to below a prefix. In dot notation the name is what stands before
/// the next dot, and more than one further dot is an error; brackets keep their dots.
///
/// ```
/// use tekton_contract::var::extract::variables;
/// let found = variables(r#"$(params.a) $(params.o.k) $(params["x.y"])"#, "params");
/// assert_eq!(found.names, ["a", "o", "x.y"]);
/// ```
pub fn variables(text: &str, prefix: &str) -> Variables {
    let matches = find(text, prefix).unwrap_or_default();
    let mut found =
        Variables { names: vec![String::new(); matches.len()], present: !matches.is_empty(), ..Variables::default() };
    for (slot, Match { name, notation, .. }) in found.names.iter_mut().zip(&matches) {
        let name = match notation {
            Notation::Dot => {
                let mut parts = name.split('.');
                let first = parts.next().unwrap_or_default();
                if parts.count() > 1 {
                    found.error = format!(
                        "Invalid referencing of parameters in \"{text}\"! Only two dot-separated components after the prefix \"{prefix}\" are allowed."
                    );
                    return found;
                }
                first
            }
            Notation::Bracket => name,
        };
        name.clone_into(slot);
    }
    found
}

/// The whole references (`$(…)`) below a prefix. The error is that of the pattern.
pub fn expressions<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    find(text, prefix).unwrap_or_default().into_iter().map(|found| found.expression).collect()
}

/// Refuses references to names that are not known. The error is the text of upstream's field error.
pub fn no_unknown_variables(text: &str, prefix: &str, known: impl Fn(&str) -> bool) -> Result<(), String> {
    check_known(text, prefix, known, false)
}

/// [`no_unknown_variables`] with the name in the text.
pub fn no_unknown_variables_with_detail(text: &str, prefix: &str, known: impl Fn(&str) -> bool) -> Result<(), String> {
    check_known(text, prefix, known, true)
}

fn check_known(text: &str, prefix: &str, known: impl Fn(&str) -> bool, detail: bool) -> Result<(), String> {
    for name in named(text, prefix)? {
        let name = trim_array_index(&name);
        if !known(&name) {
            let text = go_quote(text);
            return Err(if detail {
                format!("non-existent variable `{name}` in {text}")
            } else {
                format!("non-existent variable in {text}")
            });
        }
    }
    Ok(())
}

fn named(text: &str, prefix: &str) -> Result<Vec<String>, String> {
    let Variables { names, error, .. } = variables(text, prefix);
    if error.is_empty() { Ok(names) } else { Err(error) }
}

/// Refuses references to prohibited names, unless they have an index.
pub fn no_prohibited_variables(text: &str, prefix: &str, prohibited: impl Fn(&str) -> bool) -> Result<(), String> {
    for name in named(text, prefix)? {
        if prohibited(trim_star(&name)) {
            return Err(format!("variable type invalid in {}", go_quote(text)));
        }
    }
    Ok(())
}

/// Refuses references to a prohibited list or object as a whole; elements and keys are fine.
pub fn no_entire_prohibited_variables(
    text: &str,
    prefix: &str,
    prohibited: impl Fn(&str) -> bool,
) -> Result<(), String> {
    if let Some(operators) = nested_repetition(prefix) {
        return Err(format!(
            "extractEntireVariablesFromString failed : failed to parse regex pattern: error parsing regexp: invalid nested repetition operator: `{operators}`"
        ));
    }
    for Match { name, .. } in find(text, prefix).unwrap_or_default() {
        if prohibited(trim_star(name)) {
            return Err(format!("variable type invalid in {}", go_quote(text)));
        }
    }
    Ok(())
}

/// Refuses text around references to names that must stand alone.
pub fn variable_is_isolated(text: &str, prefix: &str, isolated: impl Fn(&str) -> bool) -> Result<(), String> {
    let names = named(text, prefix)?;
    let first = expressions(text, prefix).first().map_or(0, |found| found.len());
    if text.len() != first && names.iter().any(|name| isolated(trim_star(name))) {
        return Err(format!("variable is not properly isolated in {}", go_quote(text)));
    }
    Ok(())
}

/// Whether a text is nothing but a reference to a whole list or object (`$(prefix.name[*])`).
pub fn is_whole_reference(text: &str, prefix: &str) -> bool {
    let Some(prefix) = pieces(prefix) else { return false };
    let Some(after) = text.strip_prefix("$(") else { return false };
    matches_pieces(&prefix, after, &mut |rest| {
        let name = rest
            .strip_prefix('.')
            .and_then(|rest| rest.strip_suffix(')'))
            .or_else(|| rest.strip_prefix("[\"").and_then(|rest| rest.strip_suffix("\"])")))
            .or_else(|| rest.strip_prefix("['").and_then(|rest| rest.strip_suffix("'])")))?
            .strip_suffix("[*]")?;
        let fits = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c));
        fits.then_some(())
    })
    .is_some()
}

/// Removes every `[`, digits, optional `*`, `]`.
///
/// ```
/// use tekton_contract::var::extract::trim_array_index;
/// assert_eq!(trim_array_index("a[0]b[*]c[]"), "abc");
/// ```
pub fn trim_array_index(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let inner = rest[open + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
        let inner = inner.strip_prefix('*').unwrap_or(inner);
        if let Some(after) = inner.strip_prefix(']') {
            rest = after;
        } else {
            out.push('[');
            rest = &rest[open + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// The first `[digits]` of a text, or nothing.
pub fn index_string(text: &str) -> &str {
    let mut at = 0;
    while let Some(offset) = text[at..].find('[') {
        let open = at + offset;
        let digits = text[open + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let close = open + 1 + digits;
        if digits > 0 && text[close..].starts_with(']') {
            return &text[open..=close];
        }
        at = open + 1;
    }
    ""
}

/// The number in `[digits]`; the error is that of Go's number parser, with the value it gives.
pub fn index(text: &str) -> Result<i64, (i64, String)> {
    let digits = text.strip_prefix('[').unwrap_or(text);
    let digits = digits.strip_suffix(']').unwrap_or(digits);
    let error = |reason: &str| format!("strconv.Atoi: parsing {}: {reason}", go_quote(digits));
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|c| c.is_ascii_digit()) {
        return Err((0, error("invalid syntax")));
    }
    digits.parse().map_err(|_| {
        let value = if digits.starts_with('-') { i64::MIN } else { i64::MAX };
        (value, error("value out of range"))
    })
}

/// All `$(params.name[digits])`, in the three spellings.
pub fn indexed_params(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find("$(params") {
        let start = at + offset;
        let after = start + "$(params".len();
        at = after;
        if let Some(length) = indexed_param(&text[after..]) {
            at = after + length;
            found.push(&text[start..at]);
        }
    }
    found
}

/// The length of a name with an index and `)`.
fn indexed_param(rest: &str) -> Option<usize> {
    let (name, close) = if let Some(name) = rest.strip_prefix('.') {
        (name, "")
    } else if let Some(name) = rest.strip_prefix("['") {
        (name, "']")
    } else {
        (rest.strip_prefix("[\"")?, "\"]")
    };
    // The bracket spellings of upstream's pattern have the range `.-/`, which adds the slash.
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "_.-".contains(*c) || (!close.is_empty() && *c == '/');
    let length: usize = name.chars().take_while(|c| allowed(c)).count();
    if length == 0 {
        return None;
    }
    let tail = name[length..].strip_prefix(close)?.strip_prefix('[')?;
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let end = tail[digits..].strip_prefix("])")?;
    (digits > 0).then(|| rest.len() - end.len())
}

/// `key` of `$(key)` and `$(key[*])`.
///
/// ```
/// use tekton_contract::var::extract::strip_reference;
/// assert_eq!(strip_reference("$(params.list[*])"), "params.list");
/// ```
pub fn strip_reference(text: &str) -> &str {
    let text = text.strip_prefix("$(").unwrap_or(text);
    trim_star(text.strip_suffix(')').unwrap_or(text))
}

fn trim_star(name: &str) -> &str {
    name.strip_suffix("[*]").unwrap_or(name)
}

/// Go's `%q`: a string in double quotes with its escapes.
pub fn go_quote(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                write!(out, "\\x{:02x}", c as u32).expect("writing to a String can not fail");
            }
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x1_0000 => {
                write!(out, "\\u{:04x}", c as u32).expect("writing to a String can not fail");
            }
            c => write!(out, "\\U{:08x}", c as u32).expect("writing to a String can not fail"),
        }
    }
    out.push('"');
    out
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space.
fn is_printable(c: char) -> bool {
    if c.is_control() || (c.is_whitespace() && c != ' ') {
        return false;
    }
    !matches!(c as u32,
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xfffe | 0xffff
        | 0xe0000..=0xe007f | 0xf0000..=0x0010_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_prefix_is_any_character() {
        assert_eq!(variables("$(contextxpipeline.a)", "context.pipeline").names, ["a"]);
        assert!(!variables("$(contextxpipeline.a)", "context\\.pipeline").present);
    }

    #[test]
    fn groups_in_a_prefix_match() {
        assert_eq!(variables("$(inputs.params.a) $(params.b)", "(?:inputs\\.)?params").names, ["a", "b"]);
        assert_eq!(variables("$(resources.outputs.a)", "resources.(?:inputs|outputs)").names, ["a"]);
    }

    #[test]
    fn too_many_dots_keep_what_was_read() {
        let found = variables("$(params.a) $(params.b.c.d) $(params.e)", "params");
        assert_eq!(found.names, ["a", "", ""]);
        assert!(found.error.starts_with("Invalid referencing of parameters in"));
    }

    #[test]
    fn an_index_out_of_range_says_so() {
        assert_eq!(index("[12]"), Ok(12));
        assert_eq!(index("[x]").unwrap_err().1, "strconv.Atoi: parsing \"x\": invalid syntax");
        assert_eq!(index("[99999999999999999999]").unwrap_err().0, i64::MAX);
    }
}
