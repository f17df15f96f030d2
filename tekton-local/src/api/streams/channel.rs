//! The channels of exec and attach: messages of a WebSocket, or streams of SPDY.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::spdy::{self, Event};
use super::{ERROR, RESIZE, STDERR, STDIN, STDOUT, Socket};

/// In `v5`: the channel whose number follows is closed.
const CLOSE: u8 = 255;

/// The channels by the names that their streams have in SPDY.
const STREAMS: [(&str, u8); 5] =
    [("stdin", STDIN), ("stdout", STDOUT), ("stderr", STDERR), ("error", ERROR), ("resize", RESIZE)];

/// The end on which the server writes; shared by everything that has something to say.
#[derive(Clone)]
pub(super) struct Sender(Front);

#[derive(Clone)]
enum Front {
    Web(Arc<Mutex<SplitSink<Socket, Message>>>),
    /// The streams by channel.
    Spdy(spdy::Writer, BTreeMap<u8, u32>),
}

/// What a client sends.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A chunk of a channel.
    Chunk(u8, Bytes),
    /// A channel is closed.
    Closed(u8),
}

/// The end from which the server reads.
pub(super) struct Receiver(Back);

enum Back {
    Web(SplitStream<Socket>),
    /// The channels by stream.
    Spdy(Box<spdy::Reader>, BTreeMap<u32, u8>),
}

/// The channels of a WebSocket.
pub(super) fn of_socket(socket: Socket) -> (Sender, Receiver) {
    let (sink, stream) = socket.split();
    (Sender(Front::Web(Arc::new(Mutex::new(sink)))), Receiver(Back::Web(stream)))
}

/// The channels of a SPDY connection, when the client has opened the wanted ones. `None` when it goes before.
pub(super) async fn of_streams(
    mut reader: spdy::Reader,
    writer: spdy::Writer,
    wanted: &[u8],
) -> Option<(Sender, Receiver)> {
    let mut streams = BTreeMap::new();
    while !wanted.iter().all(|channel| streams.contains_key(channel)) {
        if let Event::Opened(stream, headers) = reader.next().await? {
            let name = headers.get("streamtype").map(String::as_str).unwrap_or_default();
            match STREAMS.iter().find(|known| known.0 == name) {
                Some((_, channel)) => {
                    writer.accept(stream).await.ok()?;
                    streams.insert(*channel, stream);
                }
                None => writer.reset(stream).await.ok()?,
            }
        }
    }
    let channels = streams.iter().map(|(channel, stream)| (*stream, *channel)).collect();
    Some((Sender(Front::Spdy(writer, streams)), Receiver(Back::Spdy(Box::new(reader), channels))))
}

impl Sender {
    /// Sends a chunk on a channel. Errors: the client has gone.
    pub(super) async fn send(&self, channel: u8, bytes: &[u8]) -> Result<(), ()> {
        match &self.0 {
            Front::Web(sink) => {
                let mut message = Vec::with_capacity(bytes.len() + 1);
                message.push(channel);
                message.extend_from_slice(bytes);
                sink.lock().await.send(Message::Binary(message.into())).await.map_err(drop)
            }
            Front::Spdy(writer, streams) => match streams.get(&channel) {
                Some(stream) if !bytes.is_empty() => writer.send(*stream, bytes).await.map_err(drop),
                // A client that did not open a stream does not want what would come on it.
                _ => Ok(()),
            },
        }
    }

    /// Says how it ended, and closes.
    pub(super) async fn finish(&self, status: &Value) {
        // A client that has gone needs no word of the end.
        let _ = self.send(ERROR, status.to_string().as_bytes()).await;
        self.close().await;
    }

    /// Closes in good order; clients take anything else for a failure.
    pub(super) async fn close(&self) {
        match &self.0 {
            Front::Web(sink) => {
                let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                // A client that has gone needs no word of the end.
                let _ = sink.lock().await.send(Message::Close(Some(frame))).await;
            }
            Front::Spdy(writer, streams) => {
                for stream in streams.values() {
                    if writer.end(*stream).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

impl Receiver {
    /// What comes next, or nothing when the client has gone.
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        match &mut self.0 {
            Back::Web(stream) => loop {
                let bytes = match stream.next().await?.ok()? {
                    Message::Binary(bytes) => bytes,
                    Message::Text(text) => Bytes::from(text),
                    Message::Close(_) => return None,
                    _ => continue,
                };
                match *bytes.first()? {
                    CLOSE => return Some(Incoming::Closed(*bytes.get(1)?)),
                    channel => return Some(Incoming::Chunk(channel, bytes.slice(1..))),
                }
            },
            Back::Spdy(reader, channels) => loop {
                let (stream, incoming) = match reader.next().await? {
                    Event::Data(stream, bytes) => (stream, Some(bytes)),
                    Event::Ended(stream) | Event::Reset(stream) => (stream, None),
                    Event::Opened(..) => continue,
                };
                if let Some(channel) = channels.get(&stream) {
                    return Some(incoming.map_or(Incoming::Closed(*channel), |bytes| Incoming::Chunk(*channel, bytes)));
                }
            },
        }
    }
}
