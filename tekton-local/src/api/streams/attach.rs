//! `kubectl attach`: what a running container writes from now on, and its standard input.

use bytes::Bytes;
use http::Response;
use tokio::io::AsyncWriteExt;
use tokio::sync::broadcast::{self, error::RecvError};

use super::exec::{size, wanted};
use super::{Incoming, RESIZE, Receiver, STDERR, STDIN, STDOUT, Sender, channels, success};
use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::{Api, Attachment, Body, Target};

impl Api {
    /// Attaches to the streams of a container.
    pub(in crate::api) fn attach(
        &self,
        request: &Request,
        target: &Target,
        name: &str,
    ) -> Result<Response<Body>, ApiError> {
        let query = &request.query;
        let attachment = self.running(target, name, query.get("container"))?;
        // What is written from here on is seen, however long the client takes to switch.
        let output = attachment.output.subscribe();
        let stdin = query.flag("stdin");
        channels(request, wanted(query), move |sender, receiver| run(attachment, output, stdin, sender, receiver))
    }
}

async fn run(
    attachment: Attachment,
    mut output: broadcast::Receiver<(&'static str, Bytes)>,
    stdin: bool,
    sender: Sender,
    receiver: Receiver,
) {
    // The first, empty message tells the client that the streams are there.
    if sender.send(STDOUT, &[]).await.is_err() {
        return;
    }
    let Attachment { process, output: live, input, once, terminal } = attachment;
    // The output ends when its last writer has gone, which this would be.
    drop(live);
    let feed = async {
        let mut receiver = receiver;
        while let Some(incoming) = receiver.next().await {
            match incoming {
                Incoming::Chunk(STDIN, bytes) if stdin => {
                    let mut input = input.lock().await;
                    if let Some(open) = &mut *input
                        && open.write_all(&bytes).await.is_err()
                    {
                        *input = None;
                    }
                }
                Incoming::Chunk(RESIZE, bytes) => {
                    if let (Some(terminal), Some((rows, columns))) = (&terminal, size(&bytes)) {
                        terminal(rows, columns);
                    }
                }
                Incoming::Closed(STDIN) if stdin && once => drop(input.lock().await.take()),
                Incoming::Closed(_) | Incoming::Chunk(..) => {}
            }
        }
    };
    let tell = async {
        loop {
            match output.recv().await {
                Ok((stream, bytes)) => {
                    let channel = if stream == "stderr" { STDERR } else { STDOUT };
                    if sender.send(channel, &bytes).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
        process.wait().await;
        sender.finish(&success()).await;
    };
    tokio::select! {
        () = feed => {}
        () = tell => {}
    }
    if stdin && once {
        drop(input.lock().await.take());
    }
}
