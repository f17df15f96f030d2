//! The front over HTTP: TLS and a bearer token on a loopback address.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::api::Api;
use crate::service::ApiService;

/// A cluster that is served over HTTP. It is served until this is dropped.
#[derive(Debug)]
pub struct Serving {
    /// The address of the server: `https://127.0.0.1:PORT`.
    pub url: String,
    /// A kubeconfig with which kubectl reaches the server: the certificate and the token are in it.
    pub kubeconfig: String,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The certificates of a server: the authority's in PEM, and what rustls needs.
struct Identity {
    authority: String,
    config: ServerConfig,
}

fn identity() -> Result<Identity, Box<dyn std::error::Error + Send + Sync>> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "tekton-local");
    authority.key_usages = vec![
        rcgen::KeyUsagePurpose::KeyCertSign,
        rcgen::KeyUsagePurpose::CrlSign,
        rcgen::KeyUsagePurpose::DigitalSignature,
    ];
    let authority_key = rcgen::KeyPair::generate()?;
    let authority_cert = authority.self_signed(&authority_key)?;
    let issuer = rcgen::Issuer::new(authority, authority_key);

    let names = ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        .map(str::to_owned);
    let mut server = rcgen::CertificateParams::new(names.to_vec())?;
    server.distinguished_name.push(rcgen::DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let server_key = rcgen::KeyPair::generate()?;
    let server_cert = server.signed_by(&server_key, &issuer)?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![server_cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { authority: authority_cert.pem(), config })
}

/// A token that nobody guesses: 32 random bytes in hexadecimal.
fn token() -> String {
    use std::fmt::Write as _;
    crate::api::identity::random().iter().fold(String::new(), |mut token, byte| {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
        token
    })
}

/// Serves `api` on a loopback address.
///
/// Errors: the address is not loopback or cannot be bound, or no certificate can be made.
pub(crate) async fn serve(api: Arc<Api>, address: SocketAddr) -> io::Result<Serving> {
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the local cluster is served on loopback addresses only",
        ));
    }
    let identity = identity().map_err(io::Error::other)?;
    let token = token();
    let listener = TcpListener::bind(address).await?;
    let url = format!("https://{}", listener.local_addr()?);
    let kubeconfig = kubeconfig(&url, &identity.authority, &token);
    api.set_certificate(&identity.authority);
    let acceptor = TlsAcceptor::from(Arc::new(identity.config));
    let service = ApiService::new(Arc::clone(&api)).with_token(&token);
    let accepting = tokio::spawn(accept(listener, acceptor, service, api.closing()));
    Ok(Serving { url, kubeconfig, accepting })
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, service: ApiService, mut closing: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                stream
            } else {
                // Out of descriptors or a client that left already: neither ends the server.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            },
            Some(_) = connections.join_next() => continue,
            _ = closing.changed() => return,
        };
        let (acceptor, service) = (acceptor.clone(), service.clone());
        connections.spawn(async move {
            // Small answers go out at once; without this option they only go slower.
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = TowerToHyperService::new(service);
            // A connection that breaks concerns its client only.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Files with a kubeconfig; they go with this.
#[derive(Debug)]
pub(crate) struct Kubeconfigs(Vec<PathBuf>);

impl Kubeconfigs {
    /// Writes the files. Who sees one sees all of it, and only its owner can read it: the token is in it.
    ///
    /// Errors: a file that cannot be written.
    pub(crate) fn write(paths: Vec<PathBuf>, text: &str) -> Result<Self, (PathBuf, io::Error)> {
        let mut written = Self(Vec::new());
        for path in paths {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let put = || {
                let mut file = tempfile::NamedTempFile::new_in(folder)?;
                file.write_all(text.as_bytes())?;
                file.persist(&path)?;
                Ok(())
            };
            if let Err(error) = put() {
                return Err((path, error));
            }
            written.0.push(path);
        }
        Ok(written)
    }
}

impl Drop for Kubeconfigs {
    fn drop(&mut self) {
        for path in &self.0 {
            // One that is gone already, or can't go, keeps nothing else from its end; its server is gone in any case.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn kubeconfig(url: &str, authority: &str, token: &str) -> String {
    use base64::Engine as _;
    let certificate = base64::engine::general_purpose::STANDARD.encode(authority);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "tekton-local",
        "clusters": [{"name": "tekton-local", "cluster": {"server": url, "certificate-authority-data": certificate}}],
        "users": [{"name": "tekton-local", "user": {"token": token}}],
        "contexts": [{"name": "tekton-local", "context": {"cluster": "tekton-local", "user": "tekton-local", "namespace": "default"}}],
    });
    format!("{config:#}\n")
}
