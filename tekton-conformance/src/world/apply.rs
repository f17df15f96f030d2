//! What the effects of a decision do to a world.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value as Json, json};
use tekton_engine::{ApiFault, Effect, Object, Outcome, PatchType};
use tekton_types::condition;

use super::{Done, World};

impl World {
    /// Applies one effect and writes down what came of it.
    pub fn apply(&mut self, effect: &Effect, done: &mut Done) -> Outcome {
        let key = effect.key().object;
        let before = self.objects.get(&key).cloned();
        let result = self.applied(effect);
        let same = match (&before, self.objects.get(&key)) {
            (Some(before), Some(after)) => before.is_same(after),
            (before, after) => before.is_none() && after.is_none(),
        };
        if !same {
            done.changed.push(key);
        }
        let fault = result.as_ref().err().cloned();
        match effect {
            Effect::Create(object) => done.created.push((object.clone(), fault)),
            Effect::Update(object) => done.updated.push((object.clone(), fault)),
            Effect::Patch { key, patch_type, body, .. } => {
                done.patched.push((key.clone(), *patch_type, body.clone(), fault));
            }
            Effect::Delete(key) => done.deleted.push((key.clone(), fault)),
            _ => {}
        }
        match result {
            Ok(object) => Outcome::Done(object),
            Err(fault) => Outcome::Refused(fault),
        }
    }

    fn applied(&mut self, effect: &Effect) -> Result<Option<Object>, ApiFault> {
        match effect {
            Effect::Create(object) => {
                let key = object.key();
                if let Some(fault) = self.fails("create", &key) {
                    return Err(fault);
                }
                if self.objects.contains_key(&key) {
                    return Err(ApiFault {
                        reason: "AlreadyExists".to_owned(),
                        code: 409,
                        text: ApiFault::not_found(&key).text.replace("not found", "already exists"),
                        details_kind: key.kind.resource().to_owned(),
                    });
                }
                let mut created = if self.fills_in { self.filled_in(object) } else { object.clone() };
                if let (Object::Pod(pod), true) = (&mut created, self.pods_pend) {
                    Arc::make_mut(pod).status.get_or_insert_default().phase = Some("Pending".to_owned());
                }
                self.objects.insert(key, created.clone());
                Ok(Some(created))
            }
            Effect::Update(object) => {
                let key = object.key();
                if let Some(fault) = self.fails("update", &key) {
                    return Err(fault);
                }
                self.objects.insert(key, object.clone());
                Ok(Some(object.clone()))
            }
            Effect::Patch { key, patch_type, body, .. } => {
                if let Some(fault) = self.fails("patch", key) {
                    return Err(fault);
                }
                let object = self.objects.get(key).ok_or_else(|| ApiFault::not_found(key))?;
                let unreadable = |e: serde_json::Error| ApiFault { text: e.to_string(), ..ApiFault::default() };
                let mut json = object.to_json().map_err(unreadable)?;
                if *patch_type == PatchType::Json {
                    patch(&mut json, body);
                }
                let patched = Object::from_json(key.kind, json).map_err(unreadable)?;
                if patched == *object {
                    // What changes nothing makes no new version.
                    return Ok(Some(object.clone()));
                }
                if self.guards_ended && changes_what_ended(object, &patched) {
                    return Err(ApiFault {
                        reason: "BadRequest".to_owned(),
                        code: 400,
                        text: "invalid value: Once the TaskRun is complete, no updates are allowed".to_owned(),
                        details_kind: String::new(),
                    });
                }
                self.objects.insert(key.clone(), patched.clone());
                Ok(Some(patched))
            }
            Effect::Delete(key) => {
                if let Some(fault) = self.fails("delete", key) {
                    return Err(fault);
                }
                self.objects.remove(key).map(|_| None).ok_or_else(|| ApiFault::not_found(key))
            }
            other => Err(ApiFault { text: format!("{other:?} cannot be done here"), ..ApiFault::default() }),
        }
    }

    /// The object as an API server stores it: with a time and a uid.
    fn filled_in(&self, object: &Object) -> Object {
        let mut filled = object.clone();
        let meta = filled.metadata_mut();
        meta.creation_timestamp = Some(Time(self.now));
        if meta.uid.as_deref().unwrap_or_default().is_empty() {
            meta.uid = Some(format!("uid-{}", meta.name.as_deref().unwrap_or_default()));
        }
        filled
    }
}

fn changes_what_ended(before: &Object, after: &Object) -> bool {
    match (before, after) {
        (Object::TaskRun(before), Object::TaskRun(after)) => {
            condition::succeeded(&before.status.conditions).is_some_and(|condition| !condition.is_unknown())
                && before.spec != after.spec
        }
        _ => false,
    }
}

/// Applies the operations `add`, `replace` and `remove` of a JSON patch, which is all that the engine uses.
fn patch(target: &mut Json, operations: &Json) {
    for operation in operations.as_array().into_iter().flatten() {
        let path = operation["path"].as_str().unwrap_or_default();
        let mut parts: Vec<String> =
            path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        let Some(last) = parts.pop() else { continue };
        let mut place = &mut *target;
        for part in parts {
            place = match part.parse::<usize>() {
                Ok(index) if place.is_array() => &mut place[index],
                _ => &mut place[part.as_str()],
            };
        }
        let value = if operation["op"] == json!("remove") { Json::Null } else { operation["value"].clone() };
        match last.parse::<usize>() {
            Ok(index) if place.is_array() => place[index] = value,
            _ => place[last.as_str()] = value,
        }
    }
}
