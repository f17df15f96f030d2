//! A WebSocket as a plain stream of bytes, for a protocol that is sent through it.

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::Message;

use super::Socket;

/// How much waits on either way.
const BUFFER: usize = 64 * 1024;

/// The bytes of a WebSocket's messages, as one stream each way. It closes with the WebSocket.
pub(super) fn bytes(socket: Socket) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    let (mut sink, mut stream) = socket.split();
    let (mut read, mut write) = tokio::io::split(theirs);
    tokio::spawn(async move {
        let incoming = async {
            while let Some(Ok(message)) = stream.next().await {
                let written = match &message {
                    Message::Binary(bytes) => write.write_all(bytes).await,
                    Message::Close(_) => break,
                    _ => Ok(()),
                };
                if written.is_err() {
                    return;
                }
            }
            // The other side reads the end; that it has gone already is as well.
            let _ = write.shutdown().await;
        };
        let outgoing = async {
            let mut chunk = vec![0; BUFFER];
            while let Ok(length @ 1..) = read.read(&mut chunk).await {
                if sink.send(Message::Binary(chunk[..length].to_vec().into())).await.is_err() {
                    return;
                }
            }
            // A client that has gone needs no word of the end.
            let _ = sink.close().await;
        };
        tokio::join!(incoming, outgoing);
    });
    ours
}
