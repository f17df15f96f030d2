//! Suite `when`: guards.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tekton_contract::var::Table;
use tekton_dag::when;
use tekton_types::refs;
use tekton_types::substitute::Substitute;
use tekton_types::v1::WhenExpression;

use super::recorded::{compare, field, op};
use crate::Case;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let mut given: Vec<WhenExpression> = field(case, "when")?;
    let ours = match op(case) {
        "allowsExecution" => {
            json!({ "allowed": when::allows_execution(&given, &field(case, "evaluatedCEL")?) })
        }
        "replaceVariables" => {
            let mut table = Table::new();
            for (key, value) in field::<BTreeMap<String, String>>(case, "replacements")? {
                table.set(key, value);
            }
            for (key, values) in field::<BTreeMap<String, Vec<String>>>(case, "arrayReplacements")? {
                table.set_array(key, values);
            }
            given.substitute(&table);
            json!({ "when": given })
        }
        "variables" => {
            let found: Vec<&str> = given.iter().flat_map(refs::when_expressions).collect();
            json!({ "present": !found.is_empty(), "variables": found })
        }
        "evaluateCEL" => match when::evaluate_cel(&given) {
            Ok(evaluated) => json!({ "evaluatedCEL": evaluated }),
            // The texts of errors are cel-go's own; that there is one is what counts.
            Err(_) if case.expect["error"].is_string() => case.expect.clone(),
            Err(error) => json!({ "error": error }),
        },
        other => return Err(format!("unknown op {other:?}")),
    };
    let mut case = case.clone();
    if case.expect["variables"] == Value::Null {
        case.expect["variables"] = json!([]);
    }
    compare(&case, ours)
}
