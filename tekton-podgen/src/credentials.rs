//! Annotated Secrets of the ServiceAccount become entrypoint flags, volumes and mounts.

use crate::facts::{Fact, Facts, Need};
use crate::input::BuildError;
use crate::names::CREDS_SECRETS_DIR;
use crate::volumes;
use k8s_openapi::api::core::v1::{Secret, SecretVolumeSource, ServiceAccount, Volume, VolumeMount};
use std::collections::BTreeSet;
use tekton_contract::argv::Credential;
use tekton_contract::labels::{DOCKER_CREDENTIAL_PREFIX as DOCKER_ANNOTATION, GIT_CREDENTIAL_PREFIX as GIT_ANNOTATION};
use tekton_contract::names::credential_volume;
use thiserror::Error;

/// The ServiceAccount whose Secrets are read when a run names none.
pub const DEFAULT_SERVICE_ACCOUNT: &str = "default";

/// The kinds of credentials that the entrypoint can install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// Container registries.
    Docker,
    /// Git servers.
    Git,
}

/// An SSH secret without `known_hosts`, where the configuration demands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "TaskRun validation failed. Git SSH Secret must have \"known_hosts\" included when feature flag \
     \"require-git-ssh-secret-known-hosts\" is set to true"
)]
pub struct KnownHostsMissing;

/// What a ServiceAccount's Secrets add to a Pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credentials {
    /// Flags of the entrypoint.
    pub flags: Vec<Credential>,
    /// One volume for each Secret in use.
    pub volumes: Vec<Volume>,
    /// Mounts of those volumes.
    pub mounts: Vec<VolumeMount>,
}

/// Reason of the warning event about Secrets that do not exist.
pub const FAILED_TO_RETRIEVE_SECRET: &str = "FailedToRetrieveSecret";

/// The text of the warning event about Secrets that do not exist.
pub fn missing_message(missing: &[&str]) -> String {
    format!("Unable to retrieve some secrets ({}); attempting to use them may not succeed.", missing.join(", "))
}

/// Secrets that the ServiceAccount names and that do not exist; the Pod is built without them.
pub fn missing<'a>(service_account: &str, facts: &'a Facts) -> Vec<&'a str> {
    let account = match facts.service_accounts.get(account_name(service_account)) {
        Some(Fact::Known(account)) => secrets_of(account),
        _ => Vec::new(),
    };
    account.into_iter().filter(|name| facts.secrets.get(*name) == Some(&Fact::Missing)).collect()
}

/// The name of the ServiceAccount whose Secrets are read.
pub fn account_name(service_account: &str) -> &str {
    if service_account.is_empty() { DEFAULT_SERVICE_ACCOUNT } else { service_account }
}

/// Secrets that a ServiceAccount names, each once.
pub fn secrets_of(account: &ServiceAccount) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    account
        .secrets
        .iter()
        .flatten()
        .filter_map(|reference| reference.name.as_deref())
        .filter(|name| !name.is_empty() && seen.insert(*name))
        .collect()
}

/// Reads the Secrets of a ServiceAccount.
pub fn credentials(service_account: &str, facts: &Facts, require_known_hosts: bool) -> Result<Credentials, BuildError> {
    let name = account_name(service_account);
    let account = match facts.service_accounts.get(name) {
        Some(Fact::Known(account)) => account,
        Some(Fact::Missing) => {
            return Err(BuildError::Fetch(format!("serviceaccounts {name:?} not found")));
        }
        Some(Fact::Denied(error)) => return Err(BuildError::Fetch(error.clone())),
        None => return Err(BuildError::Needs(Need::ServiceAccount(name.to_owned()))),
    };
    let mut found = Credentials::default();
    let mut used = BTreeSet::new();
    for name in secrets_of(account) {
        let secret = match facts.secrets.get(name) {
            Some(Fact::Known(secret)) => secret,
            Some(Fact::Missing) => continue,
            Some(Fact::Denied(error)) => return Err(BuildError::Fetch(error.clone())),
            None => return Err(BuildError::Needs(Need::Secret(name.to_owned()))),
        };
        check_known_hosts(secret, require_known_hosts)?;
        let mut flags = matching_flags(CredentialKind::Docker, secret);
        flags.extend(matching_flags(CredentialKind::Git, secret));
        if flags.is_empty() {
            continue;
        }
        found.flags.extend(flags);
        let mut volume = credential_volume(name);
        while !used.insert(volume.clone()) {
            volume = credential_volume(&format!("{volume}$"));
        }
        found.mounts.push(volumes::mount(&volume, &format!("{CREDS_SECRETS_DIR}/{name}"), false));
        found.volumes.push(Volume {
            name: volume,
            secret: Some(SecretVolumeSource { secret_name: Some(name.to_owned()), ..SecretVolumeSource::default() }),
            ..Volume::default()
        });
    }
    Ok(found)
}

/// The entrypoint flags for one Secret: by its type, and by its annotations in the order of their values.
pub fn matching_flags(kind: CredentialKind, secret: &Secret) -> Vec<Credential> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let type_ = secret.type_.as_deref().unwrap_or_default();
    match (kind, type_) {
        (CredentialKind::Docker, "kubernetes.io/basic-auth") => {
            annotated(secret, DOCKER_ANNOTATION, Credential::BasicDocker)
        }
        (CredentialKind::Docker, "kubernetes.io/dockerconfigjson") => {
            vec![Credential::DockerConfig(name.to_owned())]
        }
        (CredentialKind::Docker, "kubernetes.io/dockercfg") => vec![Credential::DockerCfg(name.to_owned())],
        (CredentialKind::Git, "kubernetes.io/basic-auth") => annotated(secret, GIT_ANNOTATION, Credential::BasicGit),
        (CredentialKind::Git, "kubernetes.io/ssh-auth") => annotated(secret, GIT_ANNOTATION, Credential::SshGit),
        _ => Vec::new(),
    }
}

fn annotated(secret: &Secret, prefix: &str, flag: fn(String) -> Credential) -> Vec<Credential> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let mut urls: Vec<&String> = secret
        .metadata
        .annotations
        .iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(prefix))
        .map(|(_, url)| url)
        .collect();
    urls.sort();
    urls.into_iter().map(|url| flag(format!("{name}={url}"))).collect()
}

/// With `require-git-ssh-secret-known-hosts`, an SSH secret must list the hosts that it trusts.
pub fn check_known_hosts(secret: &Secret, required: bool) -> Result<(), KnownHostsMissing> {
    let listed = secret.data.as_ref().is_some_and(|data| data.contains_key("known_hosts"));
    if required && secret.type_.as_deref() == Some("kubernetes.io/ssh-auth") && !listed {
        return Err(KnownHostsMissing);
    }
    Ok(())
}
