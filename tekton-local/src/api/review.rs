//! Reviews of access and of tokens: who has the cluster's token may do everything.

use http::Response;
use serde_json::{Value, json};

use super::error::ApiError;
use super::request::Request;
use super::{Body, respond_json};

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
    Some(answer_review(request, group, kind))
}

fn answer_review(request: &Request, group: &str, kind: &str) -> Result<Response<Body>, ApiError> {
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
    }
    review["status"] = match kind {
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        "SelfSubjectReview" => {
            json!({"userInfo": {"username": "tekton-local", "groups": ["system:masters", "system:authenticated"]}})
        }
        "TokenReview" => json!({"authenticated": false}),
        _ => json!({"allowed": allows(&review["spec"], kind)}),
    };
    Ok(finish(request, review))
}

/// Whether a subject may do something: members of `system:masters` and the caller may do everything.
fn allows(spec: &Value, kind: &str) -> bool {
    kind == "SelfSubjectAccessReview"
        || spec["groups"].as_array().into_iter().flatten().any(|group| group == "system:masters")
}
