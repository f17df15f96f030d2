//! What the server answers when it refuses: `Status` objects with the reasons, codes and texts of Kubernetes.

use serde_json::{Value, json};

use crate::resources::Resource;

/// A refusal: a `Status` object, or plain text where Kubernetes answers plain text.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The HTTP status code.
    pub code: u16,
    /// What is sent.
    pub body: ErrorBody,
}

/// The body of a refusal.
#[derive(Debug, Clone)]
pub enum ErrorBody {
    /// A `Status` object.
    Status(Box<Value>),
    /// Plain text.
    Text(String),
}

/// One field that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, …
    pub reason: &'static str,
    /// The text without the field.
    pub message: String,
    /// The path of the field.
    pub field: String,
}

impl Cause {
    /// `Invalid value: …: detail`.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: impl AsRef<str>) -> Self {
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {}: {}", go_value(value), detail.as_ref()),
            field: field.into(),
        }
    }

    /// `Required value` with an optional detail.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", message, field: field.into() }
    }

    /// `Forbidden: …`.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden", message: format!("Forbidden: {detail}"), field: field.into() }
    }

    /// `Duplicate value: …`.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            message: format!("Duplicate value: {}", go_value(value)),
            field: field.into(),
        }
    }

    /// `Not found: …`.
    pub fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self { reason: "FieldValueNotFound", message: format!("Not found: {}", go_value(value)), field: field.into() }
    }

    /// `Unsupported value: …: supported values: …`.
    pub fn not_supported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let list: Vec<String> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        Self {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {}: supported values: {}", go_value(value), list.join(", ")),
            field: field.into(),
        }
    }
}

fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

impl ApiError {
    fn status(code: u16, reason: &str, message: impl Into<String>, details: Option<Value>) -> Self {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message.into(), "code": code,
        });
        if !reason.is_empty() {
            status["reason"] = reason.into();
        }
        if let Some(details) = details {
            status["details"] = details;
        }
        Self { code, body: ErrorBody::Status(Box::new(status)) }
    }

    /// The message, for logs and tests.
    pub fn message(&self) -> &str {
        match &self.body {
            ErrorBody::Status(status) => status["message"].as_str().unwrap_or_default(),
            ErrorBody::Text(text) => text,
        }
    }

    /// The reason, or "".
    pub fn reason(&self) -> &str {
        match &self.body {
            ErrorBody::Status(status) => status["reason"].as_str().unwrap_or_default(),
            ErrorBody::Text(_) => "",
        }
    }

    /// `configmaps "x" not found`.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::not_found_named(&resource.group, &resource.plural, name)
    }

    /// As [`ApiError::not_found`], of a resource by its names.
    pub fn not_found_named(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", qualified(group, plural));
        Self::status(404, "NotFound", message, Some(details(group, plural, name)))
    }

    /// The path is nothing that is served, in a group of the server itself.
    pub fn no_such_resource() -> Self {
        Self::status(404, "NotFound", "the server could not find the requested resource", Some(json!({})))
    }

    /// The path is nothing that is served at all.
    pub fn no_such_page() -> Self {
        Self { code: 404, body: ErrorBody::Text("404 page not found\n".to_owned()) }
    }

    /// `… already exists`.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::status(409, "AlreadyExists", message, Some(details(&resource.group, &resource.plural, name)))
    }

    /// A write of an object that has changed since it was read.
    pub fn modified(resource: &Resource, name: &str) -> Self {
        Self::conflict(
            &resource.group,
            &resource.plural,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// `Operation cannot be fulfilled on …`.
    pub fn conflict(group: &str, kind: &str, name: &str, detail: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {detail}", qualified(group, kind));
        Self::status(409, "Conflict", message, Some(details(group, kind, name)))
    }

    /// Server-side apply met fields of other managers.
    pub fn apply_conflict(causes: &[(String, String)]) -> Self {
        let list: Vec<Value> = causes
            .iter()
            .map(|(message, field)| json!({"reason": "FieldManagerConflict", "message": message, "field": field}))
            .collect();
        let text = apply_conflict_text(causes);
        Self::status(409, "Conflict", text, Some(json!({"causes": list})))
    }

    /// `Kind "x" is invalid: …` with its causes.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in causes {
            let text = if cause.field.is_empty() {
                cause.message.clone()
            } else {
                format!("{}: {}", cause.field, cause.message)
            };
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let joined = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut all = details(group, kind, name);
        let list = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        all["causes"] = Value::Array(list);
        Self::status(422, "Invalid", format!("{} \"{name}\" is invalid: {joined}", qualified(group, kind)), Some(all))
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::status(400, "BadRequest", message, None)
    }

    /// The request may not be done.
    pub fn forbidden(resource: &Resource, name: &str, message: &str) -> Self {
        let text = format!("{} \"{name}\" is forbidden: {message}", resource.qualified());
        Self::status(403, "Forbidden", text, Some(details(&resource.group, &resource.plural, name)))
    }

    /// A refusal with a text of its own, as a webhook gives.
    pub fn denied(code: u16, reason: &str, message: &str) -> Self {
        Self::status(code, reason, message, None)
    }

    /// As [`ApiError::denied`], with details.
    pub fn with_details(code: u16, reason: &str, message: &str, details: Value) -> Self {
        Self::status(code, reason, message, Some(details))
    }

    /// The method is not served there.
    pub fn method_not_allowed() -> Self {
        Self::status(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
            Some(json!({})),
        )
    }

    /// No answer of a kind that the client accepts.
    pub fn not_acceptable() -> Self {
        let text = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        Self::status(406, "NotAcceptable", text, Some(json!({})))
    }

    /// A body of a media type that the server does not read.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let text = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::status(415, "UnsupportedMediaType", text, None)
    }

    /// History that is no longer there.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::status(410, "Expired", message, None)
    }

    /// A resource version from the future.
    pub fn too_large_resource_version(requested: u64, current: u64) -> Self {
        let details = json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        });
        let text = format!("Timeout: Too large resource version: {requested}, current: {current}");
        Self::status(504, "Timeout", text, Some(details))
    }

    /// Something that should not happen.
    pub fn internal(message: impl AsRef<str>) -> Self {
        let details = json!({"causes": [{"message": message.as_ref()}]});
        Self::status(500, "InternalError", format!("Internal error occurred: {}", message.as_ref()), Some(details))
    }

    /// No or a wrong token.
    pub fn unauthorized() -> Self {
        Self::status(401, "Unauthorized", "Unauthorized", None)
    }

    /// The object as `Status`; plain text becomes the message of one.
    pub fn into_status(self) -> Value {
        match self.body {
            ErrorBody::Status(status) => *status,
            ErrorBody::Text(text) => {
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text, "code": self.code})
            }
        }
    }
}

fn apply_conflict_text(causes: &[(String, String)]) -> String {
    let fields: Vec<String> = causes.iter().map(|(message, field)| format!("{message}: {field}")).collect();
    if causes.len() == 1 {
        return format!("Apply failed with 1 conflict: {}", fields[0]);
    }
    let mut managers: Vec<(&str, Vec<&str>)> = Vec::new();
    for (message, field) in causes {
        match managers.iter_mut().find(|(m, _)| m == message) {
            Some((_, list)) => list.push(field),
            None => managers.push((message, vec![field])),
        }
    }
    let mut text = format!("Apply failed with {} conflicts: ", causes.len());
    let parts: Vec<String> = managers
        .iter()
        .map(|(message, fields)| {
            format!("conflicts{}:\n- {}", message.strip_prefix("conflict").unwrap_or(message), fields.join("\n- "))
        })
        .collect();
    text.push_str(&parts.join("\n"));
    text
}

fn qualified(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

fn details(group: &str, kind: &str, name: &str) -> Value {
    let mut details = json!({"kind": kind});
    if !name.is_empty() {
        details["name"] = name.into();
    }
    if !group.is_empty() {
        details["group"] = group.into();
    }
    details
}
