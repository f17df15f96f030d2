//! Tekton's own admission: strict decoding, defaults and validation, where a cluster would call webhooks.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tekton_types::config::Config;
use tekton_types::object::Object;
use tekton_validate::{self as rules, field_error};

use crate::api::ApiError;
use crate::api::admission::{Admission, Operation, Review};

/// Name of the webhook that fills in defaults, as it stands in refusals.
const DEFAULTING: &str = "webhook.pipeline.tekton.dev";
/// Name of the webhook that validates, as it stands in refusals.
const VALIDATION: &str = "validation.webhook.pipeline.tekton.dev";

/// Decodes Tekton's objects strictly, fills in defaults and validates, with the texts of upstream's webhooks.
#[derive(Debug, Clone, Default)]
pub struct TektonAdmission {
    config: Config,
}

impl TektonAdmission {
    /// Admission under a configuration.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    fn review(&self, review: &Review<'_>, object: &mut Value) -> Result<(), ApiError> {
        // Webhooks are not called for status and other subresources.
        if !review.subresource.is_empty() {
            return Ok(());
        }
        let old = review.old.and_then(|old| Object::from_json(old).0);
        if review.operation == Operation::Delete {
            return match &old {
                Some(old) => self.validate(old, &Value::Null, rules::Operation::Delete),
                None => Ok(()),
            };
        }
        let (decoded, problems) = Object::admit(object);
        if let Some(problem) = problems.first() {
            return Err(denied(
                DEFAULTING,
                &format!("mutation failed: cannot decode incoming new object: json: {problem}"),
            ));
        }
        let Some(mut decoded) = decoded else { return Ok(()) };
        decoded.set_defaults(&self.config, review.operation == Operation::Create);
        let given = std::mem::replace(object, decoded.to_json());
        let operation = match review.operation {
            Operation::Create => rules::Operation::Create,
            _ => rules::Operation::Update { old: old.as_ref() },
        };
        self.validate(&decoded, &given, operation)
    }

    fn validate(&self, object: &Object, given: &Value, operation: rules::Operation<'_>) -> Result<(), ApiError> {
        let diagnostics = rules::validate_with_source(object, given, &self.config, operation);
        if diagnostics.is_empty() {
            return Ok(());
        }
        Err(denied(VALIDATION, &format!("validation failed: {}", field_error(&diagnostics))))
    }
}

impl Admission for TektonAdmission {
    fn wants(&self, group: &str, _kind: &str) -> bool {
        group == "tekton.dev" || group == "resolution.tekton.dev"
    }

    fn admit<'a>(&'a self, review: &'a Review<'a>, object: &'a mut Value) -> BoxFuture<'a, Result<(), ApiError>> {
        std::future::ready(self.review(review, object)).boxed()
    }
}

fn denied(webhook: &str, why: &str) -> ApiError {
    ApiError::bad_request(format!("admission webhook {webhook:?} denied the request: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn admit(object: &mut Value) -> Result<(), ApiError> {
        let review = Review {
            group: "tekton.dev",
            version: "v1",
            kind: "Task",
            subresource: "",
            operation: Operation::Create,
            old: None,
        };
        TektonAdmission::default().review(&review, object)
    }

    #[test]
    fn an_object_is_defaulted_before_it_is_stored() {
        let mut task = json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "t"},
            "spec": {"params": [{"name": "p"}], "steps": [{"name": "s", "image": "i"}]}});
        admit(&mut task).expect("the task is valid");
        assert_eq!(task["spec"]["params"][0]["type"], "string");
    }

    #[test]
    fn the_case_of_a_field_does_not_matter() {
        let mut task = json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "t"},
            "spec": {"steps": [{"name": "s", "image": "i", "workingdir": "/w"}]}});
        admit(&mut task).expect("upstream's decoder does not mind");
        assert_eq!(task["spec"]["steps"][0]["workingDir"], "/w");
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_path() {
        let mut task = json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "t"},
            "spec": {"step": []}});
        let error = admit(&mut task).expect_err("there is no such field");
        assert!(error.message().contains("unknown field \"spec.step\""), "{}", error.message());
    }

    #[test]
    fn an_invalid_object_is_refused_with_upstreams_text() {
        let mut task = json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "t"}, "spec": {}});
        let error = admit(&mut task).expect_err("a task needs steps");
        assert_eq!(
            error.message(),
            "admission webhook \"validation.webhook.pipeline.tekton.dev\" denied the request: validation failed: missing field(s): spec.steps"
        );
    }
}
