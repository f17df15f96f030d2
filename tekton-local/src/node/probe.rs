//! Probes and lifecycle hooks: commands, HTTP requests and connections that tell how a container does.

use crate::runtime::{Container as Process, ExecSpec, Output};
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
///
/// Errors: why it failed, in the kubelet's words.
pub(super) async fn once(probe: &Probe, container: &Container, process: &Arc<dyn Process>) -> Result<(), String> {
    let check = async {
        if let Some(action) = &probe.exec {
            exec(action, process).await
        } else if let Some(action) = &probe.http_get {
            http(action, container, process).await
        } else if let Some(action) = &probe.tcp_socket {
            connect(action.host.as_deref(), &action.port, container, process).await.map(drop)
        } else if let Some(action) = &probe.grpc {
            // The health service is not asked; a server that accepts connections counts as serving.
            connect(None, &IntOrString::Int(action.port), container, process).await.map(drop)
        } else {
            Ok(())
        }
    };
    let limit = seconds(probe.timeout_seconds, 1);
    timeout(limit, check).await.unwrap_or_else(|_late| {
        let what = if probe.exec.is_some() { "command" } else { "probe" };
        Err(format!("{what} timed out after {}s", limit.as_secs()))
    })
}

/// Carries a lifecycle hook out.
///
/// Errors: why it failed.
pub(super) async fn hook(
    handler: &LifecycleHandler,
    container: &Container,
    process: &Arc<dyn Process>,
) -> Result<(), String> {
    if let Some(action) = &handler.exec {
        exec(action, process).await
    } else if let Some(action) = &handler.http_get {
        http(action, container, process).await
    } else if let Some(action) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(action.seconds).unwrap_or(0))).await;
        Ok(())
    } else {
        Ok(())
    }
}

async fn exec(action: &ExecAction, process: &Arc<dyn Process>) -> Result<(), String> {
    let spec = ExecSpec { argv: action.command.clone().unwrap_or_default(), ..ExecSpec::default() };
    let mut executed = process.exec(spec).await.map_err(|error| error.to_string())?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (exit, ..) = tokio::join!(
        executed.process.wait(),
        keep(&mut executed.stdout, &mut out),
        keep(&mut executed.stderr, &mut err)
    );
    if exit.code == 0 {
        return Ok(());
    }
    out.extend_from_slice(&err);
    Err(String::from_utf8_lossy(&out).into_owned())
}

/// Reads a stream to its end and keeps the beginning.
async fn keep(from: &mut Output, kept: &mut Vec<u8>) {
    const KEPT: usize = 10 * 1024;
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read.min(KEPT - kept.len())]);
    }
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
) -> Result<TcpStream, String> {
    let host = host.filter(|h| !h.is_empty()).map_or_else(|| process.address(), str::to_owned);
    let Some(port) = port(wanted, container) else { return Err("couldn't find a port of that name".to_owned()) };
    TcpStream::connect((host.as_str(), port)).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            _ => error.to_string(),
        };
        format!("dial tcp {host}:{port}: connect: {why}")
    })
}

/// A GET request; status 200 to 399 is success. For HTTPS the connection alone counts.
async fn http(action: &HTTPGetAction, container: &Container, process: &Arc<dyn Process>) -> Result<(), String> {
    let path = action.path.as_deref().filter(|p| !p.is_empty()).unwrap_or("/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let host = action.host.as_deref().filter(|h| !h.is_empty()).map_or_else(|| process.address(), str::to_owned);
    let scheme = if action.scheme.as_deref() == Some("HTTPS") { "https" } else { "http" };
    let mut stream = connect(action.host.as_deref(), &action.port, container, process).await.map_err(|why| {
        let port = port(&action.port, container).unwrap_or(0);
        format!("Get \"{scheme}://{host}:{port}{slash}{path}\": {why}")
    })?;
    if scheme == "https" {
        return Ok(());
    }
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
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
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
    match status.filter(|_| head.starts_with(b"HTTP/1.")) {
        Some(200..400) => Ok(()),
        Some(status) => Err(format!("HTTP probe failed with statuscode: {status}")),
        None => Err("the answer is not HTTP".to_owned()),
    }
}
