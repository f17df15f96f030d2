//! Turns that a TaskRun takes only when something unusual happens, each in a world made for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tekton_conformance::world::{Done, World, kind_called};
use tekton_engine::Object;
use tekton_types::condition::{self, Condition};
use tekton_types::config::Config;
use tekton_types::resolution::ResolutionRequest;
use tekton_types::v1::{PipelineRun, TaskRun};

const NAMESPACE: &str = "sim";
const RUN: &str = "run";
const TRACE: &str = r#"{"traceparent":"00-0f57e147e992b304d977436289d10628-73d5909e31793992-01"}"#;

fn world(flags: &[(&str, &str)], objects: &[Value]) -> World {
    let flags: BTreeMap<String, String> =
        flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let config = Config::from_config_maps([("feature-flags", &flags)]).expect("the flags are right");
    let mut world = World {
        now: "2026-01-01T00:10:00Z".parse().expect("it is a time"),
        config: config.into(),
        fills_in: true,
        ..World::default()
    };
    for object in objects {
        let kind = kind_called(object["kind"].as_str().unwrap_or_default()).expect("a kind that the engine knows");
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(NAMESPACE);
        world.put(Object::from_json(kind, object).expect("the object is of its kind"));
    }
    world
}

fn task_run(spec: &Value, status: &Value) -> Value {
    json!({"kind": "TaskRun", "metadata": {"name": RUN, "uid": "1"}, "spec": spec, "status": status})
}

fn pass(world: &mut World) -> Done {
    world.pass::<TaskRun>(NAMESPACE, RUN).expect("the run is there")
}

fn run_of(world: &World) -> Arc<TaskRun> {
    Arc::clone(world.get::<TaskRun>(NAMESPACE, RUN).expect("nobody deletes the run"))
}

fn succeeded(world: &World) -> Condition {
    condition::succeeded(&run_of(world).status.conditions).cloned().expect("the run has begun")
}

#[test]
fn a_result_that_is_larger_than_allowed_fails_the_run_and_ends_its_pod() {
    let spec =
        json!({"taskSpec": {"results": [{"name": "r"}], "steps": [{"name": "s", "image": "i", "command": ["c"]}]}});
    let status = json!({"podName": "run-pod", "startTime": "2026-01-01T00:00:00Z"});
    let pod = json!({
        "kind": "Pod",
        "metadata": {"name": "run-pod"},
        "spec": {"containers": [{"name": "step-s"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "step-s", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
             "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
        ]},
    });
    let mut world =
        world(&[("results-from", "sidecar-logs"), ("max-result-size", "20")], &[task_run(&spec, &status), pod]);
    world.any_log = r#"{"name":"r","value":"far too long","type":"task"}"#.to_owned();
    let done = pass(&mut world);
    let condition = succeeded(&world);
    assert_eq!(condition.reason, "TaskRunResultLargerThanAllowedLimit");
    let told = r#"[User error]  TaskRun ""run"" failed: 49 bytes results size exceeds configured limit of 20 bytes"#;
    assert_eq!(condition.message, told);
    assert_eq!(run_of(&world).status.steps[0].termination_reason, condition.reason);
    assert!(world.get::<Pod>(NAMESPACE, "run-pod").is_none());
    assert_eq!(done.fault, None);
}

#[test]
fn all_step_actions_are_asked_for_while_one_of_them_is_waited_for() {
    let step =
        |name: &str| json!({"name": name, "ref": {"resolver": "git", "params": [{"name": "path", "value": name}]}});
    let both = json!({"taskSpec": {"steps": [step("a"), step("b")]}});
    let mut world = world(&[], &[task_run(&json!({"taskSpec": {"steps": [step("a")]}}), &json!({}))]);
    assert_eq!(pass(&mut world).created.len(), 1);
    let object = Object::from_json(tekton_engine::Kind::TaskRun, {
        let mut run = task_run(&both, &json!({}));
        run["metadata"]["namespace"] = json!(NAMESPACE);
        run
    });
    world.put(object.expect("it is a TaskRun"));
    let done = pass(&mut world);
    assert_eq!(done.created.len(), 1);
    assert!(matches!(done.created[0].0, Object::ResolutionRequest(_)));
    assert_eq!(succeeded(&world).reason, "ResolvingStepActionRef");
}

#[test]
fn a_resolver_that_ran_out_of_time_does_not_fail_the_run() {
    let spec = json!({"taskRef": {"resolver": "git"}});
    let mut world = world(&[], &[task_run(&spec, &json!({}))]);
    let done = pass(&mut world);
    let Object::ResolutionRequest(request) = &done.created[0].0 else { panic!("a resolver is asked") };
    let mut failed = ResolutionRequest::clone(request);
    failed.status.conditions =
        vec![Condition::succeeded(condition::FALSE, "ResolutionFailed", "git clone: context deadline exceeded")];
    world.put(Object::ResolutionRequest(failed.into()));
    let done = pass(&mut world);
    assert!(succeeded(&world).is_unknown());
    let told = "error requesting remote resource: git clone: context deadline exceeded";
    assert_eq!(done.fault, Some((told.to_owned(), false)));
}

#[test]
fn the_trace_of_a_pipeline_run_goes_on_in_its_task_runs() {
    let spec =
        json!({"pipelineSpec": {"tasks": [{"name": "t", "taskSpec": {"steps": [{"image": "i", "command": ["c"]}]}}]}});
    let metadata = json!({"name": RUN, "uid": "1", "annotations": {"tekton.dev/pipelinerunSpanContext": TRACE}});
    let mut world = world(&[], &[json!({"kind": "PipelineRun", "metadata": metadata, "spec": spec})]);
    let done = world.pass::<PipelineRun>(NAMESPACE, RUN).expect("the run is there");
    let Object::TaskRun(child) = &done.created[0].0 else { panic!("the task is started") };
    let annotations = child.metadata.annotations.as_ref().expect("there are annotations");
    assert_eq!(annotations["tekton.dev/taskrunSpanContext"], TRACE);
    let run = world.get::<PipelineRun>(NAMESPACE, RUN).expect("the run is there");
    assert_eq!(run.status.span_context.len(), 1);
}

/// A TaskRun that has a Pod, and whose status was lost before it named the Pod.
fn nameless(flags: &[(&str, &str)], mut spec: Value, start: &str) -> World {
    spec["taskSpec"] = json!({"steps": [{"name": "s", "image": "i", "command": ["c"]}]});
    let status = json!({
        "startTime": start, "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Started"}],
    });
    let pod = json!({
        "kind": "Pod",
        "metadata": {
            "name": "run-pod", "labels": {"tekton.dev/taskRun": RUN},
            "ownerReferences": [
                {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": RUN, "uid": "1", "controller": true},
            ],
        },
        "spec": {"containers": [{"name": "step-s"}]},
        "status": {"phase": "Running"},
    });
    let account = json!({"kind": "ServiceAccount", "metadata": {"name": "default"}});
    world(flags, &[task_run(&spec, &status), pod, account])
}

fn deleted(done: &Done) -> Vec<String> {
    done.deleted.iter().map(|(key, _)| key.to_string()).collect()
}

#[test]
fn a_cancelled_run_takes_a_pod_with_it_that_its_status_does_not_name() {
    let cancelled = json!({"status": "TaskRunCancelled"});
    let mut world = nameless(&[], cancelled.clone(), "2026-01-01T00:09:00Z");
    assert_eq!(deleted(&pass(&mut world)), ["pods sim/run-pod"]);
    assert_eq!(run_of(&world).status.pod_name, "run-pod");

    let mut world = nameless(&[("keep-pod-on-cancel", "true")], cancelled, "2026-01-01T00:09:00Z");
    assert_eq!(pass(&mut world).patched.len(), 1, "the Pod is told to stop");
    assert_eq!(deleted(&pass(&mut world)), Vec::<String>::new(), "and is kept");
}

#[test]
fn an_attempt_that_timed_out_is_archived_with_the_pod_that_its_status_did_not_name() {
    let mut world = nameless(&[], json!({"retries": 1}), "2025-12-31T23:00:00Z");
    assert_eq!(deleted(&pass(&mut world)), ["pods sim/run-pod"]);
    let run = run_of(&world);
    assert_eq!(run.status.retries_status[0].pod_name, "run-pod");
    assert_eq!(pass(&mut world).created.len(), 1, "the second attempt has a Pod of its own");
    assert_eq!(run_of(&world).status.pod_name, "run-pod-retry1");
}
