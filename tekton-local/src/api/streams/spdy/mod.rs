//! SPDY/3.1, as far as clients of Kubernetes speak it: streams with headers over one connection.
//!
//! Older clients switch a connection to it for exec, attach and port-forward; newer ones send it through a WebSocket to
//! forward ports. No side of Kubernetes bounds its windows, so neither does this one.

mod headers;

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use headers::{Decoder, Encoder, Headers};

/// The name of the protocol in `Upgrade` headers.
pub(super) const PROTOCOL: &str = "SPDY/3.1";

/// The bit that parts control frames from data, and what stands beside it in them: the version.
const CONTROL: u32 = 0x8003_0000;
const SYN_STREAM: u32 = 1;
const SYN_REPLY: u32 = 2;
const RST_STREAM: u32 = 3;
const PING: u32 = 6;
const GOAWAY: u32 = 7;
/// The flag of a side's last frame of a stream.
const FIN: u32 = 1;
/// Why a stream is broken off: it is no longer wanted.
const CANCEL: u32 = 5;
/// The longest frame that is taken.
const LONGEST: usize = 1 << 20;

/// What a client does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It opens a stream.
    Opened(u32, Headers),
    /// It sends a chunk on a stream.
    Data(u32, Bytes),
    /// It sends nothing more on a stream.
    Ended(u32),
    /// It breaks a stream off.
    Reset(u32),
}

/// The end from which the server reads.
pub(super) struct Reader {
    from: Box<dyn AsyncRead + Send + Unpin>,
    decoder: Decoder,
    writer: Writer,
    /// The end of a stream that came with its last chunk or its opening.
    pending: Option<Event>,
}

/// The end on which the server writes; shared by everything that has something to say.
#[derive(Clone)]
pub(super) struct Writer(Arc<Mutex<Inner>>);

struct Inner {
    to: Box<dyn AsyncWrite + Send + Unpin>,
    encoder: Encoder,
}

/// Speaks the protocol over a connection. `None` when the library of compression refuses.
pub(super) fn split(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Option<(Reader, Writer)> {
    let (from, to) = tokio::io::split(io);
    let writer = Writer(Arc::new(Mutex::new(Inner { to: Box::new(to), encoder: Encoder::new()? })));
    Some((Reader { from: Box::new(from), decoder: Decoder::new(), writer: writer.clone(), pending: None }, writer))
}

/// A number at a place of a frame.
fn number(frame: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*frame.get(at..)?.first_chunk()?))
}

impl Reader {
    /// What the client does next, or nothing when it has gone or speaks something else.
    pub(super) async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.pending.take() {
            return Some(event);
        }
        loop {
            let head = self.from.read_u32().await.ok()?;
            let word = self.from.read_u32().await.ok()?;
            let (flags, length) = (word >> 24, usize::try_from(word & 0x00ff_ffff).ok()?);
            if length > LONGEST {
                return None;
            }
            let mut frame = BytesMut::zeroed(length);
            self.from.read_exact(&mut frame).await.ok()?;
            let last = flags & FIN != 0;
            if head & 0x8000_0000 == 0 {
                let ended = last.then_some(Event::Ended(head));
                if frame.is_empty() {
                    match ended {
                        Some(ended) => return Some(ended),
                        None => continue,
                    }
                }
                self.pending = ended;
                return Some(Event::Data(head, frame.freeze()));
            }
            if head & 0x7fff_0000 != CONTROL & 0x7fff_0000 {
                return None;
            }
            match head & 0xffff {
                SYN_STREAM => {
                    let stream = number(&frame, 0)? & 0x7fff_ffff;
                    let headers = self.decoder.decode(frame.get(10..)?)?;
                    self.pending = last.then_some(Event::Ended(stream));
                    return Some(Event::Opened(stream, headers));
                }
                RST_STREAM => return Some(Event::Reset(number(&frame, 0)? & 0x7fff_ffff)),
                PING => self.writer.control(PING, &frame).await.ok()?,
                GOAWAY => return None,
                // Settings, windows, further headers: nothing here depends on them.
                _ => {}
            }
        }
    }
}

impl Writer {
    async fn control(&self, kind: u32, body: &[u8]) -> io::Result<()> {
        self.0.lock().await.frame(CONTROL | kind, 0, body).await
    }

    /// Takes a stream that the client opened. Errors: the client has gone.
    pub(super) async fn accept(&self, stream: u32) -> io::Result<()> {
        let mut inner = self.0.lock().await;
        let block = inner.encoder.encode(&Headers::new()).ok_or(io::ErrorKind::InvalidData)?;
        let body = [&stream.to_be_bytes(), block.as_slice()].concat();
        inner.frame(CONTROL | SYN_REPLY, 0, &body).await
    }

    /// Sends a chunk. Errors: the client has gone.
    pub(super) async fn send(&self, stream: u32, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().await.frame(stream, 0, bytes).await
    }

    /// Says that nothing more comes on a stream. Errors: the client has gone.
    pub(super) async fn end(&self, stream: u32) -> io::Result<()> {
        self.0.lock().await.frame(stream, FIN, &[]).await
    }

    /// Breaks a stream off. Errors: the client has gone.
    pub(super) async fn reset(&self, stream: u32) -> io::Result<()> {
        self.control(RST_STREAM, &[stream.to_be_bytes(), CANCEL.to_be_bytes()].concat()).await
    }

    /// Says that the connection ends. A client that has gone needs no word of it.
    pub(super) async fn close(&self) {
        let _ = self.control(GOAWAY, &[0; 8]).await;
        let _ = self.0.lock().await.to.shutdown().await;
    }
}

impl Inner {
    async fn frame(&mut self, head: u32, flags: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).ok().filter(|length| *length < 1 << 24);
        let word = flags << 24 | length.ok_or(io::ErrorKind::InvalidInput)?;
        let mut bytes = Vec::with_capacity(body.len() + 8);
        bytes.extend_from_slice(&head.to_be_bytes());
        bytes.extend_from_slice(&word.to_be_bytes());
        bytes.extend_from_slice(body);
        self.to.write_all(&bytes).await?;
        self.to.flush().await
    }
}
