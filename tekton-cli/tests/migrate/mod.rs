//! `tekton migrate` and `tekton schema`.

use std::fs;

use crate::{tekton, text};

const OLD: &str = "# build\napiVersion: tekton.dev/v1beta1\nkind: Task\nmetadata:\n  name: build\nspec:\n  params:\n  - name: x\n  steps:\n  - image: a\n    resources: {} # none\n    script: echo $(inputs.params.x)\n";

#[test]
fn migrate_shows_a_unified_diff_and_writes_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("task.yaml");
    fs::write(&file, OLD).unwrap();
    let path = file.to_str().unwrap();
    let shown = tekton(&["migrate", path]);
    let diff = text(&shown.stdout);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    assert!(diff.contains("-apiVersion: tekton.dev/v1beta1\n+apiVersion: tekton.dev/v1\n"), "{diff}");
    assert!(diff.contains("+    computeResources: {} # none\n"), "{diff}");
    assert_eq!(fs::read_to_string(&file).unwrap(), OLD);
    assert_eq!(tekton(&["migrate", "--check", path]).status.code(), Some(1));

    let written = tekton(&["migrate", "-w", path]);
    assert_eq!((written.status.code(), text(&written.stdout)), (Some(0), String::new()));
    assert!(text(&written.stderr).contains("1 document rewritten in 1 file"), "{}", text(&written.stderr));
    let new = OLD
        .replace("v1beta1", "v1")
        .replace("    resources", "    computeResources")
        .replace("inputs.params", "params");
    assert_eq!(fs::read_to_string(&file).unwrap(), new);
    assert_eq!(tekton(&["migrate", "--check", path]).status.code(), Some(0));
    assert_eq!(tekton(&["validate", path]).status.code(), Some(0));
}

#[test]
fn migrate_tells_file_line_and_replacement_of_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resource.yaml");
    fs::write(
        &file,
        "apiVersion: tekton.dev/v1alpha1\nkind: PipelineResource\nmetadata: {name: r}\nspec:\n  type: git\n",
    )
    .unwrap();
    let done = tekton(&["migrate", file.to_str().unwrap()]);
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1));
    assert!(told.contains("resource.yaml:5:9") && told.contains("git-clone"), "{told}");
    assert!(told.contains("1 thing left to you"), "{told}");
}

#[test]
fn schema_prints_one_kind_or_writes_all() {
    let task = tekton(&["schema", "task"]);
    let schema: serde_json::Value = serde_json::from_slice(&task.stdout).unwrap();
    assert_eq!(schema["properties"]["apiVersion"]["const"], "tekton.dev/v1");
    let old: serde_json::Value = serde_json::from_slice(&tekton(&["schema", "v1beta1/tasks"]).stdout).unwrap();
    assert_eq!(old["properties"]["apiVersion"]["const"], "tekton.dev/v1beta1");
    let unknown = tekton(&["schema", "pods"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("PipelineRun"));

    let folder = tempfile::tempdir().unwrap();
    let written = tekton(&["schema", "--output-dir", folder.path().to_str().unwrap()]);
    assert_eq!(written.status.code(), Some(0));
    for name in ["task.json", "pipelinerun-v1beta1.json", "customrun.json", "tekton.json"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}
