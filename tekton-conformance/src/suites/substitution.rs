//! Suite `substitution`: the primitives that find, check and replace `$(…)`.

use serde_json::{Value, json};
use tekton_contract::var::{Table, extract};

use crate::{Case, diff};

pub(super) fn check(case: &Case) -> Result<(), String> {
    diff::equal(&case.expect, &answer(&case.input)?)
}

fn answer(input: &Value) -> Result<Value, String> {
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    let (value, prefix) = (text("value"), text("prefix"));
    let vars: Vec<&str> = input["vars"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let known = |name: &str| vars.contains(&name);
    let verdict = |outcome: Result<(), String>| json!({"error": outcome.err().map(|text| format!("{text}: "))});
    Ok(match text("op") {
        "extractVariablesFromString" => {
            let found = extract::variables(value, prefix);
            json!({"variables": found.names, "present": found.present, "errorString": found.error})
        }
        "extractVariableExpressions" => json!({"result": extract::expressions(value, prefix)}),
        "validateNoReferencesToUnknownVariables" => verdict(extract::no_unknown_variables(value, prefix, known)),
        "validateNoReferencesToUnknownVariablesWithDetail" => {
            verdict(extract::no_unknown_variables_with_detail(value, prefix, known))
        }
        "validateNoReferencesToProhibitedVariables" => verdict(extract::no_prohibited_variables(value, prefix, known)),
        "validateNoReferencesToEntireProhibitedVariables" => {
            verdict(extract::no_entire_prohibited_variables(value, prefix, known))
        }
        "validateVariableReferenceIsIsolated" => verdict(extract::variable_is_isolated(value, prefix, known)),
        "validateWholeArrayOrObjectRefInStringVariable" => {
            let isolated = extract::is_whole_reference(value, prefix);
            let outcome = if isolated { extract::no_unknown_variables(value, prefix, known) } else { Ok(()) };
            let name = text("name");
            json!({"isIsolated": isolated, "error": outcome.err().map(|text| format!("{text}: {prefix}[{name}]"))})
        }
        "trimArrayIndex" => json!({"result": extract::trim_array_index(value)}),
        "extractIndexString" => json!({"result": extract::index_string(value)}),
        "stripStarVarSubExpression" => json!({"result": extract::strip_reference(value)}),
        "extractArrayIndexingParamsExpressions" => json!({"result": extract::indexed_params(value)}),
        "extractIndex" => match extract::index(value) {
            Ok(index) => json!({"result": index}),
            Err((index, error)) => json!({"result": index, "error": error}),
        },
        "applyReplacements" => json!({"result": table(&input["replacements"], &Value::Null).apply(value)}),
        "applyArrayReplacements" => {
            json!({"result": table(&input["stringReplacements"], &input["arrayReplacements"]).apply_array(value)})
        }
        other => return Err(format!("unknown operation {other}")),
    })
}

fn table(strings: &Value, arrays: &Value) -> Table {
    let mut table = Table::new();
    for (key, value) in strings.as_object().into_iter().flatten() {
        table.set(key, value.as_str().unwrap_or_default());
    }
    for (key, values) in arrays.as_object().into_iter().flatten() {
        table.set_array(key, values.as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    table
}
