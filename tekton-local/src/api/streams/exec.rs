//! `kubectl exec`: a command in a running container, with its streams, its terminal and its exit code.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Incoming, RESIZE, Receiver, STDERR, STDIN, STDOUT, Sender, V4, V5, failure, success, upgrade};
use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::{Api, Body, Target};
use crate::runtime::{Container, ExecSpec, Executed, Output};

/// How long a client may take to close its side.
const CLOSING: Duration = Duration::from_secs(1);

impl Api {
    /// Runs a command in a container of a pod.
    pub(in crate::api) fn exec(
        &self,
        request: &Request,
        target: &Target,
        name: &str,
    ) -> Result<Response<Body>, ApiError> {
        let query = &request.query;
        let argv = query.all("command").to_vec();
        if argv.is_empty() {
            return Err(ApiError::bad_request("you must specify at least 1 command"));
        }
        let process = self.running(target, name, query.get("container"))?;
        let spec = ExecSpec { argv, stdin: query.flag("stdin"), tty: query.flag("tty") };
        upgrade(request, &[V5, V4], |sender, receiver, _| run(process, spec, sender, receiver))
    }

    /// The process of a container that runs.
    ///
    /// Errors: there is no such pod or container, or it does not run.
    pub(super) fn running(
        &self,
        target: &Target,
        name: &str,
        container: Option<&str>,
    ) -> Result<Arc<dyn Container>, ApiError> {
        let pod = self.found(target, name)?;
        if pod.value["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
            return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
        }
        let container = super::super::subresource::container_of(&pod.value, name, container)?;
        let lost = || {
            let message = format!("container not found (\"{container}\")");
            ApiError::denied(404, "NotFound", &message)
        };
        self.node().and_then(|node| node.container(pod.meta("uid"), &container)).ok_or_else(lost)
    }
}

async fn run(process: Arc<dyn Container>, spec: ExecSpec, sender: Sender, receiver: Receiver) {
    let command = spec.argv.first().cloned().unwrap_or_default();
    // The first, empty message tells the client that the streams are there.
    if sender.send(STDOUT, &[]).await.is_err() {
        return;
    }
    let executed = match process.exec(spec).await {
        Ok(executed) => executed,
        Err(error) => return sender.finish(&failure(&format!("failed to execute {command}: {error}"))).await,
    };
    let Executed { process, stdout, stderr, stdin, terminal } = executed;
    let input = tokio::spawn(feed(receiver, stdin, terminal, Arc::clone(&process)));
    let ((), (), exit) = tokio::join!(copy(stdout, STDOUT, &sender), copy(stderr, STDERR, &sender), process.wait());
    sender.finish(&ended(exit.code)).await;
    // The client closes its side in turn.
    let _ = tokio::time::timeout(CLOSING, input).await;
}

/// How a command that ran ended, as clients read it.
fn ended(code: i32) -> Value {
    if code == 0 {
        return success();
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// Sends what a process writes until it closes the stream, or the client goes.
pub(super) async fn copy(mut from: Output, channel: u8, to: &Sender) {
    let mut chunk = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if to.send(channel, &chunk[..read]).await.is_err() {
            return;
        }
    }
}

type Stdin = Option<std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>>;
type Terminal = Option<Box<dyn Fn(u16, u16) + Send + Sync>>;

/// Takes what the client sends to the process: input, its end, and the size of the terminal.
async fn feed(mut receiver: Receiver, mut stdin: Stdin, terminal: Terminal, process: Arc<dyn Container>) {
    while let Some(incoming) = receiver.next().await {
        match incoming {
            Incoming::Chunk(STDIN, bytes) => {
                if let Some(open) = &mut stdin
                    && open.write_all(&bytes).await.is_err()
                {
                    stdin = None;
                }
            }
            Incoming::Chunk(RESIZE, bytes) => {
                let size: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let number = |field: &str| size[field].as_u64().and_then(|n| u16::try_from(n).ok());
                if let (Some(terminal), Some(width), Some(height)) = (&terminal, number("Width"), number("Height")) {
                    terminal(height, width);
                }
            }
            Incoming::Closed(STDIN) => stdin = None,
            Incoming::Closed(_) | Incoming::Chunk(..) => {}
        }
    }
    // The client has gone: nobody waits for the command any more.
    drop(stdin);
    process.signal(libc::SIGKILL);
}
