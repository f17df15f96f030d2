//! Serves the logs of the node's containers to the API server.

use super::logs::{LogRange, Logs};
use crate::api::{ApiError, Attachment, LogOptions, PodLogs};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

impl PodLogs for Logs {
    fn container(&self, uid: &str, container: &str) -> Option<Attachment> {
        self.running(uid, container)
    }

    fn logs<'a>(
        &'a self,
        _namespace: &'a str,
        name: &'a str,
        uid: &'a str,
        options: LogOptions,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, ApiError>> {
        Box::pin(async move {
            let range = LogRange {
                follow: options.follow,
                previous: options.previous,
                timestamps: options.timestamps,
                since: options.since,
                tail_lines: options.tail_lines,
                limit_bytes: options.limit_bytes,
            };
            let container = options.container;
            match self.read(uid, &container, range) {
                Ok(chunks) => Ok(chunks.map(Bytes::from).boxed()),
                Err(_) if options.previous => Err(ApiError::bad_request(format!(
                    "previous terminated container \"{container}\" in pod \"{name}\" not found"
                ))),
                Err(_) => Err(ApiError::bad_request(format!(
                    "container \"{container}\" in pod \"{name}\" is waiting to start: ContainerCreating"
                ))),
            }
        })
    }
}
