//! Streams into and out of running containers: exec, attach and port-forward.
//!
//! One message carries one chunk of one channel: its first byte is the channel's number. The sub-protocol of kubectl and
//! kube-rs is `v5.channel.k8s.io`, in which a client can also close its standard input. Clients that know no WebSockets
//! have SPDY, where each channel is a stream; kubectl forwards ports through SPDY in a WebSocket.

mod attach;
mod channel;
mod exec;
mod portforward;
mod spdy;
mod tunnel;

use std::time::Duration;

use http::{HeaderValue, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use channel::{Incoming, Receiver, Sender};

use super::error::ApiError;
use super::request::{Request, STREAM_PROTOCOL};
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
type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// How long a client that speaks SPDY may take to open the streams that it asked for.
const OPENING: Duration = Duration::from_secs(30);

/// What a connection was switched to.
enum Switched {
    Web(Socket),
    Spdy(spdy::Reader, spdy::Writer),
}

/// What a resource offers to clients that switch to WebSockets and to SPDY: the names of sub-protocols, best first.
struct Offer {
    web: &'static [&'static str],
    spdy: &'static [&'static str],
}

/// Answers the request with a switch to WebSockets or SPDY, and runs `session` when the client has switched.
///
/// Errors: the request asks for neither, or for none of the sub-protocols.
fn switch<F>(
    request: &Request,
    offer: &Offer,
    session: impl FnOnce(Switched, &'static str) -> F + Send + 'static,
) -> Result<Response<Body>, ApiError>
where
    F: Future<Output = ()> + Send,
{
    let asked = &request.upgrade;
    if asked.to.is_empty() {
        return Err(ApiError::bad_request("Upgrade request required"));
    }
    let refused = |why: &str| Err(ApiError::bad_request(format!("unable to upgrade: {why}")));
    let web = asked.to.eq_ignore_ascii_case("websocket");
    if !web && !asked.to.eq_ignore_ascii_case(spdy::PROTOCOL) {
        return refused(&format!("this server speaks WebSockets and {}, not {}", spdy::PROTOCOL, asked.to));
    }
    let known = if web { offer.web } else { offer.spdy };
    let Some(protocol) = known.iter().copied().find(|known| asked.protocols.iter().any(|p| p == known)) else {
        return refused(&format!("none of the sub-protocols {} was offered", known.join(", ")));
    };
    let (Some(pending), false) = (asked.pending.clone(), web && asked.key.is_empty()) else {
        return refused("this connection cannot be switched");
    };
    tokio::spawn(async move {
        // A client that did not switch has gone.
        let Ok(upgraded) = pending.await else { return };
        let io = TokioIo::new(upgraded);
        if web {
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
            session(Switched::Web(socket), protocol).await;
        } else if let Some((reader, writer)) = spdy::split(io) {
            session(Switched::Spdy(reader, writer), protocol).await;
        }
    });
    let mut response = respond(101, "text/plain", "");
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if web {
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(asked.key.as_bytes())) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
    } else {
        headers.insert(header::UPGRADE, HeaderValue::from_static(spdy::PROTOCOL));
        headers.insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    }
    Ok(response)
}

/// As [`switch`], for a session of channels, which in SPDY are the streams of these channels.
fn channels<F>(
    request: &Request,
    wanted: Vec<u8>,
    session: impl FnOnce(Sender, Receiver) -> F + Send + 'static,
) -> Result<Response<Body>, ApiError>
where
    F: Future<Output = ()> + Send,
{
    let offer = Offer { web: &[V5, V4], spdy: &[V4] };
    switch(request, &offer, move |switched, _| async move {
        let ends = match switched {
            Switched::Web(socket) => Some(channel::of_socket(socket)),
            Switched::Spdy(reader, writer) => {
                tokio::time::timeout(OPENING, channel::of_streams(reader, writer, &wanted)).await.ok().flatten()
            }
        };
        // A client that does not open what it asked for has gone.
        if let Some((sender, receiver)) = ends {
            session(sender, receiver).await;
        }
    })
}

fn success() -> Value {
    json!({"metadata": {}, "status": "Success"})
}

fn failure(message: &str) -> Value {
    json!({"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500})
}
