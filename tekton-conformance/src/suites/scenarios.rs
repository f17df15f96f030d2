//! Suites of black-box scenarios: the entrypoint and its companions as built programs.
//!
//! The runner beside the recordings sets each scenario up and compares; it is started once a suite, and each case
//! looks its verdict up. The binary is the one that `TEKTON_ENTRYPOINT` names, or is built.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
};

use crate::{Case, cases_dir};

/// What the runner said of each scenario, by its source; nothing means that it passed.
pub(super) type Verdicts = BTreeMap<String, Option<String>>;

pub(super) fn check(case: &Case) -> Result<(), String> {
    static RUNS: Mutex<BTreeMap<String, Result<Verdicts, String>>> = Mutex::new(BTreeMap::new());
    let mut runs = RUNS.lock().map_err(|_| "an earlier case of this suite panicked")?;
    let run = runs.entry(case.suite.clone()).or_insert_with(|| run(&case.suite));
    match run.as_ref().map_err(Clone::clone)?.get(&case.source) {
        Some(None) => Ok(()),
        Some(Some(differences)) => Err(differences.clone()),
        None => Err("the runner skipped this scenario".to_owned()),
    }
}

fn run(suite: &str) -> Result<Verdicts, String> {
    let cases = cases_dir().ok_or("there is no folder of recorded cases")?;
    run_file(suite.strip_suffix("-scenarios").unwrap_or(suite), &cases.join(format!("{suite}.jsonl")))
}

/// Runs scenarios of the entrypoint that are not in a file of their own.
pub(super) fn run_lines(name: &str, lines: &str) -> Result<Verdicts, String> {
    let path = std::env::temp_dir().join(format!("tekton-scenarios-{}-{name}.jsonl", std::process::id()));
    let failed = |error: std::io::Error| format!("failed to write down the scenarios: {error}");
    std::fs::write(&path, lines).map_err(failed)?;
    let verdicts = run_file("entrypoint", &path);
    std::fs::remove_file(&path).map_err(failed)?;
    verdicts
}

fn run_file(name: &str, scenarios: &Path) -> Result<Verdicts, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("failed to {what}: {error}");
    let cases = cases_dir().ok_or("there is no folder of recorded cases")?;
    // The binary acts by the name that it is called by, so it gets one in a directory of its own.
    let of = scenarios.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scratch = std::env::temp_dir().join(format!("tekton-scenarios-{}-{of}", std::process::id()));
    std::fs::create_dir_all(&scratch).map_err(|error| failed("make a scratch directory", &error))?;
    let binary = scratch.join(name);
    std::fs::copy(entrypoint()?, &binary).map_err(|error| failed("copy the entrypoint", &error))?;
    let outcome = Command::new("python3")
        .arg(cases.join("entrypoint_runner.py"))
        .arg(&binary)
        .arg(scenarios)
        // Upper bounds of time are for an idle machine, which one that builds and tests is not.
        .args(["--slow", "3", "--retries", "2"])
        .output()
        .map_err(|error| failed("start python3 for the runner of scenarios", &error))?;
    // What is left of the scratch directory is the system's to clean up.
    let _ = std::fs::remove_dir_all(&scratch);
    Ok(verdicts(&String::from_utf8_lossy(&outcome.stdout)))
}

/// Reads the runner's lines: `PASS source …`, `FAIL source …` and indented differences. A later verdict wins,
/// because failed scenarios are run again.
fn verdicts(printed: &str) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let mut failing = None;
    for line in printed.lines() {
        let mut words = line.split_whitespace();
        match (line.starts_with(' '), words.next(), words.next()) {
            (false, Some("PASS"), Some(source)) => {
                verdicts.insert(source.to_owned(), None);
                failing = None;
            }
            (false, Some("FAIL"), Some(source)) => {
                verdicts.insert(source.to_owned(), Some(String::new()));
                failing = Some(source.to_owned());
            }
            (true, ..) if line.starts_with("        ") => {
                if let Some(Some(differences)) = failing.as_ref().and_then(|source| verdicts.get_mut(source)) {
                    differences.push_str(line.trim_start());
                    differences.push('\n');
                }
            }
            _ => failing = None,
        }
    }
    verdicts
}

/// The binary under test, built once if need be.
fn entrypoint() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os("TEKTON_ENTRYPOINT").map_or_else(build, |path| Ok(path.into()))).clone()
}

fn build() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("failed to find this program: {error}"))?;
    let mut directory = own.parent().ok_or("this program is in no directory")?;
    if directory.ends_with("deps") {
        directory = directory.parent().unwrap_or(directory);
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "-p", "tekton-entrypoint", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    cargo.arg("--target-dir").arg(directory.parent().unwrap_or(directory));
    if directory.ends_with("release") {
        cargo.arg("--release");
    }
    match cargo.status() {
        Ok(status) if status.success() => Ok(directory.join("tekton-entrypoint")),
        Ok(status) => Err(format!("failed to build the entrypoint: {status}")),
        Err(error) => Err(format!("failed to start cargo: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::verdicts;

    #[test]
    fn the_last_verdict_on_a_scenario_counts() {
        let found = verdicts(
            "FAIL blackbox:a/b  (0.1s)  title\n        x: want 1\n--- retry 1: 1\nPASS blackbox:a/b  (0.1s)\nFAIL blackbox:c/d  (1s)\n        y\n\n  group  1/2\n",
        );
        assert_eq!(found["blackbox:a/b"], None);
        assert_eq!(found["blackbox:c/d"].as_deref(), Some("y\n"));
    }
}
