//! Suite `realworld-crossdoc`: a run and what it names, admitted and reconciled for the first time.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value as Json, json};
use tekton_engine::{ImageMetadata, Kind, Object as AnyObject, ObjectKey, Run, Stored};
use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::decode::{DecodeError, Problem};
use tekton_types::v1::{PipelineRun, TaskRun};
use tekton_types::v1beta1::convert::to_hub;
use tekton_types::yaml;
use tekton_validate::{Operation, field_error, validate_with_source};

use super::validate::config;
use crate::world::{Done, World, kind_called};
use crate::{Case, cases_dir, diff};

const NAMESPACE: &str = "default";
/// More passes than any case needs.
const MAX_PASSES: usize = 10;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let config = config(&input["config"])?;
    let mut documents = Vec::new();
    for entry in input["objects"].as_array().into_iter().flatten() {
        documents.push(document(entry)?);
    }
    let mut refused = Vec::new();
    let mut stored: Vec<Json> = Vec::new();
    let mut run = Json::Null;
    for (index, document) in documents.iter().enumerate() {
        match admit(document, &config) {
            Err(error) => refused.push(json!({ "object": index, "error": error })),
            Ok(object) if index == 0 => run = object,
            Ok(object) => stored.push(object),
        }
    }
    let definitions: Vec<Json> =
        stored.into_iter().filter(|o| o["kind"] != "PipelineRun" && o["kind"] != "TaskRun").collect();
    let mut ours = json!({ "verdict": "admission" });
    if !run.is_null() {
        let mut case_world =
            CaseWorld { config: &config, definitions: &definitions, resolutions: &input["resolutions"] };
        ours = if run["kind"] == "PipelineRun" {
            pipeline_run(&mut case_world, &run)?
        } else {
            task_run(&mut case_world, &run)?
        };
    }
    if !refused.is_empty() {
        ours["admission"] = refused.into();
    }
    let mut expect = case.expect.clone();
    same_decode_errors(&mut expect, &ours);
    diff::equal(&expect, &ours)
}

/// Texts of decoding are Go's; that there is an error is what counts.
fn same_decode_errors(expect: &mut Json, ours: &Json) {
    let pairs = expect["admission"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .zip(ours["admission"].as_array().into_iter().flatten());
    for (theirs, ours) in pairs {
        let is_decode = |entry: &Json| entry["error"].as_str().is_some_and(|e| e.starts_with("decode: "));
        if is_decode(theirs) && is_decode(ours) {
            theirs["error"] = ours["error"].clone();
        }
    }
}

fn document(entry: &Json) -> Result<Json, String> {
    let mut document = if entry["inline"].is_object() { entry["inline"].clone() } else { from_file(entry)? };
    for operation in entry["patch"].as_array().into_iter().flatten() {
        patch(&mut document, operation);
    }
    Ok(document)
}

fn from_file(entry: &Json) -> Result<Json, String> {
    let dir = cases_dir().ok_or("there is no folder of recorded cases")?;
    let file = dir.join("../realworld").join(entry["file"].as_str().unwrap_or_default());
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let index = entry["doc"].as_u64().and_then(|d| usize::try_from(d).ok()).unwrap_or_default();
    let parsed = yaml::parse_each(&text).nth(index).ok_or("no such document")?.map_err(|e| e.to_string())?;
    Ok(parsed.to_json())
}

fn patch(target: &mut Json, operation: &Json) {
    let path = operation["path"].as_str().unwrap_or_default();
    let mut parts: Vec<String> =
        path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    let Some(last) = parts.pop() else { return };
    let mut place = target;
    for part in parts {
        place = match part.parse::<usize>() {
            Ok(index) if place.is_array() => &mut place[index],
            _ => &mut place[part.as_str()],
        };
    }
    let value = operation["value"].clone();
    let op = operation["op"].as_str().unwrap_or_default();
    match place {
        Json::Array(items) => match (op, last.parse::<usize>()) {
            ("remove", Ok(index)) => {
                items.remove(index);
            }
            ("add", Ok(index)) => items.insert(index, value),
            ("add", Err(_)) => items.push(value),
            (_, Ok(index)) => items[index] = value,
            _ => {}
        },
        Json::Object(map) if op == "remove" => {
            map.remove(&last);
        }
        place => place[last.as_str()] = value,
    }
}

/// What an API server with Tekton's webhooks stores, at the version that controllers read.
fn admit(document: &Json, config: &Config) -> Result<Json, String> {
    let (object, errors) = Object::from_json(document);
    // As the webhook: any case will do, and metadata takes any field.
    let refuses = |e: &DecodeError| match &e.problem {
        Problem::UnknownField { case_variant, .. } => !case_variant && !e.path.starts_with("metadata."),
        _ => true,
    };
    if let Some(error) = errors.iter().find(|e| refuses(e)) {
        return Err(format!("decode: {}", error.message));
    }
    let mut object = object.ok_or("decode: nothing to read")?;
    object.set_defaults(config, true);
    if let Some(metadata) = object.metadata_mut() {
        metadata.namespace = Some(NAMESPACE.to_owned());
        if metadata.name.as_deref().unwrap_or_default().is_empty() {
            let base: String = metadata.generate_name.clone().unwrap_or_default().chars().take(58).collect();
            metadata.name = Some(format!("{base}00000"));
        }
    }
    let found = validate_with_source(&object, document, config, Operation::Create);
    if !found.is_empty() {
        return Err(field_error(&found));
    }
    Ok(to_hub(object).map_err(|e| e.to_string())?.to_json())
}

struct CaseWorld<'a> {
    config: &'a Config,
    definitions: &'a [Json],
    resolutions: &'a Json,
}

impl CaseWorld<'_> {
    fn world(&self, run: &Json) -> Result<World, String> {
        let mut world = World {
            now: "2022-01-01T00:00:00Z".parse().map_err(|e| format!("{e}"))?,
            config: self.config.clone().into(),
            any_image: Some(ImageMetadata {
                digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000".to_owned(),
                commands: BTreeMap::from([("linux/amd64".to_owned(), Some(vec!["/bin/sh".to_owned()]))]),
            }),
            // What the fake clients of the recording answered.
            any_log: "fake logs".to_owned(),
            ..World::default()
        };
        for json in self.definitions.iter().chain([run]) {
            put(&mut world, json)?;
        }
        let account = run["spec"]["serviceAccountName"].as_str().filter(|n| !n.is_empty()).unwrap_or("default");
        put(
            &mut world,
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": NAMESPACE}}),
        )?;
        Ok(world)
    }

    /// Reconciles until nothing more can be answered: what was done, the world, and the number of passes.
    fn reconcile<R: Run>(&self, run: &Json) -> Result<(Vec<Done>, World), String> {
        let mut world = self.world(run)?;
        let name = run["metadata"]["name"].as_str().unwrap_or_default();
        let mut all = Vec::new();
        while all.len() < MAX_PASSES {
            all.push(world.pass::<R>(NAMESPACE, name).ok_or("the run is not there")?);
            if !self.answer_requests(&mut world)? {
                break;
            }
        }
        Ok((all, world))
    }

    /// Answers open requests for which there is a document; whether there was any.
    fn answer_requests(&self, world: &mut World) -> Result<bool, String> {
        let mut answered = false;
        for mut request in requests(world) {
            let Some(resolution) = self.resolution_for(&request) else { continue };
            let body = document(resolution)?.to_string();
            request["status"] = json!({
                "conditions": [{"type": "Succeeded", "status": "True"}],
                "data": base64(body.as_bytes()),
            });
            put(world, &request)?;
            answered = true;
        }
        Ok(answered)
    }

    fn resolution_for(&self, request: &Json) -> Option<&Json> {
        let resolver = &request["metadata"]["labels"]["resolution.tekton.dev/type"];
        let value = |name: &str| {
            let params = request["spec"]["params"].as_array().into_iter().flatten();
            params.into_iter().find(|p| p["name"] == name).map(|p| &p["value"])
        };
        self.resolutions.as_array().into_iter().flatten().find(|r| {
            r["resolver"] == *resolver
                && r["params"].as_object().into_iter().flatten().all(|(name, wanted)| value(name) == Some(wanted))
        })
    }
}

fn put(world: &mut World, json: &Json) -> Result<(), String> {
    let Some(kind) = kind_called(json["kind"].as_str().unwrap_or_default()) else { return Ok(()) };
    world.put(AnyObject::from_json(kind, json.clone()).map_err(|e| e.to_string())?);
    Ok(())
}

/// Requests that nobody has answered.
fn requests(world: &World) -> Vec<Json> {
    let all = world.objects.iter().filter(|(key, _)| key.kind.as_str() == "ResolutionRequest");
    let json = all.filter_map(|(_, object)| object.to_json().ok());
    json.filter(|r| r["status"]["data"].as_str().unwrap_or_default().is_empty()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = (group >> (18 - 6 * position)) & 63;
            out.push(if position <= chunk.len() { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    out
}

fn stored(world: &World, kind: Kind, name: &str) -> Json {
    let key = ObjectKey::new(kind, NAMESPACE, name);
    world.objects.get(&key).and_then(|o| o.to_json().ok()).unwrap_or_default()
}

fn condition(object: &Json) -> Json {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let found = conditions.into_iter().find(|c| c["type"] == "Succeeded");
    found.map_or(Json::Null, |c| json!({ "status": c["status"], "reason": c["reason"], "message": c["message"] }))
}

fn common(all: &[Done], world: &World, object: &Json) -> Json {
    let mut out = json!({ "condition": condition(object) });
    if let Some((text, permanent)) = all.last().and_then(|done| done.fault.clone()) {
        out["reconcileError"] = json!({ "message": text, "permanent": permanent });
    }
    if all.len() > 1 {
        out["passes"] = all.len().into();
    }
    let unanswered: Vec<Json> = requests(world).iter().map(request_json).collect();
    out["unanswered"] = unanswered.into();
    out
}

fn request_json(request: &Json) -> Json {
    let params = request["spec"]["params"].as_array().into_iter().flatten();
    let params: serde_json::Map<String, Json> =
        params.map(|p| (p["name"].as_str().unwrap_or_default().to_owned(), p["value"].clone())).collect();
    json!({ "resolver": request["metadata"]["labels"]["resolution.tekton.dev/type"], "params": params })
}

fn task_run(case: &mut CaseWorld<'_>, run: &Json) -> Result<Json, String> {
    let (out, verdict) = one_task_run(case, run)?;
    Ok(json!({ "run": out, "verdict": verdict }))
}

fn one_task_run(case: &CaseWorld<'_>, run: &Json) -> Result<(Json, &'static str), String> {
    let (all, world) = case.reconcile::<TaskRun>(run)?;
    let name = run["metadata"]["name"].as_str().unwrap_or_default();
    let after = stored(&world, TaskRun::KIND, name);
    let mut out = common(&all, &world, &after);
    let pods = all.iter().flat_map(|done| &done.created);
    let has_pod = pods.into_iter().any(|(object, fault)| object.kind().as_str() == "Pod" && fault.is_none());
    out["podCreated"] = has_pod.into();
    let verdict = verdict(&out, has_pod);
    Ok((out, verdict))
}

fn verdict(out: &Json, is_running: bool) -> &'static str {
    if out["condition"]["status"] == "False" {
        "fails"
    } else if !is_running && out["unanswered"].as_array().is_some_and(|u| !u.is_empty()) {
        "waits"
    } else {
        "ok"
    }
}

fn pipeline_run(case: &mut CaseWorld<'_>, run: &Json) -> Result<Json, String> {
    let (all, world) = case.reconcile::<PipelineRun>(run)?;
    let name = run["metadata"]["name"].as_str().unwrap_or_default();
    let after = stored(&world, PipelineRun::KIND, name);
    let mut out = common(&all, &world, &after);
    let mut children = after["status"]["childReferences"].clone();
    for child in children.as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut) {
        child.retain(|key, _| ["apiVersion", "kind", "name", "pipelineTaskName"].contains(&key.as_str()));
    }
    out["childReferences"] = children;
    out["skippedTasks"] = after["status"]["skippedTasks"].clone();
    let mut task_runs = serde_json::Map::new();
    let mut any_fails = false;
    for (object, fault) in all.iter().flat_map(|done| &done.created) {
        if object.kind() != TaskRun::KIND || fault.is_some() {
            continue;
        }
        let mut child = object.to_json().map_err(|e| e.to_string())?;
        child["status"] = Json::Null;
        let (mut report, verdict) = one_task_run(case, &child)?;
        any_fails |= verdict == "fails";
        let params = child["spec"]["params"].as_array().into_iter().flatten();
        let params: serde_json::Map<String, Json> =
            params.map(|p| (p["name"].as_str().unwrap_or_default().to_owned(), p["value"].clone())).collect();
        report["params"] = params.into();
        let workspaces = child["spec"]["workspaces"].as_array().into_iter().flatten();
        report["workspaces"] = workspaces.map(|w| w["name"].clone()).collect();
        task_runs.insert(child["metadata"]["name"].as_str().unwrap_or_default().to_owned(), report);
    }
    let has_children = !task_runs.is_empty();
    out["taskRuns"] = task_runs.into();
    let verdict = match verdict(&out, has_children) {
        "ok" if any_fails => "task-run-fails",
        other => other,
    };
    Ok(json!({ "run": out, "verdict": verdict }))
}
