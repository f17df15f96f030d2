//! `$(VAR)` in commands, arguments, environment values and `subPathExpr`, as the kubelet expands it.

/// Replaces `$(NAME)` by its value; an unknown name stays as written and `$$` is one dollar.
pub(super) fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('(') {
            if let Some(end) = after.find(')') {
                let name = &after[..end];
                if let Some(value) = lookup(name) {
                    out.push_str(value);
                } else {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
                rest = &after[end + 1..];
            } else {
                out.push_str("$(");
                rest = after;
            }
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

/// Looks a name up in an environment; the last of a name wins.
pub(super) fn in_env<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let env = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
        assert_eq!(expand(text, |name| in_env(&env, name)), expected, "{text}");
    }

    #[test]
    fn variables_are_replaced_once_and_unknown_ones_stay() {
        check("x$(A)y", "x1y");
        check("$(B)", "$(A)");
        check("$(C) $A $", "$(C) $A $");
        check("$$(A) $$$(A)", "$(A) $1");
        check("$(A", "$(A");
        check("$(params.x)", "$(params.x)");
    }
}
