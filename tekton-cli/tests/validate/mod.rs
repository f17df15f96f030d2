//! `tekton validate`.

use std::fs;

use crate::{tekton, text};

const TASK: &str = "\
# builds
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: build}
spec:
  params:
  - name: url
  steps:
  - name: clone # it
    image: alpine/git:v2
    scirpt: |
      git clone \"$(params.url)\"
";

#[test]
fn fix_mends_files_in_place_and_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("task.yaml");
    fs::write(&file, TASK).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(tekton(&["validate", path]).status.code(), Some(1));
    let done = tekton(&["validate", "--lint", "--fix", path]);
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{}{told}", text(&done.stdout));
    assert!(told.contains("fixed[unknown-field]") && told.contains("task.yaml:11:5: rename it to script"), "{told}");
    assert!(told.contains("fixed[param-in-script]"), "{told}");
    let expected = TASK
        .replace("    scirpt: |\n", "    env:\n    - name: PARAM_URL\n      value: $(params.url)\n    script: |\n")
        .replace("\"$(params.url)\"", "\"${PARAM_URL}\"");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    assert!(text(&done.stdout).contains("0 errors, 0 warnings"), "{}", text(&done.stdout));
}

#[test]
fn many_files_are_told_in_their_order_whatever_core_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..40 {
        let task = TASK.replace("scirpt", if index % 2 == 0 { "script" } else { "scirpt" });
        fs::write(folder.path().join(format!("{index:02}.yaml")), task).unwrap();
    }
    fs::write(folder.path().join("other.yaml"), "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n").unwrap();
    let once = tekton(&["validate", "-o", "github", folder.path().to_str().unwrap()]);
    let told = text(&once.stdout);
    let files: Vec<&str> =
        told.lines().filter_map(|line| line.split_once("file=")?.1.split_once(',')).map(|(f, _)| f).collect();
    assert_eq!(files.len(), 20, "{told}");
    assert!(files.is_sorted(), "{told}");
    let human = tekton(&["validate", folder.path().to_str().unwrap()]);
    assert!(
        text(&human.stdout).contains("40 objects checked: 20 errors, 0 warnings; 1 document of other APIs passed over")
    );
}

#[test]
fn sarif_names_rules_places_and_fixes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a task.yaml");
    fs::write(&file, TASK).unwrap();
    let done = tekton(&["validate", "-o", "sarif", file.to_str().unwrap()]);
    let sarif: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "unknown-field");
    let result = &run["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&11.into(), &5.into()));
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("a%20task.yaml"));
    assert_eq!(result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "script");
}

#[test]
fn explain_says_what_a_code_means() {
    let known = tekton(&["validate", "--explain", "param-in-script"]);
    assert_eq!(known.status.code(), Some(0));
    assert!(text(&known.stdout).contains("environment") && text(&known.stdout).contains("--fix"));
    let unknown = tekton(&["validate", "--explain", "nope"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("param-in-script"));
}

#[test]
fn a_file_that_cannot_be_read_is_bad_usage() {
    assert_eq!(tekton(&["validate", "/nonexistent.yaml"]).status.code(), Some(2));
    assert_eq!(tekton(&["validate"]).status.code(), Some(2));
}
