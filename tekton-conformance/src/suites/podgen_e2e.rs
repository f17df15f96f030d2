//! Suite `podgen-e2e`: a submitted TaskRun goes through admission and one pass of the reconciler.

use std::sync::Arc;

use serde_json::{Value, json};
use tekton_engine::{ClusterFacts, Kind, Object, ServerVersion};
use tekton_podgen::{Fact, Need, merge};
use tekton_types::config::Config;
use tekton_types::v1::{ParamValue, TaskRun, TaskSpec};
use tekton_types::yaml;
use tekton_validate::{Operation, field_error, validate_with_source};

use super::podgen_support as support;
use super::reconcile::tidy;
use crate::Case;
use crate::world::{Done, World, kind_called};

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let mut expect = case.expect.clone();
    let mut ours = answer(&case.input)?;
    for side in [&mut expect, &mut ours] {
        // One round of needs asks for all images at once, in no order.
        if let Some(lookups) = side["imageLookups"].as_array_mut() {
            lookups.sort_by_key(ToString::to_string);
        }
        support::strip_type(&mut side["pod"]);
    }
    support::equal_with_pod(&tidy(&expect), &tidy(&ours))
}

fn answer(input: &Value) -> Result<Value, String> {
    let config = support::config(&input["config"])?;
    let mut world = World {
        now: support::text(&input["now"]).parse().map_err(|error| format!("now: {error}"))?,
        cluster: ClusterFacts {
            images: support::images(&input["images"]),
            release: support::text(&input["release"]),
            ..ClusterFacts::default()
        }
        .into(),
        pods_pend: true,
        ..World::default()
    };
    if let Some(version) = input["kubernetesVersion"].as_object() {
        let text = |key: &str| version.get(key).map(support::text).unwrap_or_default();
        world.version = Some(ServerVersion { major: text("major"), minor: text("minor") });
    }
    for (image, metadata) in input["imageMetadata"].as_object().into_iter().flatten() {
        let mut facts = tekton_podgen::Facts::default();
        let lookup = tekton_podgen::ImageLookup { image: image.clone(), has_args: false };
        support::answer(&mut facts, vec![Need::Image(lookup)], &input["imageMetadata"])?;
        match facts.images.remove(image) {
            Some(Fact::Known(known)) => {
                world.images.insert(image.clone(), known);
            }
            _ => return Err(format!("the case has no metadata for {image}: {metadata}")),
        }
    }
    let documents = input["objects"].as_array().into_iter().flatten().chain([&input["taskRun"]]);
    for document in documents {
        match admitted(document, &config)? {
            Ok(object) => put(&mut world, &object)?,
            Err(error) => return Ok(json!({"admissionError": error})),
        }
    }
    world.config = config.into();
    let metadata = &input["taskRun"]["metadata"];
    let (namespace, name) = (support::text(&metadata["namespace"]), support::text(&metadata["name"]));
    let done = world.pass::<TaskRun>(&namespace, &name).ok_or("there is no TaskRun")?;
    let after = world.get::<TaskRun>(&namespace, &name).ok_or("the TaskRun is gone")?;
    Ok(report(&done, after, &created(&done, Kind::Pod), &created(&done, Kind::PersistentVolumeClaim)))
}

/// The document as the webhooks leave it, or their refusal. Other kinds than Tekton's pass as they are.
fn admitted(document: &Value, config: &Config) -> Result<Result<Value, String>, String> {
    let kind = support::text(&document["kind"]);
    if !document["apiVersion"].as_str().unwrap_or_default().starts_with("tekton.dev/") {
        return Ok(Ok(document.clone()));
    }
    let text = document.to_string();
    let documents = yaml::parse(&text).map_err(|error| error.to_string())?;
    let parsed = documents.first().ok_or("there is no document")?;
    let (object, errors) = tekton_types::Object::observe(parsed);
    let mut object = object.ok_or_else(|| format!("{kind} is not readable: {errors:?}"))?;
    object.set_defaults(config, true);
    let found = validate_with_source(&object, document, config, Operation::Create);
    if found.is_empty() {
        return Ok(Ok(object.to_json()));
    }
    let named = match kind.as_str() {
        "TaskRun" => kind,
        _ => format!("{kind} {}", support::text(&document["metadata"]["name"])),
    };
    Ok(Err(format!("{named}: {}", field_error(&found))))
}

fn put(world: &mut World, object: &Value) -> Result<(), String> {
    let Some(kind) = kind_called(object["kind"].as_str().unwrap_or_default()) else { return Ok(()) };
    let mut object = object.clone();
    if kind_called("StepAction") == Some(kind) {
        object["apiVersion"] = json!("tekton.dev/v1beta1");
    }
    let mut object = Object::from_json(kind, object).map_err(|error| error.to_string())?;
    match &mut object {
        Object::TaskRun(run) => validated_in_place(Arc::make_mut(run)),
        Object::Task(task) => merge_steps(&mut Arc::make_mut(task).spec),
        _ => {}
    }
    world.put(object);
    Ok(())
}

/// What upstream's validation leaves behind in the object that it checks. The recording validated and reconciled the
/// very same object in one process, where a webhook has a copy of its own: steps are merged with their template, and
/// object parameters take the values of the defaults.
fn validated_in_place(run: &mut TaskRun) {
    let Some(spec) = &mut run.spec.task_spec else { return };
    merge_steps(spec);
    for param in &mut run.spec.params {
        let declared = spec.params.iter().find(|declared| declared.name == param.name);
        let default = declared.and_then(|declared| declared.default.as_ref());
        if let (ParamValue::Object(value), Some(ParamValue::Object(default))) = (&mut param.value, default) {
            value.extend(default.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
}

fn merge_steps(spec: &mut TaskSpec) {
    if spec.step_template.is_some() {
        spec.steps = merge::steps_with_template(spec);
    }
}

fn created(done: &Done, kind: Kind) -> Vec<Value> {
    let of_kind = done.created.iter().filter(|(object, fault)| object.kind() == kind && fault.is_none());
    of_kind.map(|(object, _)| object.to_json().unwrap_or_default()).collect()
}

fn report(done: &Done, after: &TaskRun, pods: &[Value], claims: &[Value]) -> Value {
    let (error, permanent) = done.fault.clone().map_or((None, None), |(text, class)| (Some(text), Some(class)));
    let requeue = (error.is_none() && done.wake_at.is_some()).then_some(true);
    let lookups: Vec<Value> =
        done.lookups.iter().map(|(image, has_args)| json!({"image": image, "hasArgs": has_args})).collect();
    json!({
        "pod": pods.first(),
        "createdPersistentVolumeClaims": claims,
        "taskRunStatus": after.status,
        "taskRunLabels": after.metadata.labels,
        "imageLookups": lookups,
        "requeue": requeue,
        "reconcileError": error,
        "permanent": permanent.filter(|permanent| *permanent),
    })
}
