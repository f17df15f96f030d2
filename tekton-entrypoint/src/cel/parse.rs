//! From words to a tree.

use std::ops::Range;

use super::{
    ast::{Expr, Fault, Over},
    lex::{Token, tokens},
    value::Value,
};

/// How deeply an expression may nest.
const MAX_DEPTH: usize = 100;

const RESERVED: [&str; 15] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
];

pub(super) fn parse(text: &str) -> Result<Expr, Fault> {
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0 };
    let expression = parser.expression()?;
    match parser.token() {
        None => Ok(expression),
        Some(_) => Err(parser.fault(format!("extraneous input {} expecting <EOF>", parser.here()))),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    depth: usize,
}

/// Binary operators, those that bind least first.
const LEVELS: [&[&str]; 5] =
    [&["||"], &["&&"], &["<", "<=", ">", ">=", "==", "!=", "in"], &["+", "-"], &["*", "/", "%"]];

impl Parser<'_> {
    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    /// Where the next token stands.
    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.text.len(), |(_, place)| place.start)
    }

    /// Where the token that was taken last stands.
    fn taken(&self) -> usize {
        self.tokens.get(self.at.wrapping_sub(1)).map_or(0, |(_, place)| place.start)
    }

    fn fault(&self, text: String) -> Fault {
        Fault { at: self.offset(), text }
    }

    fn take(&mut self, symbol: &str) -> bool {
        let here = match self.token() {
            Some(Token::Symbol(found)) => *found == symbol,
            Some(Token::Name(found)) => symbol == "in" && found == "in",
            _ => false,
        };
        self.at += usize::from(here);
        here
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.take(symbol) { Ok(()) } else { Err(self.fault(format!("missing '{symbol}' at {}", self.here()))) }
    }

    fn here(&self) -> String {
        self.tokens
            .get(self.at)
            .map_or_else(|| "'<EOF>'".to_owned(), |(_, place)| format!("'{}'", &self.text[place.clone()]))
    }

    fn expression(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault("expression recursion limit exceeded".to_owned()));
        }
        let condition = self.level(0)?;
        let expression = if self.take("?") {
            let at = self.taken();
            let yes = self.level(0)?;
            self.expect(":")?;
            let no = self.expression()?;
            call("?:", vec![condition, yes, no], at)
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn level(&mut self, level: usize) -> Result<Expr, Fault> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.take(operator)) {
            let at = self.taken();
            let right = self.level(level + 1)?;
            left = call(operator, vec![left, right], at);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Fault> {
        let at = self.offset();
        let mut nots = 0;
        while self.take("!") {
            nots += 1;
        }
        if nots > 0 {
            let operand = self.member()?;
            return Ok(if nots % 2 == 1 {
                call("!", vec![operand], at)
            } else {
                call("!", vec![call("!", vec![operand], at)], at)
            });
        }
        let mut minuses = 0;
        while self.take("-") {
            minuses += 1;
        }
        if minuses == 0 {
            return self.member();
        }
        if let Some(Token::Int(value)) = self.token()
            && *value == i64::MIN.unsigned_abs()
            && minuses == 1
        {
            self.at += 1;
            return Ok(Expr::Literal(Value::Int(i64::MIN)));
        }
        let operand = self.member()?;
        Ok((0..minuses % 2 + if minuses % 2 == 0 { 2 } else { 0 })
            .fold(operand, |operand, _| call("neg", vec![operand], at)))
    }

    fn member(&mut self) -> Result<Expr, Fault> {
        let mut operand = self.primary()?;
        loop {
            if self.take(".") {
                let at = self.taken();
                let Some(Token::Name(name)) = self.token().cloned() else {
                    return Err(self.fault(format!("no viable alternative at input {}", self.here())));
                };
                self.at += 1;
                operand = if self.take("(") {
                    let at = self.taken();
                    let args = self.list(")")?;
                    method(operand, name, args, at)?
                } else {
                    Expr::Select { operand: Box::new(operand), field: name, test: false, at }
                };
            } else if self.take("[") {
                let at = self.taken();
                let index = self.expression()?;
                self.expect("]")?;
                operand = call("[]", vec![operand, index], at);
            } else {
                return Ok(operand);
            }
        }
    }

    /// Expressions up to a closing symbol; a last comma is fine in lists.
    fn list(&mut self, close: &str) -> Result<Vec<Expr>, Fault> {
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.expression()?);
            if !self.take(",") {
                self.expect(close)?;
                break;
            }
            if close == ")" && self.take(close) {
                return Err(Fault { at: self.taken(), text: "mismatched input ')'".to_owned() });
            }
        }
        Ok(items)
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        if self.take("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take("[") {
            return Ok(Expr::List(self.list("]")?));
        }
        if self.take("{") {
            return self.map();
        }
        let leading_dot = self.take(".");
        let token = self.token().cloned();
        let unexpected = || Err(self.fault(format!("mismatched input {}", self.here())));
        let literal = match token {
            Some(Token::Name(name)) if !leading_dot && matches!(name.as_str(), "true" | "false") => {
                Value::Bool(name == "true")
            }
            Some(Token::Name(name)) if !leading_dot && name == "null" => Value::Null,
            Some(Token::Name(name)) => {
                if name == "in" || RESERVED.contains(&name.as_str()) {
                    return Err(self.fault(format!("reserved identifier: {name}")));
                }
                self.at += 1;
                if self.take("(") {
                    let at = self.taken();
                    let args = self.list(")")?;
                    return function(name, args, at);
                }
                return Ok(Expr::Name(name, self.taken()));
            }
            _ if leading_dot => return unexpected(),
            Some(Token::Int(value)) => {
                Value::Int(i64::try_from(value).map_err(|_| self.fault("invalid int literal".to_owned()))?)
            }
            Some(Token::Uint(value)) => Value::Uint(value),
            Some(Token::Double(value)) => Value::Double(value),
            Some(Token::String(text)) => Value::String(text),
            Some(Token::Bytes(bytes)) => Value::Bytes(bytes),
            Some(Token::Symbol(_)) | None => return unexpected(),
        };
        self.at += 1;
        Ok(Expr::Literal(literal))
    }

    fn map(&mut self) -> Result<Expr, Fault> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Expr::Map(entries))
    }
}

fn call(name: &str, args: Vec<Expr>, at: usize) -> Expr {
    Expr::Call { name: name.to_owned(), target: None, args, at }
}

fn function(name: String, args: Vec<Expr>, at: usize) -> Result<Expr, Fault> {
    if name == "has" {
        return match <[Expr; 1]>::try_from(args) {
            Ok([Expr::Select { operand, field, at, .. }]) => Ok(Expr::Select { operand, field, test: true, at }),
            _ => Err(Fault { at, text: "invalid argument to has() macro".to_owned() }),
        };
    }
    Ok(Expr::Call { name, target: None, args, at })
}

/// A method, or one of the macros that go over a range.
fn method(range: Expr, name: String, mut args: Vec<Expr>, at: usize) -> Result<Expr, Fault> {
    let kind = match (name.as_str(), args.len()) {
        ("all", 2) => Over::All,
        ("exists", 2) => Over::Exists,
        ("exists_one" | "existsOne", 2) => Over::ExistsOne,
        ("map", 2 | 3) => Over::Map,
        ("filter", 2) => Over::Filter,
        _ => return Ok(Expr::Call { name, target: Some(Box::new(range)), args, at }),
    };
    let body = args.pop().expect("there are two or three arguments");
    let filter = if args.len() == 2 { args.pop() } else { None };
    let Some(Expr::Name(var, _)) = args.pop() else {
        return Err(Fault { at, text: "argument must be a simple name".to_owned() });
    };
    Ok(Expr::Over { kind, range: Box::new(range), var, filter: filter.map(Box::new), body: Box::new(body), at })
}
