//! Patching objects, server-side apply among it.

use std::sync::Arc;

use http::Response;
use serde_json::Value;

use super::error::{ApiError, Cause};
use super::fields::{Writer, apply_configuration};
use super::request::Request;
use super::update::{Change, Refused, decode, warn};
use super::{Api, Body, Target};
use crate::convert;
use crate::patch::{json, merge, strategic};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const APPLY_JSON: &str = "application/apply-patch+json";

impl Api {
    pub(super) async fn patch(
        self: &Arc<Self>,
        request: &Request,
        target: &Target,
        name: &str,
        subresource: &str,
    ) -> Result<Response<Body>, ApiError> {
        let form = super::negotiate::form(&request.accept)?;
        let dry_run = request.dry_run()?;
        let kind = request.content_type.as_str();
        let accepted: &[&str] =
            if target.resource.custom { &[JSON, MERGE, APPLY] } else { &[JSON, MERGE, STRATEGIC, APPLY] };
        let applies = matches!(kind, APPLY | APPLY_JSON);
        if !accepted.contains(&kind) && !applies {
            let mut error = ApiError::unsupported_media_type(accepted);
            // A type that is no patch at all is refused before the resource is looked at.
            if !matches!(kind, JSON | MERGE | STRATEGIC)
                && let super::error::ErrorBody::Status(status) = &mut error.body
            {
                status["details"] = serde_json::json!({});
            }
            return Err(error);
        }
        let body = read(request, kind)?;
        if !applies && request.query.get("force").is_some() {
            let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
            return Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", &[cause]));
        }
        if applies {
            check_apply(request, target, name, &body)?;
        }
        let change = Change { request, target, name, subresource, applied: applies, dry_run };
        for _ in 0..32 {
            let Some(old) = self.store.get(&target.key(name)) else {
                if !applies || !subresource.is_empty() {
                    return Err(ApiError::not_found(&target.resource, name));
                }
                let (object, warnings) = self.apply_new(&change, &body).await?;
                let mut response = super::get::answer_value(&form, request, target, &object, 201)?;
                warn(&mut response, &warnings);
                return Ok(response);
            };
            let live = convert::to_version(&old.value, &target.api_version()).into_owned();
            let mut new =
                if applies { merge_applied(&change, &live, &body)? } else { patched(target, kind, &live, &body)? };
            let own_version =
                new["metadata"]["resourceVersion"].as_str().is_some_and(|rv| rv != old.meta("resourceVersion"))
                    || (!applies && names_version(kind, &body));
            check_identity(target, name, &new)?;
            super::create::check_type(target, &mut new)?;
            let warnings = match decode(request, target, &mut new) {
                Err(error) if !applies && !target.resource.custom => return Err(unfit(&new, &error)),
                decoded => decoded?,
            };
            match self.change(&change, &old, new).await {
                Ok(object) => {
                    let mut response = super::get::answer_value(&form, request, target, &object, 200)?;
                    warn(&mut response, &warnings);
                    return Ok(response);
                }
                Err(Refused::Raced) if own_version => return Err(ApiError::modified(&target.resource, name)),
                Err(Refused::Raced) => {}
                Err(Refused::Error(error)) => return Err(error),
            }
        }
        Err(ApiError::modified(&target.resource, name))
    }

    /// An apply of an object that is not there creates it.
    async fn apply_new(&self, change: &Change<'_>, body: &Value) -> Result<(Value, Vec<String>), ApiError> {
        let api_version = change.target.api_version();
        let writer = Writer { manager: change.request.manager(), api_version: &api_version, subresource: "" };
        let mut config = body.clone();
        config["metadata"]["name"] = change.name.into();
        check_declared(change, &config)?;
        let warnings = decode(change.request, change.target, &mut config)?;
        let merged = apply_configuration(None, &config, &writer, change.target.shape(), true)?;
        let managed = merged["metadata"]["managedFields"].clone();
        let (object, _) = self.create_applied(change, merged, managed).await?;
        Ok((object, warnings))
    }
}

/// The live object with what the applied configuration sets.
fn merge_applied(change: &Change<'_>, live: &Value, body: &Value) -> Result<Value, ApiError> {
    let api_version = change.target.api_version();
    let writer =
        Writer { manager: change.request.manager(), api_version: &api_version, subresource: change.subresource };
    let mut config = body.clone();
    check_declared(change, &config)?;
    decode(change.request, change.target, &mut config)?;
    let mut merged =
        apply_configuration(Some(live), &config, &writer, change.target.shape(), change.request.query.flag("force"))?;
    if let Some(version) = body["metadata"]["resourceVersion"].as_str().filter(|v| !v.is_empty()) {
        merged["metadata"]["resourceVersion"] = version.into();
    }
    Ok(merged)
}

/// What is applied has to have the fields of its kind; nobody could own others.
fn check_declared(change: &Change<'_>, config: &Value) -> Result<(), ApiError> {
    let target = change.target;
    let Some(field) = crate::kinds::undeclared(target, config)? else { return Ok(()) };
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let resource = &target.resource;
    let text = format!(
        "failed to create typed patch object ({namespace}/{}; {}/{}, Kind={}): .{field}: field not declared in schema",
        change.name, resource.group, target.version, resource.kind
    );
    Err(ApiError::denied(500, "", &text))
}

/// Reads a patch.
fn read(request: &Request, kind: &str) -> Result<Value, ApiError> {
    if kind == APPLY {
        let text = std::str::from_utf8(&request.body).map_err(|e| ApiError::bad_request(e.to_string()))?;
        return serde_saphyr::from_str(text).map_err(|e| ApiError::bad_request(format!("error decoding YAML: {e}")));
    }
    let value: Value = serde_json::from_slice(&request.body)
        .map_err(|e| ApiError::bad_request(format!("error decoding patch: {e}")))?;
    let wrong = match kind {
        JSON => !value.is_array(),
        _ => !value.is_object(),
    };
    if wrong {
        let shown = match &value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            Value::Null => "null",
        };
        let into = if kind == JSON { "jsonpatch.Patch" } else { "map[string]interface {}" };
        return Err(ApiError::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {shown} into Go value of type {into}"
        )));
    }
    Ok(value)
}

fn patched(target: &Target, kind: &str, live: &Value, body: &Value) -> Result<Value, ApiError> {
    let mut new = live.clone();
    match kind {
        JSON => json::apply(&mut new, body).map_err(|_| {
            ApiError::with_details(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request",
                serde_json::json!({}),
            )
        })?,
        STRATEGIC => strategic::merge(&mut new, body).map_err(|text| {
            let _ = target;
            ApiError::bad_request(text)
        })?,
        _ => merge::merge(&mut new, body),
    }
    Ok(new)
}

/// The refusal of a patch after which the object could not be read any more.
fn unfit(patched: &Value, error: &ApiError) -> ApiError {
    let detail = error
        .message()
        .split_once(" cannot be handled as a ")
        .map_or(error.message(), |(_, rest)| rest.split_once(": ").map_or(rest, |(_, detail)| detail));
    let cause = Cause::invalid("patch", &patched.to_string().into(), detail);
    ApiError::invalid("", "", "", &[cause])
}

/// Whether the patch itself names a resource version.
fn names_version(kind: &str, body: &Value) -> bool {
    kind != JSON && body["metadata"]["resourceVersion"].is_string()
}

fn check_identity(target: &Target, name: &str, new: &Value) -> Result<(), ApiError> {
    let given = new["metadata"]["name"].as_str().unwrap_or_default();
    if given != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let namespace = new["metadata"]["namespace"].as_str().unwrap_or_default();
    if target.resource.namespaced && namespace != target.namespace.as_deref().unwrap_or_default() {
        return Err(ApiError::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request ({})",
            target.namespace.as_deref().unwrap_or_default()
        )));
    }
    Ok(())
}

fn check_apply(request: &Request, target: &Target, name: &str, body: &Value) -> Result<(), ApiError> {
    let want = target.api_version();
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    if !body.is_object() || text("apiVersion").is_empty() || text("kind").is_empty() {
        return Err(ApiError::bad_request("invalid object type: /, Kind="));
    }
    if request.query.get("fieldManager").is_none() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", &[cause]));
    }
    if text("apiVersion") != want {
        return Err(ApiError::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {}, expected: {want}",
            text("apiVersion")
        )));
    }
    if body["metadata"]["managedFields"].as_array().is_some_and(|list| !list.is_empty()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let given = body["metadata"]["name"].as_str().unwrap_or_default();
    if given.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if given != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    Ok(())
}
