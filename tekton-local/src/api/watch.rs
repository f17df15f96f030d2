//! Watches: the history of a resource as a stream of events, with bookmarks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::watch as tokio_watch;
use tokio::time::Instant;

use super::error::ApiError;
use super::get::{Selection, partial};
use super::negotiate::{Form, form};
use super::request::Request;
use super::{Api, Body, Target, table};
use crate::convert;
use crate::store::{Change, ChangeKind, Object};

/// How long a watch lasts when the client does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);
/// How often a watch that asks for bookmarks gets one while nothing else happens.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// How long before its end a watch gets a last bookmark.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// The refusal of a resource version that is no number.
pub(super) fn bad_version(text: &str) -> ApiError {
    ApiError::bad_request(format!(
        "invalid resource version: resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
    ))
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, set from its own parameter or event")]
struct Watch {
    api: Arc<Api>,
    target: Target,
    selection: Selection,
    form: Form,
    columns_sent: bool,
    revision: u64,
    bookmarked: u64,
    bookmarks: bool,
    queue: VecDeque<Bytes>,
    tick: tokio_watch::Receiver<u64>,
    closing: tokio_watch::Receiver<bool>,
    ends: Instant,
    next_bookmark: Instant,
    done: bool,
    include_object: bool,
}

impl Api {
    pub(super) fn watch(self: &Arc<Self>, request: &Request, target: &Target) -> Result<Response<Body>, ApiError> {
        let form = form(&request.accept)?;
        let selection = Selection::of(request, target)?;
        let query = &request.query;
        let requested: u64 = match query.get("resourceVersion") {
            Some(text) => text.parse().map_err(|_| bad_version(text))?,
            None => 0,
        };
        let initial = query.flag("sendInitialEvents");
        if let Some(refusal) = check_initial(query, initial) {
            return Err(refusal);
        }
        let tick = self.store.subscribe(&target.resource.key);
        let timeout = query
            .get("timeoutSeconds")
            .and_then(|t| t.parse().ok())
            .filter(|t| *t > 0)
            .map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        let now = Instant::now();
        let ends = now + timeout;
        let mut watch = Watch {
            api: Arc::clone(self),
            target: target.clone(),
            selection,
            include_object: query.get("includeObject") == Some("Object"),
            columns_sent: false,
            form,
            revision: requested,
            bookmarked: 0,
            bookmarks: query.flag("allowWatchBookmarks"),
            queue: VecDeque::new(),
            tick,
            closing: self.closing.subscribe(),
            ends,
            next_bookmark: (now + BOOKMARK_EVERY).min(ends.checked_sub(LAST_BOOKMARK).unwrap_or(now)),
            done: false,
        };
        if requested == 0 || initial {
            watch.start(initial);
        }
        watch.bookmarked = watch.revision;
        let frames = stream::unfold(watch, |mut watch| async move {
            let bytes = watch.next().await?;
            Some((Ok::<_, std::io::Error>(Frame::data(bytes)), watch))
        });
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        response.headers_mut().insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache, private"));
        Ok(response)
    }
}

fn check_initial(query: &super::request::Query, initial: bool) -> Option<ApiError> {
    let matching = query.get("resourceVersionMatch");
    let detail = match (initial, matching) {
        (true, Some("NotOlderThan")) | (false, None) => return None,
        (true, _) => "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        (false, Some(_)) => "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    };
    let cause = super::error::Cause::forbidden("resourceVersionMatch", detail);
    Some(ApiError::invalid("meta.k8s.io", "ListOptions", "", &[cause]))
}

impl Watch {
    /// Queues the present objects as events, and the bookmark that ends them.
    fn start(&mut self, mark: bool) {
        let (revision, items) = self.api.store.list(&self.target.resource.key, self.target.namespace.as_deref());
        self.revision = revision;
        for object in items {
            if self.selection.matches(&object.value) {
                self.push("ADDED", &object, None);
            }
        }
        if mark {
            self.push_bookmark(json!({"k8s.io/initial-events-end": "true"}));
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.queue.pop_front() {
                return Some(bytes);
            }
            if self.done || *self.closing.borrow() {
                return None;
            }
            self.tick.borrow_and_update();
            self.read();
            if !self.queue.is_empty() {
                continue;
            }
            let wake = if self.bookmarks { self.next_bookmark.min(self.ends) } else { self.ends };
            tokio::select! {
                changed = self.tick.changed() => if changed.is_err() { return None },
                _ = self.closing.changed() => return None,
                () = tokio::time::sleep_until(wake) => self.on_timer(),
            }
        }
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        if now >= self.ends {
            self.done = true;
            return;
        }
        // A watch bookmark carries the newest revision of the store: nothing of this resource is later than that.
        let newest = self.api.store.revision();
        self.read();
        if self.queue.is_empty() {
            self.revision = self.revision.max(newest);
        }
        if self.revision > self.bookmarked {
            self.push_bookmark(Value::Null);
        }
        self.bookmarked = self.revision;
        let last = self.ends.checked_sub(LAST_BOOKMARK).unwrap_or(self.ends);
        self.next_bookmark = if now >= last { self.ends } else { (now + BOOKMARK_EVERY).min(last) };
    }

    fn read(&mut self) {
        let changes = match self.api.store.changes(&self.target.resource.key, self.revision) {
            Ok(changes) => changes,
            Err(compacted) => {
                let error =
                    ApiError::expired(format!("too old resource version: {} ({})", self.revision, compacted.oldest));
                self.push_line("ERROR", &error.into_status());
                self.done = true;
                return;
            }
        };
        for change in changes {
            self.revision = change.revision;
            if self.target.namespace.as_deref().is_some_and(|ns| ns != change.object.meta("namespace")) {
                continue;
            }
            self.push_change(&change);
        }
    }

    fn push_change(&mut self, change: &Change) {
        let was = change.previous.as_ref().is_some_and(|previous| self.selection.matches(&previous.value));
        let is = change.kind != ChangeKind::Deleted && self.selection.matches(&change.object.value);
        match (was, is) {
            (false, false) => {}
            (false, true) => self.push("ADDED", &change.object, None),
            (true, true) => self.push("MODIFIED", &change.object, None),
            (true, false) if change.kind == ChangeKind::Deleted => self.push("DELETED", &change.object, None),
            // It left the selection: the watcher sees it as it was, at the new revision.
            (true, false) => {
                if let Some(previous) = &change.previous {
                    self.push("DELETED", previous, Some(change.revision));
                }
            }
        }
    }

    fn push(&mut self, kind: &str, object: &Arc<Object>, revision: Option<u64>) {
        let api_version = self.target.api_version();
        if self.form == Form::Json && revision.is_none() && object.value["apiVersion"] == api_version.as_str() {
            let json = object.json();
            let mut line = Vec::with_capacity(json.len() + 32);
            line.extend_from_slice(b"{\"type\":\"");
            line.extend_from_slice(kind.as_bytes());
            line.extend_from_slice(b"\",\"object\":");
            line.extend_from_slice(&json);
            line.extend_from_slice(b"}\n");
            self.queue.push_back(line.into());
            return;
        }
        let mut value = convert::to_version(&object.value, &api_version).into_owned();
        if let Some(revision) = revision {
            value["metadata"]["resourceVersion"] = revision.to_string().into();
        }
        let shown = self.shown(value);
        self.push_line(kind, &shown);
    }

    fn shown(&mut self, value: Value) -> Value {
        match &self.form {
            Form::Json | Form::Yaml => value,
            Form::Metadata(version) => partial(version, &value),
            Form::Table(version) => {
                let mut table = table::of_value(version, &self.target, &value, self.include_object);
                if std::mem::replace(&mut self.columns_sent, true) {
                    table["columnDefinitions"] = Value::Null;
                }
                table
            }
        }
    }

    fn push_bookmark(&mut self, annotations: Value) {
        let mut meta = json!({"resourceVersion": self.revision.to_string()});
        if !annotations.is_null() {
            meta["annotations"] = annotations;
        }
        let object = match &self.form {
            Form::Metadata(version) => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": meta})
            }
            Form::Table(version) => table::empty(version, &self.target, &meta),
            _ => table::skeleton(&self.target, meta),
        };
        self.push_line("BOOKMARK", &object);
    }

    fn push_line(&mut self, kind: &str, object: &Value) {
        self.queue.push_back(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").into());
    }
}
