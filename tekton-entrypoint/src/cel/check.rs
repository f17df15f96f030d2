//! Refuses operations that the types of their operands do not have, before anything is evaluated.

use super::{
    ast::{Expr, Fault, Over},
    functions,
    value::Value,
};

/// What is known of a value before it is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// Anything.
    Dyn,
    /// A type without parts, by its name.
    Simple(&'static str),
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
}

pub(super) const BOOL: Type = Type::Simple("bool");
pub(super) const INT: Type = Type::Simple("int");
const TYPE: Type = Type::Simple("type");
pub(super) const DURATION: &str = "google.protobuf.Duration";
pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// Names that stand for types.
pub(super) const TYPE_NAMES: [&str; 11] =
    ["null_type", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "type", "dyn"];

impl Type {
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::Simple(a), Self::Simple(b)) => a == b,
            (Self::List(a), Self::List(b)) => a.fits(b),
            (Self::Map(a, b), Self::Map(c, d)) => a.fits(c) && b.fits(d),
            _ => false,
        }
    }

    fn is(&self, names: &[&str]) -> bool {
        match self {
            Self::Dyn => true,
            Self::Simple(name) => names.contains(name),
            _ => false,
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Dyn => "dyn".to_owned(),
            Self::Simple(name) => (*name).to_owned(),
            Self::List(item) => format!("list({})", item.name()),
            Self::Map(key, value) => format!("map({}, {})", key.name(), value.name()),
        }
    }
}

/// Checks an expression without variables.
pub(super) fn check(expression: &Expr) -> Result<Type, Fault> {
    Checker { vars: Vec::new() }.of(expression)
}

struct Checker {
    vars: Vec<(String, Type)>,
}

fn of_value(value: &Value) -> Type {
    Type::Simple(value.type_name())
}

/// The type that all have in common, or anything.
fn common(types: impl IntoIterator<Item = Type>) -> Type {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return Type::Dyn };
    if types.all(|other| other == first) { first } else { Type::Dyn }
}

impl Checker {
    fn of(&mut self, expression: &Expr) -> Result<Type, Fault> {
        match expression {
            Expr::Literal(value) => Ok(of_value(value)),
            Expr::Name(name, at) => match self.vars.iter().rev().find(|(var, _)| var == name) {
                Some((_, found)) => Ok(found.clone()),
                None if TYPE_NAMES.contains(&name.as_str()) => Ok(TYPE),
                None => Err(Fault { at: *at, text: undeclared(name) }),
            },
            Expr::Select { operand, test, at, .. } => {
                if let Some(name) = qualified(expression)
                    && [DURATION, TIMESTAMP].contains(&name.as_str())
                    && !test
                {
                    return Ok(TYPE);
                }
                match self.of(operand)? {
                    _ if *test => Ok(BOOL),
                    Type::Map(_, value) => Ok(*value),
                    Type::Dyn => Ok(Type::Dyn),
                    other => {
                        let text = format!("type '{}' does not support field selection", other.name());
                        Err(Fault { at: *at, text })
                    }
                }
            }
            Expr::List(items) => {
                let types = items.iter().map(|item| self.of(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Type::List(Box::new(common(types))))
            }
            Expr::Map(entries) => {
                let mut keys = Vec::new();
                let mut values = Vec::new();
                for (key, value) in entries {
                    keys.push(self.of(key)?);
                    values.push(self.of(value)?);
                }
                Ok(Type::Map(Box::new(common(keys)), Box::new(common(values))))
            }
            Expr::Call { name, target, args, at } => {
                let target = target.as_deref().map(|target| self.of(target)).transpose()?;
                let args = args.iter().map(|arg| self.of(arg)).collect::<Result<Vec<_>, _>>()?;
                let found = match &target {
                    Some(target) => functions::method_type(name, target, &args),
                    None => operator(name, &args).or_else(|| functions::function_type(name, &args)),
                };
                found.ok_or_else(|| {
                    let shown: Vec<_> = args.iter().map(Type::name).collect();
                    let shown = shown.join(", ");
                    let text = match (symbol(name).or_else(|| functions::is_known(name).then(|| name.clone())), &target)
                    {
                        (None, _) => undeclared(name),
                        (Some(name), None) => format!("found no matching overload for '{name}' applied to '({shown})'"),
                        (Some(name), Some(target)) => {
                            format!("found no matching overload for '{name}' applied to '{}.({shown})'", target.name())
                        }
                    };
                    Fault { at: *at, text }
                })
            }
            Expr::Over { kind, range, var, filter, body, at } => {
                self.over(*kind, range, var, filter.as_deref(), body, *at)
            }
        }
    }

    fn over(
        &mut self,
        kind: Over,
        range: &Expr,
        var: &str,
        filter: Option<&Expr>,
        body: &Expr,
        at: usize,
    ) -> Result<Type, Fault> {
        let range = self.of(range)?;
        let item = match &range {
            Type::List(item) => (**item).clone(),
            Type::Map(key, _) => (**key).clone(),
            Type::Dyn => Type::Dyn,
            other @ Type::Simple(_) => {
                let text = format!("expression of type '{}' cannot be range of a comprehension", other.name());
                return Err(Fault { at, text });
            }
        };
        self.vars.push((var.to_owned(), item.clone()));
        let filter = filter.map(|filter| self.of(filter)).transpose()?;
        let body = self.of(body)?;
        self.vars.pop();
        let condition = if kind == Over::Map { filter } else { Some(body.clone()) };
        if let Some(condition) = condition.filter(|condition| !condition.fits(&BOOL)) {
            return Err(Fault { at, text: format!("expected type 'bool' but found '{}'", condition.name()) });
        }
        Ok(match kind {
            Over::Map => Type::List(Box::new(body)),
            Over::Filter => Type::List(Box::new(item)),
            Over::All | Over::Exists | Over::ExistsOne => BOOL,
        })
    }
}

fn undeclared(name: &str) -> String {
    format!("undeclared reference to '{name}' (in container '')")
}

/// The dotted name that a chain of selections spells.
pub(super) fn qualified(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name, _) => Some(name.clone()),
        Expr::Select { operand, field, .. } => Some(format!("{}.{field}", qualified(operand)?)),
        _ => None,
    }
}

/// What messages call an operator.
fn symbol(name: &str) -> Option<String> {
    Some(match name {
        "!" => "!_".to_owned(),
        "neg" => "-_".to_owned(),
        "?:" => "_?_:_".to_owned(),
        "in" => "@in".to_owned(),
        "[]" => "_[_]".to_owned(),
        "||" | "&&" | "<" | "<=" | ">" | ">=" | "==" | "!=" | "+" | "-" | "*" | "/" | "%" => format!("_{name}_"),
        _ => return None,
    })
}

/// The type of an operator's outcome; `None` when its operands are not for it.
fn operator(name: &str, args: &[Type]) -> Option<Type> {
    let numbers = ["int", "uint", "double"];
    match (name, args) {
        ("!", [a]) => a.is(&["bool"]).then_some(BOOL),
        ("neg", [a]) => a.is(&["int", "double"]).then(|| a.clone()),
        ("?:", [condition, a, b]) => (condition.is(&["bool"]) && a.fits(b)).then(|| common([a.clone(), b.clone()])),
        ("||" | "&&", [a, b]) => (a.is(&["bool"]) && b.is(&["bool"])).then_some(BOOL),
        ("==" | "!=", [a, b]) => a.fits(b).then_some(BOOL),
        ("<" | "<=" | ">" | ">=", [a, b]) => {
            let ordered = ["bool", "int", "uint", "double", "string", "bytes", DURATION, TIMESTAMP];
            (a.is(&ordered) && b.is(&ordered) && a.fits(b)).then_some(BOOL)
        }
        ("in", [a, Type::List(item)]) => a.fits(item).then_some(BOOL),
        ("in", [a, Type::Map(key, _)]) => a.fits(key).then_some(BOOL),
        ("in", [_, Type::Dyn]) => Some(BOOL),
        ("[]", [Type::List(item), index]) => index.is(&["int"]).then(|| (**item).clone()),
        ("[]", [Type::Map(key, value), index]) => index.fits(key).then(|| (**value).clone()),
        ("[]", [Type::Dyn, _]) => Some(Type::Dyn),
        ("+", [Type::List(a), Type::List(b)]) => {
            a.fits(b).then(|| Type::List(Box::new(common([(**a).clone(), (**b).clone()]))))
        }
        ("+" | "-", [a, b]) if a.is(&[TIMESTAMP]) && b.is(&[DURATION]) && *a != Type::Dyn => Some(a.clone()),
        ("+", [a, b]) if a.is(&[DURATION]) && b.is(&[TIMESTAMP]) && *b != Type::Dyn => Some(b.clone()),
        ("-", [a, b]) if a.is(&[TIMESTAMP]) && b.is(&[TIMESTAMP]) && *a != Type::Dyn => Some(Type::Simple(DURATION)),
        ("+", [a, b]) => {
            let kinds = ["int", "uint", "double", "string", "bytes", DURATION];
            let fits = |kind: &Type| kind.is(&kinds) || matches!(kind, Type::List(_));
            (fits(a) && fits(b) && a.fits(b)).then(|| common([a.clone(), b.clone()]))
        }
        ("-", [a, b]) => {
            let kinds = ["int", "uint", "double", DURATION];
            (a.is(&kinds) && b.is(&kinds) && a.fits(b)).then(|| common([a.clone(), b.clone()]))
        }
        ("*" | "/", [a, b]) => (a.is(&numbers) && b.is(&numbers) && a.fits(b)).then(|| common([a.clone(), b.clone()])),
        ("%", [a, b]) => {
            let kinds = ["int", "uint"];
            (a.is(&kinds) && b.is(&kinds) && a.fits(b)).then(|| common([a.clone(), b.clone()]))
        }
        _ => None,
    }
}
