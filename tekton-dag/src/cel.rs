//! Whether a CEL guard compiles: its syntax, that it uses no variables, and that operators fit their operands.

use ::cel::Program;
use ::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};

/// Checks that a text is CEL over constants.
///
/// Errors: what is wrong, in the manner of the CEL compiler.
pub fn check(source: &str) -> Result<(), String> {
    let program = Program::compile(source).map_err(|problem| format!("ERROR: <input>:1:1: Syntax error: {problem}"))?;
    let mut scope = Vec::new();
    type_of(program.expression(), &mut scope).map(|_| ()).map_err(|problem| format!("ERROR: <input>:1:1: {problem}"))
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

fn type_of(expression: &IdedExpr, scope: &mut Vec<String>) -> Result<Type, String> {
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
        Expr::Ident(name) => Err(format!("undeclared reference to '{name}' (in container '')")),
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
        Expr::Struct(value) => Err(format!("undeclared reference to '{}' (in container '')", value.type_name)),
        Expr::Select(select) => match type_of(&select.operand, scope)? {
            Type::Dyn | Type::Map => Ok(if select.test { Type::Bool } else { Type::Dyn }),
            other => Err(format!("type '{}' does not support field selection", other.name())),
        },
        Expr::Call(call) => type_of_call(call, scope),
        Expr::Comprehension(comprehension) => type_of_comprehension(comprehension, scope),
        Expr::Unspecified => Ok(Type::Dyn),
    }
}

fn entry_types(entry: &EntryExpr, scope: &mut Vec<String>) -> Result<(), String> {
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

fn type_of_comprehension(comprehension: &ComprehensionExpr, scope: &mut Vec<String>) -> Result<Type, String> {
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

fn type_of_call(call: &CallExpr, scope: &mut Vec<String>) -> Result<Type, String> {
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
        Err(format!("found no matching overload for '{name}' applied to '({})'", given.join(", ")))
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
        _ => Err(format!("undeclared reference to '{name}' (in container '')")),
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
    fn syntax_variables_and_types_are_checked() {
        for source in [" $(params.foo) == 'foo' ", "'a' == ", "foo == 'a'", "1 + 'a' == 'b'", "1 == 'a'", "nope(1)"] {
            assert!(check(source).is_err(), "{source}");
        }
    }
}
