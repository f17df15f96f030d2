//! What a run came to, in the shape in which suite e2e-examples records it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The outcomes of an example with what a second run on the same cluster would change taken out: the order of runs and of
/// the children of a matrix, and results that tell the time. Equal outcomes count once, because two examples with long
/// names were recorded in one namespace.
pub(super) fn comparable(runs: &Value) -> Value {
    let mut runs: Vec<Value> = runs.as_array().cloned().unwrap_or_default();
    for run in &mut runs {
        without_time(&mut run["results"]);
        if !run["task"].is_null() {
            without_time(&mut run["task"]["results"]);
        }
        for children in run["tasks"].as_object_mut().into_iter().flatten() {
            let Some(children) = children.1.as_array_mut() else { continue };
            for child in children.iter_mut() {
                without_time(&mut child["results"]);
            }
            children.sort_by_cached_key(Value::to_string);
        }
    }
    runs.sort_by_cached_key(Value::to_string);
    runs.dedup();
    runs.into()
}

/// Replaces what `date` and `date +%s` print by the name of the format.
fn without_time(results: &mut Value) {
    for (_, value) in results.as_object_mut().into_iter().flatten() {
        let Some(text) = value.as_str().map(str::trim_end) else { continue };
        if text.len() == 10 && text.starts_with('1') && text.bytes().all(|byte| byte.is_ascii_digit()) {
            *value = "<seconds since 1970>".into();
        } else if jiff::civil::DateTime::strptime("%a %b %e %H:%M:%S UTC %Y", text).is_ok() {
            *value = "<date>".into();
        }
    }
}

/// The condition `Succeeded` of a run.
pub(super) fn condition(run: &Value) -> &Value {
    let conditions = run["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == "Succeeded").unwrap_or(&Value::Null)
}

/// A run with its TaskRuns.
pub(super) fn of_run(kind: &str, name: &str, run: &Value, children: &[Value]) -> Value {
    let condition = condition(run);
    let mut outcome = json!({
        "kind": kind, "name": name, "results": results(run),
        "status": condition["status"], "reason": condition["reason"], "message": condition["message"],
    });
    if kind == "TaskRun" {
        outcome["task"] = of_task(run);
        return outcome;
    }
    let mut tasks: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for child in children {
        tasks.entry(child["pipelineTask"].as_str().unwrap_or_default()).or_default().push(of_task(child));
    }
    outcome["tasks"] = json!(tasks);
    outcome["skipped"] = run["status"]["skippedTasks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|task| (task["name"].as_str().unwrap_or_default().to_owned(), task["reason"].clone()))
        .collect::<Map<_, _>>()
        .into();
    outcome
}

fn of_task(run: &Value) -> Value {
    let condition = condition(run);
    let steps = run["status"]["steps"].as_array().into_iter().flatten().map(|step| {
        json!({
            "name": step["name"], "exitCode": step["terminated"]["exitCode"],
            "terminationReason": step["terminationReason"],
        })
    });
    json!({
        "status": condition["status"], "reason": condition["reason"], "results": results(run),
        "retries": run["status"]["retriesStatus"].as_array().map_or(0, Vec::len),
        "steps": steps.collect::<Vec<_>>(),
    })
}

fn results(run: &Value) -> Value {
    let results = run["status"]["results"].as_array().into_iter().flatten();
    let entry = |result: &Value| (result["name"].as_str().unwrap_or_default().to_owned(), result["value"].clone());
    results.map(entry).collect::<Map<_, _>>().into()
}
