//! Suites `reconcile-taskrun` and `reconcile-pipelinerun`: one pass of upstream's reconcilers.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tekton_engine::{
    ApiFault, ClusterFacts, ImageMetadata, Images, Kind, Object, ObjectKey, PatchType, Run, ServerVersion,
};
use tekton_types::config::Config;
use tekton_types::duration::GoDuration;
use tekton_types::v1::{PipelineRun, TaskRun};

use crate::world::{Done, Failing, World, kind_called};
use crate::{Case, diff};

/// How durations begin that upstream's clock arithmetic runs into when a child has no creation time.
const SATURATED: &str = "-256204";

/// The log of every container, as the fake API server tells it that the cases were recorded with.
const FAKE_LOG: &str = "fake logs";

/// Checks one case of `reconcile-taskrun`.
pub(super) fn check_task_run(case: &Case) -> Result<(), String> {
    check::<TaskRun>(case)
}

/// Checks one case of `reconcile-pipelinerun`.
pub(super) fn check_pipeline_run(case: &Case) -> Result<(), String> {
    check::<PipelineRun>(case)
}

fn check<R: Run>(case: &Case) -> Result<(), String> {
    let mut world = world(&case.input)?;
    let target = case.input["target"].as_str().unwrap_or_default();
    let (namespace, name) = target.split_once('/').unwrap_or(("", target));
    let done = world.pass::<R>(namespace, name).unwrap_or_default();
    let expect = &case.expect;
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: &Json, ours: &Json| {
        for difference in diff::differences(&tidy(expected), &tidy(ours)) {
            wrong.push(format!("{what}{difference}"));
        }
    };
    let key = ObjectKey::new(R::KIND, namespace, name);
    let after = world.objects.get(&key).map(json_of).unwrap_or_default();
    compare("target", &round_trip(R::KIND, &expect["target"]), &after);
    compare("error", &expected_error(expect, &done), &our_error(&done, &world, expect));
    compare("created", &expected_created(&expect["created"]), &our_created(&done));
    compare("updated", &expected_updated(&expect["updated"], R::KIND, name), &our_updated(&done, R::KIND));
    compare("patched", &sorted(expected_calls(&expect["patched"])), &our_patched(&done));
    compare("deleted", &sorted(expected_calls(&expect["deleted"])), &our_deleted(&done));
    compare("events", &expect["events"], &json!(done.events));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

pub(super) fn world(input: &Json) -> Result<World, String> {
    let maps: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_value(input["config"].clone()).map_err(|e| format!("config: {e}"))?;
    let config = Config::from_config_maps(maps.iter().map(|(name, map)| (name.as_str(), map)))
        .map_err(|e| format!("config: {e}"))?;
    let image = |flag: &str| input["images"][flag].as_str().unwrap_or_default().to_owned();
    let mut world = World {
        now: input["now"].as_str().unwrap_or_default().parse().map_err(|e| format!("now: {e}"))?,
        config: config.into(),
        cluster: ClusterFacts {
            images: Images {
                entrypoint: image("entrypoint-image"),
                sidecar_log_results: image("sidecarlogresults-image"),
                nop: image("nop-image"),
                shell: image("shell-image"),
                shell_windows: image("shell-image-win"),
                working_dir_init: image("workingdirinit-image"),
            },
            release: "unknown".to_owned(),
            ..ClusterFacts::default()
        }
        .into(),
        fills_in: !input["createDefaults"].is_null(),
        any_log: FAKE_LOG.to_owned(),
        ..World::default()
    };
    if let Some(version) = input["kubernetesVersion"].as_object() {
        let text = |key: &str| version.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        world.version = Some(ServerVersion { major: text("major"), minor: text("minor") });
    }
    for (name, data) in input["imageData"].as_object().into_iter().flatten() {
        let commands = data["commands"].as_object().into_iter().flatten();
        let commands = commands
            .map(|(platform, command)| (platform.clone(), serde_json::from_value(command.clone()).unwrap_or_default()))
            .collect();
        let digest = data["digest"].as_str().unwrap_or_default().to_owned();
        world.images.insert(name.clone(), ImageMetadata { digest, commands });
    }
    for fault in input["faults"].as_array().into_iter().flatten() {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        world.failing.push(Failing {
            verb: text(&fault["verb"]),
            resource: text(&fault["resource"]),
            name: String::new(),
            fault: ApiFault {
                reason: text(&fault["error"]["reason"]),
                code: fault["error"]["code"].as_u64().and_then(|code| code.try_into().ok()).unwrap_or_default(),
                text: text(&fault["error"]["text"]),
                details_kind: String::new(),
            },
        });
    }
    for answer in input["overrides"].as_array().into_iter().flatten().filter(|answer| answer["verb"] == json!("get")) {
        let object = &answer["object"];
        let Some(kind) = kind_called(object["kind"].as_str().unwrap_or_default()) else { continue };
        let read = Object::from_json(kind, object.clone()).map_err(|e| format!("override: {e}"))?;
        world.newer.insert(read.key(), read);
    }
    for object in input["objects"].as_array().into_iter().flatten() {
        let Some(kind) = kind_called(object["kind"].as_str().unwrap_or_default()) else { continue };
        let read = Object::from_json(kind, object.clone())
            .map_err(|e| format!("{} {}: {e}", object["kind"], object["metadata"]["name"]))?;
        world.put(read);
    }
    Ok(world)
}

pub(super) fn json_of(object: &Object) -> Json {
    object.to_json().unwrap_or_default()
}

/// The object as our types print it.
fn round_trip(kind: Kind, object: &Json) -> Json {
    if object.is_null() {
        return Json::Null;
    }
    Object::from_json(kind, object.clone()).map_or_else(|e| json!(e.to_string()), |object| json_of(&object))
}

/// Random suffixes of scripts count for nothing.
pub(super) fn tidy(value: &Json) -> Json {
    match value {
        Json::String(text) => Json::String(without_random(text)),
        Json::Array(items) => items.iter().map(tidy).collect(),
        Json::Object(map) => map.iter().map(|(key, value)| (key.clone(), tidy(value))).collect(),
        other => other.clone(),
    }
}

fn without_random(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("script-").into_iter().chain(rest.find("-randomly-generated-")).min() {
        let marker = if rest[at..].starts_with("script-") { "script-" } else { "-randomly-generated-" };
        let (before, after) = rest.split_at(at + marker.len());
        out.push_str(before);
        rest = after;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let numbered = digits > 0 && rest[digits..].starts_with('-');
        if marker == "script-" && !numbered {
            continue;
        }
        let skip = if marker == "script-" { digits + 1 } else { 0 };
        let end = skip + 5;
        if rest.get(skip..end).is_some_and(|random| random.bytes().all(|b| b.is_ascii_alphanumeric())) {
            out.push_str(&rest[..skip]);
            out.push_str("?????");
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    out
}

pub(super) fn expected_error(expect: &Json, done: &Done) -> Json {
    let error = &expect["error"];
    if error.is_null() {
        return Json::Null;
    }
    match error["requeueAfter"].as_str() {
        Some(after) if after.starts_with(SATURATED) => json!({"requeueAfter": "any"}),
        // Upstream looks again at a run that has ended, and without a pause at one whose deadline has passed.
        Some(_) if is_over(expect) && done.wake_at.is_none() => Json::Null,
        Some(after) if after.starts_with('-') => json!({"requeueAfter": "later"}),
        Some(after) => json!({"requeueAfter": after}),
        None => json!({"text": error["text"], "permanent": error["permanent"]}),
    }
}

/// The run has ended in this pass or before.
fn is_over(expect: &Json) -> bool {
    let conditions = expect["target"]["status"]["conditions"].as_array();
    let succeeded = conditions.into_iter().flatten().find(|condition| condition["type"] == json!("Succeeded"));
    succeeded.is_some_and(|condition| condition["status"] != json!("Unknown"))
}

pub(super) fn our_error(done: &Done, world: &World, expect: &Json) -> Json {
    if let Some((text, permanent)) = &done.fault {
        let alternatives = expect["errorAlternatives"].as_array().into_iter().flatten();
        let known = alternatives.filter_map(Json::as_str).any(|alternative| alternative == text);
        let text = if known { expect["error"]["text"].clone() } else { json!(text) };
        return json!({"text": text, "permanent": permanent});
    }
    if expect["error"]["requeueAfter"].as_str().is_some_and(|after| after.starts_with(SATURATED)) {
        return json!({"requeueAfter": "any"});
    }
    if expect["error"]["requeueAfter"].as_str().is_some_and(|after| after.starts_with('-')) && !is_over(expect) {
        let later = done.wake_at.is_none_or(|at| at > world.now);
        return if later { json!({"requeueAfter": "later"}) } else { Json::Null };
    }
    match done.wake_at {
        Some(at) => json!({"requeueAfter": GoDuration::from_signed(at.duration_since(world.now)).to_string()}),
        None => Json::Null,
    }
}

pub(super) fn expected_created(expected: &Json) -> Json {
    sorted(
        expected
            .as_array()
            .into_iter()
            .flatten()
            .map(|call| {
                let kind = kind_called(call["object"]["kind"].as_str().unwrap_or_default());
                let object = kind.map_or_else(|| call["object"].clone(), |kind| round_trip(kind, &call["object"]));
                created(&call["resource"], &call["namespace"], object, &text_of(&call["error"]))
            })
            .collect(),
    )
}

pub(super) fn our_created(done: &Done) -> Json {
    sorted(
        done.created
            .iter()
            .map(|(object, fault)| {
                let resource = json!(object.kind().resource());
                let namespace = json!(object.metadata().namespace);
                created(&resource, &namespace, json_of(object), &json!(fault.as_ref().map(|fault| &fault.text)))
            })
            .collect(),
    )
}

/// One creation. The namespace is that of the call; upstream leaves it out of some objects.
fn created(resource: &Json, namespace: &Json, mut object: Json, error: &Json) -> Json {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
    // Go prints the zeros of a status that nobody has filled in yet.
    if object["kind"] == json!("StatefulSet") {
        object["status"] = Json::Null;
    }
    json!({
        "resource": resource,
        "namespace": namespace,
        "name": object["metadata"]["name"],
        "object": object,
        "error": error,
    })
}

fn text_of(error: &Json) -> Json {
    if error.is_object() { error["text"].clone() } else { error.clone() }
}

pub(super) fn expected_updated(expected: &Json, kind: Kind, name: &str) -> Json {
    let calls = expected.as_array().into_iter().flatten();
    calls
        .map(|call| {
            let is_target = call["resource"] == json!(kind.resource()) && call["name"] == json!(name);
            if is_target { json!([call["resource"], call["subresource"]]) } else { call.clone() }
        })
        .collect()
}

pub(super) fn our_updated(done: &Done, kind: Kind) -> Json {
    let mut calls = Vec::new();
    if done.wrote_metadata {
        calls.push(json!([kind.resource(), null]));
    }
    if done.wrote_status {
        calls.push(json!([kind.resource(), "status"]));
    }
    Json::Array(calls)
}

pub(super) fn expected_calls(expected: &Json) -> Vec<Json> {
    let calls = expected.as_array().into_iter().flatten();
    calls
        .map(|call| {
            json!({
                "resource": call["resource"],
                "namespace": call["namespace"],
                "name": call["name"],
                "patchType": call["patchType"],
                "patch": call["patch"],
                "error": text_of(&call["error"]),
            })
        })
        .collect()
}

pub(super) fn our_patched(done: &Done) -> Json {
    let calls = done.patched.iter().map(|(key, patch_type, body, fault)| {
        let patch_type = match patch_type {
            PatchType::Json => "application/json-patch+json",
            PatchType::Merge => "application/merge-patch+json",
            PatchType::Strategic => "application/strategic-merge-patch+json",
        };
        json!({
            "resource": key.kind.resource(),
            "namespace": key.namespace,
            "name": key.name,
            "patchType": patch_type,
            "patch": body,
            "error": fault.as_ref().map(|fault| &fault.text),
        })
    });
    sorted(calls.collect())
}

pub(super) fn our_deleted(done: &Done) -> Json {
    let calls = done.deleted.iter().map(|(key, fault)| {
        json!({
            "resource": key.kind.resource(),
            "namespace": key.namespace,
            "name": key.name,
            "error": fault.as_ref().map(|fault| &fault.text),
        })
    });
    sorted(calls.collect())
}

/// The order of calls on different objects carries no meaning.
pub(super) fn sorted(mut calls: Vec<Json>) -> Json {
    calls.sort_by_cached_key(|call| (call["resource"].to_string(), call["name"].to_string()));
    Json::Array(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More passes than any recorded world needs to come to rest while its clock stands still.
    const PASSES: usize = 8;

    /// Whether a pass over what the passes before it have left writes nothing to the run and creates nothing.
    fn comes_to_rest<R: Run>(case: &Case) -> bool {
        let mut world = world(&case.input).expect("the recorded world can be read");
        world.fills_in = true;
        let target = case.input["target"].as_str().unwrap_or_default();
        let (namespace, name) = target.split_once('/').unwrap_or(("", target));
        (0..PASSES).any(|_| {
            let done = world.pass::<R>(namespace, name).unwrap_or_default();
            !done.wrote_status && !done.wrote_metadata && done.created.is_empty()
        })
    }

    #[test]
    fn passes_over_a_recorded_world_come_to_rest() {
        for (suite, rests) in [
            ("reconcile-taskrun", comes_to_rest::<TaskRun> as fn(&Case) -> bool),
            ("reconcile-pipelinerun", comes_to_rest::<PipelineRun>),
        ] {
            let Some(dir) = crate::cases_dir() else {
                eprintln!("skipped: there is no folder of recorded cases");
                return;
            };
            let cases = crate::read_suite(&dir, suite).expect("the suite can be read");
            // Each case is one pass of a longer story, so a part of them tells all stories.
            let some = cases.iter().step_by(3);
            let restless: Vec<&str> = some.filter(|case| !rests(case)).map(|case| case.id.as_str()).collect();
            assert!(restless.is_empty(), "{suite}: {restless:?}");
        }
    }
}
