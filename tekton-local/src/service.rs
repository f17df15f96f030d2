//! The in-process front: a `tower` service, so that a `kube::Client` needs no socket.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;

use crate::api::identity::ISSUER;
use crate::api::{Api, Body, User};

/// Answers HTTP requests by calling the API server directly.
#[derive(Debug, Clone)]
pub struct ApiService {
    api: Arc<Api>,
    token: Option<Arc<str>>,
}

impl ApiService {
    /// A service over an API server.
    pub fn new(api: Arc<Api>) -> Self {
        Self { api, token: None }
    }

    /// The same service, but it answers 401 to requests that do not carry this bearer token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(Arc::from(format!("Bearer {token}"))), ..self }
    }

    /// Who asks, or nothing when nobody is known by the token.
    fn user(&self, headers: &http::HeaderMap) -> Option<User> {
        let Some(token) = &self.token else { return Some(User::default()) };
        let given = headers.get(http::header::AUTHORIZATION).map_or(&b""[..], http::HeaderValue::as_bytes);
        if same(given, token.as_bytes()) {
            return Some(User::default());
        }
        let given = std::str::from_utf8(given).ok()?.strip_prefix("Bearer ")?;
        self.api.authenticate(given, &[ISSUER])
    }
}

/// Compares in a time that does not depend on where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

impl<B> tower_service::Service<Request<B>> for ApiService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Display + Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(user) = self.user(request.headers()) else {
            return Box::pin(std::future::ready(Ok(crate::api::unauthorized())));
        };
        let api = Arc::clone(&self.api);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(user);
            Ok(match body.collect().await {
                Ok(body) => api.handle(&parts, body.to_bytes()).await,
                Err(error) => crate::api::unreadable(&error),
            })
        })
    }
}
