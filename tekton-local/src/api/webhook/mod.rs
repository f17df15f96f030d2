//! Admission webhooks: the configurations of admissionregistration.k8s.io/v1 and the calls that follow from them.
//!
//! Only webhooks on this machine are called: a URL with a loopback host, or a Service, whose pods share this machine's
//! network. Anything else counts as a call that failed, so its `failurePolicy` decides.

mod call;
mod conditions;
mod rules;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::admission::Operation;
use super::error::ApiError;
use super::{Api, Target, User};
use crate::convert;

pub(super) use call::Clients;

const MUTATING: &str = "admissionregistration.k8s.io/mutatingwebhookconfigurations";
const VALIDATING: &str = "admissionregistration.k8s.io/validatingwebhookconfigurations";

/// What is to be admitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) target: &'a Target,
    pub(super) name: &'a str,
    pub(super) subresource: &'a str,
    pub(super) operation: Operation,
    pub(super) old: Option<&'a Value>,
    pub(super) user: &'a User,
    pub(super) dry_run: bool,
}

/// One webhook of a configuration.
struct Hook {
    name: String,
    configuration: String,
    spec: Value,
}

impl Hook {
    fn ignores_failure(&self) -> bool {
        self.spec["failurePolicy"] == "Ignore"
    }
}

impl Api {
    /// The webhooks that want to see the attempt, in the order of their configurations' names.
    ///
    /// Errors: a condition of one cannot be evaluated, and its failure counts.
    fn webhooks(&self, resource: &str, attempt: &Attempt<'_>, object: &Value) -> Result<Vec<Hook>, ApiError> {
        // A webhook cannot stand in the way of its own removal.
        if attempt.target.resource.group == "admissionregistration.k8s.io" {
            return Ok(Vec::new());
        }
        let (_, configurations) = self.store.list(resource, None);
        let hooks = configurations.iter().flat_map(|configuration| {
            let hooks = configuration.value["webhooks"].as_array().into_iter().flatten();
            hooks.map(|spec| (configuration.meta("name"), spec))
        });
        let mut wanted = Vec::new();
        for (configuration, spec) in hooks.filter(|(_, spec)| rules::wants(self, spec, attempt, object)) {
            let hook = Hook {
                name: spec["name"].as_str().unwrap_or_default().to_owned(),
                configuration: configuration.to_owned(),
                spec: spec.clone(),
            };
            let conditional = spec["matchConditions"].as_array().is_some_and(|conditions| !conditions.is_empty());
            let holds = if conditional { conditions::hold(spec, &review(attempt, object, "")) } else { Ok(true) };
            match holds {
                Ok(true) => wanted.push(hook),
                Err(why) if !hook.ignores_failure() => {
                    return Err(ApiError::forbidden(&attempt.target.resource, attempt.name, &why));
                }
                Ok(false) | Err(_) => {}
            }
        }
        Ok(wanted)
    }

    /// Lets the mutating webhooks change an object. One that asks for it is called again when a later one has changed
    /// the object after it.
    ///
    /// Errors: a webhook refuses the object, or cannot be called and its failure counts.
    pub(super) async fn mutate(&self, attempt: &Attempt<'_>, object: &mut Value) -> Result<(), ApiError> {
        let hooks = self.webhooks(MUTATING, attempt, object)?;
        let mut changed_by = None;
        for (index, hook) in hooks.iter().enumerate() {
            if self.mutate_by(hook, attempt, object).await? {
                changed_by = Some(index);
            }
        }
        let Some(last) = changed_by else { return Ok(()) };
        for hook in hooks[..last].iter().filter(|hook| hook.spec["reinvocationPolicy"] == "IfNeeded") {
            self.mutate_by(hook, attempt, object).await?;
        }
        Ok(())
    }

    /// Calls one mutating webhook; tells whether it changed anything.
    async fn mutate_by(&self, hook: &Hook, attempt: &Attempt<'_>, object: &mut Value) -> Result<bool, ApiError> {
        let Some(answer) = self.review_by(hook, attempt, object).await? else { return Ok(false) };
        let Some(patch) = answer["patch"].as_str().filter(|patch| !patch.is_empty()) else { return Ok(false) };
        let broken = |why: String| ApiError::internal(format!("admission webhook \"{}\" {why}", hook.name));
        if answer["patchType"] != "JSONPatch" {
            return Err(broken(format!("attempted to modify the object with the patch type {}", answer["patchType"])));
        }
        let patch: Value = BASE64
            .decode(patch)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| broken("sent a patch that cannot be read".to_owned()))?;
        let before = object.clone();
        crate::patch::json::apply(object, &patch).map_err(|_| broken("sent a patch that does not apply".to_owned()))?;
        crate::kinds::default(attempt.target, object);
        Ok(*object != before)
    }

    /// Asks the validating webhooks, all at once.
    ///
    /// Errors: a webhook refuses the object, or cannot be called and its failure counts.
    pub(super) async fn validate_by_webhooks(&self, attempt: &Attempt<'_>, object: &Value) -> Result<(), ApiError> {
        let hooks = self.webhooks(VALIDATING, attempt, object)?;
        let calls = hooks.iter().map(|hook| self.review_by(hook, attempt, object));
        for outcome in futures::future::join_all(calls).await {
            outcome?;
        }
        Ok(())
    }

    /// Calls a webhook; its answer when it admits the object, nothing when it failed and that does not count.
    async fn review_by(&self, hook: &Hook, attempt: &Attempt<'_>, object: &Value) -> Result<Option<Value>, ApiError> {
        let side_effects = hook.spec["sideEffects"].as_str().unwrap_or_default();
        if attempt.dry_run && !matches!(side_effects, "None" | "NoneOnDryRun") {
            return Err(ApiError::bad_request(format!("admission webhook \"{}\" does not support dry run", hook.name)));
        }
        let uid = super::names::uid();
        let review = review(attempt, object, &uid);
        match self.call(hook, &review).await {
            Ok(answer) if answer["uid"] != uid.as_str() => {
                let why = format!("expected response.uid={uid:?}, got {}", answer["uid"]);
                failed(hook, &why)
            }
            Ok(answer) if answer["allowed"] == true => Ok(Some(answer)),
            Ok(answer) => Err(denied(&hook.name, &answer["status"])),
            Err(why) => failed(hook, &format!("failed to call webhook: {why}")),
        }
    }
}

fn failed(hook: &Hook, why: &str) -> Result<Option<Value>, ApiError> {
    if hook.ignores_failure() {
        return Ok(None);
    }
    Err(ApiError::internal(format!("failed calling webhook \"{}\": {why}", hook.name)))
}

/// The refusal of a webhook, as Kubernetes passes it on.
fn denied(name: &str, status: &Value) -> ApiError {
    let text = |field: &str| status[field].as_str().filter(|text| !text.is_empty());
    let denied = format!("admission webhook \"{name}\" denied the request");
    let message = match text("message").or_else(|| text("reason")) {
        Some(why) => format!("{denied}: {why}"),
        None => format!("{denied} without explanation"),
    };
    let code =
        status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400).unwrap_or(400);
    match &status["details"] {
        Value::Null => ApiError::denied(code, text("reason").unwrap_or_default(), &message),
        details => ApiError::with_details(code, text("reason").unwrap_or_default(), &message, details.clone()),
    }
}

/// The question to a webhook.
fn review(attempt: &Attempt<'_>, object: &Value, uid: &str) -> Value {
    let Attempt { target, name, subresource, operation, old, user, dry_run } = *attempt;
    let resource = &target.resource;
    let kind = json!({"group": resource.group, "version": target.version, "kind": resource.kind});
    let of = json!({"group": resource.group, "version": target.version, "resource": resource.plural});
    let version = target.resource.api_version(&target.version);
    let shown =
        |value: &Value| if value.is_null() { Value::Null } else { convert::to_version(value, &version).into_owned() };
    let (operation, options) = match operation {
        Operation::Create => ("CREATE", "CreateOptions"),
        Operation::Update => ("UPDATE", "UpdateOptions"),
        Operation::Delete => ("DELETE", "DeleteOptions"),
    };
    let mut request = json!({
        "uid": uid, "kind": kind, "resource": of, "requestKind": kind, "requestResource": of, "operation": operation,
        "userInfo": user.info(), "object": shown(object), "oldObject": old.map_or(Value::Null, shown), "dryRun": dry_run,
        "options": {"kind": options, "apiVersion": "meta.k8s.io/v1"},
    });
    if !name.is_empty() {
        request["name"] = name.into();
    }
    if let Some(namespace) = &target.namespace {
        request["namespace"] = namespace.as_str().into();
    }
    if !subresource.is_empty() {
        request["subResource"] = subresource.into();
        request["requestSubResource"] = subresource.into();
    }
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
}
