//! Guards.

use tekton_types::v1::{WhenExpression, operator};

use crate::errors::{Errors, FieldError};
use crate::gates::Gates;
use crate::rules::pipeline_params::{Declared, array_text, string_text};
use crate::text::{list, quote};
use tekton_dag::cel;

/// The guards of a step or of a pipeline task.
pub(crate) fn validate(gates: &Gates<'_>, guards: &[WhenExpression]) -> Errors {
    let mut errors = Errors::none();
    for (index, guard) in guards.iter().enumerate() {
        errors.also(validate_one(gates, guard).via_index(index));
    }
    errors.via_field("when")
}

fn validate_one(gates: &Gates<'_>, guard: &WhenExpression) -> Errors {
    if !guard.cel.is_empty() {
        return validate_cel(gates, guard);
    }
    if *guard == WhenExpression::default() {
        return FieldError::missing(&[""]).into();
    }
    if guard.operator != operator::IN && guard.operator != operator::NOT_IN {
        return FieldError::invalid_value(
            format!("operator {} is not recognized. valid operators: in,notin", quote(&guard.operator)),
            "",
        )
        .about(&guard.operator)
        .into();
    }
    if guard.values.is_empty() {
        return FieldError::invalid_value("expecting non-empty values field", "").into();
    }
    Errors::none()
}

fn validate_cel(gates: &Gates<'_>, guard: &WhenExpression) -> Errors {
    if !gates.cel {
        return FieldError::new(
            format!(
                "feature flag enable-cel-in-whenexpression should be set to true to use CEL: {} in WhenExpression",
                guard.cel
            ),
            &[""],
        )
        .into();
    }
    if !guard.input.is_empty() || !guard.operator.is_empty() || !guard.values.is_empty() {
        let given = format!("&{{{} {} {} {}}}", guard.input, guard.operator, list(&guard.values), guard.cel);
        return FieldError::new(
            format!("cel and input+operator+values cannot be set in one WhenExpression: {given}"),
            &[],
        )
        .into();
    }
    match cel::check(&guard.cel) {
        Ok(()) => Errors::none(),
        // The expression and the reason stand where paths stand, as upstream has it.
        Err(reason) => FieldError::new("invalid cel expression: %s with err: %s", &[&guard.cel, &reason]).into(),
    }
}

/// Parameters that guards refer to are declared and of a fitting type.
pub(crate) fn parameters(guards: &[WhenExpression], declared: &Declared<'_>) -> Errors {
    let mut errors = Errors::none();
    for (index, guard) in guards.iter().enumerate() {
        errors.also(string_text(&guard.input, declared).via_field("input").via_field_index("when", index));
        for value in &guard.values {
            let name = value.strip_prefix("$(params.").unwrap_or(value);
            let name = name.strip_suffix("[*])").unwrap_or(name);
            let found =
                if declared.arrays.contains(name) { array_text(value, declared) } else { string_text(value, declared) };
            errors.also(found.via_field("values").via_field_index("when", index));
        }
    }
    errors
}
