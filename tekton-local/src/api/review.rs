//! Reviews of access and of tokens.

use http::Response;
use serde_json::{Value, json};

use super::authorize::Access;
use super::error::ApiError;
use super::identity::ISSUER;
use super::request::Request;
use super::{Api, Body, User, respond_json};

/// What a review is recorded with: the managed fields of a creation that is never stored.
fn finish(request: &Request, mut review: Value) -> Response<Body> {
    let api_version = review["apiVersion"].as_str().unwrap_or_default().to_owned();
    let status = review["status"].take();
    let writer = super::fields::Writer { manager: request.manager(), api_version: &api_version, subresource: "" };
    if let Some(fields) = review.as_object_mut() {
        fields.remove("status");
    }
    super::fields::record_update(None, &mut review, &writer, crate::patch::shape::Shape::Builtin(""), false);
    review["status"] = status;
    respond_json(201, &review)
}

/// The answer to a review, or nothing when the path is none.
pub(super) fn review(
    api: &Api,
    request: &Request,
    group: &str,
    version: &str,
    rest: &[&str],
) -> Option<Result<Response<Body>, ApiError>> {
    if version != "v1" || !matches!(group, "authorization.k8s.io" | "authentication.k8s.io") {
        return None;
    }
    let kind = match (group, rest) {
        ("authorization.k8s.io", ["selfsubjectaccessreviews"]) => "SelfSubjectAccessReview",
        ("authorization.k8s.io", ["subjectaccessreviews"]) => "SubjectAccessReview",
        ("authorization.k8s.io", ["selfsubjectrulesreviews"]) => "SelfSubjectRulesReview",
        ("authorization.k8s.io", ["namespaces", _, "localsubjectaccessreviews"]) => "LocalSubjectAccessReview",
        ("authentication.k8s.io", ["selfsubjectreviews"]) => "SelfSubjectReview",
        ("authentication.k8s.io", ["tokenreviews"]) => "TokenReview",
        _ => return Some(Err(ApiError::no_such_resource())),
    };
    if request.method != "POST" {
        return Some(Err(ApiError::method_not_allowed()));
    }
    Some(answer_review(api, request, group, kind))
}

fn answer_review(api: &Api, request: &Request, group: &str, kind: &str) -> Result<Response<Body>, ApiError> {
    let mut review = request.object()?;
    review["kind"] = kind.into();
    review["apiVersion"] = format!("{group}/v1").into();
    if !review["metadata"].is_object() {
        review["metadata"] = json!({});
    }
    if matches!(kind, "SubjectAccessReview" | "SelfSubjectAccessReview" | "LocalSubjectAccessReview") {
        let spec = &review["spec"];
        let both = spec["resourceAttributes"].is_object() == spec["nonResourceAttributes"].is_object();
        if both {
            let cause = super::error::Cause::invalid(
                "spec.resourceAttributes",
                &Value::Null,
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            );
            return Err(ApiError::invalid(group, kind, "", &[cause]));
        }
        let nobody =
            spec["user"].as_str().unwrap_or_default().is_empty() && spec["groups"].as_array().is_none_or(Vec::is_empty);
        if kind != "SelfSubjectAccessReview" && nobody {
            let detail = "at least one of user or group must be specified";
            let cause = super::error::Cause::invalid("spec.user", &"".into(), detail);
            return Err(ApiError::invalid(group, kind, "", &[cause]));
        }
    }
    if kind == "SelfSubjectRulesReview" && review["spec"]["namespace"].as_str().unwrap_or_default().is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    review["status"] = match kind {
        "SelfSubjectRulesReview" if request.user.is_master() => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [], "nonResourceRules": [], "incomplete": true,
            "evaluationError": "rules are looked at one access at a time; ask with a SelfSubjectAccessReview",
        }),
        "SelfSubjectReview" => json!({"userInfo": request.user.info()}),
        "TokenReview" => token_review(api, &review["spec"]),
        _ => json!({"allowed": api.allows(&subject(request, &review["spec"], kind), access(&review["spec"]))}),
    };
    Ok(finish(request, review))
}

/// Whose access is asked about.
fn subject(request: &Request, spec: &Value, kind: &str) -> User {
    if kind == "SelfSubjectAccessReview" {
        return request.user.clone();
    }
    let groups = spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
    User {
        name: spec["user"].as_str().unwrap_or_default().to_owned(),
        groups: groups.map(str::to_owned).collect(),
        uid: String::new(),
    }
}

/// What access is asked about.
fn access(spec: &Value) -> Access<'_> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let text = |field: &str| resource[field].as_str().unwrap_or_default();
    match path["path"].as_str() {
        Some(at) => Access { verb: path["verb"].as_str().unwrap_or_default(), path: at, ..Access::default() },
        None => Access {
            verb: text("verb"),
            group: text("group"),
            resource: text("resource"),
            namespace: text("namespace"),
            name: text("name"),
            path: "",
        },
    }
}

fn token_review(api: &Api, spec: &Value) -> Value {
    let audiences: Vec<&str> = spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let audiences = if audiences.is_empty() { vec![ISSUER] } else { audiences };
    match api.authenticate(spec["token"].as_str().unwrap_or_default(), &audiences) {
        Some(user) => json!({"authenticated": true, "user": user.info(), "audiences": audiences}),
        None => json!({"user": {}, "error": "invalid bearer token"}),
    }
}
