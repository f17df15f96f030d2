//! The in-process front: a `tower` service, so that a `kube::Client` needs no socket.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;

use crate::api::{Api, Body};

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

    fn admits(&self, headers: &http::HeaderMap) -> bool {
        let given = headers.get(http::header::AUTHORIZATION).map_or(&b""[..], http::HeaderValue::as_bytes);
        self.token.as_ref().is_none_or(|token| same(given, token.as_bytes()))
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
        if !self.admits(request.headers()) {
            return Box::pin(std::future::ready(Ok(crate::api::unauthorized())));
        }
        let api = Arc::clone(&self.api);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            Ok(match body.collect().await {
                Ok(body) => api.handle(&parts, body.to_bytes()).await,
                Err(error) => crate::api::unreadable(&error),
            })
        })
    }
}
