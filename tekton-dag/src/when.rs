//! Guards: whether a task may run. `in` and `notin` compare strings; CEL needs the cargo feature `cel`.

use std::collections::BTreeMap;

use tekton_types::v1::WhenExpression;

/// Whether all guards hold, where `evaluated_cel` has the values of the CEL texts.
pub fn allows_execution(when: &[WhenExpression], evaluated_cel: &BTreeMap<String, bool>) -> bool {
    when.iter().all(|WhenExpression { input, operator, values, cel }| {
        tekton_contract::when::holds(operator, input, values)
            && (cel.is_empty() || evaluated_cel.get(cel).copied().unwrap_or(false))
    })
}

/// The values of all CEL texts among guards; each distinct text is evaluated once.
///
/// Errors: why the first text that has no truth value has none. Without the feature `cel`, no text has one.
pub fn evaluate_cel(when: &[WhenExpression]) -> Result<BTreeMap<String, bool>, String> {
    let mut evaluated = BTreeMap::new();
    for text in when.iter().map(|when| &when.cel).filter(|text| !text.is_empty()) {
        if !evaluated.contains_key(text) {
            evaluated.insert(text.clone(), truth(text)?);
        }
    }
    Ok(evaluated)
}

#[cfg(feature = "cel")]
fn truth(text: &str) -> Result<bool, String> {
    crate::cel::with_program(text, |program| match program.execute(&crate::cel::context()) {
        Ok(::cel::Value::Bool(truth)) => Ok(truth),
        Ok(_) => Err(format!("The CEL expression {text} is not evaluated to a boolean")),
        Err(error) => Err(error.to_string()),
    })
}

#[cfg(not(feature = "cel"))]
fn truth(text: &str) -> Result<bool, String> {
    Err(format!("CEL is not part of this build: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cel_text_without_a_value_does_not_hold() {
        let when = [WhenExpression { cel: "true".into(), ..WhenExpression::default() }];
        assert!(!allows_execution(&when, &BTreeMap::new()));
    }

    #[cfg(feature = "cel")]
    #[test]
    fn cel_that_is_no_truth_value_is_an_error() {
        let when = |cel: &str| [WhenExpression { cel: cel.into(), ..WhenExpression::default() }];
        assert_eq!(evaluate_cel(&when("'a' == 'a'")), Ok(BTreeMap::from([("'a' == 'a'".into(), true)])));
        let repeated = "{'a': 1, 'a': 2}['a'] == 2";
        assert_eq!(evaluate_cel(&when(repeated)), Ok(BTreeMap::from([(repeated.into(), true)])));
        assert_eq!(evaluate_cel(&when("1")), Err("The CEL expression 1 is not evaluated to a boolean".into()));
    }
}
