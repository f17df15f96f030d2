//! The `tekton` command as a person uses it: real files in, exit codes, texts and objects out.
//!
//! Where this machine does not permit namespaces, the tests that run steps print that they were skipped.

mod migrate;
mod validate;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/fail_fast.rs"]
mod fail_fast;
#[path = "cli/history.rs"]
mod history;
#[path = "cli/killed.rs"]
mod killed;
#[path = "cli/kubectl.rs"]
mod kubectl;
#[path = "cli/pod_diff.rs"]
mod pod_diff;
#[path = "cli/sign.rs"]
mod sign;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/yaml")
}

/// The command, which keeps its runs where no other program looks.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekton"));
    // Images are not to be had everywhere.
    command.env("TEKTON_RUNTIME", "host");
    command.current_dir(examples()).env("XDG_STATE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"));
    command
}

fn tekton(arguments: &[&str]) -> Output {
    command().args(arguments).stdin(Stdio::null()).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether steps can run here; says so when not.
fn namespaces_work() -> bool {
    let works = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        eprintln!("skipped: this machine does not permit user, mount and pid namespaces");
    }
    works
}

/// What a run of an example shall come to.
struct Expected {
    file: &'static str,
    arguments: &'static [&'static str],
    code: i32,
    /// Reason of the condition `Succeeded` of the run; empty when the file is refused before it runs.
    reason: &'static str,
    /// A part of the message, or of standard error when the file is refused.
    message: &'static str,
    /// Pointers into the printed list with the values that stand there.
    holds: &'static [(&'static str, &'static str)],
}

const RUNS: &[Expected] = &[
    Expected {
        file: "hello.yaml",
        arguments: &["-p", "name=Tekton"],
        code: 0,
        reason: "Succeeded",
        message: "All Steps have completed executing",
        holds: &[("/items/0/kind", "TaskRun"), ("/items/0/status/steps/1/terminationReason", "Completed")],
    },
    Expected {
        file: "params.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "All Steps have completed executing",
        holds: &[],
    },
    Expected {
        file: "results.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 0",
        holds: &[
            ("/items/0/kind", "PipelineRun"),
            ("/items/0/status/results/0/value", "1.4.2"),
            ("/items/0/status/results/1/value", "linux/amd64"),
            ("/items/0/status/results/2/value/digest", "sha256:4f53cda1"),
            ("/items/1/kind", "TaskRun"),
            ("/items/1/metadata/labels/tekton.dev~1pipelineTask", "version"),
        ],
    },
    Expected {
        file: "diamond.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 4 (Failed: 0, Cancelled 0), Skipped: 0",
        holds: &[],
    },
    Expected {
        file: "when.yaml",
        arguments: &[],
        code: 0,
        reason: "Completed",
        message: "Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 2",
        holds: &[
            ("/items/0/status/skippedTasks/0/name", "deploy"),
            ("/items/0/status/skippedTasks/0/reason", "When Expressions evaluated to false"),
        ],
    },
    Expected {
        file: "when.yaml",
        arguments: &["-p", "branch=main"],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 4 (Failed: 0, Cancelled 0), Skipped: 0",
        holds: &[],
    },
    Expected {
        file: "finally.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 4 (Failed: 1 (Ignored: 1), Cancelled 0), Skipped: 0",
        holds: &[],
    },
    Expected {
        file: "retries.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 1 (Failed: 0, Cancelled 0), Skipped: 0",
        holds: &[("/items/1/status/retriesStatus/1/conditions/0/reason", "StepFailed")],
    },
    Expected {
        file: "workspaces.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 2",
        holds: &[("/items/0/status/results/0/value", "green")],
    },
    Expected {
        file: "credentials.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "All Steps",
        holds: &[("/items/0/status/results/0/value", "builder")],
    },
    Expected {
        file: "cache.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 3 (Failed: 0",
        holds: &[],
    },
    Expected { file: "sidecar.yaml", arguments: &[], code: 0, reason: "Succeeded", message: "All Steps", holds: &[] },
    Expected {
        file: "stepaction.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "All Steps",
        holds: &[("/items/0/status/results/0/name", "sum")],
    },
    Expected { file: "scripts.yaml", arguments: &[], code: 0, reason: "Succeeded", message: "All Steps", holds: &[] },
    Expected {
        file: "matrix.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 0",
        holds: &[("/items/4/metadata/labels/tekton.dev~1pipelineTask", "test")],
    },
    Expected { file: "on-error.yaml", arguments: &[], code: 0, reason: "Succeeded", message: "All Steps", holds: &[] },
    Expected {
        file: "step-template.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "All Steps",
        holds: &[],
    },
    Expected {
        file: "ci.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 5 (Failed: 0, Cancelled 0), Skipped: 0",
        holds: &[("/items/0/status/results/1/name", "archive")],
    },
    Expected {
        file: "custom-tasks.yaml",
        arguments: &[],
        code: 0,
        reason: "Succeeded",
        message: "Tasks Completed: 3 (Failed: 0, Cancelled 0), Skipped: 0",
        holds: &[
            ("/items/0/status/results/0/value", "tests in 4 shards"),
            ("/items/1/kind", "CustomRun"),
            ("/items/1/status/conditions/0/reason", "DurationElapsed"),
            ("/items/2/status/results/0/value", "true"),
        ],
    },
    Expected {
        file: "custom-tasks.yaml",
        arguments: &["-p", "branch=main"],
        code: 0,
        reason: "Completed",
        message: "Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 1",
        holds: &[("/items/2/status/conditions/0/reason", "EvaluationSuccess")],
    },
    Expected {
        file: "failures/failing-step.yaml",
        arguments: &[],
        code: 1,
        reason: "StepFailed",
        message: "\"step-second\" exited with code 7: Error",
        holds: &[("/items/0/status/steps/1/terminated/exitCode", "7")],
    },
    Expected {
        file: "failures/missing-param.yaml",
        arguments: &[],
        code: 1,
        reason: "ParameterMissing",
        message: "missing some parameters required by Pipeline default/needs-a-param: pipelineRun missing parameters: [revision]",
        holds: &[],
    },
    Expected {
        file: "failures/unknown-task.yaml",
        arguments: &[],
        code: 1,
        reason: "CouldntGetTask",
        message: "tasks.tekton.dev \"no-such-task\" not found",
        holds: &[],
    },
    Expected {
        file: "failures/cycle.yaml",
        arguments: &[],
        code: 2,
        reason: "",
        message: "cycle detected; task \"egg\" depends on \"hen\"",
        holds: &[],
    },
    Expected {
        file: "failures/missing-result.yaml",
        arguments: &[],
        code: 1,
        reason: "PipelineValidationFailed",
        message: "did not emit the result \"version\", which is referenced by task \"needy\"",
        holds: &[],
    },
    Expected {
        file: "failures/bad-duration.yaml",
        arguments: &[],
        code: 2,
        reason: "",
        message: "10 minutes",
        holds: &[],
    },
    Expected {
        file: "failures/timeout.yaml",
        arguments: &[],
        code: 1,
        reason: "Failed",
        message: "Failed: 1",
        holds: &[("/items/1/status/conditions/0/reason", "TaskRunTimeout")],
    },
    Expected {
        file: "failures/killed.yaml",
        arguments: &[],
        code: 1,
        reason: "StepFailed",
        message: "\"step-suicidal\" exited with code 255: Error",
        holds: &[],
    },
    Expected {
        file: "failures/large-result.yaml",
        arguments: &[],
        code: 1,
        reason: "StepFailed",
        message: "\"step-write\" exited with code 1: Error",
        holds: &[],
    },
];

fn check(expected: &Expected) -> Result<(), String> {
    let mut arguments = vec!["run", "-f", expected.file, "--output", "json"];
    arguments.extend(expected.arguments);
    let output = tekton(&arguments);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let fail = |why: String| Err(format!("{}: {why}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", expected.file));
    if output.status.code() != Some(expected.code) {
        return fail(format!("exit code {:?}, expected {}", output.status.code(), expected.code));
    }
    if expected.reason.is_empty() {
        return if stderr.contains(expected.message) {
            Ok(())
        } else {
            fail(format!("no {:?} in stderr", expected.message))
        };
    }
    let Ok(list) = serde_json::from_str::<Value>(&stdout) else {
        return fail("stdout is not one JSON document".into());
    };
    let condition = &list["items"][0]["status"]["conditions"][0];
    if condition["reason"] != expected.reason {
        return fail(format!("reason {}, expected {}", condition["reason"], expected.reason));
    }
    if !condition["message"].as_str().unwrap_or_default().contains(expected.message) {
        return fail(format!("message {}, expected {}", condition["message"], expected.message));
    }
    for (pointer, value) in expected.holds {
        let found = match list.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        if found != *value {
            return fail(format!("{pointer} is {found:?}, expected {value:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_example_ends_as_it_says() {
    if !namespaces_work() {
        return;
    }
    let failures: Vec<String> = RUNS.iter().filter_map(|expected| check(expected).err()).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), RUNS.len(), failures.join("\n\n"));
}

#[test]
fn every_example_is_in_the_table() {
    for folder in ["", "failures"] {
        for entry in std::fs::read_dir(examples().join(folder)).expect("the examples are there") {
            let path = entry.expect("the folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let name = path.strip_prefix(examples()).expect("it is below").display().to_string();
                assert!(RUNS.iter().any(|expected| expected.file == name), "{name} is not in the table");
            }
        }
    }
}

#[test]
fn an_interrupt_cancels_the_run_and_finally_still_runs() {
    if namespaces_work() {
        is_cancelled_by("-INT");
    }
}

#[test]
fn a_service_manager_that_asks_a_run_to_end_cancels_it() {
    if namespaces_work() {
        is_cancelled_by("-TERM");
    }
}

/// A run of a minute is told to end by a signal while its step goes on.
fn is_cancelled_by(signal: &str) {
    let manifest = "\
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: long}
spec:
  pipelineSpec:
    tasks:
      - name: slow
        taskSpec:
          steps: [{name: sleep, image: busybox, script: 'echo begun; sleep 60'}]
    finally:
      - name: tidy
        taskSpec:
          steps: [{name: tidy, image: busybox, script: 'echo tidied'}]
";
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("long.yaml");
    std::fs::write(&file, manifest).expect("the file can be written");
    let started = Instant::now();
    let mut child = command()
        .args(["run", "--output", "json", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stderr = child.stderr.take().expect("it is piped");
    let pid = child.id().to_string();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
    let begun = lines.by_ref().map_while(Result::ok).any(|line| line.contains("begun"));
    assert!(begun, "the step never began");
    assert!(Command::new("kill").args([signal, &pid]).status().expect("kill is there").success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("tidied")), "{rest:?}");
    let list: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON document");
    assert_eq!(list["items"][0]["status"]["conditions"][0]["reason"], "Cancelled");
    assert!(started.elapsed() < Duration::from_secs(45), "it waited for the step");
}

#[test]
fn a_volume_that_the_node_cannot_mount_is_told_while_the_run_waits() {
    if !namespaces_work() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.yaml");
    let run = "\
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: r}
spec:
  timeout: 3s
  workspaces: [{name: keys, csi: {driver: keys.example.com}}]
  taskSpec:
    workspaces: [{name: keys}]
    steps: [{name: s, image: busybox, script: 'true'}]
";
    std::fs::write(&file, run).expect("the file can be written");
    let output = tekton(&["run", "--no-history", "-f", &file.display().to_string()]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("TaskRun r: waits: "), "{said}");
    assert!(said.contains("volumes of kind csi are not supported by the local node"), "{said}");
}

#[test]
fn custom_tasks_that_nobody_runs_are_told_at_once_and_once() {
    if !namespaces_work() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.yaml");
    let task = |name: &str| format!("{{name: {name}, taskRef: {{apiVersion: shop.example/v1, kind: Release}}}}");
    let run = format!(
        "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {{name: r}}\nspec:\n  timeouts: {{pipeline: 2s}}\n  pipelineSpec:\n    tasks: [{}, {}]\n",
        task("first"),
        task("second")
    );
    std::fs::write(&file, run).expect("the folder can be written");
    let output = tekton(&["run", "--quiet", "-f", &file.display().to_string()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stderr = text(&output.stderr);
    let warning = "warning: nothing here carries out CustomRuns of Release (shop.example/v1): r-";
    assert_eq!(stderr.matches(warning).count(), 1, "{stderr}");
}

#[test]
fn a_workspace_can_be_a_directory_of_this_machine_and_nothing_else_is_written() {
    if !namespaces_work() {
        return;
    }
    let manifest = "\
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: bind}
spec:
  workspaces: [{name: source}]
  steps:
    - name: write
      image: busybox
      workingDir: $(workspaces.source.path)
      script: |
        echo made > made.txt
        if touch /etc/made 2>/dev/null; then echo 'the root can be written'; exit 1; fi
";
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("task.yaml");
    std::fs::write(&file, manifest).expect("the file can be written");
    let bound = folder.path().join("bound");
    std::fs::create_dir(&bound).expect("a folder can be made");
    let workspace = format!("source={}", bound.display());
    let output = tekton(&["run", "-f", &file.display().to_string(), "-w", &workspace]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(std::fs::read_to_string(bound.join("made.txt")).expect("the step wrote it"), "made\n");
}

#[test]
fn bad_usage_and_missing_files_exit_with_two() {
    for arguments in [&["run", "-f", "no-such-file.yaml"][..], &["run"], &["run", "-f", "hello.yaml", "-p", "novalue"]]
    {
        let output = tekton(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_graph_is_drawn_in_five_ways() {
    let ascii = text(&tekton(&["graph", "diamond.yaml"]).stdout);
    assert_eq!(ascii, "1  fetch\n2  lint     ← fetch\n   compile  ← fetch\n3  package  ← compile, lint\n");
    assert!(text(&tekton(&["graph", "diamond.yaml", "--format", "mermaid"]).stdout).starts_with("flowchart LR\n"));
    assert!(text(&tekton(&["graph", "diamond.yaml", "--format", "dot"]).stdout).contains("\"fetch\" -> \"lint\""));
    assert_eq!(text(&tekton(&["graph", "diamond.yaml", "--format", "svg"]).stdout).matches("<path").count(), 4);
    let json = text(&tekton(&["graph", "diamond.yaml", "--format", "json"]).stdout);
    assert!(json.contains(r#""after":["fetch"]"#) && json.contains(r#""level":3"#), "{json}");
}

#[test]
fn the_pod_of_a_task_is_printed() {
    let output = tekton(&["pod", "-f", "hello.yaml", "--output", "json"]);
    let pod: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_eq!(pod["kind"], "Pod");
    assert_eq!(pod["spec"]["containers"][0]["name"], "step-greet");
    assert_eq!(pod["spec"]["initContainers"][0]["name"], "prepare");
}

#[test]
fn the_definitions_of_all_kinds_are_printed() {
    let crds = text(&tekton(&["crds"]).stdout);
    for name in ["tasks", "taskruns", "pipelines", "pipelineruns", "customruns", "stepactions"] {
        assert!(crds.contains(&format!("name: {name}.tekton.dev")), "{name} is not there");
    }
}

#[test]
fn validate_names_file_line_and_fix() {
    let output = tekton(&["validate", "failures/bad-duration.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output.stdout);
    assert!(report.contains("failures/bad-duration.yaml:6"), "{report}");
}
