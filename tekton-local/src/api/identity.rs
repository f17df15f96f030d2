//! Who asks: the owner of the cluster, or a ServiceAccount by a token that this server has issued.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use super::Api;
use crate::store::Key;

/// Who issues the tokens of ServiceAccounts, and the audience of those that name none.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, such as `system:serviceaccount:default:builder`.
    pub name: String,
    /// The groups.
    pub groups: Vec<String>,
    /// The uid, or "".
    pub uid: String,
}

impl Default for User {
    /// The owner of the cluster, who may do everything.
    fn default() -> Self {
        let groups = ["system:masters", "system:authenticated"].map(str::to_owned).to_vec();
        Self { name: "tekton-local".to_owned(), groups, uid: String::new() }
    }
}

impl User {
    /// Whether this user may do everything.
    pub(super) fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
    }

    /// The user as reviews and webhooks are told.
    pub(super) fn info(&self) -> Value {
        let mut info = json!({"username": self.name, "groups": self.groups});
        if !self.uid.is_empty() {
            info["uid"] = self.uid.clone().into();
        }
        info
    }

    fn service_account(namespace: &str, name: &str, uid: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
            uid: uid.to_owned(),
        }
    }
}

/// The key with which this server signs tokens.
pub(super) struct Signer(hmac::Key);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random()))
    }
}

/// Bytes that nobody guesses.
pub(crate) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    bytes
}

impl Signer {
    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let head = BASE64.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
        let signed = format!("{head}.{}", BASE64.encode(claims.to_string()));
        let signature = hmac::sign(&self.0, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// The claims of a token that was signed here.
    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        hmac::verify(&self.0, signed.as_bytes(), &BASE64.decode(signature).ok()?).ok()?;
        serde_json::from_slice(&BASE64.decode(signed.split_once('.')?.1).ok()?).ok()
    }
}

impl Api {
    /// The ServiceAccount of a token, if the token is valid now: signed here, not expired, its account and the Pod that
    /// it is bound to still there, and meant for one of the audiences.
    pub(crate) fn authenticate(&self, token: &str, audiences: &[&str]) -> Option<User> {
        let claims = self.signer.claims(token)?;
        let now = jiff::Timestamp::now().as_second();
        let meant = |audience: &Value| audience.as_str().is_some_and(|audience| audiences.contains(&audience));
        if claims["exp"].as_i64()? <= now || !claims["aud"].as_array()?.iter().any(meant) {
            return None;
        }
        let bound = &claims["kubernetes.io"];
        let namespace = bound["namespace"].as_str()?;
        let is_there = |resource: &str, reference: &Value| {
            let name = reference["name"].as_str().unwrap_or_default().to_owned();
            let key = Key { resource: resource.into(), namespace: namespace.to_owned(), name };
            self.store.get(&key).is_some_and(|object| reference["uid"] == object.meta("uid"))
        };
        let account = &bound["serviceaccount"];
        let pod = &bound["pod"];
        if !is_there("/serviceaccounts", account) || !(pod.is_null() || is_there("/pods", pod)) {
            return None;
        }
        Some(User::service_account(namespace, account["name"].as_str()?, account["uid"].as_str()?))
    }
}
