//! Port-forward: connections to the ports of a pod. Pods share this machine's network, so those are ports of loopback.

use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::{Incoming, Receiver, Sender, V4, upgrade};
use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::{Api, Body, Target};

/// The sub-protocol of clients that know no version of it.
const PLAIN: &str = "portforward.k8s.io";
/// How many ports one request may ask for: each takes two channels.
const MOST: usize = 127;

impl Api {
    /// Forwards to ports of a pod: port `i` of the request is channel `2i`, and channel `2i + 1` tells its errors.
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
        let given: Vec<&str> = request.query.all("ports").iter().flat_map(|ports| ports.split(',')).collect();
        let ports: Vec<u16> = given
            .iter()
            .map(|port| {
                let number = port.parse().ok().filter(|port| *port > 0);
                number.ok_or_else(|| ApiError::bad_request(format!("unable to forward: {port:?} is no port")))
            })
            .collect::<Result<_, _>>()?;
        if ports.is_empty() || ports.len() > MOST {
            return Err(ApiError::bad_request(format!("query parameter \"ports\" needs 1 to {MOST} ports")));
        }
        upgrade(request, &[V4, PLAIN], |sender, receiver, _| forward(ports, sender, receiver))
    }
}

async fn forward(ports: Vec<u16>, sender: Sender, mut receiver: Receiver) {
    let mut writers: Vec<Option<OwnedWriteHalf>> = Vec::new();
    let mut readers = tokio::task::JoinSet::new();
    for (index, port) in ports.iter().enumerate() {
        let Ok(channel) = u8::try_from(index * 2) else { return };
        // Each channel begins with the number of its port.
        let begun =
            [sender.send(channel, &port.to_le_bytes()).await, sender.send(channel + 1, &port.to_le_bytes()).await];
        if begun.contains(&Err(())) {
            return;
        }
        match TcpStream::connect(("127.0.0.1", *port)).await {
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
                let text = format!("an error occurred forwarding {port}: {error}");
                if sender.send(channel + 1, text.as_bytes()).await.is_err() {
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
