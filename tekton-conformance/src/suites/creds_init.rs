//! Suite `creds-init`: Secrets of a ServiceAccount become flags, volumes and mounts.

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use tekton_contract::argv::Credential;
use tekton_podgen::BuildError;
use tekton_podgen::credentials::{self, CredentialKind, Credentials};

use super::podgen_support as support;
use crate::{Case, diff};

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let ours = match input["op"].as_str().unwrap_or_default() {
        "credsInit" => init(input)?,
        "matchingAnnotations" => {
            let secret: Secret = support::read(&input["secret"])?;
            let kind = if input["builder"] == "docker" { CredentialKind::Docker } else { CredentialKind::Git };
            json!({"args": printed(&credentials::matching_flags(kind, &secret))})
        }
        "checkGitSSHSecret" => {
            let secret: Secret = support::read(&input["secret"])?;
            let flags = support::config(&input["config"])?.feature_flags;
            let result = credentials::check_known_hosts(&secret, flags.require_git_ssh_secret_known_hosts);
            json!({"error": result.err().map(|error| error.to_string())})
        }
        #[cfg(feature = "binaries")]
        other if super::creds_files::OPERATIONS.contains(&other) => return super::creds_files::check(case),
        other => return Err(format!("operation {other:?} is not known without feature `binaries`")),
    };
    diff::equal(&case.expect, &ours)
}

fn printed(flags: &[Credential]) -> Vec<String> {
    let print = |flag: &Credential| {
        let (name, value) = flag.parts();
        format!("-{name}={value}")
    };
    flags.iter().map(print).collect()
}

fn init(input: &Value) -> Result<Value, String> {
    let flags = support::config(&input["config"])?.feature_flags;
    if flags.disable_creds_init {
        return Ok(json!({}));
    }
    let account = support::text(&input["serviceAccountName"]);
    let mut facts = support::facts(input, &input["namespace"])?;
    let found = loop {
        match credentials::credentials(&account, &facts, flags.require_git_ssh_secret_known_hosts) {
            Err(BuildError::Needs(need)) => support::answer(&mut facts, vec![need], &Value::Null)?,
            Err(error) => return Ok(json!({"error": error.to_string()})),
            Ok(found) => break found,
        }
    };
    let missing = credentials::missing(&account, &facts);
    let warn = input["hasOwner"] == true && !missing.is_empty();
    let event =
        || format!("Warning {} {}", credentials::FAILED_TO_RETRIEVE_SECRET, credentials::missing_message(&missing));
    let events: Vec<String> = warn.then(event).into_iter().collect();
    let Credentials { flags, volumes, mounts } = found;
    Ok(json!({"args": printed(&flags), "volumes": volumes, "volumeMounts": mounts, "events": events}))
}
