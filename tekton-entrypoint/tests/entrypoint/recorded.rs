//! The recorded black-box scenarios, run by the runner that is beside them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SUITES: [&str; 4] = ["entrypoint", "nop", "workingdirinit", "sidecarlogresults"];

fn cases() -> Option<PathBuf> {
    let dir = std::env::var_os("TEKTON_CONFORMANCE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance"), PathBuf::from);
    dir.join("entrypoint_runner.py").is_file().then_some(dir)
}

#[test]
fn every_recorded_scenario_comes_out_as_upstream_s() {
    let Some(cases) = cases() else {
        eprintln!("skipped: no folder of recorded cases; name one with TEKTON_CONFORMANCE_DIR");
        return;
    };
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: the runner of the scenarios needs python3");
        return;
    }
    let scratch = tempfile::tempdir().expect("a scratch directory can be made");
    for suite in SUITES {
        // The binary acts by the name that it is called by.
        let binary = scratch.path().join(suite);
        fs::copy(env!("CARGO_BIN_EXE_tekton-entrypoint"), &binary).expect("the binary can be copied");
        let outcome = Command::new("python3")
            .arg(cases.join("entrypoint_runner.py"))
            .arg(&binary)
            .arg(cases.join(format!("{suite}-scenarios.jsonl")))
            // Upper bounds of time are for an idle machine, which one that runs tests is not.
            .args(["-q", "--slow", "3", "--retries", "2"])
            .output()
            .expect("the runner can be started");
        let printed = String::from_utf8_lossy(&outcome.stdout);
        assert!(outcome.status.success(), "{suite}:\n{printed}{}", String::from_utf8_lossy(&outcome.stderr));
    }
}
