//! The log of the results sidecar: one JSON object a line.

use tekton_contract::json::{self, Value};
use tekton_contract::termination::{ResultType, RunResult};

/// Task results among the entries of a log.
pub fn task_results(entries: &[RunResult]) -> Vec<RunResult> {
    entries.iter().filter(|entry| entry.result_type == ResultType::TASK_RUN).cloned().collect()
}

/// Results of one step among the entries of a log, under their own names.
pub fn step_results(entries: &[RunResult], container: &str) -> Result<Vec<RunResult>, String> {
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.result_type == ResultType::STEP) {
        let Some((step, result)) = entry.key.split_once('.') else {
            return Err(format!(
                "invalid string {} : expected somtthing that looks like <stepName>.<resultName>",
                entry.key
            ));
        };
        if step == container {
            found.push(RunResult { key: result.to_owned(), ..entry.clone() });
        }
    }
    Ok(found)
}

/// What is wrong with a log.
pub(super) struct Unreadable {
    pub(super) text: String,
    /// A line is longer than a result may be.
    pub(super) is_oversized: bool,
}

/// Reads a log. A line that is too long ends the reading but keeps what came before; any other fault loses all.
pub(super) fn parse(log: &str, limit: i64) -> (Vec<RunResult>, Option<Unreadable>) {
    let limit = usize::try_from(limit).unwrap_or(0);
    let mut entries = Vec::new();
    let mut lines: Vec<&str> = log.split('\n').collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    for line in lines {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let length = line.len();
        if length > limit {
            let text = format!("{length} bytes results size exceeds configured limit of {limit} bytes");
            return (entries, Some(Unreadable { text, is_oversized: true }));
        }
        match entry(line) {
            Ok(entry) => entries.push(entry),
            Err(text) => return (Vec::new(), Some(Unreadable { text, is_oversized: false })),
        }
    }
    (entries, None)
}

fn entry(line: &str) -> Result<RunResult, String> {
    let value = json::parse(line.as_bytes()).map_err(|error| format!("invalid result \"\": {error}"))?;
    let text = |name: &str| match value.member(name) {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let kind = text("type");
    let result_type = match kind.as_str() {
        "task" => ResultType::TASK_RUN,
        "step" => ResultType::STEP,
        "stepArtifact" => ResultType::STEP_ARTIFACTS,
        "taskArtifact" => ResultType::TASK_RUN_ARTIFACTS,
        _ => {
            return Err(format!("invalid sidecar result type {kind}. Must be task or step or stepArtifact"));
        }
    };
    Ok(RunResult::new(text("name"), text("value"), result_type))
}
