//! Logins for image registries, from the pull secrets of a namespace.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use serde::Deserialize;

/// How to log in to a registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// User name; empty where a token stands for it.
    pub username: String,
    /// Password of the user.
    pub password: String,
    /// A token to be exchanged for others (`identitytoken`).
    pub identity_token: String,
    /// A token to be sent as it is (`registrytoken`).
    pub registry_token: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why pull secrets can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The API server does not give a Secret or ServiceAccount.
    #[error("failed to read {what} {name:?}: {source}")]
    Api {
        /// Which kind of object.
        what: &'static str,
        /// Its name.
        name: String,
        /// What the API server says.
        source: Box<kube::Error>,
    },
    /// What a Secret holds is no configuration of logins.
    #[error("failed to read {key} of secret {secret:?}: {text}")]
    Content {
        /// Name of the Secret.
        secret: String,
        /// The key of its data.
        key: &'static str,
        /// What is wrong.
        text: String,
    },
}

/// Logins by registry and path. Names may have `*` in parts of the host; of several that fit, the last in the order of
/// their names is taken, which puts the longer path of a host first.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    logins: BTreeMap<String, Login>,
}

impl Keyring {
    /// The logins of the pull secrets and of those of a service account (empty for `default`). What does not exist is
    /// passed over, as by a kubelet.
    ///
    /// Errors: the API server refuses, or a Secret holds something else.
    pub async fn gather(
        client: &kube::Client,
        namespace: &str,
        service_account: Option<&str>,
        pull_secrets: &[String],
    ) -> Result<Self, KeyringError> {
        let mut names = pull_secrets.to_vec();
        if let Some(name) = service_account {
            let name = if name.is_empty() { "default" } else { name };
            let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
            let account = accounts.get_opt(name).await.map_err(|source| KeyringError::Api {
                what: "service account",
                name: name.to_owned(),
                source: Box::new(source),
            })?;
            names.extend(account.and_then(|a| a.image_pull_secrets).into_iter().flatten().map(|secret| secret.name));
        }
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let mut keyring = Self::default();
        for name in names {
            let secret = secrets.get_opt(&name).await;
            let secret =
                secret.map_err(|source| KeyringError::Api { what: "secret", name, source: Box::new(source) })?;
            if let Some(secret) = secret {
                keyring.add(&secret)?;
            }
        }
        Ok(keyring)
    }

    /// Takes in a Secret of type `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg`; another has no logins.
    /// The first login under a name stays.
    ///
    /// Errors: the Secret holds something else than its type says.
    pub fn add(&mut self, secret: &Secret) -> Result<(), KeyringError> {
        let (key, whole) = match secret.type_.as_deref() {
            Some("kubernetes.io/dockerconfigjson") => (".dockerconfigjson", true),
            Some("kubernetes.io/dockercfg") => (".dockercfg", false),
            _ => return Ok(()),
        };
        let Some(text) = secret.data.as_ref().and_then(|data| data.get(key)).filter(|text| !text.0.is_empty()) else {
            return Ok(());
        };
        let wrong = |text: String| KeyringError::Content {
            secret: secret.metadata.name.clone().unwrap_or_default(),
            key,
            text,
        };
        let auths = if whole {
            serde_json::from_slice::<DockerConfig>(&text.0).map(|config| config.auths)
        } else {
            serde_json::from_slice(&text.0)
        };
        for (name, auth) in auths.map_err(|error| wrong(error.to_string()))? {
            let login = auth.login().map_err(|text| wrong(format!("auths[{name:?}]: {text}")))?;
            self.logins.entry(normal(&name)).or_insert(login);
        }
        Ok(())
    }

    /// The login for a repository with its registry, such as `registry.example/team/app`.
    pub fn login(&self, repository: &str) -> Option<&Login> {
        self.logins.iter().rev().find(|(name, _)| fits(name, repository)).map(|(_, login)| login)
    }
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    username: String,
    password: String,
    /// User and password in one word.
    #[serde(rename = "auth")]
    both: String,
    identitytoken: String,
    registrytoken: String,
}

impl Auth {
    /// `auth` goes before user and password.
    fn login(self) -> Result<Login, String> {
        let (mut username, mut password) = (self.username, self.password);
        if !self.both.is_empty() {
            let bytes = STANDARD.decode(&self.both).or_else(|_| STANDARD_NO_PAD.decode(&self.both));
            let bytes = bytes.map_err(|error| format!("`auth` is not base64: {error}"))?;
            let text = String::from_utf8(bytes).map_err(|_| "`auth` is not text".to_owned())?;
            let (user, word) = text.split_once(':').ok_or("`auth` is not user:password")?;
            // Docker pads passwords with zero bytes.
            (username, password) = (user.to_owned(), word.trim_end_matches('\0').to_owned());
        }
        Ok(Login { username, password, identity_token: self.identitytoken, registry_token: self.registrytoken })
    }
}

/// The name of a login without scheme and API version: `https://host/v1/` is `host`.
fn normal(name: &str) -> String {
    let bare = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    let (host, path) = bare.find('/').map_or((bare, ""), |at| bare.split_at(at));
    let path = ["/v1/", "/v2/"]
        .iter()
        .find_map(|version| path.strip_prefix(version))
        .map_or_else(|| path.to_owned(), |rest| format!("/{rest}"));
    if path == "/" { host.to_owned() } else { format!("{host}{path}") }
}

fn fits(name: &str, repository: &str) -> bool {
    let split = |text: &'_ str| -> (String, String, String) {
        let (address, path) = text.find('/').map_or((text, ""), |at| text.split_at(at));
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        (host.to_owned(), port.to_owned(), path.to_owned())
    };
    let (host, port, path) = split(name);
    let (of_host, of_port, of_path) = split(repository);
    port == of_port
        && of_path.starts_with(&path)
        && host.split('.').count() == of_host.split('.').count()
        && host.split('.').zip(of_host.split('.')).all(|(pattern, part)| matches(pattern, part))
}

/// Whether a part of a host name fits a pattern in which `*` is any text and `?` any character.
fn matches(pattern: &str, part: &str) -> bool {
    match (pattern.chars().next(), part.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            matches(&pattern[1..], part)
                || part.chars().next().is_some_and(|first| matches(pattern, &part[first.len_utf8()..]))
        }
        (Some('?'), Some(first)) => matches(&pattern[1..], &part[first.len_utf8()..]),
        (Some(wanted), Some(first)) if wanted == first => {
            matches(&pattern[wanted.len_utf8()..], &part[first.len_utf8()..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;

    fn secret(type_: &str, key: &str, content: &serde_json::Value) -> Secret {
        Secret {
            type_: Some(type_.to_owned()),
            data: Some([(key.to_owned(), ByteString(content.to_string().into_bytes()))].into()),
            ..Secret::default()
        }
    }

    fn keyring(auths: &serde_json::Value) -> Keyring {
        let mut keyring = Keyring::default();
        let content = json!({ "auths": auths });
        keyring.add(&secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson", &content)).expect("it has logins");
        keyring
    }

    #[test]
    fn the_longest_name_that_fits_an_image_is_taken() {
        let user = |name: &str| json!({ "username": name, "password": "p" });
        let keyring = keyring(&json!({
            "https://index.docker.io/v1/": user("hub"),
            "registry.example": user("all"),
            "registry.example/team": user("team"),
            "*.mirror.example:5000": user("star"),
        }));
        for (repository, expected) in [
            ("index.docker.io/library/busybox", Some("hub")),
            ("registry.example/other/app", Some("all")),
            ("registry.example/team/app", Some("team")),
            ("eu.mirror.example:5000/app", Some("star")),
            ("eu.mirror.example/app", None),
            ("a.eu.mirror.example:5000/app", None),
        ] {
            assert_eq!(keyring.login(repository).map(|login| login.username.as_str()), expected, "{repository}");
        }
    }

    #[test]
    fn user_and_password_may_stand_in_one_word() {
        let keyring = keyring(&json!({ "r.example": { "auth": STANDARD.encode("me:a:b") } }));
        let login = keyring.login("r.example/app").expect("there is a login");
        assert_eq!((login.username.as_str(), login.password.as_str()), ("me", "a:b"));
        assert_eq!(format!("{login:?}"), "Login { username: \"me\", .. }");
    }

    #[test]
    fn the_older_form_has_no_auths_around_it_and_other_secrets_are_passed_over() {
        let mut keyring = Keyring::default();
        let content = json!({ "r.example": { "username": "me", "password": "p" } });
        keyring.add(&secret("Opaque", ".dockercfg", &content)).expect("it is passed over");
        assert!(keyring.login("r.example/app").is_none());
        keyring.add(&secret("kubernetes.io/dockercfg", ".dockercfg", &content)).expect("it has logins");
        assert!(keyring.login("r.example/app").is_some());
    }

    #[test]
    fn a_secret_that_holds_something_else_is_named() {
        let mut wrong = secret(
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
            &json!({
                "auths": { "r.example": { "auth": "?" } }
            }),
        );
        wrong.metadata.name = Some("pull".to_owned());
        let error = Keyring::default().add(&wrong).expect_err("`?` is not base64").to_string();
        assert!(
            error.starts_with("failed to read .dockerconfigjson of secret \"pull\": auths[\"r.example\"]: `auth`"),
            "{error}"
        );
    }
}
