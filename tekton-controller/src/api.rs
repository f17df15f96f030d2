//! The API server as the engine's needs and effects see it: objects by key, over one `kube::Client`.

use http::{Method, Request, header};
use kube::Client;
use kube::core::Status;
use serde_json::Value as Json;
use tekton_engine::{ApiFault, Effect, Kind, Object, ObjectKey, Outcome, PatchType, ServerVersion};

/// Reads and writes objects of the kinds that the engine handles.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
}

impl Api {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) async fn get(&self, key: &ObjectKey) -> Result<Object, ApiFault> {
        self.object(key.kind, Method::GET, &path_of(key), None, Vec::new()).await
    }

    pub(crate) async fn list<'l>(
        &self,
        kind: Kind,
        namespace: &str,
        labels: impl Iterator<Item = (&'l String, &'l String)>,
    ) -> Result<Vec<Object>, ApiFault> {
        let selector: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        let mut path = collection(kind, namespace);
        if !selector.is_empty() {
            path.push_str("?labelSelector=");
            path.push_str(&encoded(&selector.join(",")));
        }
        let mut list = self.json(Method::GET, &path, None, Vec::new()).await?;
        let items = match list["items"].take() {
            Json::Array(items) => items,
            _ => Vec::new(),
        };
        let mut objects = items
            .into_iter()
            .map(|item| Object::from_json(kind, item).map_err(|error| unreadable(kind, &error)))
            .collect::<Result<Vec<_>, _>>()?;
        objects.sort_by(|a, b| a.metadata().name.cmp(&b.metadata().name));
        Ok(objects)
    }

    /// Asks whether the API server would admit the object.
    pub(crate) async fn dry_run(&self, kind: Kind, namespace: &str, body: &str) -> Result<Object, ApiFault> {
        let mut object: Json = serde_json::from_str(body).map_err(|error| unreadable(kind, &error))?;
        if object["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
            object["metadata"]["generateName"] = "dry-run-".into();
        }
        let path = format!("{}?dryRun=All", collection(kind, namespace));
        self.object(kind, Method::POST, &path, Some("application/json"), object.to_string().into_bytes()).await
    }

    /// The log of one container, as far as it has been written.
    pub(crate) async fn logs(&self, namespace: &str, pod: &str, container: &str) -> Result<String, ApiFault> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={}", encoded(container));
        let request = request(Method::GET, &path, None, Vec::new());
        self.client.request_text(request).await.map_err(fault)
    }

    /// The version of the API server.
    pub(crate) async fn version(&self) -> Result<ServerVersion, ApiFault> {
        let info = self.client.apiserver_version().await.map_err(fault)?;
        Ok(ServerVersion { major: info.major, minor: info.minor })
    }

    /// Applies one effect.
    pub(crate) async fn apply(&self, effect: &Effect) -> Outcome {
        let applied = match effect {
            Effect::Create(object) => self.send(object, Method::POST).await.map(Some),
            Effect::Update(object) => self.send(object, Method::PUT).await.map(Some),
            Effect::Patch { key, patch_type, body, .. } => {
                let content_type = match patch_type {
                    PatchType::Json => "application/json-patch+json",
                    PatchType::Merge => "application/merge-patch+json",
                    PatchType::Strategic => "application/strategic-merge-patch+json",
                };
                let body = body.to_string().into_bytes();
                self.object(key.kind, Method::PATCH, &path_of(key), Some(content_type), body).await.map(Some)
            }
            Effect::Delete(key) => {
                self.json(Method::DELETE, &path_of(key), None, Vec::new()).await.map(|_status_or_object| None)
            }
            other => {
                Err(ApiFault { text: format!("this shell does not know the effect {other:?}"), ..ApiFault::default() })
            }
        };
        match applied {
            Ok(object) => Outcome::Done(object),
            Err(fault) => Outcome::Refused(fault),
        }
    }

    /// Writes labels and annotations of a run with a merge patch that fails on a stale version.
    pub(crate) async fn patch(&self, key: &ObjectKey, body: &Json) -> Result<Object, ApiFault> {
        let content_type = Some("application/merge-patch+json");
        self.object(key.kind, Method::PATCH, &path_of(key), content_type, body.to_string().into_bytes()).await
    }

    /// Replaces the status; the version in the object's metadata must be the stored one.
    pub(crate) async fn put_status(&self, object: &Object) -> Result<Object, ApiFault> {
        let key = object.key();
        let path = format!("{}/status", path_of(&key));
        self.object(key.kind, Method::PUT, &path, Some("application/json"), body_of(object)?).await
    }

    async fn send(&self, object: &Object, method: Method) -> Result<Object, ApiFault> {
        let key = object.key();
        let path = if method == Method::POST { collection(key.kind, &key.namespace) } else { path_of(&key) };
        self.object(key.kind, method, &path, Some("application/json"), body_of(object)?).await
    }

    async fn object(
        &self,
        kind: Kind,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Object, ApiFault> {
        let json = self.json(method, path, content_type, body).await?;
        Object::from_json(kind, json).map_err(|error| unreadable(kind, &error))
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Json, ApiFault> {
        self.client.request(request(method, path, content_type, body)).await.map_err(fault)
    }
}

/// What the API server's refusal says to the engine.
pub(crate) fn fault(error: kube::Error) -> ApiFault {
    match error {
        kube::Error::Api(status) => {
            let Status { message, reason, code, details, .. } = *status;
            let details_kind = details.map(|details| details.kind).unwrap_or_default();
            ApiFault { reason, code, text: message, details_kind }
        }
        other => ApiFault { text: other.to_string(), ..ApiFault::default() },
    }
}

fn unreadable(kind: Kind, error: &serde_json::Error) -> ApiFault {
    ApiFault { text: format!("failed to read a {}: {error}", kind.as_str()), ..ApiFault::default() }
}

fn body_of(object: &Object) -> Result<Vec<u8>, ApiFault> {
    let json = object.to_json().map_err(|error| unreadable(object.kind(), &error))?;
    serde_json::to_vec(&json).map_err(|error| unreadable(object.kind(), &error))
}

fn request(method: Method, path: &str, content_type: Option<&str>, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut builder = Request::builder().method(method).uri(path);
    if let Some(content_type) = content_type {
        builder = builder.header(header::CONTENT_TYPE, content_type);
    }
    builder.body(body).expect("paths are made of names, which the API server has admitted")
}

fn collection(kind: Kind, namespace: &str) -> String {
    let version = kind.api_version();
    let root = if version.contains('/') { "apis" } else { "api" };
    if namespace.is_empty() {
        format!("/{root}/{version}/{}", kind.resource())
    } else {
        format!("/{root}/{version}/namespaces/{namespace}/{}", kind.resource())
    }
}

fn path_of(key: &ObjectKey) -> String {
    format!("{}/{}", collection(key.kind, &key.namespace), encoded(&key.name))
}

/// Percent-encodes all but what may stand in a path segment or query value as it is.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit").to_ascii_uppercase());
            }
        }
    }
    out
}
