//! Validation of built-in kinds.

use serde_json::Value;

use crate::api::Target;
use crate::api::error::Cause;

/// What is wrong with an object that is to be stored.
pub(crate) fn validate(target: &Target, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let _ = old;
    match (target.resource.group.as_str(), target.resource.kind.as_str()) {
        ("", "ConfigMap") => {
            for key in object["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
                config_key("data", key, &mut causes);
            }
            for key in object["binaryData"].as_object().into_iter().flatten().map(|(key, _)| key) {
                config_key("binaryData", key, &mut causes);
            }
        }
        ("", "Secret") => super::secret::validate(object, &mut causes),
        _ => {}
    }
    causes
}

/// What an update may not do.
pub(crate) fn update_forbidden(target: &Target, old: &Value, new: &Value, subresource: &str) -> Option<Vec<Cause>> {
    let _ = (target, old, new, subresource);
    None
}

/// A key of a ConfigMap or Secret.
pub(super) fn config_key(field: &str, key: &str, causes: &mut Vec<Cause>) {
    let at = format!("{field}[{key}]");
    if key.len() > 253 {
        causes.push(Cause::invalid(&at, &key.into(), "must be no more than 253 bytes"));
    }
    if key.is_empty() || !key.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c)) {
        causes.push(Cause::invalid(
            &at,
            &key.into(),
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ));
    } else if key == "." || key == ".." || key.starts_with("..") {
        causes.push(Cause::invalid(&at, &key.into(), format!("must not be '{key}'")));
    }
}
