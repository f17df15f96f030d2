//! Calls of webhooks over HTTPS, on loopback only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use kube::Client;
use serde_json::Value;

use super::{Api, Hook};
use crate::store::Key;

/// How long a webhook may take when it does not say.
const DEFAULT_TIMEOUT: u64 = 10;
/// The longest that one may ask for.
const LONGEST_TIMEOUT: u64 = 30;

/// Clients by address, server name and authority, so that connections are used again.
#[derive(Default)]
pub(in crate::api) struct Clients(Mutex<BTreeMap<(String, String, String), Client>>);

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clients")
    }
}

/// Where a webhook listens.
struct Address {
    base: Uri,
    path: String,
    /// The name in its certificate, when that is not the host of the address.
    server_name: Option<String>,
}

impl Api {
    /// Sends a review to a webhook; the `response` of its answer.
    ///
    /// Errors: why there is none, as a text.
    pub(super) async fn call(&self, hook: &Hook, review: &Value) -> Result<Value, String> {
        let config = &hook.spec["clientConfig"];
        if hook.spec["matchConditions"].as_array().is_some_and(|conditions| !conditions.is_empty()) {
            return Err("matchConditions are not evaluated by the local cluster".to_owned());
        }
        let address = match config["url"].as_str() {
            Some(url) => of_url(url)?,
            None => self.of_service(&config["service"])?,
        };
        let client = self.webhook_client(&address, config["caBundle"].as_str().unwrap_or_default())?;
        let seconds = hook.spec["timeoutSeconds"].as_u64().unwrap_or(DEFAULT_TIMEOUT).clamp(1, LONGEST_TIMEOUT);
        let request = http::Request::post(format!("{}?timeout={seconds}s", address.path))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(review.to_string().into_bytes())
            .map_err(|error| error.to_string())?;
        let shown =
            format!("Post \"{}{}?timeout={seconds}s\"", address.base.to_string().trim_end_matches('/'), address.path);
        let answer = tokio::time::timeout(Duration::from_secs(seconds), client.request::<Value>(request)).await;
        let mut answer = answer
            .map_err(|_elapsed| format!("{shown}: context deadline exceeded"))?
            .map_err(|error| format!("{shown}: {}", causes(&error)))?;
        if answer["kind"] != "AdmissionReview" || !answer["response"].is_object() {
            return Err(format!(
                "{shown}: expected an AdmissionReview of admission.k8s.io/v1 with a response (configuration {})",
                hook.configuration
            ));
        }
        Ok(answer["response"].take())
    }

    fn webhook_client(&self, address: &Address, bundle: &str) -> Result<Client, String> {
        let key = (address.base.to_string(), address.server_name.clone().unwrap_or_default(), bundle.to_owned());
        let mut clients = self.webhook_clients.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let mut config = kube::Config::new(address.base.clone());
        config.tls_server_name.clone_from(&address.server_name);
        if !bundle.is_empty() {
            config.root_cert = Some(certificates(bundle)?);
        }
        let client = Client::try_from(config).map_err(|error| error.to_string())?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// The port on this machine behind a Service: pods share the machine's network.
    fn of_service(&self, service: &Value) -> Result<Address, String> {
        let text = |field: &str| service[field].as_str().unwrap_or_default();
        let (namespace, name) = (text("namespace"), text("name"));
        let key = Key { resource: "/services".into(), namespace: namespace.to_owned(), name: name.to_owned() };
        let found = self.store.get(&key).ok_or_else(|| format!("service \"{name}\" not found"))?;
        let wanted = service["port"].as_u64().unwrap_or(443);
        let ports = found.value["spec"]["ports"].as_array();
        let port = ports.into_iter().flatten().find(|port| port["port"] == wanted);
        let port = port.ok_or_else(|| format!("no service port {wanted} found for service \"{name}\""))?;
        let number = match &port["targetPort"] {
            Value::String(named) => self.container_port(namespace, &found.value["spec"]["selector"], named),
            number => number.as_u64(),
        };
        let number = number.ok_or_else(|| format!("no endpoints available for service \"{name}\""))?;
        let base = format!("https://127.0.0.1:{number}").parse().map_err(|error| format!("{error}"))?;
        let path = format!("/{}", text("path").trim_start_matches('/'));
        Ok(Address { base, path, server_name: Some(format!("{name}.{namespace}.svc")) })
    }

    /// The number of a port that the pods of a selector name.
    fn container_port(&self, namespace: &str, selector: &Value, named: &str) -> Option<u64> {
        let selected = |pod: &Value| {
            let mut labels = selector.as_object().into_iter().flatten();
            selector.is_object() && labels.all(|(key, value)| pod["metadata"]["labels"][key] == *value)
        };
        let (_, pods) = self.store.list("/pods", Some(namespace));
        let containers = pods.iter().filter(|pod| selected(&pod.value));
        let containers = containers.flat_map(|pod| pod.value["spec"]["containers"].as_array().into_iter().flatten());
        let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
        ports.find(|port| port["name"] == named)?["containerPort"].as_u64()
    }
}

fn of_url(url: &str) -> Result<Address, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let host = uri.host().unwrap_or_default();
    let number = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || number.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if uri.scheme_str() != Some("https") || !loopback {
        return Err(format!("{url} is not called: the local cluster calls webhooks on loopback over https only"));
    }
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let base = format!("https://{authority}").parse().map_err(|error| format!("{url}: {error}"))?;
    Ok(Address { base, path: uri.path().to_owned(), server_name: None })
}

/// The certificates of a `caBundle`, each in DER.
fn certificates(bundle: &str) -> Result<Vec<Vec<u8>>, String> {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    let pem = BASE64.decode(bundle).map_err(|error| format!("unable to load root certificates: {error}"))?;
    let found: Result<Vec<Vec<u8>>, _> =
        CertificateDer::pem_slice_iter(&pem).map(|one| one.map(|certificate| certificate.to_vec())).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err("unable to load root certificates: the caBundle holds none".to_owned()),
    }
}

/// An error with all that caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
