//! Suite `matrix`: fan-out and counts.

use serde_json::{Value, json};
use tekton_types::v1::Matrix;

use super::recorded::{compare, field, op};
use crate::Case;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let given: Matrix = field(case, "matrix")?;
    let ours = match op(case) {
        "fanOut" => {
            let combinations: Vec<Value> = given.fan_out().into_iter().map(|c| json!(c)).collect();
            json!({ "combinations": combinations })
        }
        "countCombinations" => json!({ "count": given.count_combinations() }),
        "hasParams" => json!({ "result": !given.params.is_empty() }),
        "hasInclude" => json!({ "result": !given.include.is_empty() }),
        "getAllParams" => json!({ "params": given.all_params().collect::<Vec<_>>() }),
        other => return Err(format!("unknown op {other:?}")),
    };
    compare(case, ours)
}
