//! Whether names are known and operands fit, for a text that could be read.

use ::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

use super::functions::{named_type, overloads};
use super::types::{Bindings, Type};

/// What does not fit, and the part of the text that it is about.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) id: u64,
    pub(super) text: String,
}

/// Checks an expression without variables.
///
/// Errors: everything that does not fit, in the order of the text's evaluation.
pub(super) fn check(expression: &IdedExpr) -> Result<(), Vec<Fault>> {
    let mut checker = Checker::default();
    checker.type_of(expression);
    if checker.faults.is_empty() { Ok(()) } else { Err(checker.faults) }
}

#[derive(Default)]
struct Checker {
    bindings: Bindings,
    /// The variables of macros with their types, innermost last.
    scope: Vec<(String, Type)>,
    faults: Vec<Fault>,
}

impl Checker {
    fn fault(&mut self, id: u64, text: String) -> Type {
        self.faults.push(Fault { id, text });
        Type::Error
    }

    fn undeclared(&mut self, id: u64, name: &str) -> Type {
        self.fault(id, format!("undeclared reference to '{name}' (in container '')"))
    }

    fn type_of(&mut self, expression: &IdedExpr) -> Type {
        let id = expression.id;
        match &expression.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::String,
                LiteralValue::UInt(_) => Type::Uint,
            },
            Expr::Ident(name) => {
                let variable = self.scope.iter().rev().find(|(known, _)| known == name).map(|(_, known)| known.clone());
                variable.or_else(|| named_type(name)).unwrap_or_else(|| self.undeclared(id, name))
            }
            Expr::List(list) => {
                let element = list.elements.iter().fold(None, |joined, element| Some(self.joined(joined, element)));
                Type::list(element.unwrap_or_else(|| self.bindings.fresh()))
            }
            Expr::Map(map) => {
                let (mut key, mut value) = (None, None);
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::MapEntry(entry) => {
                            key = Some(self.joined(key, &entry.key));
                            value = Some(self.joined(value, &entry.value));
                        }
                        EntryExpr::StructField(field) => value = Some(self.joined(value, &field.value)),
                    }
                }
                let key = key.unwrap_or_else(|| self.bindings.fresh());
                Type::map(key, value.unwrap_or_else(|| self.bindings.fresh()))
            }
            Expr::Struct(value) => self.undeclared(id, &value.type_name),
            Expr::Select(select) => self.type_of_select(id, select),
            Expr::Call(call) => self.type_of_call(id, call),
            Expr::Comprehension(comprehension) => self.type_of_comprehension(comprehension),
            Expr::Unspecified => Type::Dyn,
        }
    }

    /// The type of what has been joined so far and one more element; of elements that do not fit each other, any.
    fn joined(&mut self, joined: Option<Type>, element: &IdedExpr) -> Type {
        let element = self.type_of(element);
        match joined {
            Some(joined) => self.bindings.join(joined, &element),
            None => element,
        }
    }

    fn type_of_select(&mut self, id: u64, select: &SelectExpr) -> Type {
        let operand = self.type_of(&select.operand);
        let field = match self.bindings.resolve(&operand) {
            Type::Map(pair) => pair.1,
            Type::Dyn | Type::Error => Type::Dyn,
            variable @ Type::Var(_) => {
                self.bindings.assign(&Type::Dyn, &variable);
                Type::Dyn
            }
            other => {
                self.fault(id, format!("type '{other}' does not support field selection"));
                Type::Dyn
            }
        };
        if select.test { Type::Bool } else { self.bindings.resolve(&field) }
    }

    fn type_of_call(&mut self, id: u64, call: &CallExpr) -> Type {
        let name = call.func_name.as_str();
        let mut operands: Vec<Type> = call.args.iter().map(|argument| self.type_of(argument)).collect();
        if matches!(name, "_&&_" | "_||_") {
            let mut result = Type::Bool;
            for (argument, operand) in call.args.iter().zip(&operands) {
                if !self.bindings.assign(operand, &Type::Bool) {
                    let operand = self.bindings.resolve(operand);
                    result = self.fault(argument.id, format!("expected type 'bool' but found '{operand}'"));
                }
            }
            return result;
        }
        if let Some(target) = &call.target {
            operands.insert(0, self.type_of(target));
        }
        let ways = overloads(name);
        if ways.is_empty() {
            return self.undeclared(id, name);
        }
        let mut result: Option<Type> = None;
        for way in ways.iter().filter(|way| way.is_member == call.target.is_some()) {
            let (wanted, given) = way.types(&mut self.bindings);
            if !self.bindings.assign_all(&operands, &wanted) {
                continue;
            }
            let given = self.bindings.resolve(&given);
            result = Some(match result {
                Some(first) if first != Type::Dyn && first != given => Type::Dyn,
                Some(first) => first,
                None => given,
            });
        }
        result.unwrap_or_else(|| {
            let mut given: Vec<String> =
                operands.iter().map(|given| self.bindings.resolve(given).to_string()).collect();
            let text = match &call.target {
                Some(_) => {
                    let target = given.remove(0);
                    format!("{target}.({})", given.join(", "))
                }
                None => format!("({})", given.join(", ")),
            };
            self.fault(id, format!("found no matching overload for '{name}' applied to '{text}'"))
        })
    }

    fn type_of_comprehension(&mut self, comprehension: &ComprehensionExpr) -> Type {
        let range = self.type_of(&comprehension.iter_range);
        let accumulated = self.type_of(&comprehension.accu_init);
        let (first, second) = match self.bindings.resolve(&range) {
            Type::List(element) if comprehension.iter_var2.is_some() => (Type::Int, *element),
            Type::List(element) => (*element, Type::Dyn),
            Type::Map(pair) => *pair,
            open @ (Type::Dyn | Type::Error | Type::Var(_)) => {
                self.bindings.assign(&Type::Dyn, &open);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let text = format!("expression of type '{other}' cannot be range of a comprehension");
                let text = format!("{text} (must be list, map, or dynamic)");
                (self.fault(comprehension.iter_range.id, text), Type::Error)
            }
        };
        let outside = self.scope.len();
        self.scope.push((comprehension.accu_var.clone(), accumulated.clone()));
        let inside = self.scope.len();
        self.scope.push((comprehension.iter_var.clone(), first));
        self.scope.extend(comprehension.iter_var2.clone().map(|name| (name, second)));
        self.expect(&comprehension.loop_cond, &Type::Bool);
        self.expect(&comprehension.loop_step, &accumulated);
        self.scope.truncate(inside);
        let result = self.type_of(&comprehension.result);
        self.scope.truncate(outside);
        self.bindings.resolve(&result)
    }

    fn expect(&mut self, expression: &IdedExpr, wanted: &Type) {
        let found = self.type_of(expression);
        if !self.bindings.assign(wanted, &found) {
            let (wanted, found) = (self.bindings.resolve(wanted), self.bindings.resolve(&found));
            self.fault(expression.id, format!("expected type '{wanted}' but found '{found}'"));
        }
    }
}
