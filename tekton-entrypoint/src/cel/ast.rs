//! The tree of an expression.

use super::value::Value;

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Literal(Value),
    Name(String),
    /// `operand.field`; with `test`, `has(operand.field)`.
    Select {
        operand: Box<Expr>,
        field: String,
        test: bool,
    },
    /// A function, a method or an operator by its symbol.
    Call {
        name: String,
        target: Option<Box<Expr>>,
        args: Vec<Expr>,
    },
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    /// `range.all(var, body)` and its like.
    Over {
        kind: Over,
        range: Box<Expr>,
        var: String,
        filter: Option<Box<Expr>>,
        body: Box<Expr>,
    },
}

/// What is done with each element of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}
