//! Deleting objects: preconditions, grace, finalizers, propagation, collections.

use std::sync::Arc;

use http::Response;
use serde_json::{Value, json};

use super::admission::{Operation, Review};
use super::error::{ApiError, Cause};
use super::get::Selection;
use super::request::Request;
use super::webhook::Attempt;
use super::{Api, Body, Target, User, respond_json, stamp};
use crate::convert;
use crate::kinds;
use crate::store::{Object, WriteError};

/// Namespaces that nobody can delete.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// How long a pod has when nobody says.
const DEFAULT_GRACE: i64 = 30;

/// What happens to the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// The options of a deletion.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) grace: Option<i64>,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) dry_run: bool,
    /// Who deletes.
    pub(crate) user: User,
}

/// What a deletion came to.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone; its last state.
    Gone(Value),
    /// The object stays until something else is done.
    Pending(Value),
}

impl DeleteOptions {
    fn of(request: &Request) -> Result<Self, ApiError> {
        let body: Value = if request.body.is_empty() { Value::Null } else { request.object()? };
        let query = &request.query;
        let refuse = |cause: Cause| ApiError::invalid("meta.k8s.io", "DeleteOptions", "", &[cause]);
        let text = |field: &str| body[field].as_str().or_else(|| query.get(field));
        let orphan = body["orphanDependents"].as_bool().or_else(|| query.get("orphanDependents").map(|v| v == "true"));
        let policy = text("propagationPolicy");
        if policy.is_some() && orphan.is_some() {
            let shown = json!(policy);
            return Err(refuse(Cause::invalid(
                "propagationPolicy",
                &shown,
                "orphanDependents and deletionPropagation cannot be both set",
            )));
        }
        let propagation = match (policy, orphan) {
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (None, None) => None,
            (Some(other), _) => {
                return Err(refuse(Cause::not_supported(
                    "propagationPolicy",
                    &other.into(),
                    &["Foreground", "Background", "Orphan", "nil"],
                )));
            }
        };
        let asked = body["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let dry_run = request.dry_run_of(asked)? || request.dry_run()?;
        if let Some(wrong) = body.get("gracePeriodSeconds").filter(|grace| !grace.is_null() && !grace.is_i64()) {
            return Err(ApiError::bad_request(format!(
                "json: cannot unmarshal {} into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
                kinds::go_kind(wrong)
            )));
        }
        Ok(Self {
            grace: body["gracePeriodSeconds"]
                .as_i64()
                .or_else(|| query.get("gracePeriodSeconds").and_then(|g| g.parse().ok())),
            propagation,
            uid: body["preconditions"]["uid"].as_str().map(str::to_owned),
            resource_version: body["preconditions"]["resourceVersion"].as_str().map(str::to_owned),
            dry_run,
            user: request.user.clone(),
        })
    }
}

impl Api {
    pub(super) async fn delete(
        self: &Arc<Self>,
        request: &Request,
        target: &Target,
        name: &str,
    ) -> Result<Response<Body>, ApiError> {
        let form = super::negotiate::form(&request.accept)?;
        let options = DeleteOptions::of(request)?;
        let deleted = self.delete_object(target, name, &options).await?;
        let resource = &target.resource;
        match deleted {
            Deleted::Gone(object) if !kinds::answers_deleted(resource) => {
                let mut details = json!({"name": name, "kind": resource.plural, "uid": object["metadata"]["uid"]});
                if !resource.group.is_empty() {
                    details["group"] = resource.group.clone().into();
                }
                Ok(respond_json(
                    200,
                    &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
                ))
            }
            Deleted::Gone(object) | Deleted::Pending(object) => {
                super::get::answer_value(&form, request, target, &object, 200)
            }
        }
    }

    pub(super) async fn delete_collection(
        self: &Arc<Self>,
        request: &Request,
        target: &Target,
    ) -> Result<Response<Body>, ApiError> {
        let options = DeleteOptions::of(request)?;
        let selection = Selection::of(request, target)?;
        let (_, all) = self.store.list(&target.resource.key, target.namespace.as_deref());
        let mut items = Vec::new();
        for object in all.iter().filter(|object| selection.matches(&object.value)) {
            match self.delete_object(target, object.meta("name"), &options).await {
                Ok(_) => items.push(convert::to_version(&object.value, &target.api_version()).into_owned()),
                Err(error) if error.code == 404 => {}
                Err(error) => return Err(error),
            }
        }
        let resource = &target.resource;
        let mut meta = json!({"resourceVersion": self.store.revision().to_string()});
        if resource.custom {
            meta["continue"] = "".into();
        } else {
            for item in &mut items {
                if let Some(fields) = item.as_object_mut() {
                    fields.remove("kind");
                    fields.remove("apiVersion");
                }
            }
        }
        Ok(respond_json(
            200,
            &json!({"kind": resource.list_kind, "apiVersion": target.api_version(), "metadata": meta, "items": items}),
        ))
    }

    /// Deletes an object, or marks it as being deleted.
    pub(crate) async fn delete_object(
        &self,
        target: &Target,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        // What this request has marked may be removed by whom the mark wakes: then it is gone as it was to be.
        let mut marked = None;
        loop {
            let object = match self.found(target, name) {
                Ok(object) => object,
                Err(error) => return marked.map(Deleted::Gone).ok_or(error),
            };
            if marked.is_none() {
                if &*target.resource.key == "/namespaces" && IMMORTAL.contains(&name) {
                    return Err(ApiError::forbidden(&target.resource, name, "this namespace may not be deleted"));
                }
                check_preconditions(target, name, options, &object)?;
                self.review_delete(target, &object, options).await?;
            }
            match self.try_delete(target, name, options, &object, &mut marked) {
                Ok(deleted) => return Ok(deleted),
                Err(WriteError::Missing | WriteError::Conflict | WriteError::Exists) => {}
            }
        }
    }

    async fn review_delete(&self, target: &Target, object: &Object, options: &DeleteOptions) -> Result<(), ApiError> {
        let resource = &target.resource;
        let attempt = Attempt {
            target,
            name: object.meta("name"),
            subresource: "",
            operation: Operation::Delete,
            old: Some(&object.value),
            user: &options.user,
            dry_run: options.dry_run,
        };
        self.mutate(&attempt, &mut Value::Null).await?;
        let review = Review {
            group: &resource.group,
            version: &target.version,
            kind: &resource.kind,
            subresource: "",
            operation: Operation::Delete,
            old: Some(&object.value),
        };
        for hook in self.hooks() {
            if hook.wants(&resource.group, &resource.kind) {
                hook.admit(&review, &mut Value::Null).await?;
            }
        }
        self.validate_by_webhooks(&attempt, &Value::Null).await
    }

    fn try_delete(
        &self,
        target: &Target,
        name: &str,
        options: &DeleteOptions,
        object: &Arc<Object>,
        marked: &mut Option<Value>,
    ) -> Result<Deleted, WriteError> {
        let key = target.key(name);
        let mut value = object.value.clone();
        let deleting = !value["metadata"]["deletionTimestamp"].is_null();
        let grace = grace_of(&target.resource, &value, options);
        add_finalizer(&mut value, options);
        let holds = value["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
            || (value["kind"] == "Namespace"
                && value["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()));
        let shown = |value: &Value| convert::to_version(value, &target.api_version()).into_owned();
        if grace == 0 && !holds {
            if kinds::is_graceful(&target.resource) {
                let meta = &mut value["metadata"];
                meta["deletionGracePeriodSeconds"] = 0.into();
                meta["deletionTimestamp"] = stamp(jiff::Timestamp::now()).into();
            }
            if options.dry_run {
                return Ok(Deleted::Gone(shown(&value)));
            }
            // A graceful kind is first marked, then removed: watchers see both.
            let mut revision = object.revision;
            let mut last = value.clone();
            if kinds::is_graceful(&target.resource) && value != object.value {
                let written = self.store.update(&key, revision, value)?;
                revision = written.revision;
                last = written.value.clone();
                *marked = Some(shown(&last));
            }
            let written = self.store.delete(&key, revision, last.clone())?;
            kinds::deleted(self, target, &written.value);
            return Ok(Deleted::Gone(shown(&last)));
        }
        let had = value["metadata"]["deletionGracePeriodSeconds"].as_i64();
        if !deleting || had.is_some_and(|had| grace < had) {
            let meta = &mut value["metadata"];
            if !kinds::counts_no_grace(&target.resource) {
                meta["deletionGracePeriodSeconds"] = grace.into();
            }
            let at = jiff::Timestamp::now()
                .saturating_add(jiff::SignedDuration::from_secs(grace))
                .unwrap_or(jiff::Timestamp::MAX);
            meta["deletionTimestamp"] = stamp(at).into();
            if let Some(generation) =
                meta["generation"].as_i64().filter(|g| *g > 0 && !deleting && !kinds::counts_no_grace(&target.resource))
            {
                meta["generation"] = (generation + 1).into();
            }
        }
        kinds::deleting(&target.resource, &mut value);
        if options.dry_run || value == object.value {
            return Ok(Deleted::Pending(shown(&value)));
        }
        let written = self.store.update(&key, object.revision, value)?;
        kinds::updated(self, target, &written.value);
        Ok(Deleted::Pending(shown(&written.value)))
    }
}

/// The grace period of a deletion: pods that run somewhere have one.
fn grace_of(resource: &crate::resources::Resource, object: &Value, options: &DeleteOptions) -> i64 {
    if !kinds::is_graceful(resource) {
        return 0;
    }
    let done = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if object["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() || done {
        return 0;
    }
    options.grace.or_else(|| object["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(DEFAULT_GRACE).max(0)
}

fn add_finalizer(object: &mut Value, options: &DeleteOptions) {
    let (wanted, other) = match options.propagation {
        Some(Propagation::Foreground) => (Some("foregroundDeletion"), Some("orphan")),
        Some(Propagation::Orphan) => (Some("orphan"), Some("foregroundDeletion")),
        Some(Propagation::Background) => (None, None),
        None => return,
    };
    let mut list = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    list.retain(|f| {
        other.is_none_or(|other| f != other) && (wanted.is_some() || (f != "orphan" && f != "foregroundDeletion"))
    });
    if let Some(wanted) = wanted
        && !list.iter().any(|f| f == wanted)
    {
        list.push(wanted.into());
    }
    let Some(meta) = object["metadata"].as_object_mut() else { return };
    if list.is_empty() {
        meta.remove("finalizers");
    } else {
        meta.insert("finalizers".to_owned(), list.into());
    }
}

fn check_preconditions(target: &Target, name: &str, options: &DeleteOptions, object: &Object) -> Result<(), ApiError> {
    let resource = &target.resource;
    let conflict = |detail: String| Err(ApiError::conflict(&resource.group, &resource.kind, name, &detail));
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != object.meta("uid")) {
        return conflict(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            object.meta("uid")
        ));
    }
    if let Some(version) = options.resource_version.as_deref().filter(|rv| *rv != object.meta("resourceVersion")) {
        return conflict(format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
            object.meta("resourceVersion")
        ));
    }
    Ok(())
}
