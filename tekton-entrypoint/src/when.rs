//! When expressions of a step.

use tekton_contract::{
    json::{self, Error, Value},
    when,
};

use crate::cel;

/// One expression; all must hold for the step to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) input: String,
    pub(crate) operator: String,
    pub(crate) values: Vec<String>,
    pub(crate) cel: String,
}

/// Reads the value of the flag.
pub(crate) fn parse(text: &str) -> Result<Vec<When>, Error> {
    match json::parse(text.as_bytes())? {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(expression).collect(),
        value => Err(Error::unmarshal(&value, "types.WhenExpressions")),
    }
}

fn expression(value: &Value) -> Result<When, Error> {
    let mut when = When::default();
    let members = match value {
        Value::Null => return Ok(when),
        Value::Object(members) => members,
        value => return Err(Error::unmarshal(value, "types.WhenExpression")),
    };
    let refused = |value: &Value, field: &str, kind: &str| {
        Error(format!(
            "json: cannot unmarshal {} into Go struct field WhenExpression.{field} of type {kind}",
            value.kind()
        ))
    };
    for (name, value) in members {
        if *value == Value::Null {
            continue;
        }
        let fields = [("input", &mut when.input), ("operator", &mut when.operator), ("cel", &mut when.cel)];
        if let Some((field, target)) = fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)) {
            let Value::String(text) = value else { return Err(refused(value, field, "string")) };
            target.clone_from(text);
        } else if name.eq_ignore_ascii_case("values") {
            let Value::Array(items) = value else { return Err(refused(value, "values", "[]string")) };
            when.values = items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    Value::Null => Ok(String::new()),
                    item => Err(refused(item, "values", "string")),
                })
                .collect::<Result<_, _>>()?;
        }
    }
    Ok(when)
}

/// Whether the step runs: first every CEL expression in order, then inputs and values.
pub(crate) fn allows(expressions: &[When]) -> Result<bool, String> {
    for When { cel, .. } in expressions {
        if !cel.is_empty() && !holds(cel)? {
            return Ok(false);
        }
    }
    Ok(expressions.iter().all(|when| when::holds(&when.operator, &when.input, &when.values)))
}

fn holds(text: &str) -> Result<bool, String> {
    cel::evaluate(text)?.ok_or_else(|| format!("the CEL expression {text} is not evaluated to a boolean"))
}
