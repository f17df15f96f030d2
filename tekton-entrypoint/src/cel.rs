//! CEL for when expressions: the standard library over literals, with no variables.
//!
//! Small, because it is part of a binary that is copied into every pod. An expression is parsed, checked for
//! operations that no types have, and evaluated. Error texts are our own.

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
    let expression = parse::parse(text).map_err(|error| format!("ERROR: <input>:1:1: Syntax error: {error}"))?;
    check::check(&expression).map_err(|error| format!("ERROR: <input>:1:1: {error}"))?;
    match eval::evaluate(&expression)? {
        value::Value::Bool(outcome) => Ok(Some(outcome)),
        _ => Ok(None),
    }
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
    fn deep_nesting_is_refused_and_not_followed() {
        assert!(evaluate(&"(".repeat(100_000)).is_err());
        assert!(evaluate(&"[".repeat(100_000)).is_err());
    }
}
