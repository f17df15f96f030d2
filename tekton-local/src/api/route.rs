//! From method and path to the operation.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use super::error::{ApiError, ErrorBody};
use super::request::Request;
use super::{Api, Body, Target, respond, respond_json};

/// Groups that the server itself serves; unknown names in them are answered with a `Status`.
fn is_own_group(group: &str) -> bool {
    group.is_empty() || group == "apps" || group == "batch" || group == "policy" || group.ends_with(".k8s.io")
}

impl Api {
    /// Answers a request.
    pub async fn handle(self: &Arc<Self>, parts: &http::request::Parts, body: Bytes) -> Response<Body> {
        let mut request = Request::new(parts, body);
        let head = request.method == "HEAD";
        let answer = match self.impersonate(&mut request).and_then(|()| self.authorize(&request)) {
            Ok(()) => self.route(&request).await,
            Err(error) => Err(error),
        };
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => refuse(error),
        };
        // What is answered to a write would survive the end of this process.
        if !matches!(request.method.as_str(), "GET" | "HEAD")
            && let Err(error) = self.store.settled().await
        {
            response = refuse(ApiError::internal(&*error));
        }
        if head {
            *response.body_mut() = super::full(Bytes::new());
        }
        response
    }

    async fn route(self: &Arc<Self>, request: &Request) -> Result<Response<Body>, ApiError> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let (group, version, rest) = match path.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            other => return self.discover(request, other),
        };
        // A group and version that nobody serves is no page at all.
        let served = self.registry.all().into_iter().any(|r| r.group == group && r.version(version).is_some());
        if let Some(answer) = super::review::review(self, request, group, version, rest) {
            return answer;
        }
        if !served {
            return Err(ApiError::no_such_page());
        }
        let lost = || if is_own_group(group) { ApiError::no_such_resource() } else { ApiError::no_such_page() };
        if rest.iter().any(|segment| segment.contains('/')) {
            return Err(lost());
        }
        let (namespace, rest) = match rest {
            ["namespaces", namespace, plural, more @ ..]
                if !(group.is_empty() && matches!(*plural, "status" | "finalize")) =>
            {
                (Some((*namespace).to_owned()), [&[*plural], more].concat())
            }
            other => (None, other.to_vec()),
        };
        let resource = self.registry.get(group, rest[0]).filter(|r| r.version(version).is_some()).ok_or_else(lost)?;
        if namespace.is_some() && !resource.namespaced {
            return Err(lost());
        }
        let target = Target { resource, version: version.to_owned(), namespace };
        self.dispatch(request, &target, &rest[1..]).await
    }

    async fn dispatch(
        self: &Arc<Self>,
        request: &Request,
        target: &Target,
        rest: &[&str],
    ) -> Result<Response<Body>, ApiError> {
        if matches!(request.method.as_str(), "GET" | "HEAD") && rest.len() < 2 && !request.query.flag("watch") {
            self.wait_for_version(&request.query).await?;
        }
        let scoped = !target.resource.namespaced || target.namespace.is_some();
        request.check_options()?;
        match (request.method.as_str(), rest) {
            ("GET" | "HEAD", []) if request.query.flag("watch") => self.watch(request, target),
            ("GET" | "HEAD", []) => self.list(request, target),
            ("POST", []) if scoped => self.create(request, target).await,
            // All namespaces at once are nobody's to delete.
            ("DELETE", []) if scoped && &*target.resource.key != "/namespaces" => {
                self.delete_collection(request, target).await
            }
            (_, [_, ..]) if !scoped => Err(ApiError::no_such_resource()),
            ("GET" | "HEAD", [name]) => self.get(request, target, name),
            ("PUT", [name]) => self.put(request, target, name, "").await,
            ("PATCH", [name]) => self.patch(request, target, name, "").await,
            ("DELETE", [name]) => self.delete(request, target, name).await,
            (_, [] | [_]) => Err(ApiError::method_not_allowed()),
            (method, [name, subresource, ..]) => self.subresource(request, target, method, name, subresource).await,
        }
    }
}

/// An error as a response.
pub(crate) fn refuse(error: ApiError) -> Response<Body> {
    match error.body {
        ErrorBody::Status(status) => {
            let mut response = respond_json(error.code, &status);
            if let Some(seconds) = status["details"]["retryAfterSeconds"].as_u64() {
                response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
            }
            response
        }
        ErrorBody::Text(text) => respond(error.code, "text/plain; charset=utf-8", text),
    }
}
