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
