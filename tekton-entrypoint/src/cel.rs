//! CEL for when expressions: the standard library over literals, with no variables.
//!
//! Small, because it is part of a binary that is copied into every pod. An expression is parsed, checked for
//! operations that no types have, and evaluated. Errors point at their place.

mod ast;
mod check;
mod eval;
mod functions;
mod lex;
mod parse;
mod time;
mod value;

/// Evaluates an expression: whether it is true, or `None` when its value is not a boolean.
pub(crate) fn evaluate(text: &str) -> Result<Option<bool>, String> {
    let expression =
        parse::parse(text).map_err(|fault| pointed(text, fault.at, &format!("Syntax error: {}", fault.text)))?;
    check::check(&expression).map_err(|fault| pointed(text, fault.at, &fault.text))?;
    match eval::evaluate(&expression)? {
        value::Value::Bool(outcome) => Ok(Some(outcome)),
        _ => Ok(None),
    }
}

/// An error with its line and column, and a finger under the place.
fn pointed(text: &str, at: usize, error: &str) -> String {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let column = text[start..at].chars().count();
    format!("ERROR: <input>:{number}:{}: {error}\n | {line}\n | {}^", column + 1, ".".repeat(column))
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn expressions_over_literals_hold() {
        for text in [
            "'x' in ['y', 'x']",
            "{'a': 1}['a'] == 1 && 'a' in {'a': 1}",
            "[1, 2, 3].exists(i, i > 2) && [1, 2].all(i, i > 0)",
            "[1, 2, 3].map(i, i * 2) == [2, 4, 6] && [1, 2, 3].filter(i, i > 1).size() == 2",
            "[1, 2].map(i, i > 1, i * 3) == [6] && [1, 2].exists_one(i, i == 2)",
            "7 % 3 == 1 && 2 * 3 + 4 == 10 && 7 / 2 == 3 && -7 / 2 == -3",
            "int('42') == 42 && string(7) == '7' && double('1.5') == 1.5 && string(1.5) == '1.5'",
            "duration('1h') > duration('59m') && duration('90s').getMinutes() == 1",
            "timestamp('2024-02-29T12:30:00Z').getFullYear() == 2024",
            "timestamp('2024-02-29T23:30:00Z').getHours('+01:00') == 0",
            "timestamp('2024-02-29T23:30:00Z').getMinutes('-2:45') == 45",
            "timestamp('2024-02-29T23:30:00Z').getHours('UTC') == 23",
            "timestamp('2024-02-29T00:00:00Z') + duration('24h') == timestamp('2024-03-01T00:00:00Z')",
            "has({'a': 1}.a) && !has({'a': 1}.b)",
            "size('h\\u00e9é') == 3 && b'é'.size() == 2",
            "1u + 2u == 3u",
            "'''a'b''' == \"a'b\"",
            "'v1.2.3'.matches('^v[0-9]+') && !'x'.matches('^v')",
            "true || 1 / 0 == 1",
            "1 / 0 == 1 || true",
            "!(false && 1 / 0 == 1)",
            "(1 < 2 ? 'a' : 'b') == 'a'",
            "type(1) == int && type('a') == string && type(type(1)) == type",
            "dyn(1) == dyn(1.0) && [1, 'a'][1] == 'a'",
            "r'\\d' == '\\\\d' && '\\x41\\101' == 'AA'",
            "-9223372036854775808 < 0 && 0xff == 255 && 1e3 == 1000.0",
            "'a' < 'b' && ['a'] + ['b'] == ['a', 'b'] && 'ab'.contains('b') && 'ab'.endsWith('b')",
            "null == null && bool('true') && bytes('a') == b'a'",
        ] {
            assert_eq!(evaluate(text), Ok(Some(true)), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        for text in [
            "'a' ==",
            "1 == 'a'",
            "1 / 0 == 1",
            "[1][3] == 1",
            "env('HOME') == ''",
            " ",
            "foo",
            "1 + 'a' == 2",
            "{'a': 1}['b'] == 1",
            "'a' == null",
            "true && 1",
            "9223372036854775807 + 1 > 0",
            "1 < 2.0",
            "a.b.c",
            "true || 'a'",
            "!1",
            "[1].all(i, i)",
            "int('x') == 1",
            "(1 == 1",
            "1 == 1 2",
            "'abc",
            "in",
            "!",
        ] {
            assert!(evaluate(text).is_err(), "{text}");
        }
        assert_eq!(evaluate("1 + 1"), Ok(None));
    }

    #[test]
    fn an_error_points_at_its_place() {
        for (text, line, column, error) in [
            ("'a' ==", 1, 7, "Syntax error: mismatched input '<EOF>'"),
            (" ", 1, 2, "Syntax error: mismatched input '<EOF>'"),
            ("1 == 'a'", 1, 3, "found no matching overload for '_==_' applied to '(int, string)'"),
            ("env('HOME') == ''", 1, 4, "undeclared reference to 'env' (in container '')"),
            ("true &&\n  'é' == x", 2, 10, "undeclared reference to 'x' (in container '')"),
            ("1 2", 1, 3, "Syntax error: extraneous input '2' expecting <EOF>"),
            ("!1", 1, 1, "found no matching overload for '!_' applied to '(int)'"),
            ("'a'.size(1) == 1", 1, 9, "found no matching overload for 'size' applied to 'string.(int)'"),
            ("1.a", 1, 2, "type 'int' does not support field selection"),
            ("'a' @", 1, 5, "Syntax error: token recognition error at: '@'"),
        ] {
            let source = text.lines().nth(line - 1).expect("the line is there");
            let finger = ".".repeat(column - 1);
            let expected = format!("ERROR: <input>:{line}:{column}: {error}\n | {source}\n | {finger}^");
            assert_eq!(evaluate(text), Err(expected));
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        assert!(evaluate(&"(".repeat(100_000)).is_err());
        assert!(evaluate(&"[".repeat(100_000)).is_err());
    }
}
