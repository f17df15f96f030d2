//! Whether a CEL guard compiles: its syntax, that it uses no variables, and that operators fit their operands.

mod check;
mod functions;
mod types;

use std::sync::{Arc, LazyLock};

use ::cel::{Context, Env, Program};

/// How deep brackets may stand in each other, as in cel-go.
const MAX_NESTING: usize = 250;
/// How many operators, calls and selections one text may have.
const MAX_OPERATORS: usize = 1000;
/// Stack that the parser may need, in bytes: for any text, for each level of brackets, for each operator.
const STACK: [usize; 3] = [1 << 20, 192 << 10, 64 << 10];

/// Checks that a text is CEL over constants.
///
/// Errors: what is wrong, in the manner of the CEL compiler.
pub fn check(source: &str) -> Result<(), String> {
    with_program(source, |_| Ok(()))
}

/// Whether a text holds for values that it knows by name. Other than a guard's, it may use these variables.
///
/// Errors: the text does not compile, cannot be evaluated over these values, or has no truth value.
pub fn holds(source: &str, variables: &[(&str, &serde_json::Value)]) -> Result<bool, String> {
    on_enough_stack(source, |program| {
        let mut context = context();
        for (name, value) in variables {
            let value = ::cel::to_value(*value).map_err(|error| format!("{name}: {error}"))?;
            context.add_variable_from_value(*name, value);
        }
        match program.execute(&context) {
            Ok(::cel::Value::Bool(truth)) => Ok(truth),
            Ok(_) => Err(format!("{source} is not evaluated to a boolean")),
            Err(error) => Err(error.to_string()),
        }
    })
}

/// What a text over constants comes to, as text: a string as it is, a type by its name, anything else as CEL's `string()`
/// has it.
///
/// Errors: the text does not compile, cannot be evaluated, or comes to a value without a text, such as a list.
pub fn text(source: &str) -> Result<String, String> {
    with_program(source, |program| match program.execute(&context()) {
        Ok(::cel::Value::String(text)) => Ok(text.as_ref().clone()),
        Ok(::cel::Value::Null) => Ok("null".to_owned()),
        Ok(value) => as_text(value),
        Err(error) => Err(error.to_string()),
    })
}

/// The value through CEL's own conversion.
fn as_text(value: ::cel::Value) -> Result<String, String> {
    static CONVERSION: LazyLock<Program> = LazyLock::new(|| Program::compile("string(value)").expect("it is CEL"));
    let none = format!("a value of type {} has no text", value.type_of());
    let mut context = context();
    context.add_variable_from_value("value", value);
    match CONVERSION.execute(&context) {
        Ok(::cel::Value::String(text)) => Ok(text.as_ref().clone()),
        _ => Err(none),
    }
}

/// Checks a text and does something with what it compiles to, on a stack that is large enough for it.
pub(crate) fn with_program<T>(source: &str, then: impl FnOnce(&Program) -> Result<T, String>) -> Result<T, String> {
    on_enough_stack(source, |program| {
        check::check(program.expression()).map_err(|faults| {
            let start = |id| program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
            let mut faults: Vec<_> = faults.into_iter().map(|fault| (start(fault.id), fault.text)).collect();
            faults.sort_by_key(|(start, _)| *start);
            let texts: Vec<_> =
                faults.iter().map(|(start, text)| located(source, position(source, *start), text)).collect();
            texts.join("\n")
        })?;
        then(program)
    })
}

/// Compiles a text and does something with it, on a stack that is large enough for it.
fn on_enough_stack<T>(source: &str, then: impl FnOnce(&Program) -> Result<T, String>) -> Result<T, String> {
    let Shape { nesting, operators } = Shape::of(source)?;
    if nesting > MAX_NESTING || operators > MAX_OPERATORS {
        return Err(format!("ERROR: <input>:-1:0: expression recursion limit exceeded: {MAX_NESTING}"));
    }
    let [base, level, operator] = STACK;
    let needed = base + nesting * level + operators * operator;
    // The parser recurses without a limit of its own, and a text from a user must not end the process.
    stacker::maybe_grow(needed, needed + base, || {
        let program = Program::compile(source).map_err(|problems| {
            let texts: Vec<String> = problems.errors.iter().map(|e| located(source, e.pos, &e.msg)).collect();
            texts.join("\n")
        })?;
        then(&program)
    })
}

/// Line and column, both from 1, of a byte.
fn position(source: &str, at: usize) -> (isize, isize) {
    let before = &source[..source.floor_char_boundary(at)];
    let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
    let number = |count: usize| isize::try_from(count).unwrap_or(isize::MAX);
    (number(before.matches('\n').count() + 1), number(line.chars().count() + 1))
}

/// An error as the CEL compiler prints it: where, what, the line and a mark below it.
fn located(source: &str, (line, column): (isize, isize), text: &str) -> String {
    let error = format!("ERROR: <input>:{line}:{column}: {text}");
    let index = usize::try_from(line - 1).ok();
    match index.and_then(|index| source.lines().nth(index)) {
        Some(snippet) => {
            let dots = ".".repeat(usize::try_from(column - 1).unwrap_or_default());
            format!("{error}\n | {snippet}\n | {dots}^")
        }
        None => error,
    }
}

/// What texts are evaluated in: the standard functions, and no variables. Of repeated keys in a map the last counts, as in
/// upstream's environment.
pub(crate) fn context() -> Context<'static, 'static> {
    static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        env.set_error_on_duplicate_map_keys(false);
        Arc::new(env)
    });
    Context::with_env(Arc::clone(&ENV))
}

/// What decides how deep the parser goes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    nesting: usize,
    operators: usize,
}

impl Shape {
    /// Reads brackets and operators outside of strings and comments.
    ///
    /// Errors: a string does not end, or has a prefix that no string has.
    fn of(source: &str) -> Result<Self, String> {
        let mut shape = Self::default();
        let mut depth = 0_usize;
        let mut word = 0;
        let mut at = 0;
        let bytes = source.as_bytes();
        while at < bytes.len() {
            let byte = bytes[at];
            if matches!(byte, b'\'' | b'"') {
                at = end_of_string(source, word, at)?;
                word = at;
                continue;
            }
            if bytes[at..].starts_with(b"//") {
                at += source[at..].find('\n').unwrap_or(source.len() - at);
                word = at;
                continue;
            }
            at += 1;
            if !byte.is_ascii_alphanumeric() && byte != b'_' {
                word = at;
            }
            match byte {
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    shape.nesting = shape.nesting.max(depth);
                    shape.operators += 1;
                }
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b'+' | b'-' | b'*' | b'/' | b'%' | b'.' | b'=' | b'<' | b'>' | b'?' | b',' => shape.operators += 1,
                _ => {}
            }
        }
        Ok(shape)
    }
}

/// Where the string ends that starts at `quote`, with a prefix from `word` on.
fn end_of_string(source: &str, word: usize, quote: usize) -> Result<usize, String> {
    let raw = match source[word..quote].to_ascii_lowercase().as_str() {
        "" | "b" | "in" => false,
        "r" | "br" => true,
        _ => return Err("ERROR: <input>:1:1: Syntax error: unexpected string".to_owned()),
    };
    let unended = || Err("ERROR: <input>:1:1: Syntax error: token recognition error: string without end".to_owned());
    let bytes = source.as_bytes();
    let triple = [bytes[quote]; 3];
    let end: &[u8] = if bytes[quote..].starts_with(&triple) { &triple } else { &triple[..1] };
    let mut at = quote + end.len();
    while at < bytes.len() {
        if bytes[at..].starts_with(end) {
            return Ok(at + end.len());
        }
        match bytes[at] {
            b'\n' | b'\r' if end.len() == 1 => return unended(),
            b'\\' if !raw => at += 2,
            _ => at += 1,
        }
    }
    unended()
}

#[cfg(test)]
mod tests {
    use super::{check, text};

    #[test]
    fn guards_of_constants_compile() {
        for source in [
            "'a' == 'b'",
            "'x' in ['x', 'y']",
            "'$(params.a)'.startsWith('b') || size('a') > 0",
            "[1, 2].exists(x, x > 1)",
        ] {
            assert_eq!(check(source), Ok(()), "{source}");
        }
    }

    #[test]
    fn every_value_but_a_collection_has_a_text() {
        for (source, expected) in [
            ("'a' + 'b'", "ab"),
            ("1 + 2", "3"),
            ("7u", "7"),
            ("1.5", "1.5"),
            ("3 == 3", "true"),
            ("null", "null"),
            ("type(100)", "int"),
            ("b'abc'", "abc"),
            ("{'blue': '0x000080', 'red': '0xFF0000'}['red']", "0xFF0000"),
            ("timestamp('2026-01-02T03:04:05Z')", "2026-01-02T03:04:05Z"),
        ] {
            assert_eq!(text(source), Ok(expected.to_owned()), "{source}");
        }
        assert_eq!(text("[1]"), Err("a value of type list has no text".to_owned()));
        assert_eq!(text("{'a': 1}"), Err("a value of type map has no text".to_owned()));
        assert!(text("1 / 0").is_err() && text("1 +").is_err());
    }

    #[test]
    fn no_text_is_deep_enough_to_end_the_process() {
        for n in [20, 200, 10_000] {
            let around = |open: &str, close: &str| open.repeat(n) + "true" + &close.repeat(n);
            for source in [
                around("(", ")"),
                around("[", "]"),
                around("!(", ")"),
                around("", " == true"),
                around("-", ""),
                "{'a': 1}".to_owned() + &".a".repeat(n),
                "[1]".to_owned() + &"[0]".repeat(n),
                "1 + ".repeat(n) + "1 == 2",
                "r'\\' == ".to_owned() + &"(".repeat(n),
            ] {
                let _ = crate::when::evaluate_cel(&[tekton_types::v1::WhenExpression {
                    cel: source,
                    ..tekton_types::v1::WhenExpression::default()
                }]);
            }
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let shape = |source| super::Shape::of(source).map(|shape| shape.nesting);
        assert_eq!(shape("'(((' == \"[[\" // {{{"), Ok(0));
        assert_eq!(shape("r'\\' == ((("), Ok(3));
        assert_eq!(shape("'\\'((' == '('"), Ok(0));
        assert_eq!(shape("'''a'(\n'''"), Ok(0));
        assert!(shape("x'('").is_err() && shape("'\n(").is_err());
    }

    #[test]
    fn an_error_shows_where_it_is() {
        assert_eq!(
            check("1 + 'a' == 'b'").unwrap_err(),
            "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a' == 'b'\n | ..^"
        );
        assert_eq!(
            check("true &&\n foo").unwrap_err(),
            "ERROR: <input>:2:2: undeclared reference to 'foo' (in container '')\n |  foo\n | .^"
        );
    }

    #[test]
    fn operands_must_be_of_one_type_however_deep_it_is_found() {
        for source in [
            "5u >= 2",
            "1 < 2.0",
            "[null][0] == 2",
            "[1] == ['a']",
            "'x' in [1, 2]",
            "{'a': 1} == {1: 'a'}",
            "'b' in {1: 'a'}",
            "['a', 'b'].filter(x, x == 1) == []",
            "[1].map(x, [x]) == [1]",
            "(true ? [] : [1]) == ['a']",
            "'a'.exists(x, x == 'a')",
            "'a'.size('b') == 1",
            "timestamp(0) > duration('1s')",
            "type(1) == 1",
            "null == 'a'",
            "'a' && true",
            "[].all(x, x == 'a' || x == 1)",
        ] {
            assert!(check(source).is_err(), "{source}");
        }
        for source in [
            "[1, 'a'] == ['b']",
            "[] == [1]",
            "[[]] == [['a']]",
            "dyn(1) == 'a'",
            "{} == {'a': 1}",
            "[{'a': 1}].all(m, m.a == 1)",
            "timestamp(0) + duration('1s') > timestamp(0)",
            "type(1) == string",
            "null == timestamp(0)",
            "{'a': [1]}['a'][0] == 1",
            "{'a': 'b', 'c': 1}.c == 1",
        ] {
            assert_eq!(check(source), Ok(()), "{source}");
        }
    }

    #[test]
    fn a_type_that_doubles_with_each_step_ends() {
        let source = format!("[1]{}.size() == 1", ".map(x, {x: x})".repeat(200));
        let _ = check(&source);
    }

    #[test]
    fn all_that_does_not_fit_is_told_in_the_order_of_the_text() {
        let error = check("1 == 'a' || 'b' == 2u").unwrap_err();
        let found: Vec<&str> = error.lines().filter(|line| line.starts_with("ERROR")).collect();
        assert_eq!(
            found,
            [
                "ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, string)'",
                "ERROR: <input>:1:17: found no matching overload for '_==_' applied to '(string, uint)'",
            ]
        );
    }

    #[test]
    fn syntax_variables_and_types_are_checked() {
        for source in [" $(params.foo) == 'foo' ", "'a' == ", "foo == 'a'", "1 + 'a' == 'b'", "1 == 'a'", "nope(1)"] {
            assert!(check(source).is_err(), "{source}");
        }
    }
}
