//! `kubectl attach`: what a running container writes from now on.

use futures::StreamExt as _;
use http::Response;

use super::{STDOUT, V4, V5, success, upgrade};
use crate::api::error::ApiError;
use crate::api::logs::LogOptions;
use crate::api::request::Request;
use crate::api::{Api, Body, Target};

impl Api {
    /// Attaches to the output of a container. Its standard input is empty: no container here asks for one.
    pub(in crate::api) async fn attach(
        &self,
        request: &Request,
        target: &Target,
        name: &str,
    ) -> Result<Response<Body>, ApiError> {
        let process = self.running(target, name, request.query.get("container"))?;
        let pod = self.found(target, name)?;
        let container = super::super::subresource::container_of(&pod.value, name, request.query.get("container"))?;
        let node = self.node().ok_or_else(|| ApiError::internal("no node serves this pod"))?;
        let options = LogOptions { container, follow: true, tail_lines: Some(0), ..LogOptions::default() };
        let mut lines = node.logs(pod.meta("namespace"), name, pod.meta("uid"), options).await?;
        upgrade(request, &[V5, V4], move |sender, mut receiver, _| async move {
            if sender.send(STDOUT, &[]).await.is_err() {
                return;
            }
            loop {
                tokio::select! {
                    bytes = lines.next() => match bytes {
                        Some(bytes) => if sender.send(STDOUT, &bytes).await.is_err() { return },
                        None => break,
                    },
                    incoming = receiver.next() => if incoming.is_none() { return },
                }
            }
            process.wait().await;
            sender.finish(&success()).await;
        })
    }
}
