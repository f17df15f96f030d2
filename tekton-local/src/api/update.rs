//! Replacing objects, and what every change of an object goes through.

use std::sync::Arc;

use http::Response;
use serde_json::Value;

use super::admission::{Operation, Review};
use super::create::check_type;
use super::error::{ApiError, Cause};
use super::fields::{Writer, record_update};
use super::request::Request;
use super::webhook::Attempt;
use super::{Api, Body, Target, meta};
use crate::convert;
use crate::kinds;
use crate::store::{Object, WriteError};

/// One change of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) request: &'a Request,
    pub(crate) target: &'a Target,
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
    /// Whether `managedFields` of the new state are final, as after an apply.
    pub(crate) applied: bool,
    pub(crate) dry_run: bool,
}

/// Why a change was not stored.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Somebody else was faster; the change may be made again.
    Raced,
    /// For good.
    Error(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl Api {
    pub(super) async fn put(
        self: &Arc<Self>,
        request: &Request,
        target: &Target,
        name: &str,
        subresource: &str,
    ) -> Result<Response<Body>, ApiError> {
        let form = super::negotiate::form(&request.accept)?;
        let dry_run = request.dry_run()?;
        let mut body = request.object()?;
        check_type(target, &mut body)?;
        let warnings = decode(request, target, &mut body)?;
        let given = body["metadata"]["name"].as_str().unwrap_or_default();
        if given.is_empty() && subresource.is_empty() {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )));
        }
        if !given.is_empty() && given != name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        body["metadata"]["name"] = name.into();
        if let Some(namespace) = target.namespace.as_deref().filter(|_| target.resource.namespaced) {
            let given = body["metadata"]["namespace"].as_str().unwrap_or_default();
            if !given.is_empty() && given != namespace {
                return Err(ApiError::bad_request(format!(
                    "the namespace of the object ({given}) does not match the namespace on the request ({namespace})"
                )));
            }
            body["metadata"]["namespace"] = namespace.into();
        }
        let sent_version = body["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let change = Change { request, target, name, subresource, applied: false, dry_run };
        for _ in 0..16 {
            let Some(old) = self.store.get(&target.key(name)) else {
                if subresource.is_empty() && kinds::creates_on_update(&target.resource) && sent_version.is_empty() {
                    let (object, warnings) = self.create_object(request, target, body, dry_run).await?;
                    let mut response = super::get::answer_value(&form, request, target, &object, 201)?;
                    warn(&mut response, &warnings);
                    return Ok(response);
                }
                return Err(ApiError::not_found(&target.resource, name));
            };
            if sent_version.is_empty() && !kinds::unconditional_update(&target.resource) {
                let cause = Cause {
                    reason: "FieldValueInvalid",
                    message: "Invalid value: 0x0: must be specified for an update".to_owned(),
                    field: "metadata.resourceVersion".to_owned(),
                };
                return Err(ApiError::invalid(&target.resource.group, &target.resource.plural, name, &[cause]));
            }
            check_uid(target, name, &body, &old)?;
            match self.change(&change, &old, body.clone()).await {
                Ok(object) => {
                    let mut response = super::get::answer_value(&form, request, target, &object, 200)?;
                    warn(&mut response, &warnings);
                    return Ok(response);
                }
                Err(Refused::Raced) if sent_version.is_empty() => {}
                Err(Refused::Raced) => return Err(ApiError::modified(&target.resource, name)),
                Err(Refused::Error(error)) => return Err(error),
            }
        }
        Err(ApiError::modified(&target.resource, name))
    }

    /// Brings an object from `old` to `new`, through defaults, admission, validation and bookkeeping.
    pub(crate) async fn change(&self, change: &Change<'_>, old: &Arc<Object>, new: Value) -> Result<Value, Refused> {
        let Change { request, target, name, subresource, .. } = *change;
        let resource = &target.resource;
        let before = convert::to_version(&old.value, &target.api_version()).into_owned();
        let mut new = new;
        let sent = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !sent.is_empty() && sent != old.meta("resourceVersion") {
            return Err(Refused::Error(ApiError::modified(resource, name)));
        }
        let uid = new["metadata"]["uid"].clone();
        if uid.as_str().is_some_and(|uid| !uid.is_empty() && uid != old.meta("uid")) {
            let cause = Cause::invalid("metadata.uid", &uid, "field is immutable");
            return Err(ApiError::invalid(&resource.group, &resource.kind, name, &[cause.clone(), cause]).into());
        }
        keep_identity(&before, &mut new);
        confine(target, subresource, &before, &mut new);
        kinds::default(target, &mut new);
        // What admission adds belongs to nobody.
        if !change.applied {
            let api_version = target.api_version();
            let writer = Writer { manager: request.manager(), api_version: &api_version, subresource };
            record_update(Some(&before), &mut new, &writer, target.shape(), resource.custom);
        }
        kinds::admission(self, target, &mut new, Some(&before))?;
        let attempt = Attempt {
            target,
            name,
            subresource,
            operation: Operation::Update,
            old: Some(&before),
            user: &request.user,
            dry_run: change.dry_run,
        };
        self.mutate(&attempt, &mut new).await?;
        let review = Review {
            group: &resource.group,
            version: &target.version,
            kind: &resource.kind,
            subresource,
            operation: Operation::Update,
            old: Some(&before),
        };
        for hook in self.hooks() {
            if hook.wants(&resource.group, &resource.kind) {
                hook.admit(&review, &mut new).await?;
            }
        }
        self.validate_by_webhooks(&attempt, &new).await?;
        confine(target, subresource, &before, &mut new);
        if let Some(causes) = kinds::update_forbidden(target, &before, &new, subresource) {
            return Err(ApiError::invalid(&resource.group, &resource.kind, name, &causes).into());
        }
        bump_generation(target, subresource, &before, &mut new);
        // Kubernetes checks the metadata of an update in common code and again in that of the kind, and tells each
        // finding as often.
        let mut causes: Vec<Cause> = meta::validate(resource, &new);
        causes.extend(meta::validate_update(&new));
        causes.extend(meta::validate_update(&new));
        if !resource.custom {
            causes.extend(meta::validate(resource, &new));
        }
        causes.extend(finalizers_while_deleting(&before, &new));
        causes.extend(kinds::validate(target, &new, Some(&before)));
        if !causes.is_empty() {
            return Err(ApiError::invalid(&resource.group, &resource.kind, name, &causes).into());
        }
        if same(&before, &new) {
            return Ok(before);
        }
        let key = target.key(name);
        let ends = finished_deleting(&new);
        if change.dry_run {
            return Ok(new);
        }
        if ends {
            // Watchers see the object as it last was.
            let written = self.store.delete(&key, old.revision, old.value.clone()).map_err(race(target, name))?;
            kinds::deleted(self, target, &written.value);
            return Ok(new);
        }
        let stored = super::create::to_storage(target, &new)?;
        let written = self.store.update(&key, old.revision, stored).map_err(race(target, name))?;
        kinds::updated(self, target, &written.value);
        Ok(convert::to_version(&written.value, &target.api_version()).into_owned())
    }
}

fn race<'a>(target: &'a Target, name: &'a str) -> impl FnOnce(WriteError) -> Refused + 'a {
    move |error| match error {
        WriteError::Missing => Refused::Error(ApiError::not_found(&target.resource, name)),
        WriteError::Conflict | WriteError::Exists => Refused::Raced,
    }
}

fn check_uid(target: &Target, name: &str, body: &Value, old: &Object) -> Result<(), ApiError> {
    let uid = body["metadata"]["uid"].as_str().unwrap_or_default();
    if uid.is_empty() || uid == old.meta("uid") {
        return Ok(());
    }
    let group = if target.resource.group.is_empty() || !target.resource.custom {
        String::new()
    } else {
        format!("{}/", target.resource.group)
    };
    let namespace = target.namespace.as_deref().map(|ns| format!("{ns}/")).unwrap_or_default();
    let detail = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{namespace}{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
        target.resource.plural,
        old.meta("uid")
    );
    Err(ApiError::conflict(&target.resource.group, &target.resource.plural, name, &detail))
}

/// What a client cannot change stays.
fn keep_identity(before: &Value, new: &mut Value) {
    if !new["metadata"].is_object() {
        new["metadata"] = Value::Object(serde_json::Map::new());
    }
    let Some(meta) = new["metadata"].as_object_mut() else { return };
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
    ] {
        match before["metadata"].get(field) {
            Some(value) => drop(meta.insert(field.to_owned(), value.clone())),
            None => drop(meta.remove(field)),
        }
    }
}

/// A write of a subresource changes that part only; a write of the object leaves `status` alone.
fn confine(target: &Target, subresource: &str, before: &Value, new: &mut Value) {
    let set = |into: &mut Value, field: &str, from: &Value| {
        let Some(fields) = into.as_object_mut() else { return };
        match from.get(field) {
            Some(value) => drop(fields.insert(field.to_owned(), value.clone())),
            None => drop(fields.remove(field)),
        }
    };
    if subresource == "status" {
        let mut kept = before.clone();
        set(&mut kept, "status", new);
        if target.resource.custom {
            set(&mut kept["metadata"], "managedFields", &new["metadata"]);
        } else {
            for field in ["labels", "annotations", "finalizers", "managedFields"] {
                set(&mut kept["metadata"], field, &new["metadata"]);
            }
        }
        *new = kept;
    } else if subresource.is_empty() && target.declared().status {
        set(new, "status", before);
    }
}

fn bump_generation(target: &Target, subresource: &str, before: &Value, new: &mut Value) {
    if !target.resource.has_generation() || subresource == "status" {
        return;
    }
    let changed = if target.resource.custom {
        let relevant = |value: &Value| -> Vec<(String, Value)> {
            value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| *name != "metadata" && !(target.declared().status && *name == "status"))
                .map(|(name, field)| (name.clone(), field.clone()))
                .collect()
        };
        relevant(before) != relevant(new)
    } else {
        before["spec"] != new["spec"]
    };
    if changed {
        new["metadata"]["generation"] = (before["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
    }
}

/// Whether two states differ in nothing but who last touched them when.
fn same(before: &Value, new: &Value) -> bool {
    let fields = |value: &Value| -> Option<usize> { value.as_object().map(serde_json::Map::len) };
    if fields(before) != fields(new) {
        return false;
    }
    let (Some(a), Some(b)) = (before.as_object(), new.as_object()) else { return before == new };
    for (name, value) in a {
        if name == "metadata" {
            continue;
        }
        if b.get(name) != Some(value) {
            return false;
        }
    }
    let strip = |meta: &Value| -> (Vec<(String, Value)>, Vec<Value>) {
        let rest = meta
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(n, _)| *n != "managedFields")
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        let managed = meta["managedFields"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| {
                let mut entry = entry.clone();
                if let Some(entry) = entry.as_object_mut() {
                    entry.remove("time");
                }
                entry
            })
            .collect();
        (rest, managed)
    };
    strip(&before["metadata"]) == strip(&new["metadata"])
}

fn finalizers_while_deleting(before: &Value, new: &Value) -> Vec<Cause> {
    if before["metadata"]["deletionTimestamp"].is_null() {
        return Vec::new();
    }
    let list =
        |value: &Value| -> Vec<Value> { value["metadata"]["finalizers"].as_array().cloned().unwrap_or_default() };
    let had = list(before);
    let added: Vec<Value> = list(new).into_iter().filter(|f| !had.contains(f)).collect();
    if added.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = added.iter().filter_map(Value::as_str).collect();
    let shown: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let detail = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        shown.join(", ")
    );
    let cause = Cause::forbidden("metadata.finalizers", &detail);
    vec![cause.clone(), cause]
}

/// Whether an object that is being deleted has nothing left to wait for.
pub(crate) fn finished_deleting(object: &Value) -> bool {
    let meta = &object["metadata"];
    !meta["deletionTimestamp"].is_null()
        && meta["finalizers"].as_array().is_none_or(Vec::is_empty)
        && meta["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && !(object["kind"] == "Namespace"
            && object["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()))
}

/// Drops or refuses fields that the kind does not have, as `fieldValidation` says; answers the warnings.
pub(crate) fn decode(request: &Request, target: &Target, object: &mut Value) -> Result<Vec<String>, ApiError> {
    let mut unknown = super::duplicates::find(request);
    unknown.extend(kinds::prune(target, object)?);
    match request.query.get("fieldValidation") {
        Some("Strict") if !unknown.is_empty() => {
            let texts = unknown.join(", ");
            let kind = &target.resource.kind;
            Err(ApiError::bad_request(format!(
                "{kind} in version \"{}\" cannot be handled as a {kind}: strict decoding error: {texts}",
                target.version
            )))
        }
        Some("Ignore") => Ok(Vec::new()),
        _ => Ok(unknown),
    }
}

/// Adds warnings to a response as Kubernetes sends them.
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = http::HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(http::header::WARNING, value);
        }
    }
}
