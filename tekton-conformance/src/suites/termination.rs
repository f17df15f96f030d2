//! Suite `termination`: termination messages, written and read.

use serde_json::{Value, json};
use tekton_contract::{
    json as go_json,
    termination::{self, COMPRESSED_PREFIX, ResultType, RunResult},
};

use crate::{Case, diff};

pub(super) fn check(case: &Case) -> Result<(), String> {
    let mut ours = answer(&case.input)?;
    let mut expected = case.expect.clone();
    // The exact bytes of a compressed message are those of Go's compressor; what they unpack to counts.
    if expected.get("decompressed").is_some() {
        for side in [&mut expected, &mut ours] {
            if side["content"].as_str().is_some_and(|content| content.starts_with(COMPRESSED_PREFIX)) {
                side["content"] = json!(COMPRESSED_PREFIX);
            }
        }
    }
    diff::equal(&expected, &ours)
}

fn answer(input: &Value) -> Result<Value, String> {
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    Ok(match text("op") {
        "parse" => match termination::decode(text("message").as_bytes()) {
            Ok(entries) => json!({"results": entries.iter().map(shown).collect::<Vec<_>>()}),
            Err(error) => json!({"error": error}),
        },
        "write" => write(input),
        "unmarshalResultType" => {
            match go_json::parse(text("json").as_bytes()).and_then(|v| ResultType::from_json(&v)) {
                Ok(ResultType(number)) => json!({"type": number}),
                Err(error) => json!({"error": error.0}),
            }
        }
        "unmarshalRunResult" => match go_json::parse(text("json").as_bytes()).and_then(|v| RunResult::from_json(&v)) {
            Ok(entry) => json!({"runResult": {
                "key": entry.key, "value": entry.value, "resourceName": entry.resource_name, "type": entry.result_type.0,
            }}),
            Err(error) => json!({"error": error.0}),
        },
        other => return Err(format!("unknown operation {other}")),
    })
}

fn write(input: &Value) -> Value {
    let existing = input["existing"].as_str();
    let mut entries = termination::existing(existing.unwrap_or_default().as_bytes()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries.extend(input["results"].as_array().into_iter().flatten().map(|entry| RunResult {
        key: text(&entry["key"]),
        value: text(&entry["value"]),
        resource_name: text(&entry["resourceName"]),
        result_type: ResultType(entry["type"].as_i64().unwrap_or_default()),
        ..RunResult::default()
    }));
    match termination::message(&entries, input["compress"] == true) {
        Ok(content) => {
            let unpacked = content
                .strip_prefix(COMPRESSED_PREFIX)
                .and_then(|packed| termination::unpack(packed.as_bytes()).ok())
                .map(|unpacked| go_json::text(&unpacked));
            json!({"content": content, "decompressed": unpacked})
        }
        Err(error) => json!({"content": existing, "error": error.to_string()}),
    }
}

fn shown(entry: &RunResult) -> Value {
    let mut shown = json!({"key": entry.key, "value": entry.value, "resourceName": entry.resource_name});
    if entry.result_type != ResultType::NONE {
        shown["type"] = json!(entry.result_type.0);
    }
    shown
}
