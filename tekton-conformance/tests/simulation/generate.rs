//! TaskRuns of every shape: steps, sidecars, params, results, workspaces, step templates, StepActions, flags.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A TaskRun, what it refers to, and the configuration under which it is decided.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) run: Value,
    pub(crate) objects: Vec<Value>,
    pub(crate) flags: BTreeMap<String, String>,
}

/// What a step may say beside its program.
fn step_extras() -> impl Strategy<Value = Value> {
    let env = select(vec![
        json!([]),
        json!([{"name": "A", "value": "$(params.word)"}]),
        json!([{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        json!([{"name": "HOME", "value": "/root"}]),
    ]);
    let working_dir = select(vec!["", "src", "/workspace/src/../out", "$(workspaces.ws0.path)", "/"]);
    let on_error = select(vec!["", "continue", "stopAndFail"]);
    let timeout = select(vec![Value::Null, json!("90s"), json!("1h30m")]);
    let mounts = select(vec![
        json!([]),
        json!([{"name": "own", "mountPath": "/own"}]),
        json!([{"name": "own", "mountPath": "/tekton-own", "subPath": "a", "readOnly": true}]),
    ]);
    let resources =
        select(vec![json!({}), json!({"requests": {"cpu": "500m"}, "limits": {"cpu": "1", "memory": "1Gi"}})]);
    let security = select(vec![Value::Null, json!({"runAsUser": 65532}), json!({"privileged": true})]);
    (env, working_dir, on_error, timeout, mounts, resources, security).prop_map(
        |(env, dir, on_error, timeout, mounts, resources, security)| {
            let mut step = json!({"env": env, "volumeMounts": mounts, "computeResources": resources});
            for (field, text) in [("workingDir", dir), ("onError", on_error)] {
                if !text.is_empty() {
                    step[field] = text.into();
                }
            }
            for (field, value) in [("timeout", timeout), ("securityContext", security)] {
                if !value.is_null() {
                    step[field] = value;
                }
            }
            step
        },
    )
}

fn program() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"image": "busybox", "script": "echo $(params.word)"}),
        json!({"image": "busybox", "script": "#!/usr/bin/env python3\nprint('ü')", "args": ["$(params.list[*])"]}),
        json!({"image": "gcr.io/a/b:c", "command": ["make", "--"], "args": ["-C", "--", "$(params.map.key)"]}),
        json!({"image": "ubuntu:22.04"}),
        json!({"image": "ubuntu", "args": ["--flag=$(params.list[0])", "$(context.taskRun.name)"]}),
        json!({"image": "busybox", "script": "echo -n x > $(results.out.path)"}),
        json!({"image": "busybox", "script": "echo {} > $(step.artifacts.path)"}),
        json!({"image": "busybox", "command": ["ls"], "when": [{"input": "$(params.word)", "operator": "in", "values": ["<a>"]}]}),
        json!({"image": "busybox", "command": ["ls"], "stdoutConfig": {"path": "$(results.out.path)"}}),
        json!({"ref": {"name": "act"}, "params": [{"name": "what", "value": "$(params.word)"}]}),
    ])
}

fn step() -> impl Strategy<Value = Value> {
    (program(), step_extras(), any::<bool>(), any::<bool>()).prop_map(|(program, extras, isolated, results)| {
        let mut step = program;
        let is_action = step["ref"].is_object();
        for (field, value) in extras.as_object().into_iter().flatten() {
            let allowed = !is_action || matches!(field.as_str(), "onError" | "timeout");
            if allowed {
                step[field] = value.clone();
            }
        }
        if isolated && !is_action {
            step["workspaces"] = json!([{"name": "ws1"}]);
        }
        if results && !is_action {
            step["results"] = json!([{"name": "made"}]);
        }
        step
    })
}

fn sidecar() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"image": "nginx"}),
        json!({"image": "nginx", "script": "serve $(params.word)", "env": [{"name": "A", "value": "1"}]}),
        json!({"image": "redis", "command": ["redis"], "ports": [{"containerPort": 6379}],
            "readinessProbe": {"exec": {"command": ["true"]}}, "workspaces": [{"name": "ws1"}]}),
        json!({"image": "redis", "volumeMounts": [{"name": "own", "mountPath": "/data"}], "tty": true}),
    ])
}

fn claim() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"persistentVolumeClaim": {"claimName": "claim"}, "subPath": "dir"}),
        json!({"persistentVolumeClaim": {"claimName": "claim", "readOnly": true}}),
        json!({"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}),
    ])
}

fn binding() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"emptyDir": {}}),
        json!({"configMap": {"name": "settings"}}),
        json!({"secret": {"secretName": "keys"}}),
        json!({"projected": {"sources": [{"configMap": {"name": "settings"}}]}}),
        json!({"csi": {"driver": "csi.example.com"}}),
    ])
}

fn step_template() -> impl Strategy<Value = Value> {
    select(vec![
        Value::Null,
        json!({"env": [{"name": "A", "value": "t"}, {"name": "T", "value": "$(params.word)"}]}),
        json!({"securityContext": {"runAsNonRoot": true}, "computeResources": {"requests": {"memory": "8Mi"}}}),
        json!({"volumeMounts": [{"name": "own", "mountPath": "/template"}], "workingDir": "from-template"}),
    ])
}

fn task_spec() -> impl Strategy<Value = Value> {
    let workspace = select(vec![
        json!({}),
        json!({"mountPath": "/elsewhere"}),
        json!({"readOnly": true}),
        json!({"optional": true}),
    ]);
    (vec(step(), 1..6), vec(sidecar(), 0..3), step_template(), workspace, any::<bool>(), 0..3_usize).prop_map(
        |(mut steps, mut sidecars, template, mut workspace, named, results)| {
            for (index, step) in steps.iter_mut().enumerate().filter(|(index, _)| named || *index == 0) {
                step["name"] = format!("s{index}").into();
            }
            for (index, sidecar) in sidecars.iter_mut().enumerate() {
                sidecar["name"] = format!("side{index}").into();
            }
            workspace["name"] = "ws0".into();
            let from_step = steps[0]["results"].is_array();
            let mut declared = vec![json!({"name": "out"}), json!({"name": "list", "type": "array"})];
            if from_step {
                declared.push(json!({"name": "fetched", "value": "$(steps.s0.results.made)"}));
            }
            declared.truncate(results.max(1) + usize::from(from_step));
            let mut spec = json!({
                "params": [
                    {"name": "word", "type": "string", "default": "d"},
                    {"name": "list", "type": "array", "default": ["a", "--"]},
                    {"name": "map", "type": "object", "properties": {"key": {}}, "default": {"key": "v"}},
                ],
                "steps": steps,
                "sidecars": sidecars,
                "results": declared,
                "workspaces": [workspace, {"name": "ws1"}],
                "volumes": [{"name": "own", "emptyDir": {}}],
            });
            if !template.is_null() {
                spec["stepTemplate"] = template;
            }
            spec
        },
    )
}

/// What a run says beside its task.
fn run_extras() -> impl Strategy<Value = Value> {
    let params = select(vec![
        json!([]),
        json!([{"name": "word", "value": "$(given)"}, {"name": "list", "value": ["x", "y"]}]),
        json!([{"name": "map", "value": {"key": "<&>", "more": "1"}}, {"name": "extra", "value": "unused"}]),
    ]);
    let pod_template = select(vec![
        Value::Null,
        json!({"env": [{"name": "A", "value": "pod"}], "securityContext": {"runAsNonRoot": true, "fsGroup": 1}}),
        json!({"nodeSelector": {"kubernetes.io/arch": "$(params.word)"}, "tolerations": [{"operator": "Exists"}],
            "volumes": [{"name": "more", "configMap": {"name": "settings"}}], "imagePullSecrets": [{"name": "pull"}]}),
        json!({"hostNetwork": true, "dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]},
            "priorityClassName": "high", "schedulerName": "mine", "enableServiceLinks": false}),
    ]);
    let resources = select(vec![
        json!({}),
        json!({"computeResources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}}),
        json!({"stepSpecs": [{"name": "s0", "computeResources": {"limits": {"cpu": "2"}}}]}),
    ]);
    let debug = select(vec![
        Value::Null,
        json!({"breakpoints": {"onFailure": "enabled"}}),
        json!({"breakpoints": {"onFailure": "enabled", "beforeSteps": ["s0"]}}),
    ]);
    let timeout = select(vec![Value::Null, json!("0s"), json!("10m")]);
    (params, pod_template, resources, debug, timeout, 0..3_i32).prop_map(
        |(params, pod_template, resources, debug, timeout, retries)| {
            let mut spec = resources;
            spec["params"] = params;
            spec["retries"] = retries.into();
            for (field, value) in [("podTemplate", pod_template), ("debug", debug), ("timeout", timeout)] {
                if !value.is_null() {
                    spec[field] = value;
                }
            }
            spec
        },
    )
}

fn flags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let switches = [
        "keep-pod-on-cancel",
        "enable-kubernetes-sidecar",
        "set-security-context",
        "set-security-context-read-only-root-filesystem",
        "enable-artifacts",
        "enable-termination-message-compression",
        "disable-creds-init",
        "await-sidecar-readiness",
        "running-in-environment-with-injected-sidecars",
        "require-git-ssh-secret-known-hosts",
        "enable-provenance-in-status",
    ];
    let stage = select(vec!["stable", "beta", "alpha", "alpha", "alpha", "alpha", "alpha"]);
    (stage, any::<bool>(), any::<bool>(), vec(any::<bool>(), switches.len())).prop_map(
        move |(stage, sidecar_logs, spire, on)| {
            let mut flags = BTreeMap::from([("enable-api-fields".to_owned(), stage.to_owned())]);
            if sidecar_logs {
                flags.insert("results-from".to_owned(), "sidecar-logs".to_owned());
            }
            if spire && stage == "alpha" {
                flags.insert("enforce-nonfalsifiability".to_owned(), "spire".to_owned());
            }
            flags.extend(switches.iter().zip(on).map(|(flag, on)| ((*flag).to_owned(), on.to_string())));
            flags
        },
    )
}

/// Any TaskRun, mostly a valid one.
pub(crate) fn scenarios() -> impl Strategy<Value = Scenario> {
    (task_spec(), run_extras(), flags(), prop_oneof![claim(), binding()], binding(), any::<bool>()).prop_map(
        |(task, mut spec, flags, mut first, mut second, by_reference)| {
            first["name"] = "ws0".into();
            second["name"] = "ws1".into();
            spec["workspaces"] = json!([first, second]);
            let metadata = |name: &str| json!({"name": name, "namespace": "sim", "uid": format!("uid-{name}")});
            let secret = |name: &str, type_: &str| {
                let mut metadata = metadata(name);
                metadata["annotations"] = json!({"tekton.dev/git-0": "github.com", "tekton.dev/docker-0": "https://r"});
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_,
                    "data": {"known_hosts": ""}})
            };
            let mut objects = vec![
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default"),
                    "secrets": [{"name": "basic"}, {"name": "ssh.key"}, {"name": "gone"}]}),
                secret("basic", "kubernetes.io/basic-auth"),
                secret("ssh.key", "kubernetes.io/ssh-auth"),
                json!({"apiVersion": "tekton.dev/v1beta1", "kind": "StepAction", "metadata": metadata("act"), "spec": {
                    "params": [{"name": "what", "type": "string", "default": "w"}],
                    "results": [{"name": "did"}],
                    "image": "busybox",
                    "command": ["sh", "-c"],
                    "args": ["echo $(params.what) > $(step.results.did.path)"],
                }}),
            ];
            if by_reference {
                spec["taskRef"] = json!({"name": "task"});
                let task =
                    json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": metadata("task"), "spec": task});
                objects.push(task);
            } else {
                spec["taskSpec"] = task;
            }
            let run =
                json!({"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": metadata("run"), "spec": spec});
            Scenario { run, objects, flags }
        },
    )
}
