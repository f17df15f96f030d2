//! Port-forward: connections to the ports of a pod, at the pod's address.
//!
//! kubectl opens a pair of SPDY streams for each connection that it takes, through a WebSocket or over the connection
//! itself; other clients name the ports in the request and have two channels of the WebSocket for each.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::spdy::{self, Event};
use super::{Incoming, Offer, Receiver, Sender, Switched, V4, channel, switch, tunnel};
use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::{Api, Body, Target};
use crate::runtime::LOOPBACK;

/// The sub-protocol of clients that know no version of it.
const PLAIN: &str = "portforward.k8s.io";
/// SPDY in the messages of a WebSocket.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
/// How many ports one request may ask for: each takes two channels.
const MOST: usize = 127;
/// How many chunks wait for a pod that does not read them before the client has to wait.
const WAITING: usize = 64;

impl Api {
    /// Forwards to ports of a pod.
    pub(in crate::api) fn port_forward(
        &self,
        request: &Request,
        target: &Target,
        name: &str,
    ) -> Result<Response<Body>, ApiError> {
        let pod = self.found(target, name)?;
        if pod.value["status"]["phase"] != "Running" {
            let phase = pod.value["status"]["phase"].as_str().unwrap_or("Pending");
            return Err(ApiError::bad_request(format!(
                "unable to forward port because pod is not running. Current status={phase}"
            )));
        }
        let address = pod.value["status"]["podIP"].as_str().unwrap_or(LOOPBACK).to_owned();
        let pairs = request.upgrade.protocols.iter().any(|protocol| protocol == TUNNEL)
            || request.upgrade.to.eq_ignore_ascii_case(spdy::PROTOCOL);
        // In pairs of streams each pair names its port.
        let ports = if pairs { Vec::new() } else { ports(request)? };
        let offer = Offer { web: if pairs { &[TUNNEL] } else { &[V4, PLAIN] }, spdy: &[PLAIN] };
        switch(request, &offer, move |switched, protocol| async move {
            match switched {
                Switched::Web(socket) if protocol == TUNNEL => {
                    if let Some((reader, writer)) = spdy::split(tunnel::bytes(socket)) {
                        serve_pairs(address, reader, writer).await;
                    }
                }
                Switched::Web(socket) => {
                    let (sender, receiver) = channel::of_socket(socket);
                    serve_channels(address, ports, sender, receiver).await;
                }
                Switched::Spdy(reader, writer) => serve_pairs(address, reader, writer).await,
            }
        })
    }
}

/// The ports that a request names.
fn ports(request: &Request) -> Result<Vec<u16>, ApiError> {
    let given: Vec<&str> = request.query.all("ports").iter().flat_map(|ports| ports.split(',')).collect();
    let parsed = given.iter().map(|port| {
        let number = port.parse().ok().filter(|port| *port > 0);
        number.ok_or_else(|| ApiError::bad_request(format!("unable to forward: {port:?} is no port")))
    });
    let ports: Vec<u16> = parsed.collect::<Result<_, _>>()?;
    if ports.is_empty() || ports.len() > MOST {
        return Err(ApiError::bad_request(format!("query parameter \"ports\" needs 1 to {MOST} ports")));
    }
    Ok(ports)
}

/// What a client is told of a port that does not answer.
fn refused(port: &str, error: &dyn std::fmt::Display) -> String {
    format!("an error occurred forwarding {port}: {error}")
}

/// The two streams of one connection.
#[derive(Debug, Clone, Copy)]
struct Pair {
    data: u32,
    error: u32,
}

/// Serves a client that opens a stream for errors and one for data for each connection.
async fn serve_pairs(address: String, mut reader: spdy::Reader, writer: spdy::Writer) {
    // The streams whose partner has not come, by the client's number of the connection.
    let mut alone: BTreeMap<String, u32> = BTreeMap::new();
    let mut inputs: BTreeMap<u32, (mpsc::Sender<Bytes>, AbortHandle)> = BTreeMap::new();
    let mut connections = JoinSet::new();
    while let Some(event) = reader.next().await {
        match event {
            Event::Opened(stream, headers) => {
                let header = |name: &str| headers.get(name).map(String::as_str).unwrap_or_default();
                let kind = header("streamtype");
                let taken = if matches!(kind, "data" | "error") {
                    writer.accept(stream).await
                } else {
                    writer.reset(stream).await
                };
                if taken.is_err() {
                    break;
                }
                // Early clients do not number their connections: they open the two streams one after the other.
                let Some(other) = alone.remove(header("requestid")) else {
                    alone.insert(header("requestid").to_owned(), stream);
                    continue;
                };
                let pair = if kind == "data" {
                    Pair { data: stream, error: other }
                } else {
                    Pair { data: other, error: stream }
                };
                let (input, chunks) = mpsc::channel(WAITING);
                let connection = connect(address.clone(), header("port").to_owned(), pair, chunks, writer.clone());
                inputs.insert(pair.data, (input, connections.spawn(connection)));
            }
            Event::Data(stream, bytes) => {
                if let Some((input, _)) = inputs.get(&stream)
                    && input.send(bytes).await.is_err()
                {
                    inputs.remove(&stream);
                }
            }
            Event::Ended(stream) => drop(inputs.remove(&stream)),
            Event::Reset(stream) => {
                if let Some((_, connection)) = inputs.remove(&stream) {
                    connection.abort();
                }
            }
        }
        // Those that have ended leave nothing to look at.
        while connections.try_join_next().is_some() {}
    }
    writer.close().await;
}

/// One connection to a port, from its opening to the end of both ways. A client that has gone ends it.
async fn connect(address: String, port: String, pair: Pair, mut chunks: mpsc::Receiver<Bytes>, writer: spdy::Writer) {
    let opened = match port.parse::<u16>() {
        Ok(number) => TcpStream::connect((address.as_str(), number)).await.map_err(|error| refused(&port, &error)),
        Err(error) => Err(refused(&port, &error)),
    };
    match opened {
        Ok(stream) => {
            let (mut from, mut to) = stream.into_split();
            let outgoing = async {
                while let Some(chunk) = chunks.recv().await {
                    if to.write_all(&chunk).await.is_err() {
                        break;
                    }
                }
                // The port reads the end; that it has closed already is as well.
                let _ = to.shutdown().await;
            };
            let incoming = async {
                let mut chunk = vec![0; 32 * 1024];
                while let Ok(length @ 1..) = from.read(&mut chunk).await {
                    if writer.send(pair.data, &chunk[..length]).await.is_err() {
                        return;
                    }
                }
            };
            // When the port has nothing more to say, neither has the client.
            tokio::select! {
                () = incoming => {}
                () = async { outgoing.await; std::future::pending::<()>().await } => {}
            }
        }
        Err(text) => drop(writer.send(pair.error, text.as_bytes()).await),
    }
    for stream in [pair.data, pair.error] {
        // A client that has gone needs no word of the end.
        let _ = writer.end(stream).await;
    }
}

/// Serves a client that named its ports: port `i` is channel `2i`, and channel `2i + 1` tells its errors.
async fn serve_channels(address: String, ports: Vec<u16>, sender: Sender, mut receiver: Receiver) {
    let mut writers: Vec<Option<OwnedWriteHalf>> = Vec::new();
    let mut readers = JoinSet::new();
    for (index, port) in ports.iter().enumerate() {
        let Ok(channel) = u8::try_from(index * 2) else { return };
        // Each channel begins with the number of its port.
        let begun =
            [sender.send(channel, &port.to_le_bytes()).await, sender.send(channel + 1, &port.to_le_bytes()).await];
        if begun.contains(&Err(())) {
            return;
        }
        match TcpStream::connect((address.as_str(), *port)).await {
            Ok(stream) => {
                let (mut read, write) = stream.into_split();
                writers.push(Some(write));
                let sender = sender.clone();
                readers.spawn(async move {
                    let mut chunk = vec![0; 32 * 1024];
                    while let Ok(length @ 1..) = read.read(&mut chunk).await {
                        if sender.send(channel, &chunk[..length]).await.is_err() {
                            return;
                        }
                    }
                });
            }
            Err(error) => {
                writers.push(None);
                if sender.send(channel + 1, refused(&port.to_string(), &error).as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
    loop {
        let incoming = tokio::select! {
            incoming = receiver.next() => incoming,
            // When every connection has been closed from the pod's side, there is nothing left to say.
            ended = readers.join_next() => if ended.is_some() && !readers.is_empty() { continue } else { None },
        };
        match incoming {
            Some(Incoming::Chunk(channel, bytes)) if channel % 2 == 0 => {
                if let Some(slot) = writers.get_mut(usize::from(channel / 2))
                    && let Some(writer) = slot
                    && writer.write_all(&bytes).await.is_err()
                {
                    *slot = None;
                }
            }
            Some(_) => {}
            None => break,
        }
    }
    sender.close().await;
}
