//! `tekton pod --diff`: against files, lists and standard input, equal and not.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{examples, tekton, text};

/// The Pod of an example.
fn built() -> Value {
    let output = tekton(&["pod", "-f", "hello.yaml", "--output", "json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// Compares the Pod of the example with `other`, given on standard input.
fn compared(other: &Value) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tekton"))
        .args(["pod", "-f", "hello.yaml", "--diff", "-"])
        .current_dir(examples())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    stdin.write_all(other.to_string().as_bytes()).expect("the binary reads");
    drop(stdin);
    child.wait_with_output().expect("the binary ends")
}

#[test]
fn a_pod_does_not_differ_from_itself_in_a_list_of_others() {
    let mut other = built();
    other["metadata"]["name"] = "another".into();
    let output = compared(&json!({"kind": "List", "apiVersion": "v1", "items": [built()]}));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
    let output = compared(&json!({"kind": "PodList", "apiVersion": "v1", "items": [built(), other]}));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "pod another: in standard input only\n");
}

#[test]
fn what_a_cluster_adds_to_a_pod_is_no_difference() {
    let mut other = built();
    other["metadata"]["resourceVersion"] = "12".into();
    other["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05Z".into();
    other["status"] = json!({"phase": "Succeeded"});
    let spec = &mut other["spec"];
    spec["nodeName"] = "node-1".into();
    spec["serviceAccountName"] = "default".into();
    spec["dnsPolicy"] = "ClusterFirst".into();
    let token = "kube-api-access-x7k2p";
    spec["volumes"].as_array_mut().expect("a list").push(json!({"name": token, "projected": {"defaultMode": 420}}));
    let container = &mut spec["containers"][0];
    container["terminationMessagePolicy"] = "File".into();
    let mount = json!({"name": token, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true});
    container["volumeMounts"].as_array_mut().expect("a list").push(mount);
    let random = other.to_string().replace("script-0-", "script-0-9");
    let output = compared(&serde_json::from_str(&random).expect("still JSON"));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
}

#[test]
fn differences_are_told_by_container_and_field() {
    let mut other = built();
    other["metadata"]["name"] = "under-another-name".into();
    other["spec"]["containers"][0]["image"] = "busybox".into();
    other["spec"]["containers"][0]["env"] = json!([{"name": "GONE", "value": "1"}]);
    let output = compared(&other);
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output.stdout);
    let image = built()["spec"]["containers"][0]["image"].to_string();
    for line in [
        "  container step-greet env[GONE]: missing, expected {\"name\":\"GONE\",\"value\":\"1\"}\n".to_owned(),
        format!("  container step-greet image: expected \"busybox\", got {image}\n"),
    ] {
        assert!(report.contains(&line), "{report}");
    }
    assert!(report.contains("metadata.name: expected \"under-another-name\""), "{report}");
}

#[test]
fn a_file_without_a_pod_is_bad_input() {
    let output = compared(&json!({"kind": "Secret", "apiVersion": "v1"}));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("standard input: expected at least one Pod"), "{}", text(&output.stderr));
    let output = tekton(&["pod", "-f", "-", "--diff", "-"]);
    assert!(text(&output.stderr).contains("standard input can be read once"), "{}", text(&output.stderr));
}
