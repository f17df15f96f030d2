//! Streams into and out of running containers: exec, attach and port-forward over WebSockets.
//!
//! One message carries one chunk of one channel: its first byte is the channel's number. The sub-protocol of kubectl and
//! kube-rs is `v5.channel.k8s.io`, in which a client can also close its standard input. SPDY is refused, which makes
//! clients that try it first come back with a WebSocket.

mod attach;
mod exec;
mod portforward;

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::error::ApiError;
use super::request::Request;
use super::{Body, respond};

/// The sub-protocol in which a client can close its standard input.
const V5: &str = "v5.channel.k8s.io";
/// The one before, in which it cannot.
const V4: &str = "v4.channel.k8s.io";

/// Channels of exec and attach.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// In `v5`: the channel whose number follows is closed.
const CLOSE: u8 = 255;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// The end on which the server writes; shared by everything that has something to say.
#[derive(Debug, Clone)]
struct Sender(Arc<Mutex<SplitSink<Socket, Message>>>);

impl Sender {
    /// Sends a chunk on a channel. Errors: the client has gone.
    async fn send(&self, channel: u8, bytes: &[u8]) -> Result<(), ()> {
        let mut message = Vec::with_capacity(bytes.len() + 1);
        message.push(channel);
        message.extend_from_slice(bytes);
        self.0.lock().await.send(Message::Binary(message.into())).await.map_err(drop)
    }

    /// Says how it ended, and closes.
    async fn finish(&self, status: &Value) {
        // A client that has gone needs no word of the end.
        let _ = self.send(ERROR, status.to_string().as_bytes()).await;
        self.close().await;
    }

    /// Closes in good order; clients take anything else for a failure.
    async fn close(&self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        // A client that has gone needs no word of the end.
        let _ = self.0.lock().await.send(Message::Close(Some(frame))).await;
    }
}

/// What a client sends.
#[derive(Debug)]
enum Incoming {
    /// A chunk of a channel.
    Chunk(u8, Bytes),
    /// A channel is closed.
    Closed(u8),
}

/// The end from which the server reads.
struct Receiver(SplitStream<Socket>);

impl Receiver {
    /// What comes next, or nothing when the client has gone.
    async fn next(&mut self) -> Option<Incoming> {
        loop {
            let bytes = match self.0.next().await?.ok()? {
                Message::Binary(bytes) => bytes,
                Message::Text(text) => Bytes::from(text),
                Message::Close(_) => return None,
                _ => continue,
            };
            match *bytes.first()? {
                CLOSE => return Some(Incoming::Closed(*bytes.get(1)?)),
                channel => return Some(Incoming::Chunk(channel, bytes.slice(1..))),
            }
        }
    }
}

/// Answers the request with a switch to WebSockets, and runs `session` when the client has switched.
///
/// Errors: the request asks for no WebSocket, or for none of the `protocols`.
fn upgrade<F>(
    request: &Request,
    protocols: &[&'static str],
    session: impl FnOnce(Sender, Receiver, &'static str) -> F + Send + 'static,
) -> Result<Response<Body>, ApiError>
where
    F: Future<Output = ()> + Send,
{
    let asked = &request.upgrade;
    let refused = |why: &str| Err(ApiError::bad_request(format!("unable to upgrade: {why}")));
    if !asked.to.eq_ignore_ascii_case("websocket") {
        return refused(&format!("this server speaks WebSockets ({}) only", protocols.join(", ")));
    }
    let Some(protocol) = protocols.iter().copied().find(|known| asked.protocols.iter().any(|p| p == known)) else {
        return refused(&format!("none of the sub-protocols {} was offered", protocols.join(", ")));
    };
    let (Some(pending), false) = (asked.pending.clone(), asked.key.is_empty()) else {
        return refused("this connection cannot be switched");
    };
    tokio::spawn(async move {
        // A client that did not switch has gone.
        let Ok(upgraded) = pending.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let (sink, stream) = socket.split();
        session(Sender(Arc::new(Mutex::new(sink))), Receiver(stream), protocol).await;
    });
    let mut response = respond(101, "text/plain", "");
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(asked.key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

fn success() -> Value {
    json!({"metadata": {}, "status": "Success"})
}

fn failure(message: &str) -> Value {
    json!({"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500})
}
