//! Stories of runs and how they are told.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tekton_types::reason::skip;

use super::*;
use crate::object::Kind;

/// As a person reads it.
fn told(explanation: &Explanation) -> String {
    fn tell(explanation: &Explanation, depth: usize, out: &mut String) {
        let Explanation { subject, state, text, because } = explanation;
        writeln!(out, "{}{subject} {text} [{state:?}]", "  ".repeat(depth)).expect("a string can be written to");
        for reason in because {
            tell(reason, depth + 1, out);
        }
    }
    let mut out = String::new();
    tell(explanation, 0, &mut out);
    out
}

fn object(kind: Kind, value: Value) -> Object {
    Object::from_json(kind, value).expect("the object is of its kind")
}

fn condition(status: &str, reason: &str, message: &str) -> Value {
    json!([{"type": "Succeeded", "status": status, "reason": reason, "message": message}])
}

fn child(name: &str, task: &str, kind: &str) -> Value {
    json!({"kind": kind, "name": name, "pipelineTaskName": task})
}

fn now() -> Timestamp {
    "2026-01-01T00:10:00Z".parse().expect("it is a time")
}

fn task_run(name: &str, status: &Value) -> Object {
    object(Kind::TaskRun, json!({"metadata": {"name": name, "namespace": "ns", "uid": name}, "status": status}))
}

fn pipeline_run(spec: &Value, status: &Value) -> Object {
    let metadata = json!({"name": "ci", "namespace": "ns", "uid": "ci"});
    object(Kind::PipelineRun, json!({"metadata": metadata, "spec": {"pipelineSpec": spec}, "status": status}))
}

fn ci() -> Value {
    json!({
        "tasks": [
            {"name": "build", "taskRef": {"name": "t"}},
            {"name": "test", "taskRef": {"name": "t"}, "runAfter": ["build"]},
            {"name": "deploy", "taskRef": {"name": "t"}, "runAfter": ["test"]},
            {"name": "publish", "taskRef": {"name": "t"}, "when": [{"input": "pr", "operator": "in", "values": ["main"]}]},
            {"name": "announce", "taskRef": {"name": "t"},
             "params": [{"name": "url", "value": "$(tasks.publish.results.url)"}]},
        ],
        "finally": [{"name": "report", "taskRef": {"name": "t"}}],
    })
}

#[test]
fn a_running_pipeline_says_what_each_task_waits_for() {
    let run = pipeline_run(
        &ci(),
        &json!({
            "conditions": condition("Unknown", "Running", "Tasks Completed: 0, Incomplete: 3, Skipped: 2"),
            "childReferences": [child("ci-build", "build", "TaskRun")],
            "skippedTasks": [
                {"name": "publish", "reason": "When Expressions evaluated to false",
                 "whenExpressions": [{"input": "pr", "operator": "in", "values": ["main"]}]},
                {"name": "announce", "reason": "Results were missing"},
            ],
        }),
    );
    let build = task_run(
        "ci-build",
        &json!({
            "podName": "ci-build-pod",
            "conditions": condition("Unknown", "Running", "Not all Steps in the Task have finished executing"),
            "steps": [
                {"name": "fetch", "terminated": {"exitCode": 0}},
                {"name": "compile", "running": {"startedAt": "2026-01-01T00:08:30Z"}},
            ],
        }),
    );
    let objects = [run.clone(), build];
    let around = Around::new(&objects, now());
    insta::assert_snapshot!(told(&explain(&run, &around).expect("it is a run")), @r#"
    PipelineRun ci is running: Running: Tasks Completed: 0, Incomplete: 3, Skipped: 2 [Running]
      task build is running [Running]
        TaskRun ci-build is running [Running]
          step compile runs since 1m30s ago [Running]
      task test waits for build [Waiting]
      task deploy waits for test [Waiting]
      task publish is skipped: When Expressions evaluated to false [Skipped]
        guard "pr" in ["main"] does not hold [Failed]
      task announce is skipped: Results were missing [Skipped]
        result url of task publish was not made [Failed]
          task publish is skipped: When Expressions evaluated to false [Skipped]
      task report waits until all tasks are done: build, test, deploy left [Waiting]
    "#);
    let Object::PipelineRun(run) = &run else { panic!("it is a PipelineRun") };
    insta::assert_snapshot!(told(&explain_task(run, "deploy", &around).expect("there is such a task")), @r"
    task deploy waits for test [Waiting]
      task test waits for build [Waiting]
        task build is running [Running]
          TaskRun ci-build is running [Running]
            step compile runs since 1m30s ago [Running]
    ");
    assert_eq!(explain_task(run, "nope", &around), None);
}

#[test]
fn a_failed_pipeline_leads_to_the_step_that_failed() {
    let run = pipeline_run(
        &ci(),
        &json!({
            "conditions": condition("False", "Failed", "Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 4"),
            "childReferences": [child("ci-build", "build", "TaskRun")],
            "skippedTasks": [{"name": "test", "reason": "PipelineRun was stopping"}],
        }),
    );
    let build = task_run(
        "ci-build",
        &json!({
            "podName": "p",
            "conditions": condition("False", "Failed", "\"step-compile\" exited with code 137: OOMKilled"),
            "retriesStatus": [{"conditions": condition("False", "TaskRunTimeout", "TaskRun \"ci-build\" failed to finish within \"1m0s\"")}],
            "steps": [
                {"name": "fetch", "terminated": {"exitCode": 0, "reason": "Completed"}},
                {"name": "compile", "terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                {"name": "pack", "terminated": {"exitCode": 1, "reason": "Error"}, "terminationReason": "Skipped"},
            ],
        }),
    );
    let objects = [run.clone(), build];
    insta::assert_snapshot!(told(&explain(&run, &Around::new(&objects, now())).expect("it is a run")), @r#"
    PipelineRun ci failed: Failed: Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 4 [Failed]
      task build failed [Failed]
        TaskRun ci-build failed: Failed: "step-compile" exited with code 137: OOMKilled [Failed]
          step compile ended with exit code 137 (OOMKilled) [Failed]
          attempt 1 of 1 failed: TaskRunTimeout: TaskRun "ci-build" failed to finish within "1m0s" [Failed]
      task test is skipped: PipelineRun was stopping [Skipped]
        task build failed [Failed]
      task deploy never started, the run had ended: Failed [Skipped]
      task publish never started, the run had ended: Failed [Skipped]
      task announce never started, the run had ended: Failed [Skipped]
      task report never started, the run had ended: Failed [Skipped]
    "#);
}

#[test]
fn a_task_run_that_cannot_start_names_the_container_the_resolver_or_the_hold() {
    let pulling = task_run(
        "pulling",
        &json!({
            "podName": "p",
            "conditions": condition("Unknown", "Pending", "pod status \"Initialized\":\"False\""),
            "steps": [
                {"name": "a", "waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"nope\""}},
                {"name": "b", "waiting": {"reason": "PodInitializing"}},
            ],
        }),
    );
    let pod = object(
        Kind::Pod,
        json!({"metadata": {"name": "p", "namespace": "ns"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}}),
    );
    let resolving = task_run("resolving", &json!({"conditions": condition("Unknown", "ResolvingTaskRef", "")}));
    let request = object(
        Kind::ResolutionRequest,
        json!({"metadata": {"name": "git-1", "namespace": "ns", "labels": {"resolution.tekton.dev/type": "git"},
            "ownerReferences": [{"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": "resolving",
                "uid": "resolving", "controller": true}]}}),
    );
    let held = object(
        Kind::TaskRun,
        json!({"metadata": {"name": "held", "namespace": "ns"}, "spec": {"status": "TaskRunPending"},
            "status": {"conditions": condition("Unknown", "TaskRunPending", "")}}),
    );
    let fresh = task_run("fresh", &json!({}));
    let spec = json!({"managedBy": "kueue.x-k8s.io/multikueue"});
    let left = object(Kind::TaskRun, json!({"metadata": {"name": "left", "namespace": "ns"}, "spec": spec}));
    let objects = [pulling, pod, resolving, request, held, fresh, left];
    let around = Around::new(&objects, now());
    let all: String = objects.iter().filter_map(|object| explain(object, &around)).map(|e| told(&e)).collect();
    insta::assert_snapshot!(all, @r#"
    TaskRun pulling waits for its Pod: Pending: pod status "Initialized":"False" [Waiting]
      step a cannot start: ImagePullBackOff: Back-off pulling image "nope" [Waiting]
      Pod p has no node: 0/3 nodes are available [Waiting]
    TaskRun resolving waits for a resolver that fetches its Task [Waiting]
      resolver git has not taken up the request [Running]
    TaskRun held is held back until spec.status is no longer TaskRunPending [Waiting]
    TaskRun fresh was not looked at by a controller yet [Waiting]
    TaskRun left is left to the controller kueue.x-k8s.io/multikueue, as spec.managedBy has it, which has not taken it up yet [Waiting]
    "#);
}

#[test]
fn a_task_run_notes_what_holds_it_up() {
    let Object::TaskRun(run) = task_run(
        "pulling",
        &json!({
            "podName": "p",
            "conditions": condition("Unknown", "Pending", "the Pod is pending"),
            "steps": [{"name": "a", "waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}],
        }),
    ) else {
        panic!("it is a TaskRun")
    };
    let notes = task_run_notes(&run, now()).into_iter().map(|note| (note.subject, note.text));
    assert_eq!(
        notes.collect::<Vec<_>>(),
        [
            (String::new(), "waits for its Pod: Pending: the Pod is pending".to_owned()),
            ("step a".to_owned(), "cannot start: ImagePullBackOff: no such image".to_owned()),
        ]
    );
}

#[test]
fn a_matrix_shows_the_runs_that_did_not_succeed_and_custom_tasks_their_controller() {
    let spec = json!({"tasks": [
        {"name": "m", "taskRef": {"name": "t"}, "matrix": {"params": [{"name": "x", "value": ["1", "2"]}]}},
        {"name": "c", "taskRef": {"apiVersion": "wait.testing/v1", "kind": "Wait"}},
    ]});
    let run = pipeline_run(
        &spec,
        &json!({
            "conditions": condition("Unknown", "Running", "Tasks Completed: 0"),
            "childReferences": [
                child("ci-m-0", "m", "TaskRun"), child("ci-m-1", "m", "TaskRun"), child("ci-c", "c", "CustomRun"),
            ],
        }),
    );
    let good = task_run(
        "ci-m-0",
        &json!({"conditions": condition("True", "Succeeded", "All Steps have completed executing")}),
    );
    let bad = task_run(
        "ci-m-1",
        &json!({"conditions": condition("False", "TaskRunCancelled", "TaskRun \"ci-m-1\" was cancelled")}),
    );
    let custom = object(
        Kind::CustomRun,
        json!({"metadata": {"name": "ci-c", "namespace": "ns"},
            "spec": {"customRef": {"apiVersion": "wait.testing/v1", "kind": "Wait"}}}),
    );
    let objects = [run.clone(), good, bad, custom];
    insta::assert_snapshot!(told(&explain(&run, &Around::new(&objects, now())).expect("it is a run")), @r#"
    PipelineRun ci is running: Running: Tasks Completed: 0 [Running]
      task m has 2 runs: 1 succeeded, 1 failed, 0 go on [Failed]
        TaskRun ci-m-1 was stopped: TaskRunCancelled: TaskRun "ci-m-1" was cancelled [Cancelled]
      task c is running [Running]
        CustomRun ci-c waits for a controller of Wait (wait.testing/v1): none has taken it up yet [Waiting]
    "#);
}

#[test]
fn a_long_chain_is_followed_as_far_as_anybody_reads() {
    let tasks: Vec<Value> = (0..5_000)
        .map(|n| {
            json!({"name": format!("t{n}"), "taskRef": {"name": "t"},
            "runAfter": if n == 0 { vec![] } else { vec![format!("t{}", n - 1)] }})
        })
        .collect();
    let status = json!({"conditions": condition("Unknown", "Running", "")});
    let Object::PipelineRun(run) = pipeline_run(&json!({"tasks": tasks}), &status) else { panic!("a PipelineRun") };
    let explanation = explain_task(&run, "t4999", &Around::new([], now())).expect("there is such a task");
    assert_eq!(told(&explanation).lines().count(), 66);
}

#[test]
fn each_reason_to_skip_says_what_stands_behind_it() {
    let spec = json!({
        "tasks": [
            {"name": "build", "taskRef": {"name": "t"}},
            {"name": "flaky", "taskRef": {"name": "t"}, "onError": "continue"},
            {"name": "late", "taskRef": {"name": "t"},
             "matrix": {"params": [{"name": "os", "value": []}, {"name": "arch", "value": "$(tasks.build.results.all[*])"}]}},
        ],
    });
    let failed = |name: &str| task_run(name, &json!({"conditions": condition("False", "Failed", "it broke")}));
    let behind = |reason: &str, status: &str, timeouts: &Value| {
        let run = object(
            Kind::PipelineRun,
            json!({
                "metadata": {"name": "ci", "namespace": "ns", "uid": "ci"},
                "spec": {"pipelineSpec": spec, "status": status, "timeouts": timeouts},
                "status": {
                    "conditions": condition("False", "Failed", ""),
                    "childReferences": [child("ci-build", "build", "TaskRun"), child("ci-flaky", "flaky", "TaskRun")],
                    "skippedTasks": [{"name": "late", "reason": reason}],
                },
            }),
        );
        let objects = [run.clone(), failed("ci-build"), failed("ci-flaky")];
        let Object::PipelineRun(run) = &run else { panic!("it is a PipelineRun") };
        let told = explain_task(run, "late", &Around::new(&objects, now())).expect("there is such a task");
        let lines: Vec<String> = told.because.iter().map(|why| format!("{} {}", why.subject, why.text)).collect();
        lines.join("; ")
    };
    let check = |reason, status, timeouts, expected: &str| {
        assert_eq!(behind(reason, status, &timeouts), expected, "{reason}");
    };
    let none = || json!(null);
    check(skip::STOPPING, "", none(), "task build failed");
    check(
        skip::GRACEFULLY_STOPPED,
        "StoppedRunFinally",
        none(),
        "spec.status is StoppedRunFinally: nothing but finally tasks starts",
    );
    check(
        skip::EMPTY_ARRAY_IN_MATRIX_PARAMS,
        "",
        none(),
        "matrix param os is an empty array; matrix param arch comes from $(tasks.build.results.all[*])",
    );
    check(skip::TASKS_TIMED_OUT, "", json!({"tasks": "30m"}), "spec.timeouts.tasks is 30m0s");
    check(
        skip::TASKS_TIMED_OUT,
        "",
        json!({"pipeline": "1h", "finally": "10m"}),
        "spec.timeouts.tasks is not set: the rest of spec.timeouts leaves 50m0s",
    );
    check(
        skip::PIPELINE_TIMED_OUT,
        "",
        none(),
        "spec.timeouts.pipeline is not set: the default of the installation counts",
    );
}
