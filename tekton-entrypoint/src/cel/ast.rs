//! The tree of an expression.

use super::value::Value;

/// Why an expression is not evaluated, and where in its text that is.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) text: String,
}

/// Each that can be wrong knows where it stands, as upstream tells it: an operator by its symbol, a call by its bracket.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Literal(Value),
    /// A name, and where it stands.
    Name(String, usize),
    /// `operand.field`; with `test`, `has(operand.field)`.
    Select {
        operand: Box<Expr>,
        field: String,
        test: bool,
        at: usize,
    },
    /// A function, a method or an operator by its symbol.
    Call {
        name: String,
        target: Option<Box<Expr>>,
        args: Vec<Expr>,
        at: usize,
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
        at: usize,
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
