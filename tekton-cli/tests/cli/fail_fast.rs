//! `tekton run --fail-fast`.

use std::io::Write as _;

use super::*;

/// `ignored` fails first and counts for nothing; `build` fails once `slow` runs; `tidy` stands under `finally`.
const MANIFEST: &str = "\
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: ci}
spec:
  pipelineSpec:
    tasks:
      - name: ignored
        onError: continue
        taskSpec:
          steps: [{name: fail, image: busybox, script: 'exit 1'}]
      - name: build
        runAfter: [ignored]
        retries: 1
        taskSpec:
          steps: [{name: fail, image: busybox, script: 'exit 1'}]
      - name: slow
        taskSpec:
          steps: [{name: sleep, image: busybox, script: 'sleep 30'}]
    finally:
      - name: tidy
        taskSpec:
          steps: [{name: tidy, image: busybox, script: 'echo tidied'}]
";

fn run(manifest: &str) -> Output {
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file can be made");
    file.write_all(manifest.as_bytes()).expect("the file can be written");
    tekton(&["run", "--no-history", "--fail-fast", "-o", "json", "-f", &file.path().display().to_string()])
}

#[test]
fn the_first_failure_that_counts_cancels_the_siblings_and_finally_still_runs() {
    if !namespaces_work() {
        return;
    }
    let output = run(MANIFEST);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let list: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON document");
    let condition = &list["items"][0]["status"]["conditions"][0];
    assert_eq!(condition["reason"], "Failed", "{stderr}");
    let tally = "Tasks Completed: 4 (Failed: 2 (Ignored: 1), Cancelled 1), Skipped: 0";
    assert_eq!(condition["message"], tally, "{stderr}");
    let task_run = |task: &str| {
        let items = list["items"].as_array().expect("it is a list");
        let found = items.iter().find(|item| item["metadata"]["labels"]["tekton.dev/pipelineTask"] == task);
        found.unwrap_or_else(|| panic!("{task} never began: {stderr}"))
    };
    let reason = |task: &str| &task_run(task)["status"]["conditions"][0]["reason"];
    assert_eq!(*reason("slow"), "TaskRunCancelled");
    assert_eq!(*reason("build"), "StepFailed");
    assert_eq!(*reason("tidy"), "Succeeded");
    assert_eq!(task_run("build")["status"]["retriesStatus"].as_array().map(Vec::len), Some(1));
    let why = "TaskRun cancelled as task \"build\" of the PipelineRun it belongs to has failed (--fail-fast).";
    assert_eq!(task_run("slow")["spec"]["statusMessage"], why);
    let told = "--fail-fast: task \"build\" of PipelineRun ci failed; cancelling \"slow\"";
    assert!(stderr.lines().any(|line| line == told), "{stderr}");
}

#[test]
fn a_lone_task_run_has_no_siblings_to_cancel() {
    let task = "{apiVersion: tekton.dev/v1, kind: Task, metadata: {name: t}, \
                spec: {steps: [{name: s, image: busybox, script: 'true'}]}}";
    let output = run(task);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--fail-fast is for PipelineRuns"), "{}", text(&output.stderr));
}
