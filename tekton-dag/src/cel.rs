//! Whether a CEL guard compiles: its syntax, that it uses no variables, and that operators fit their operands.

use std::sync::{Arc, LazyLock};

use ::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
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

/// Checks a text and does something with what it compiles to, on a stack that is large enough for it.
pub(crate) fn with_program<T>(source: &str, then: impl FnOnce(&Program) -> Result<T, String>) -> Result<T, String> {
    on_enough_stack(source, |program| {
        type_of(program.expression(), &mut Vec::new()).map_err(|fault| {
            let start = program.source_info().offset_for(fault.id).map_or(0, |(start, _)| start as usize);
            located(source, position(source, start), &fault.text)
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

/// What does not fit, and the part of the text that it is about.
struct Fault {
    id: u64,
    text: String,
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

/// Types as far as literals and operators tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Null,
    List,
    Map,
    Dyn,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Null => "null",
            Self::List => "list(dyn)",
            Self::Map => "map(dyn, dyn)",
            Self::Dyn => "dyn",
        }
    }
}

const TYPE_NAMES: [&str; 10] = ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"];

fn type_of(expression: &IdedExpr, scope: &mut Vec<String>) -> Result<Type, Fault> {
    let fault = |text| Err(Fault { id: expression.id, text });
    match &expression.expr {
        Expr::Literal(literal) => Ok(match literal {
            LiteralValue::Boolean(_) => Type::Bool,
            LiteralValue::Bytes(_) => Type::Bytes,
            LiteralValue::Double(_) => Type::Double,
            LiteralValue::Int(_) => Type::Int,
            LiteralValue::Null => Type::Null,
            LiteralValue::String(_) => Type::String,
            LiteralValue::UInt(_) => Type::Uint,
        }),
        Expr::Ident(name) if TYPE_NAMES.contains(&name.as_str()) || scope.contains(name) => Ok(Type::Dyn),
        Expr::Ident(name) => fault(format!("undeclared reference to '{name}' (in container '')")),
        Expr::List(list) => {
            for element in &list.elements {
                type_of(element, scope)?;
            }
            Ok(Type::List)
        }
        Expr::Map(map) => {
            for entry in &map.entries {
                entry_types(&entry.expr, scope)?;
            }
            Ok(Type::Map)
        }
        Expr::Struct(value) => fault(format!("undeclared reference to '{}' (in container '')", value.type_name)),
        Expr::Select(select) => match type_of(&select.operand, scope)? {
            Type::Dyn | Type::Map => Ok(if select.test { Type::Bool } else { Type::Dyn }),
            other => fault(format!("type '{}' does not support field selection", other.name())),
        },
        Expr::Call(call) => type_of_call(expression.id, call, scope),
        Expr::Comprehension(comprehension) => type_of_comprehension(comprehension, scope),
        Expr::Unspecified => Ok(Type::Dyn),
    }
}

fn entry_types(entry: &EntryExpr, scope: &mut Vec<String>) -> Result<(), Fault> {
    match entry {
        EntryExpr::MapEntry(entry) => {
            type_of(&entry.key, scope)?;
            type_of(&entry.value, scope)?;
        }
        EntryExpr::StructField(field) => {
            type_of(&field.value, scope)?;
        }
    }
    Ok(())
}

fn type_of_comprehension(comprehension: &ComprehensionExpr, scope: &mut Vec<String>) -> Result<Type, Fault> {
    type_of(&comprehension.iter_range, scope)?;
    type_of(&comprehension.accu_init, scope)?;
    let before = scope.len();
    scope.push(comprehension.iter_var.clone());
    scope.extend(comprehension.iter_var2.clone());
    scope.push(comprehension.accu_var.clone());
    let parts = [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result];
    let checked = parts.into_iter().try_for_each(|part| type_of(part, scope).map(|_| ()));
    scope.truncate(before);
    checked.map(|()| Type::Dyn)
}

fn type_of_call(id: u64, call: &CallExpr, scope: &mut Vec<String>) -> Result<Type, Fault> {
    if let Some(target) = &call.target {
        type_of(target, scope)?;
    }
    let mut types = Vec::with_capacity(call.args.len());
    for argument in &call.args {
        types.push(type_of(argument, scope)?);
    }
    let name = call.func_name.as_str();
    let mismatch = || {
        let given: Vec<&str> = types.iter().map(|t| t.name()).collect();
        Err(Fault { id, text: format!("found no matching overload for '{name}' applied to '({})'", given.join(", ")) })
    };
    let among = |t: Type, allowed: &[Type]| t == Type::Dyn || allowed.contains(&t);
    let same = |a: Type, b: Type| a == b || a == Type::Dyn || b == Type::Dyn;
    match (name, types.as_slice()) {
        ("_==_" | "_!=_", &[a, b]) => {
            // Null may be compared with anything that can be absent; literals of two kinds can never be equal.
            if same(a, b) { Ok(Type::Bool) } else { mismatch() }
        }
        ("_<_" | "_<=_" | "_>_" | "_>=_", &[a, b]) => {
            let numbers = [Type::Int, Type::Uint, Type::Double];
            let ordered = [Type::Bool, Type::String, Type::Bytes, Type::Dyn];
            let fits = (among(a, &numbers) && among(b, &numbers)) || (same(a, b) && (among(a, &ordered)));
            if fits { Ok(Type::Bool) } else { mismatch() }
        }
        ("_&&_" | "_||_", &[a, b]) => {
            if among(a, &[Type::Bool]) && among(b, &[Type::Bool]) {
                Ok(Type::Bool)
            } else {
                mismatch()
            }
        }
        ("!_", &[a]) => {
            if among(a, &[Type::Bool]) {
                Ok(Type::Bool)
            } else {
                mismatch()
            }
        }
        ("-_", &[a]) => {
            if among(a, &[Type::Int, Type::Double]) {
                Ok(a)
            } else {
                mismatch()
            }
        }
        ("_+_", &[a, b]) => {
            let addable = [Type::Int, Type::Uint, Type::Double, Type::String, Type::Bytes, Type::List];
            if same(a, b) && among(a, &addable) && among(b, &addable) { Ok(known(a, b)) } else { mismatch() }
        }
        ("_-_" | "_*_" | "_/_", &[a, b]) => {
            let numbers = [Type::Int, Type::Uint, Type::Double];
            if same(a, b) && among(a, &numbers) && among(b, &numbers) { Ok(known(a, b)) } else { mismatch() }
        }
        ("_%_", &[a, b]) => {
            let whole = [Type::Int, Type::Uint];
            if same(a, b) && among(a, &whole) && among(b, &whole) { Ok(known(a, b)) } else { mismatch() }
        }
        ("_?_:_", &[condition, a, b]) => {
            if among(condition, &[Type::Bool]) && same(a, b) {
                Ok(known(a, b))
            } else {
                mismatch()
            }
        }
        ("@in", &[_, b]) => {
            if among(b, &[Type::List, Type::Map]) {
                Ok(Type::Bool)
            } else {
                mismatch()
            }
        }
        ("size" | "int" | "getFullYear" | "getMonth" | "getDayOfMonth", _) => Ok(Type::Int),
        ("uint", _) => Ok(Type::Uint),
        ("double", _) => Ok(Type::Double),
        ("string", _) => Ok(Type::String),
        ("bytes", _) => Ok(Type::Bytes),
        ("matches" | "contains" | "startsWith" | "endsWith" | "bool" | "has", _) => Ok(Type::Bool),
        _ if FUNCTIONS.contains(&name) || name.starts_with(['_', '@', '!']) => Ok(Type::Dyn),
        _ => Err(Fault { id, text: format!("undeclared reference to '{name}' (in container '')") }),
    }
}

const FUNCTIONS: [&str; 12] = [
    "type",
    "dyn",
    "duration",
    "timestamp",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "getDate",
    "getDayOfWeek",
    "getDayOfYear",
    "optional",
];

fn known(a: Type, b: Type) -> Type {
    if a == Type::Dyn { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::check;

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
    fn syntax_variables_and_types_are_checked() {
        for source in [" $(params.foo) == 'foo' ", "'a' == ", "foo == 'a'", "1 + 'a' == 'b'", "1 == 'a'", "nope(1)"] {
            assert!(check(source).is_err(), "{source}");
        }
    }
}
