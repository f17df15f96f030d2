//! One recorded case, and where the files of cases are.

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
    pub suite: String,
    /// Where the recording came from; for people only.
    #[serde(default)]
    pub source: String,
    /// What upstream was given.
    pub input: Value,
    /// What upstream gave back.
    pub expect: Value,
}

impl Case {
    /// A case made by hand, for tests of a binding.
    pub fn new(suite: &str, input: Value, expect: Value) -> Self {
        Self { id: format!("{suite}-by-hand"), suite: suite.to_owned(), source: String::new(), input, expect }
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
    for (number, line) in BufReader::new(fs::File::open(&path)?).lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let case = serde_json::from_str(&line)
            .map_err(|e| io::Error::other(format!("{}:{}: not a case: {e}", path.display(), number + 1)))?;
        cases.push(case);
    }
    Ok(cases)
}
