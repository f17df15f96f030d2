//! Creating objects.

use http::Response;
use serde_json::{Value, json};

use super::admission::{Operation, Review};
use super::error::{ApiError, Cause};
use super::fields::{Writer, record_update};
use super::request::Request;
use super::webhook::Attempt;
use super::{Api, Body, Target, meta, names, now};
use crate::convert;
use crate::kinds;
use crate::patch::shape::Shape;
use crate::store::{Object, WriteError};

/// How often a generated name is tried again when it is taken.
const GENERATE_ATTEMPTS: usize = 8;

/// Where Kubernetes registers its kinds, as its refusals say.
const SCHEME: &str = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30";

impl Target {
    /// How lists and maps of this resource merge.
    pub(crate) fn shape(&self) -> Shape<'_> {
        match (self.resource.custom, &self.declared().schema) {
            (false, _) => Shape::Builtin(""),
            (true, Some(schema)) => Shape::Schema(schema),
            (true, None) => Shape::Unknown,
        }
    }
}

impl Api {
    pub(super) async fn create(&self, request: &Request, target: &Target) -> Result<Response<Body>, ApiError> {
        let form = super::negotiate::form(&request.accept)?;
        let dry_run = request.dry_run()?;
        let body = request.object()?;
        let (object, warnings) = self.create_object(request, target, body, dry_run).await?;
        let mut response = super::get::answer_value(&form, request, target, &object, 201)?;
        super::update::warn(&mut response, &warnings);
        Ok(response)
    }

    /// Stores a new object.
    pub(crate) async fn create_object(
        &self,
        request: &Request,
        target: &Target,
        mut object: Value,
        dry_run: bool,
    ) -> Result<(Value, Vec<String>), ApiError> {
        check_type(target, &mut object)?;
        let warnings = super::update::decode(request, target, &mut object)?;
        self.prepare_namespace(target, &mut object)?;
        let given = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
        if !object["metadata"]["resourceVersion"].as_str().unwrap_or_default().is_empty() {
            return Err(ApiError::denied(500, "", "resourceVersion should not be set on objects to be created"));
        }
        for attempt in 0.. {
            let mut candidate = object.clone();
            if given.is_empty() && !prefix.is_empty() {
                candidate["metadata"]["name"] = names::generate(&prefix).into();
            }
            let candidate = self.admit_new(request, target, candidate, None, dry_run).await?;
            match self.store_new(target, candidate, dry_run) {
                Err(error) if given.is_empty() && error.reason() == "AlreadyExists" && attempt < GENERATE_ATTEMPTS => {}
                Ok(object) => {
                    self.after_create(target, &object, dry_run);
                    return Ok((object, warnings));
                }
                Err(error) => return Err(error),
            }
        }
        Err(ApiError::internal("no free name was found"))
    }

    /// Stores the new object of an apply, with the `managedFields` that the apply has made.
    pub(super) async fn create_applied(
        &self,
        change: &super::update::Change<'_>,
        mut object: Value,
        managed: Value,
    ) -> Result<(Value, Vec<String>), ApiError> {
        let target = change.target;
        check_type(target, &mut object)?;
        self.prepare_namespace(target, &mut object)?;
        let object = self.admit_new(change.request, target, object, Some(managed), change.dry_run).await?;
        let object = self.store_new(target, object, change.dry_run)?;
        self.after_create(target, &object, change.dry_run);
        Ok((object, Vec::new()))
    }

    fn prepare_namespace(&self, target: &Target, object: &mut Value) -> Result<(), ApiError> {
        let meta = object["metadata"].as_object_mut().ok_or_else(|| ApiError::bad_request("metadata is no object"))?;
        if !target.resource.namespaced {
            meta.remove("namespace");
            return Ok(());
        }
        let namespace = target.namespace.clone().unwrap_or_default();
        let given = meta.get("namespace").and_then(Value::as_str).unwrap_or_default();
        if !given.is_empty() && given != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        meta.insert("namespace".to_owned(), namespace.clone().into());
        let key =
            crate::store::Key { resource: "/namespaces".into(), namespace: String::new(), name: namespace.clone() };
        let Some(found) = self.store.get(&key) else {
            return Err(ApiError::not_found_named("", "namespaces", &namespace));
        };
        if found.value["status"]["phase"] == "Terminating" {
            let name = meta.get("name").and_then(Value::as_str).unwrap_or_default();
            let text = format!("unable to create new content in namespace {namespace} because it is being terminated");
            let mut error = ApiError::forbidden(&target.resource, name, &text);
            if let super::error::ErrorBody::Status(status) = &mut error.body {
                status["details"]["causes"] = json!([{"reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"), "field": "metadata.namespace"}]);
            }
            return Err(error);
        }
        Ok(())
    }

    /// Defaults, admission, validation: what is stored, but for its revision.
    ///
    /// `managed` are the `managedFields` of an apply; without them the creation is recorded as an update.
    async fn admit_new(
        &self,
        request: &Request,
        target: &Target,
        mut object: Value,
        managed: Option<Value>,
        dry_run: bool,
    ) -> Result<Value, ApiError> {
        let resource = &target.resource;
        if let Some(meta) = object["metadata"].as_object_mut() {
            for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation"]
            {
                meta.remove(field);
            }
            meta.insert("uid".to_owned(), names::uid().into());
            meta.insert("creationTimestamp".to_owned(), now().into());
            if resource.has_generation() {
                meta.insert("generation".to_owned(), 1.into());
            }
        }
        if target.declared().status
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        kinds::default(target, &mut object);
        // What admission adds belongs to nobody.
        if let Some(managed) = managed {
            object["metadata"]["managedFields"] = managed;
        } else {
            let api_version = target.api_version();
            let writer = Writer { manager: request.manager(), api_version: &api_version, subresource: "" };
            record_update(None, &mut object, &writer, target.shape(), resource.custom);
        }
        kinds::admission(self, target, &mut object, None)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let attempt = Attempt {
            target,
            name: &name,
            subresource: "",
            operation: Operation::Create,
            old: None,
            user: &request.user,
            dry_run,
        };
        self.mutate(&attempt, &mut object).await?;
        let review = Review {
            group: &resource.group,
            version: &target.version,
            kind: &resource.kind,
            subresource: "",
            operation: Operation::Create,
            old: None,
        };
        for hook in self.hooks() {
            if hook.wants(&resource.group, &resource.kind) {
                hook.admit(&review, &mut object).await?;
            }
        }
        self.validate_by_webhooks(&attempt, &object).await?;
        if target.declared().status
            && resource.custom
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        let mut causes: Vec<Cause> = meta::validate(resource, &object);
        causes.extend(kinds::validate(target, &object, None));
        if !causes.is_empty() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            return Err(ApiError::invalid(&resource.group, &resource.kind, name, &causes));
        }
        Ok(object)
    }

    /// Stores what [`Api::admit_new`] has made.
    fn store_new(&self, target: &Target, object: Value, dry_run: bool) -> Result<Value, ApiError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = target.key(&name);
        if dry_run {
            return match self.store.get(&key) {
                Some(_) => Err(ApiError::already_exists(&target.resource, &name)),
                None => Ok(object),
            };
        }
        let stored = to_storage(target, &object)?;
        let _one_at_a_time = if kinds::quota::applies(self, target.namespace.as_deref().unwrap_or_default()) {
            let guard = self.quotas.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            kinds::quota::check(self, target, &object)?;
            Some(guard)
        } else {
            None
        };
        match self.store.create(&key, stored) {
            Ok(stored) => Ok(convert::to_version(&stored.value, &target.api_version()).into_owned()),
            Err(WriteError::Exists | WriteError::Conflict | WriteError::Missing) => {
                Err(ApiError::already_exists(&target.resource, &name))
            }
        }
    }

    fn after_create(&self, target: &Target, object: &Value, dry_run: bool) {
        if !dry_run {
            kinds::created(self, target, object);
        }
    }

    /// Stores an object that the server itself makes; what is there already stays.
    pub(crate) fn ensure(&self, resource: &str, object: Value) -> Option<std::sync::Arc<Object>> {
        let mut object = object;
        let meta = object["metadata"].as_object_mut()?;
        let name = meta.get("name").and_then(Value::as_str)?.to_owned();
        let namespace = meta.get("namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
        meta.insert("uid".to_owned(), names::uid().into());
        meta.insert("creationTimestamp".to_owned(), now().into());
        let key = crate::store::Key { resource: resource.into(), namespace, name };
        self.store.create(&key, object).ok()
    }
}

/// An object as it is stored. Errors: it cannot be converted, in the words of the API server.
pub(super) fn to_storage(target: &Target, object: &Value) -> Result<Value, ApiError> {
    let converted = convert::try_version(object, &target.resource.storage).map_err(|error| {
        ApiError::internal(format!(
            "conversion webhook for {}, Kind={} failed: {error}",
            target.api_version(),
            target.resource.kind
        ))
    })?;
    Ok(converted.into_owned())
}

/// Fills in or checks kind and version of a body.
pub(crate) fn check_type(target: &Target, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        let text = "couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
        return Err(ApiError::bad_request(text));
    }
    let resource = &target.resource;
    let want = target.api_version();
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    if resource.custom {
        if kind.is_empty() {
            return Err(ApiError::bad_request(format!(
                "{0} in version \"{1}\" cannot be handled as a {0}: unmarshalerDecoder: Object 'Kind' is missing in '{object}'",
                resource.kind, target.version
            )));
        }
        if version.is_empty() {
            return Err(ApiError::bad_request(format!("Object 'apiVersion' is missing in '{object}'")));
        }
        if version != want {
            return Err(ApiError::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({want})"
            )));
        }
        if kind != resource.kind {
            let cause = Cause::invalid("kind", &kind.as_str().into(), format!("must be {}", resource.kind));
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            return Err(ApiError::invalid(&resource.group, &kind, &name, &[cause]));
        }
    } else {
        let kind = if kind.is_empty() { resource.kind.clone() } else { kind };
        let version = if version.is_empty() { want.clone() } else { version };
        if kind != resource.kind {
            let why = if kinds::schema::definition(&kind).is_some() {
                let group = resource.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
                let given = version.rsplit('/').next().unwrap_or_default();
                format!("converting ({given}.{kind}) to ({group}.{}): unknown conversion", resource.kind)
            } else {
                format!("no kind \"{kind}\" is registered for version \"{version}\" in scheme \"{SCHEME}\"")
            };
            let text = format!("{kind} in version \"{version}\" cannot be handled as a {}: {why}", resource.kind);
            return Err(ApiError::bad_request(text));
        }
        if version != want {
            return Err(ApiError::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({want})"
            )));
        }
        object["kind"] = kind.into();
        object["apiVersion"] = version.into();
    }
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    Ok(())
}
