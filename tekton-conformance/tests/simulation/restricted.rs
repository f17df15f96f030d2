//! With `set-security-context`, what Tekton adds to a Pod passes Pod Security Admission's profile `restricted`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};
use tekton_podgen::affinity::{self, Assistant, Behavior};
use tekton_podgen::security::SecurityContextConfig;

use super::consistent;
use super::generate::Scenario;
use super::taskruns::{admitted, first_pod};

/// A TaskRun that has every container that Tekton can add, and whose own containers comply.
fn scenario(flags: &[(&str, &str)]) -> Scenario {
    let metadata = |name: &str| json!({"name": name, "namespace": "sim", "uid": name});
    let own = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let run = json!({"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": metadata("run"), "spec": {
        "taskSpec": {
            "stepTemplate": {"securityContext": own},
            "results": [{"name": "out"}],
            "steps": [
                {"name": "a", "image": "busybox", "script": "echo x > $(results.out.path)", "workingDir": "src"},
                {"name": "b", "image": "busybox"},
            ],
            "sidecars": [{"name": "s", "image": "nginx", "script": "serve", "securityContext": own}],
        },
    }});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default")});
    let own = |(flag, value): &(&str, &str)| ((*flag).to_owned(), (*value).to_owned());
    let mut flags: BTreeMap<String, String> = flags.iter().map(own).collect();
    flags.insert("results-from".to_owned(), "sidecar-logs".to_owned());
    Scenario { run, objects: vec![account], flags }
}

fn verdict(flags: &[(&str, &str)]) -> Result<(), String> {
    let mut world = admitted(&scenario(flags))?;
    let pod = first_pod(&mut world)?;
    let spec = pod.spec.as_ref().ok_or("a built Pod has a spec")?;
    let init: Vec<&str> = spec.init_containers.iter().flatten().map(|container| container.name.as_str()).collect();
    for expected in ["prepare", "place-scripts", "working-dir-initializer"] {
        if !init.contains(&expected) {
            return Err(format!("{expected} is not among {init:?}"));
        }
    }
    consistent::restricted(&pod)
}

#[test]
fn containers_that_tekton_adds_pass_pod_security_admission() {
    let on = ("set-security-context", "true");
    let read_only = ("set-security-context-read-only-root-filesystem", "true");
    let native = ("enable-kubernetes-sidecar", "true");
    let keep = ("keep-pod-on-cancel", "true");
    for flags in [&[on][..], &[on, read_only], &[on, native], &[on, read_only, native, keep]] {
        assert_eq!(verdict(flags), Ok(()), "{flags:?}");
    }
    assert_eq!(verdict(&[]), Err("container prepare: allowPrivilegeEscalation != false".to_owned()));
}

#[test]
fn affinity_assistants_pass_pod_security_admission() {
    let owner = OwnerReference::default();
    let run = affinity::Run { owner: &owner, labels: None, pod_template: None, service_account: "" };
    let pod = |set_security_context: bool| {
        let assistant = Assistant {
            name: "affinity-assistant-1",
            behavior: Behavior::PerWorkspace,
            claim_templates: Vec::new(),
            claims: &["claim".to_owned()],
            image: "nop",
            security: SecurityContextConfig { set_security_context, set_read_only_root_filesystem: false },
            default_template: None,
        };
        let spec = affinity::stateful_set(&run, assistant).spec.template.spec;
        Pod { spec, ..Pod::default() }
    };
    assert_eq!(consistent::restricted(&pod(true)), Ok(()));
    assert!(consistent::restricted(&pod(false)).is_err());
}

#[test]
fn a_privileged_step_of_the_user_is_still_refused() {
    let mut scenario = scenario(&[("set-security-context", "true")]);
    let step: &mut Value = &mut scenario.run["spec"]["taskSpec"]["steps"][0];
    step["securityContext"] = json!({"privileged": true});
    let mut world = admitted(&scenario).expect("it validates");
    let pod = first_pod(&mut world).expect("it has a Pod");
    assert_eq!(consistent::restricted(&pod), Err("container step-a: privileged".to_owned()));
}
