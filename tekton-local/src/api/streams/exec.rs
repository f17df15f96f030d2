//! `kubectl exec`: a command in a running container, with its streams, its terminal and its exit code.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ERROR, Incoming, RESIZE, Receiver, STDERR, STDIN, STDOUT, Sender, channels, failure, success};
use crate::api::error::ApiError;
use crate::api::request::{Query, Request};
use crate::api::{Api, Attachment, Body, Target};
use crate::runtime::{Container, ExecSpec, Executed, Input, Output, Resize};

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
        let process = self.running(target, name, query.get("container"))?.process;
        let spec = ExecSpec { argv, stdin: query.flag("stdin"), tty: query.flag("tty") };
        channels(request, wanted(query), |sender, receiver| run(process, spec, sender, receiver))
    }

    /// A container that runs.
    ///
    /// Errors: there is no such pod or container, or it does not run.
    pub(super) fn running(&self, target: &Target, name: &str, container: Option<&str>) -> Result<Attachment, ApiError> {
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

/// The channels that a request asks for.
pub(super) fn wanted(query: &Query) -> Vec<u8> {
    let tty = query.flag("tty");
    let asked = [
        (STDIN, query.flag("stdin")),
        (STDOUT, query.flag("stdout")),
        (STDERR, query.flag("stderr") && !tty),
        (RESIZE, tty),
        (ERROR, true),
    ];
    asked.into_iter().filter(|(_, wanted)| *wanted).map(|(channel, _)| channel).collect()
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
async fn copy(mut from: Output, channel: u8, to: &Sender) {
    let mut chunk = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if to.send(channel, &chunk[..read]).await.is_err() {
            return;
        }
    }
}

/// Rows and columns, as a client tells them.
pub(super) fn size(bytes: &[u8]) -> Option<(u16, u16)> {
    let size: Value = serde_json::from_slice(bytes).ok()?;
    let number = |field: &str| size[field].as_u64().and_then(|n| u16::try_from(n).ok());
    Some((number("Height")?, number("Width")?))
}

/// Takes what the client sends to the process: input, its end, and the size of the terminal.
async fn feed(mut receiver: Receiver, mut stdin: Option<Input>, terminal: Option<Resize>, process: Arc<dyn Container>) {
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
                if let (Some(terminal), Some((rows, columns))) = (&terminal, size(&bytes)) {
                    terminal(rows, columns);
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
