//! The logs of pods, which the node serves.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::{Mutex, broadcast};

use super::error::ApiError;
use crate::runtime::{Container, Input, Resize};

/// What of a container's log is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container.
    pub container: String,
    /// Go on until the container ends.
    pub follow: bool,
    /// The log of the previous instance of the container.
    pub previous: bool,
    /// Put an RFC 3339 time with nanoseconds before each line.
    pub timestamps: bool,
    /// Only lines written after this time.
    pub since: Option<jiff::Timestamp>,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// At most so many bytes.
    pub limit_bytes: Option<u64>,
}

/// A container that runs, for clients that run commands in it or attach to it.
#[derive(Clone)]
pub struct Attachment {
    /// Its process.
    pub process: Arc<dyn Container>,
    /// What it writes from now on: `stdout` or `stderr`, and the bytes. Closed when it has ended and all is told.
    pub output: broadcast::Sender<(&'static str, Bytes)>,
    /// Its standard input, while that is open.
    pub input: Arc<Mutex<Option<Input>>>,
    /// Whether the first client that goes closes its standard input.
    pub once: bool,
    /// Sets the rows and columns of its terminal, when it has one.
    pub terminal: Option<Arc<Resize>>,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment").field("id", &self.process.id()).finish_non_exhaustive()
    }
}

/// Serves the logs of pods, and gives access to their running containers. The node implements it.
pub trait PodLogs: Send + Sync + std::fmt::Debug {
    /// The log of a container of the pod `namespace`/`name` with this uid, as a stream of bytes.
    ///
    /// Errors: the pod or the container has no log.
    fn logs<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
        options: LogOptions,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, ApiError>>;

    /// The container of the pod with this uid, while it runs.
    fn container(&self, uid: &str, container: &str) -> Option<Attachment> {
        let _ = (uid, container);
        None
    }
}
