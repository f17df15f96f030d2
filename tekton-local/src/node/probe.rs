//! Probes and lifecycle hooks: commands, HTTP requests and connections that tell how a container does.

use crate::runtime::{Container as Process, ExecSpec};
use k8s_openapi::api::core::v1::{Container, ExecAction, HTTPGetAction, LifecycleHandler, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The periods and thresholds of a probe, with Kubernetes' defaults.
pub(super) struct Rhythm {
    pub(super) delay: Duration,
    pub(super) period: Duration,
    pub(super) failures: i32,
    pub(super) successes: i32,
}

impl Rhythm {
    pub(super) fn of(probe: &Probe) -> Self {
        Self {
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            failures: probe.failure_threshold.filter(|n| *n > 0).unwrap_or(3),
            successes: probe.success_threshold.filter(|n| *n > 0).unwrap_or(1),
        }
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    let value = value.and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0).unwrap_or(default);
    Duration::from_secs(value)
}

/// Carries a probe out once.
pub(super) async fn once(probe: &Probe, container: &Container, process: &Arc<dyn Process>) -> bool {
    let check = async {
        if let Some(action) = &probe.exec {
            exec(action, process).await
        } else if let Some(action) = &probe.http_get {
            http(action, container, process).await
        } else if let Some(action) = &probe.tcp_socket {
            connect(action.host.as_deref(), &action.port, container, process).await.is_some()
        } else if let Some(action) = &probe.grpc {
            // The health service is not asked; a server that accepts connections counts as serving.
            connect(None, &IntOrString::Int(action.port), container, process).await.is_some()
        } else {
            true
        }
    };
    timeout(seconds(probe.timeout_seconds, 1), check).await.unwrap_or(false)
}

/// Carries a lifecycle hook out. Gives whether it succeeded.
pub(super) async fn hook(handler: &LifecycleHandler, container: &Container, process: &Arc<dyn Process>) -> bool {
    if let Some(action) = &handler.exec {
        exec(action, process).await
    } else if let Some(action) = &handler.http_get {
        http(action, container, process).await
    } else if let Some(action) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(action.seconds).unwrap_or(0))).await;
        true
    } else {
        true
    }
}

async fn exec(action: &ExecAction, process: &Arc<dyn Process>) -> bool {
    let spec = ExecSpec { argv: action.command.clone().unwrap_or_default(), ..ExecSpec::default() };
    let Ok(mut executed) = process.exec(spec).await else { return false };
    let (mut out, mut err) = (tokio::io::sink(), tokio::io::sink());
    let (exit, ..) = tokio::join!(
        executed.process.wait(),
        tokio::io::copy(&mut executed.stdout, &mut out),
        tokio::io::copy(&mut executed.stderr, &mut err),
    );
    exit.code == 0
}

fn port(port: &IntOrString, container: &Container) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(name) => name.parse().ok().or_else(|| {
            let named = container.ports.iter().flatten().find(|p| p.name.as_deref() == Some(name))?;
            u16::try_from(named.container_port).ok()
        }),
    }
}

async fn connect(
    host: Option<&str>,
    wanted: &IntOrString,
    container: &Container,
    process: &Arc<dyn Process>,
) -> Option<TcpStream> {
    let host = host.filter(|h| !h.is_empty()).map_or_else(|| process.address(), str::to_owned);
    TcpStream::connect((host, port(wanted, container)?)).await.ok()
}

/// A GET request; status 200 to 399 is success. For HTTPS the connection alone counts.
async fn http(action: &HTTPGetAction, container: &Container, process: &Arc<dyn Process>) -> bool {
    let Some(mut stream) = connect(action.host.as_deref(), &action.port, container, process).await else {
        return false;
    };
    if action.scheme.as_deref() == Some("HTTPS") {
        return true;
    }
    let path = action.path.as_deref().filter(|p| !p.is_empty()).unwrap_or("/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let host = action.host.as_deref().filter(|h| !h.is_empty()).map_or_else(|| process.address(), str::to_owned);
    let mut request = format!("GET {slash}{path} HTTP/1.1\r\nUser-Agent: kube-probe/1.37\r\nConnection: close\r\n");
    let headers = action.http_headers.iter().flatten();
    let mut named_host = false;
    for header in headers {
        named_host |= header.name.eq_ignore_ascii_case("host");
        // Writing to a string does not fail.
        let _ = write!(request, "{}: {}\r\n", header.name, header.value);
    }
    if !named_host {
        let _ = write!(request, "Host: {host}\r\n");
    }
    request.push_str("\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut head = Vec::new();
    let mut chunk = [0; 256];
    while head.len() < 12 {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => head.extend_from_slice(&chunk[..read]),
        }
    }
    let status: Option<u16> =
        std::str::from_utf8(head.get(9..12).unwrap_or_default()).ok().and_then(|s| s.parse().ok());
    head.starts_with(b"HTTP/1.") && status.is_some_and(|s| (200..400).contains(&s))
}
