//! `tekton explain` on objects as `tekton run -o json` prints them.

use std::io::Write as _;

use super::*;

const LIST: &str = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": {"name": "ci", "namespace": "default"},
   "spec": {"pipelineSpec": {"tasks": [
     {"name": "build", "taskRef": {"name": "t"}},
     {"name": "test", "taskRef": {"name": "t"}, "runAfter": ["build"]}]}},
   "status": {
     "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running", "message": "Incomplete: 2"}],
     "childReferences": [{"kind": "TaskRun", "name": "ci-build", "pipelineTaskName": "build"}]}},
  {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": "ci-build", "namespace": "default"},
   "spec": {}, "status": {"podName": "p",
     "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Pending", "message": "the Pod is pending"}],
     "steps": [{"name": "compile", "waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}]}}
]}"#;

fn explain(arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tekton"))
        .args(["explain", "-f", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("standard input is piped").write_all(LIST.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[test]
fn explain_leads_from_a_waiting_task_to_the_image_that_cannot_be_pulled() {
    let output = explain(&["--task", "test"]);
    assert_eq!(
        text(&output.stdout),
        "○ task test waits for build\n  \
           ● task build is running\n    \
             ○ TaskRun ci-build waits for its Pod: Pending: the Pod is pending\n      \
               ○ step compile cannot start: ImagePullBackOff: no such image\n"
    );
    let whole: Value = serde_json::from_slice(&explain(&["-o", "json"]).stdout).expect("it is JSON");
    assert_eq!(whole["subject"], "PipelineRun ci");
    assert_eq!(whole["because"][1]["text"], "waits for build");
    assert_eq!(whole["because"][0]["because"][0]["because"][0]["state"], "waiting");
}

#[test]
fn explain_names_what_it_does_not_find() {
    for (arguments, message) in [
        (["nope", "-o", "text"], "there is no run called nope"),
        (["--task", "nope", "ci"], "the run has no task nope"),
        (["--task", "build", "tr/ci-build"], "--task is for PipelineRuns"),
        (["pod/ci", "-o", "text"], "pod is no kind of run"),
    ] {
        let output = explain(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
    }
}
