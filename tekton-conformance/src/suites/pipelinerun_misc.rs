//! Suite `pipelinerun-misc`: the smaller functions around pipeline runs.

use serde_json::{Value, json};
use tekton_contract::names;
use tekton_dag::names::{run_name, run_names};
use tekton_types::v1::ChildStatusReference;

use super::recorded::{compare, field, op};
use crate::Case;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let ours = match op(case) {
        "childName" => json!({ "name": names::child_name(text(case, "parent"), text(case, "suffix")) }),
        "restrictLength" => json!({ "name": names::restrict_length(text(case, "base")) }),
        "restrictLengthWithRandomSuffix" => {
            json!({ "name": names::restrict_length_with_suffix(text(case, "base"), text(case, "randomSuffix")) })
        }
        "generateHashedName" => {
            let length = case.input["hashedLength"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
            json!({ "name": names::hashed_name(text(case, "prefix"), text(case, "name"), length) })
        }
        "taskRunName" => name(case, "TaskRun")?,
        "customRunName" => name(case, "CustomRun")?,
        "taskRunNames" => all_names(case, "TaskRun")?,
        "customRunNames" => all_names(case, "CustomRun")?,
        "childPipelineRunNames" => all_names(case, "PipelineRun")?,
        other => return Err(format!("unknown op {other:?}")),
    };
    compare(case, ours)
}

fn text<'c>(case: &'c Case, name: &str) -> &'c str {
    case.input[name].as_str().unwrap_or_default()
}

fn name(case: &Case, kind: &str) -> Result<Value, String> {
    let references: Vec<ChildStatusReference> = field(case, "childReferences")?;
    Ok(json!({ "name": run_name(&references, kind, text(case, "pipelineTask"), text(case, "pipelineRun")) }))
}

fn all_names(case: &Case, kind: &str) -> Result<Value, String> {
    let references: Vec<ChildStatusReference> = field(case, "childReferences")?;
    let count = case.input["count"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
    let (task, parent) = (text(case, "pipelineTask"), text(case, "pipelineRun"));
    Ok(json!({ "names": run_names(&references, kind, task, parent, count) }))
}
