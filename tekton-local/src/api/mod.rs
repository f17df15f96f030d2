//! The API server: from a request to a response over the store. No sockets: those are in module `server`.

pub mod admission;
mod authorize;
mod create;
mod delete;
mod discovery;
mod duplicates;
pub mod error;
mod fields;
mod get;
pub(crate) mod identity;
pub mod logs;
pub(crate) mod meta;
pub mod names;
mod negotiate;
mod openapi;
mod patch;
mod protobuf;
pub mod request;
mod review;
mod route;
pub mod selector;
mod streams;
mod subresource;
mod table;
mod update;
mod watch;
mod webhook;

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use serde_json::Value;
use tokio::sync::watch as tokio_watch;

pub use admission::{Admission, Operation, Review};
pub(crate) use delete::{DeleteOptions, Propagation};
pub use error::ApiError;
pub use identity::User;
pub use logs::{Attachment, LogOptions, PodLogs};
pub(crate) use update::finished_deleting;

use crate::resources::{Registry, Resource, Version};
use crate::store::{Key, Object, Store};

/// The body of a response: bytes, or a stream of them for watches and logs.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The API server's core. Shared by every front.
#[derive(Debug)]
pub struct Api {
    /// The objects.
    pub store: Store,
    /// The resources.
    pub registry: Registry,
    admission: RwLock<Vec<Arc<dyn Admission>>>,
    logs: RwLock<Option<Arc<dyn PodLogs>>>,
    closing: tokio_watch::Sender<bool>,
    certificate: RwLock<String>,
    signer: identity::Signer,
    webhook_clients: webhook::Clients,
    /// Held from the check of a quota until the object is stored.
    quotas: std::sync::Mutex<()>,
    waiting: std::sync::Mutex<BTreeSet<String>>,
    pub(crate) signals: tokio::sync::mpsc::UnboundedSender<crate::gc::Signal>,
    pub(crate) signalled: std::sync::Mutex<Option<tokio::sync::mpsc::UnboundedReceiver<crate::gc::Signal>>>,
}

/// A resource at one of its versions, as a request addresses it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) resource: Arc<Resource>,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
}

impl Target {
    fn key(&self, name: &str) -> Key {
        Key {
            resource: Arc::clone(&self.resource.key),
            namespace: if self.resource.namespaced {
                self.namespace.clone().unwrap_or_default()
            } else {
                String::new()
            },
            name: name.to_owned(),
        }
    }

    fn api_version(&self) -> String {
        self.resource.api_version(&self.version)
    }

    pub(crate) fn declared(&self) -> &Version {
        self.resource.version(&self.version).unwrap_or(&self.resource.versions[0])
    }
}

impl Default for Api {
    fn default() -> Self {
        Self::new(Store::default())
    }
}

impl Api {
    /// An API server over a store, which may hold objects already.
    pub fn new(store: Store) -> Self {
        let (signals, signalled) = tokio::sync::mpsc::unbounded_channel();
        Self {
            signals,
            signalled: std::sync::Mutex::new(Some(signalled)),
            store,
            registry: Registry::default(),
            admission: RwLock::default(),
            logs: RwLock::default(),
            closing: tokio_watch::Sender::new(false),
            certificate: RwLock::default(),
            signer: identity::Signer::default(),
            webhook_clients: webhook::Clients::default(),
            quotas: std::sync::Mutex::default(),
            waiting: std::sync::Mutex::default(),
        }
    }

    /// Adds an admission hook; hooks run in the order in which they were added.
    pub fn add_admission(&self, hook: Arc<dyn Admission>) {
        self.admission.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(hook);
    }

    /// Names who serves the logs of pods and runs commands in their containers.
    pub fn set_logs(&self, logs: Arc<dyn PodLogs>) {
        *self.logs.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(logs);
    }

    /// Ends every watch and log stream.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn closing(&self) -> tokio_watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// The certificate with which clients in pods check the server, or "" when none is served.
    pub(crate) fn certificate(&self) -> String {
        self.certificate.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Sets the certificate that pods get, and puts it into every namespace.
    pub(crate) fn set_certificate(&self, certificate: &str) {
        self.certificate.write().unwrap_or_else(std::sync::PoisonError::into_inner).replace_range(.., certificate);
        for object in self.store.list("/configmaps", None).1 {
            if object.meta("name") == "kube-root-ca.crt" {
                let key = Key {
                    resource: "/configmaps".into(),
                    namespace: object.meta("namespace").to_owned(),
                    name: "kube-root-ca.crt".to_owned(),
                };
                crate::gc::rewrite(self, &key, |value| value["data"]["ca.crt"] = certificate.into());
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The objects, by uid, whose deletion waits for that of their dependents.
    pub(crate) fn waiting_for_dependents(&self) -> Vec<String> {
        self.waiting().iter().cloned().collect()
    }

    pub(crate) fn wait_for_dependents(&self, uid: &str) {
        self.waiting().insert(uid.to_owned());
    }

    pub(crate) fn no_longer_waiting(&self, uid: &str) {
        self.waiting().remove(uid);
    }

    /// Who runs the containers of pods and has their logs, if anybody does.
    fn node(&self) -> Option<Arc<dyn PodLogs>> {
        self.logs.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn hooks(&self) -> Vec<Arc<dyn Admission>> {
        self.admission.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn found(&self, target: &Target, name: &str) -> Result<Arc<Object>, ApiError> {
        self.store.get(&target.key(name)).ok_or_else(|| ApiError::not_found(&target.resource, name))
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

fn respond(code: u16, content_type: &str, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = http::HeaderValue::from_str(content_type) {
        response.headers_mut().insert(http::header::CONTENT_TYPE, value);
    }
    response.headers_mut().insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache, private"));
    response
}

fn respond_json(code: u16, value: &Value) -> Response<Body> {
    respond(code, "application/json", value.to_string())
}

/// The present time as the API writes it, in seconds.
pub(crate) fn now() -> String {
    stamp(jiff::Timestamp::now())
}

/// A time as the API writes it, in seconds.
pub(crate) fn stamp(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The answer to a request whose body cannot be read.
pub(crate) fn unreadable(error: &dyn std::fmt::Display) -> Response<Body> {
    route::refuse(ApiError::bad_request(format!("the body of the request cannot be read: {error}")))
}

/// The answer to a request without the token.
pub(crate) fn unauthorized() -> Response<Body> {
    route::refuse(ApiError::unauthorized())
}
