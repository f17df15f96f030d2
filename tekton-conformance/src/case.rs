//! One recorded case, and where the files of cases are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// One recorded call: what upstream was given and what it gave back.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// `<suite>-<12 hex digits>`.
    pub id: String,
    /// Name of the suite.
    #[serde(default)]
    pub suite: String,
    /// Where the recording came from; for people only.
    #[serde(default)]
    pub source: String,
    /// What upstream was given.
    pub input: Value,
    /// What upstream gave back.
    pub expect: Value,
    /// Fields of `expect` whose lists come in no fixed order.
    #[serde(default)]
    pub unordered: Vec<String>,
}

impl Case {
    /// A case made by hand, for tests of a binding.
    pub fn new(suite: &str, input: Value, expect: Value) -> Self {
        Self {
            id: format!("{suite}-by-hand"),
            suite: suite.to_owned(),
            source: String::new(),
            input,
            expect,
            unordered: Vec::new(),
        }
    }
}

/// The folder of recorded cases: `TEKTON_CONFORMANCE_DIR`, else `../shared/conformance` beside the workspace.
///
/// Returns `None` when there is no such folder.
pub fn cases_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("TEKTON_CONFORMANCE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance"), PathBuf::from);
    dir.is_dir().then_some(dir)
}

/// Names of all suites in `dir`, sorted.
pub fn suite_names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if let Some(suite) = name.to_str().and_then(|n| n.strip_suffix(".jsonl")) {
            names.push(suite.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads every case of one suite.
///
/// Errors: the file cannot be read, or a line is not a case.
pub fn read_suite(dir: &Path, suite: &str) -> io::Result<Vec<Case>> {
    let path = dir.join(format!("{suite}.jsonl"));
    let mut cases = Vec::new();
    let mut fixtures = BTreeMap::new();
    for (number, line) in BufReader::new(fs::File::open(&path)?).lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Value = serde_json::from_str(&line)
            .map_err(|e| io::Error::other(format!("{}:{}: not JSON: {e}", path.display(), number + 1)))?;
        if let Some(name) = line["fixture"].as_str() {
            fixtures.insert(name.to_owned(), line);
            continue;
        }
        let case = case_of(suite, line, &fixtures)
            .map_err(|e| io::Error::other(format!("{}:{}: not a case: {e}", path.display(), number + 1)))?;
        cases.push(case);
    }
    Ok(cases)
}

/// A transcript has steps instead of input and expectation: all of it is the input, with the fixtures that it names
/// under `fixtureLines`.
fn case_of(suite: &str, mut line: Value, fixtures: &BTreeMap<String, Value>) -> serde_json::Result<Case> {
    if line.get("steps").is_none() {
        return serde_json::from_value(line);
    }
    let named = line["fixtures"].as_array().into_iter().flatten().filter_map(|name| fixtures.get(name.as_str()?));
    line["fixtureLines"] = named.cloned().collect();
    let id = line["id"].as_str().unwrap_or_default().to_owned();
    Ok(Case {
        id,
        suite: suite.to_owned(),
        source: line["title"].to_string(),
        input: line,
        expect: Value::Null,
        unordered: Vec::new(),
    })
}
