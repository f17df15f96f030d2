//! Single passes over PipelineRuns, at branches that no recorded case visits. What each comes to is what upstream's
//! reconciler comes to on the same objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tekton_conformance::world::{Done, Failing, World};
use tekton_engine::{ApiFault, Kind, Object};
use tekton_types::config::Config;
use tekton_types::v1::PipelineRun;

/// A PipelineRun `r` that has started a minute ago; `spec` holds the pipeline, `children` are `task/child` as the
/// status lists them.
fn run(spec: &Json, children: &[&str]) -> (Kind, Json) {
    let references: Vec<Json> = children
        .iter()
        .map(|child| {
            let (task, name) = child.split_once('/').expect("a child is written as task/child");
            json!({"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": name, "pipelineTaskName": task})
        })
        .collect();
    let run = json!({
        "metadata": {"name": "r", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
        "status": {
            "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}],
            "childReferences": references,
        },
    });
    (Kind::PipelineRun, run)
}

/// A TaskRun of that run: the condition, and the rest of its status.
fn child(task: &str, name: &str, succeeded: &str, mut status: Json) -> (Kind, Json) {
    status["conditions"] = json!([{"type": "Succeeded", "status": succeeded}]);
    let child = json!({
        "metadata": {
            "name": name, "namespace": "n", "uid": name, "creationTimestamp": "2026-01-01T00:00:01Z",
            "labels": {
                "tekton.dev/pipelineRun": "r", "tekton.dev/pipelineRunUID": "u", "tekton.dev/pipelineTask": task,
            },
            "ownerReferences": [{
                "apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "name": "r", "uid": "u", "controller": true,
            }],
        },
        "spec": {},
        "status": status,
    });
    (Kind::TaskRun, child)
}

/// A task with its spec inside: it makes the result `r` and runs `script`; `more` is laid over it.
fn task(name: &str, script: &str, more: Json) -> Json {
    let mut task = json!({
        "name": name,
        "taskSpec": {
            "params": [{"name": "p", "type": "string", "default": ""}, {"name": "l", "type": "array", "default": []}],
            "results": [{"name": "r", "type": "string"}],
            "steps": [{"name": "s", "image": "i", "script": script}],
        },
    });
    let Json::Object(more) = more else { return task };
    for (key, value) in more {
        task[key] = value;
    }
    task
}

fn made(value: &str) -> Json {
    json!({"results": [{"name": "r", "type": "string", "value": value}]})
}

fn config(flags: &[(&str, &str)]) -> Arc<Config> {
    let flags: BTreeMap<_, _> = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Arc::new(Config::from_config_maps([("feature-flags", &flags)]).expect("the flags are right"))
}

fn world(objects: Vec<(Kind, Json)>) -> World {
    let mut world = World { fills_in: true, ..World::default() };
    world.now = "2026-01-01T00:01:00Z".parse().expect("a time");
    for (kind, object) in objects {
        world.put(Object::from_json(kind, object).expect("an object of its kind"));
    }
    world
}

/// One pass over the run; what was done and its status.
fn pass(world: &mut World) -> (Done, Json) {
    let done = world.pass::<PipelineRun>("n", "r").expect("the run is there");
    let run = world.get::<PipelineRun>("n", "r").expect("the run is there");
    (done, serde_json::to_value(&run.status).expect("a status is JSON"))
}

fn created(done: &Done) -> Vec<Json> {
    done.created.iter().map(|(object, _)| object.to_json().expect("an object is JSON")).collect()
}

#[test]
fn results_of_a_matrix_reach_the_pipeline_when_a_task_that_has_ended_used_them() {
    let matrix = json!({"matrix": {"params": [{"name": "p", "value": ["1", "2"]}]}});
    let uses = json!({"params": [{"name": "l", "value": ["$(tasks.a.results.r[*])"]}]});
    let spec = json!({"pipelineSpec": {
        "tasks": [task("a", "", matrix), task("b", "", uses)],
        "results": [{"name": "all", "value": "$(tasks.a.results.r[*])"}],
    }});
    let (_, status) = pass(&mut world(vec![
        run(&spec, &["a/r-a-0", "a/r-a-1", "b/r-b"]),
        child("a", "r-a-0", "True", made("x")),
        child("a", "r-a-1", "True", made("y")),
        child("b", "r-b", "True", json!({})),
    ]));
    assert_eq!(status["conditions"][0]["reason"], "Succeeded", "{status}");
    assert_eq!(status["results"], json!([{"name": "all", "value": ["x", "y"]}]));
}

/// What the status shows of `d` and `c` when `b` uses a result of `a` as `uses` and `script` have it.
fn shown_beside(uses: Json, script: &str) -> (Json, Json) {
    let when = |task: &str| json!({"input": format!("$(tasks.{task}.results.r)"), "operator": "in", "values": ["q"]});
    let spec = json!({"pipelineSpec": {"tasks": [
        task("a", "", json!({})),
        task("x", "", json!({})),
        task("b", script, uses),
        task("c", "", json!({"when": [when("a"), when("x")]})),
        task("d", "", json!({"runAfter": ["a"], "displayName": "D $(tasks.a.results.r)"})),
    ]}});
    let (_, status) = pass(&mut world(vec![
        run(&spec, &["a/r-a", "x/r-x", "b/r-b", "d/r-d"]),
        child("a", "r-a", "True", made("v")),
        child("x", "r-x", "False", json!({})),
        child("b", "r-b", "True", json!({})),
        child("d", "r-d", "Unknown", json!({})),
    ]));
    let references = status["childReferences"].as_array().expect("there are children");
    let d = references.iter().find(|child| child["name"] == "r-d").expect("d has a child");
    (d["displayName"].clone(), status["skippedTasks"][0]["whenExpressions"][0]["input"].clone())
}

#[test]
fn results_in_the_steps_of_one_task_are_shown_in_names_and_guards_of_others_and_those_in_its_params_are_not() {
    let unknown = json!("$(tasks.a.results.r)");
    assert_eq!(shown_beside(json!({}), "echo $(tasks.a.results.r)"), (json!("D v"), json!("v")));
    let params = json!({"params": [{"name": "p", "value": "$(tasks.a.results.r)"}]});
    assert_eq!(shown_beside(params, ""), (json!("D $(tasks.a.results.r)"), unknown));
}

#[test]
fn an_entry_of_a_matrix_whose_name_comes_to_nothing_shows_no_name() {
    let matrix = json!({
        "displayName": "D",
        "matrix": {"include": [{"name": "$(params.p)", "params": [{"name": "p", "value": ""}]}]},
    });
    let mut only = child("a", "r-a", "Unknown", json!({}));
    only.1["spec"]["params"] = json!([{"name": "p", "value": ""}]);
    let spec = json!({"pipelineSpec": {"tasks": [task("a", "", matrix)]}});
    let (_, status) = pass(&mut world(vec![run(&spec, &["a/r-a"]), only]));
    assert_eq!(status["childReferences"][0].get("displayName"), None, "{status}");
}

#[test]
fn a_matrix_is_fanned_out_and_enums_are_checked_before_the_task_gets_its_own_context() {
    let retries = "$(context.pipelineTask.retries)";
    let fanned = json!({"retries": 3, "matrix": {"params": [{"name": "p", "value": [retries]}]}});
    let spec = json!({"pipelineSpec": {"tasks": [task("a", "", fanned)]}});
    let (done, _) = pass(&mut world(vec![run(&spec, &[])]));
    assert_eq!(created(&done)[0]["spec"]["params"][0]["value"], retries);

    let mut one = task("a", "", json!({"retries": 3, "params": [{"name": "p", "value": retries}]}));
    one["taskSpec"]["params"][0] = json!({"name": "p", "type": "string", "enum": ["3"]});
    let mut world = world(vec![run(&json!({"pipelineSpec": {"tasks": [one]}}), &[])]);
    world.config = config(&[("enable-param-enum", "true")]);
    let (done, status) = pass(&mut world);
    assert_eq!(created(&done).len(), 0);
    assert_eq!(status["conditions"][0]["reason"], "InvalidParamValue");
}

#[test]
fn a_definition_has_to_be_there_until_each_run_of_a_matrix_has_frozen_it() {
    let by_name =
        json!({"name": "a", "taskRef": {"name": "gone"}, "matrix": {"params": [{"name": "p", "value": ["1", "2"]}]}});
    let frozen = task("", "", json!({}))["taskSpec"].clone();
    let run = run(&json!({"pipelineSpec": {"tasks": [by_name]}}), &["a/r-a-0", "a/r-a-1"]);
    let first = |status: Json| child("a", "r-a-0", "Unknown", status);
    let second = child("a", "r-a-1", "Unknown", json!({"taskSpec": frozen.clone()}));
    let (_, status) = pass(&mut world(vec![run.clone(), first(json!({})), second.clone()]));
    assert_eq!(status["conditions"][0]["reason"], "CouldntGetTask");
    let (_, status) = pass(&mut world(vec![run, first(json!({"taskSpec": frozen})), second]));
    assert_eq!(status["conditions"][0]["reason"], "Running");
}

#[test]
fn references_stay_in_their_order_in_a_pass_that_finds_no_child_and_ends_early() {
    let wrong = json!({"params": [{"name": "unknown", "value": "$(tasks.a.results.none)"}]});
    let spec =
        json!({"pipelineSpec": {"tasks": [task("b", "", json!({})), task("a", "", json!({})), task("c", "", wrong)]}});
    let (_, status) = pass(&mut world(vec![run(&spec, &["b/r-b", "a/r-a"])]));
    assert_eq!(status["conditions"][0]["reason"], "InvalidTaskResultReference");
    let names: Vec<&Json> = status["childReferences"].as_array().into_iter().flatten().map(|c| &c["name"]).collect();
    assert_eq!(names, ["r-b", "r-a"]);
}

#[test]
fn a_result_far_past_the_end_of_its_array_does_not_exist() {
    let spec = json!({"pipelineSpec": {
        "tasks": [{"name": "a", "taskSpec": {
            "results": [{"name": "l", "type": "array"}],
            "steps": [{"name": "s", "image": "i"}],
        }}],
        "results": [{"name": "o", "value": "$(tasks.a.results.l[99999999999999999999])"}],
    }});
    let list = json!({"results": [{"name": "l", "type": "array", "value": ["x"]}]});
    let (_, status) = pass(&mut world(vec![run(&spec, &["a/r-a"]), child("a", "r-a", "True", list)]));
    assert_eq!(status["conditions"][0]["reason"], "CouldntGetPipelineResult");
}

#[test]
fn a_claim_over_quota_keeps_the_run_pending() {
    let spec = json!({
        "pipelineSpec": {"workspaces": [{"name": "w"}], "tasks": [task("a", "", json!({}))]},
        "workspaces": [{"name": "w", "volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}],
    });
    let mut world = world(vec![run(&spec, &[])]);
    world.failing.push(Failing {
        verb: "create".to_owned(),
        resource: "persistentvolumeclaims".to_owned(),
        name: String::new(),
        fault: ApiFault { reason: "Forbidden".to_owned(), text: "exceeded quota".to_owned(), ..ApiFault::default() },
    });
    let (done, status) = pass(&mut world);
    assert_eq!(status["conditions"][0]["reason"], "PipelineRunPending");
    assert_eq!(done.fault.map(|(_, permanent)| permanent), Some(false));
}

/// The reason of the run after its resolver has failed with `message`, and whether its task or itself asked for it.
fn resolver_failed(spec: &Json, message: &str) -> (Json, Option<bool>) {
    let mut world = world(vec![run(spec, &[])]);
    let (done, _) = pass(&mut world);
    let mut request = created(&done).into_iter().next().expect("the resolver is asked");
    request["status"] = json!({"conditions": [{"type": "Succeeded", "status": "False", "message": message}]});
    world.put(Object::from_json(Kind::ResolutionRequest, request).expect("a request"));
    let (done, status) = pass(&mut world);
    (status["conditions"][0]["reason"].clone(), done.fault.map(|(_, permanent)| permanent))
}

#[test]
fn a_task_whose_resolver_ran_out_of_time_is_asked_for_again_and_a_pipeline_is_not() {
    let task = json!({"pipelineSpec": {"tasks": [{"name": "a", "taskRef": {"resolver": "git"}}]}});
    let pipeline = json!({"pipelineRef": {"resolver": "git"}});
    let late = "context deadline exceeded";
    assert_eq!(resolver_failed(&task, late), (json!("ResolvingTaskRef"), Some(false)));
    assert_eq!(resolver_failed(&task, "no such file"), (json!("CouldntGetTask"), Some(true)));
    assert_eq!(resolver_failed(&pipeline, late), (json!("CouldntGetPipeline"), Some(true)));
}

#[test]
fn finally_waits_for_a_task_that_only_the_api_server_knows_when_the_time_of_the_tasks_is_over() {
    let spec = json!({
        "timeouts": {"pipeline": "0s", "tasks": "30s"},
        "pipelineSpec": {
            "tasks": [task("a", "", json!({})), task("b", "", json!({"runAfter": ["a"]}))],
            "finally": [task("f", "", json!({}))],
        },
    });
    let objects = vec![run(&spec, &["a/r-a"]), child("a", "r-a", "True", json!({}))];
    let (done, status) = pass(&mut world(objects.clone()));
    assert_eq!(created(&done).len(), 1, "nobody knows of b, so that it is skipped: {status}");
    let mut world = world(objects);
    let (kind, late) = child("b", "r-b", "Unknown", json!({}));
    let late = Object::from_json(kind, late).expect("an object of its kind");
    world.newer.insert(late.key(), late);
    let (done, status) = pass(&mut world);
    assert_eq!(created(&done), Vec::<Json>::new(), "{status}");
    assert!(done.wake_at.is_some(), "it is looked at again soon");
}
