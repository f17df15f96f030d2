//! Secrets: `stringData`, and the keys that their types require.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::api::error::Cause;

/// Moves `stringData` into `data` and fills in the type.
pub(super) fn default(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    if let Some(Value::Object(plain)) = fields.remove("stringData") {
        let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
        if !data.is_object() {
            *data = Value::Object(Map::new());
        }
        if let Some(data) = data.as_object_mut() {
            for (key, value) in plain {
                data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
            }
        }
    }
    if fields.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
        fields.insert("type".to_owned(), "Opaque".into());
    }
}

/// What a refusal shows in place of a secret.
const REDACTED: &str = "<secret contents redacted>";

/// What is wrong with a Secret.
pub(super) fn validate(object: &Value, causes: &mut Vec<Cause>) {
    let data = &object["data"];
    for key in data.as_object().into_iter().flatten().map(|(key, _)| key) {
        super::validate::config_key("data", key, causes);
    }
    let mut required = |key: &str| {
        if data.get(key).is_none() {
            causes.push(Cause::required(format!("data[{key}]"), ""));
        }
    };
    match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/dockercfg" => required(".dockercfg"),
        "kubernetes.io/dockerconfigjson" => {
            required(".dockerconfigjson");
            if let Some(text) = data[".dockerconfigjson"].as_str()
                && let Ok(bytes) = STANDARD.decode(text)
                && let Err(error) = serde_json::from_slice::<Value>(&bytes)
            {
                let detail = error.to_string();
                causes.push(Cause::invalid("data[.dockerconfigjson]", &REDACTED.into(), detail));
            }
        }
        "kubernetes.io/ssh-auth" => required("ssh-privatekey"),
        "kubernetes.io/tls" => {
            required("tls.crt");
            required("tls.key");
        }
        "kubernetes.io/basic-auth" if data.get("username").is_none() && data.get("password").is_none() => {
            required("username");
            required("password");
        }
        "kubernetes.io/service-account-token" => {
            let name =
                object["metadata"]["annotations"]["kubernetes.io/service-account.name"].as_str().unwrap_or_default();
            if name.is_empty() {
                causes.push(Cause::required("metadata.annotations[kubernetes.io/service-account.name]", ""));
            }
        }
        _ => {}
    }
}
