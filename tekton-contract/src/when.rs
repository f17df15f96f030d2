//! `in` and `notin` over strings: the part of a when expression that needs no CEL.

/// The operator that asks for membership.
pub const IN: &str = "in";
/// The operator that asks for absence. Every operator but [`IN`] acts like it.
pub const NOT_IN: &str = "notin";

/// Whether `input operator values` holds.
///
/// `in` holds when the input equals one of the values; anything else (`notin`, or even nothing)
/// holds when it equals none, so an expression that has only CEL passes this part.
pub fn holds<S: AsRef<str>>(operator: &str, input: &str, values: &[S]) -> bool {
    let found = values.iter().any(|value| value.as_ref() == input);
    if operator == IN { found } else { !found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_operator_but_in_acts_as_notin() {
        for operator in ["notin", "", "exists"] {
            assert!(holds(operator, "a", &["b"]));
            assert!(!holds(operator, "a", &["a", "b"]));
            assert!(holds(operator, "", &[] as &[&str]));
        }
        assert!(holds(IN, "a", &["b", "a"]));
        assert!(!holds(IN, "", &[] as &[&str]));
    }
}
