//! Values of trees.

use std::cmp::Ordering;

use super::{
    ast::{Expr, Over},
    check::{TYPE_NAMES, qualified},
    functions,
    value::Value,
};

/// Evaluates a checked expression.
pub(super) fn evaluate(expression: &Expr) -> Result<Value, String> {
    Evaluator { vars: Vec::new() }.of(expression)
}

struct Evaluator<'a> {
    vars: Vec<(&'a str, Value)>,
}

fn no_overload() -> String {
    "no such overload".to_owned()
}

fn truth(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(value) => Ok(*value),
        _ => Err(no_overload()),
    }
}

impl<'a> Evaluator<'a> {
    fn of(&mut self, expression: &'a Expr) -> Result<Value, String> {
        match expression {
            Expr::Literal(value) => Ok(value.clone()),
            Expr::Name(name, _) => match self.vars.iter().rev().find(|(var, _)| var == name) {
                Some((_, value)) => Ok(value.clone()),
                None => TYPE_NAMES
                    .iter()
                    .find(|known| *known == name)
                    .map(|name| Value::Type(name))
                    .ok_or_else(|| format!("no such attribute(s): {name}")),
            },
            Expr::Select { operand, field, test, .. } => {
                if let Some(name) = qualified(expression).filter(|_| !test)
                    && let Some(known) =
                        [super::check::DURATION, super::check::TIMESTAMP].into_iter().find(|known| *known == name)
                {
                    return Ok(Value::Type(known));
                }
                let operand = self.of(operand)?;
                let found = operand.get(&Value::String(field.clone()));
                match (test, found) {
                    (true, found) => Ok(Value::Bool(found.is_some())),
                    (false, Some(value)) => Ok(value.clone()),
                    (false, None) => Err(format!("no such key: {field}")),
                }
            }
            Expr::List(items) => Ok(Value::List(items.iter().map(|item| self.of(item)).collect::<Result<_, _>>()?)),
            Expr::Map(entries) => {
                let mut map: Vec<(Value, Value)> = Vec::new();
                for (key, value) in entries {
                    let key = self.of(key)?;
                    if !matches!(key, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::String(_)) {
                        return Err(format!("unsupported key type: {}", key.type_name()));
                    }
                    if map.iter().any(|(known, _)| known.equals(&key)) {
                        return Err("Failed with repeated key".to_owned());
                    }
                    map.push((key, self.of(value)?));
                }
                Ok(Value::Map(map))
            }
            Expr::Call { name, target: None, args, .. } => match (name.as_str(), &args[..]) {
                ("&&", [a, b]) => self.logic(a, b, false),
                ("||", [a, b]) => self.logic(a, b, true),
                ("?:", [condition, yes, no]) => {
                    let condition = self.of(condition)?;
                    self.of(if truth(&condition)? { yes } else { no })
                }
                _ => {
                    let args = args.iter().map(|arg| self.of(arg)).collect::<Result<Vec<_>, _>>()?;
                    match operator(name, &args) {
                        Some(outcome) => outcome,
                        None => functions::call(name, &args),
                    }
                }
            },
            Expr::Call { name, target: Some(target), args, .. } => {
                let target = self.of(target)?;
                let args = args.iter().map(|arg| self.of(arg)).collect::<Result<Vec<_>, _>>()?;
                functions::method(name, &target, &args)
            }
            Expr::Over { kind, range, var, filter, body, .. } => {
                let items = match self.of(range)? {
                    Value::List(items) => items,
                    Value::Map(entries) => entries.into_iter().map(|(key, _)| key).collect(),
                    _ => return Err(no_overload()),
                };
                self.over(*kind, items, var, filter.as_deref(), body)
            }
        }
    }

    /// `&&` and `||`: one side that decides makes up for an error of the other.
    fn logic(&mut self, a: &'a Expr, b: &'a Expr, decides: bool) -> Result<Value, String> {
        let left = self.of(a).and_then(|value| truth(&value));
        if left == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        let right = self.of(b).and_then(|value| truth(&value));
        if right == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        left?;
        right?;
        Ok(Value::Bool(!decides))
    }

    fn over(
        &mut self,
        kind: Over,
        items: Vec<Value>,
        var: &'a str,
        filter: Option<&'a Expr>,
        body: &'a Expr,
    ) -> Result<Value, String> {
        let mut kept = Vec::new();
        let mut count = 0;
        let mut error = None;
        for item in items {
            self.vars.push((var, item));
            let wanted = match filter {
                Some(filter) => self.of(filter).and_then(|value| truth(&value)),
                None => Ok(true),
            };
            let outcome = if wanted == Ok(true) { Some(self.of(body)) } else { None };
            let (_, item) = self.vars.pop().expect("the variable was pushed above");
            wanted?;
            let Some(outcome) = outcome else { continue };
            match kind {
                Over::Map => kept.push(outcome?),
                Over::Filter => {
                    if truth(&outcome?)? {
                        kept.push(item);
                    }
                }
                Over::ExistsOne => count += usize::from(truth(&outcome?)?),
                Over::All | Over::Exists => match outcome.and_then(|value| truth(&value)) {
                    Ok(holds) if holds == (kind == Over::Exists) => return Ok(Value::Bool(holds)),
                    Ok(_) => {}
                    Err(text) => error = error.or(Some(text)),
                },
            }
        }
        if let Some(error) = error {
            return Err(error);
        }
        Ok(match kind {
            Over::Map | Over::Filter => Value::List(kept),
            Over::ExistsOne => Value::Bool(count == 1),
            Over::All => Value::Bool(true),
            Over::Exists => Value::Bool(false),
        })
    }
}

/// The value of an operator; `None` when the name is none.
fn operator(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let overflow = || "integer overflow".to_owned();
    let int = |value: Option<i64>| value.map(Value::Int).ok_or_else(overflow);
    let uint = |value: Option<u64>| value.map(Value::Uint).ok_or_else(|| "unsigned integer overflow".to_owned());
    let span = |value: Option<i64>| value.map(Value::Duration).ok_or_else(overflow);
    Some(match (name, args) {
        ("!", [a]) => truth(a).map(|value| Value::Bool(!value)),
        ("neg", [Value::Int(a)]) => int(a.checked_neg()),
        ("neg", [Value::Double(a)]) => Ok(Value::Double(-a)),
        ("==", [a, b]) => Ok(Value::Bool(a.equals(b))),
        ("!=", [a, b]) => Ok(Value::Bool(!a.equals(b))),
        ("<" | "<=" | ">" | ">=", [a, b]) => match a.compare(b) {
            Some(order) => Ok(Value::Bool(match name {
                "<" => order == Ordering::Less,
                "<=" => order != Ordering::Greater,
                ">" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            })),
            None if matches!((a, b), (Value::Double(_), _) | (_, Value::Double(_))) => Ok(Value::Bool(false)),
            None => Err(no_overload()),
        },
        ("in", [a, Value::List(items)]) => Ok(Value::Bool(items.iter().any(|item| item.equals(a)))),
        ("in", [a, map @ Value::Map(_)]) => Ok(Value::Bool(map.get(a).is_some())),
        ("[]", [Value::List(items), index]) => match index {
            Value::Int(at) => usize::try_from(*at)
                .ok()
                .and_then(|at| items.get(at).cloned())
                .ok_or_else(|| format!("index out of bounds: {at}")),
            _ => Err(no_overload()),
        },
        ("[]", [map @ Value::Map(_), key]) => map.get(key).cloned().ok_or_else(|| match key {
            Value::String(key) => format!("no such key: {key}"),
            key => format!("no such key: {key:?}"),
        }),
        ("+", [Value::Int(a), Value::Int(b)]) => int(a.checked_add(*b)),
        ("-", [Value::Int(a), Value::Int(b)]) => int(a.checked_sub(*b)),
        ("*", [Value::Int(a), Value::Int(b)]) => int(a.checked_mul(*b)),
        ("/", [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)]) => Err("division by zero".to_owned()),
        ("%", [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)]) => Err("modulus by zero".to_owned()),
        ("/", [Value::Int(a), Value::Int(b)]) => int(a.checked_div(*b)),
        ("%", [Value::Int(a), Value::Int(b)]) => int(a.checked_rem(*b)),
        ("+", [Value::Uint(a), Value::Uint(b)]) => uint(a.checked_add(*b)),
        ("-", [Value::Uint(a), Value::Uint(b)]) => uint(a.checked_sub(*b)),
        ("*", [Value::Uint(a), Value::Uint(b)]) => uint(a.checked_mul(*b)),
        ("/", [Value::Uint(a), Value::Uint(b)]) => Ok(Value::Uint(a / b)),
        ("%", [Value::Uint(a), Value::Uint(b)]) => Ok(Value::Uint(a % b)),
        ("+", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a + b)),
        ("-", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a - b)),
        ("*", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a * b)),
        ("/", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a / b)),
        ("+", [Value::String(a), Value::String(b)]) => Ok(Value::String(format!("{a}{b}"))),
        ("+", [Value::Bytes(a), Value::Bytes(b)]) => Ok(Value::Bytes([&a[..], b].concat())),
        ("+", [Value::List(a), Value::List(b)]) => Ok(Value::List([&a[..], b].concat())),
        ("+", [Value::Duration(a), Value::Duration(b)]) => span(a.checked_add(*b)),
        ("-", [Value::Duration(a), Value::Duration(b)]) => span(a.checked_sub(*b)),
        ("+", [Value::Timestamp(a), Value::Duration(b)] | [Value::Duration(b), Value::Timestamp(a)]) => {
            functions::timestamp(a + i128::from(*b))
        }
        ("-", [Value::Timestamp(a), Value::Duration(b)]) => functions::timestamp(a - i128::from(*b)),
        ("-", [Value::Timestamp(a), Value::Timestamp(b)]) => span(i64::try_from(a - b).ok()),
        ("neg" | "in" | "[]" | "+" | "-" | "*" | "/" | "%", _) => Err(no_overload()),
        _ => return None,
    })
}
