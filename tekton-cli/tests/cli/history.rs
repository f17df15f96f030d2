//! Runs that are kept: listed, described, their logs read, deleted and pruned, with a server and without.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::kubectl::Server;
use super::{command, namespaces_work, text};

/// The command over the state of one test; its standard output.
fn ask(state: &Path, arguments: &[&str]) -> String {
    let output =
        command().args(arguments).env("XDG_STATE_HOME", state).stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn names(state: &Path) -> Vec<String> {
    ask(state, &["list", "-o", "name"]).lines().map(str::to_owned).collect()
}

#[test]
fn runs_are_listed_described_and_deleted_after_they_have_ended() {
    if !namespaces_work() {
        return;
    }
    let state = tempfile::tempdir().expect("a folder can be made");
    let state = state.path();
    assert!(names(state).is_empty());
    for arguments in [&["run", "-q", "-f", "params.yaml"][..], &["run", "-q", "-f", "params.yaml"]] {
        ask(state, arguments);
    }
    ask(state, &["run", "-q", "-f", "results.yaml"]);
    ask(state, &["run", "-q", "--no-history", "-f", "results.yaml"]);
    let kept = names(state);
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(kept[0].starts_with("pipelinerun/"), "the newest comes first: {kept:?}");
    assert_eq!(kept.iter().filter(|name| name.starts_with("taskrun/describe-image")).count(), 2, "{kept:?}");

    let table = ask(state, &["list"]);
    let head: Vec<&str> = table.lines().next().expect("a head").split_whitespace().collect();
    assert_eq!(head, ["NAME", "KIND", "STARTED", "DURATION", "STATUS"]);
    assert_eq!(table.matches("Succeeded").count(), 3, "{table}");
    let list: Value = serde_json::from_str(&ask(state, &["list", "taskrun", "-o", "json"])).expect("JSON");
    let items = list["items"].as_array().expect("a list");
    assert!(items.len() > 2, "TaskRuns of PipelineRuns are listed when TaskRuns are asked for");

    let page = ask(state, &["describe"]);
    for part in ["Kind:            PipelineRun", "Tasks\n", "Results\n", "Message\n", "Events\n", "Succeeded"] {
        assert!(page.contains(part), "{part} is missing:\n{page}");
    }
    let logs = ask(state, &["logs", "describe-image-2"]);
    assert!(logs.contains("[array-as-arguments] "), "{logs}");
    assert_eq!(ask(state, &["logs", "describe-image", "--step", "no-such-step"]), "");
    assert!(ask(state, &["describe", "taskrun/describe-image-2"]).contains("Pod:             describe-image-2-pod"));

    let pods = || std::fs::read_dir(state.join("tekton/pods")).map_or(0, Iterator::count);
    let before = pods();
    assert_eq!(ask(state, &["delete", "taskrun/describe-image"]), "taskrun/describe-image deleted\n");
    assert_eq!(pods(), before - 1, "the logs go with the run");
    let unknown =
        command().args(["describe", "describe-image"]).env("XDG_STATE_HOME", state).output().expect("it starts");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is no run named describe-image"));

    assert!(ask(state, &["prune", "--keep", "1", "--dry-run"]).contains("describe-image-2 would be deleted"));
    assert_eq!(ask(state, &["prune", "--keep-since", "1h"]), "");
    ask(state, &["prune", "--keep", "1"]);
    assert_eq!(names(state), [kept[0].clone()]);
    ask(state, &["delete", "--all"]);
    assert!(names(state).is_empty());
    assert_eq!(pods(), 0);
}

#[test]
fn a_data_directory_is_read_through_the_server_that_has_it_open_and_without_one() {
    if !namespaces_work() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let data = folder.path().join("data");
    let data_dir = ["--data-dir", data.to_str().expect("text")];
    let ask = |arguments: &[&str]| ask(folder.path(), &[arguments, &data_dir].concat());
    let manifest = "\
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: slow}
spec:
  taskSpec:
    steps:
      - {name: begin, image: busybox, script: 'echo begun'}
      - {name: wait, image: busybox, script: 'sleep 1; echo waited'}
";
    let file = folder.path().join("slow.yaml");
    std::fs::write(&file, manifest).expect("the file can be written");
    ask(&["run", "-q", "-f", file.to_str().expect("text")]);
    assert!(ask(&["list"]).contains("slow"));
    let again = command().args(["run", "-q", "-f"]).arg(&file).args(data_dir).output().expect("it starts");
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("remove it with `tekton delete`"), "{}", text(&again.stderr));

    let server = Server::start(folder.path(), &data_dir);
    assert!(ask(&["list"]).contains("Succeeded"), "through the server");
    ask(&["delete", "slow"]);
    server.kubectl(&["create", "-f", file.to_str().expect("text")]);
    let followed = ask(&["logs", "-f", "slow"]);
    assert_eq!(followed, "[begin] begun\n[wait] waited\n");
    server.kubectl(&["create", "configmap", "kept", "--from-literal=a=b"]);
    let refused = command().args(["run", "-q", "-f"]).arg(&file).args(data_dir).output().expect("it starts");
    assert!(text(&refused.stderr).contains("is in use by another process"), "{}", text(&refused.stderr));
    drop(server);

    assert!(!data.join("server.kubeconfig").exists());
    assert_eq!(ask(&["logs", "slow"]), "[begin] begun\n[wait] waited\n");
    let server = Server::start(folder.path(), &data_dir);
    assert_eq!(server.kubectl(&["get", "configmap", "kept", "-o", "jsonpath={.data.a}"]), "b");
    assert!(server.kubectl(&["logs", "slow-pod", "-c", "step-wait"]).contains("waited"));
}
