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
}

impl ApiService {
    /// A service over an API server.
    pub fn new(api: Arc<Api>) -> Self {
        Self { api }
    }
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
