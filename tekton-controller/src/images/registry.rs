//! Asks the registry of an image what it runs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::{BoxFuture, try_join_all};
use indexmap::IndexMap;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
    OciDescriptor,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use serde::Deserialize;
use tekton_engine::ImageMetadata;
use tekton_podgen::image::{self, ImageConfig, Manifest};

use super::{ImageConfigs, ImageQuery, Keyring, Login};

/// How many images are remembered.
const REMEMBERED: usize = 1024;
/// How long a registry may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a registry may be silent.
const READ: Duration = Duration::from_secs(30);
/// The manifests that are understood.
const ACCEPTED: [&str; 4] =
    [IMAGE_MANIFEST_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE];

/// What an image of a digest runs; a digest never changes its meaning.
#[derive(Debug, Clone)]
enum Stored {
    One(ImageConfig),
    Index(Vec<Manifest>),
}

/// Asks registries, with the pull secrets of the run's namespace. What a digest stands for is asked once.
pub struct RegistryImages {
    client: kube::Client,
    /// By repository and digest, the one that was used last at the end.
    known: Mutex<IndexMap<String, Stored>>,
}

impl std::fmt::Debug for RegistryImages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryImages").finish_non_exhaustive()
    }
}

impl RegistryImages {
    /// Reads pull secrets with `client`. Sets the process's TLS provider where none is set.
    pub fn new(client: kube::Client) -> Self {
        // One that is there already does as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self { client, known: Mutex::default() }
    }

    fn recall(&self, key: &str) -> Option<Stored> {
        let mut known = self.known.lock().expect("no thread panics while it holds the images");
        let stored = known.shift_remove(key)?;
        known.insert(key.to_owned(), stored.clone());
        Some(stored)
    }

    fn remember(&self, key: String, stored: Stored) {
        let mut known = self.known.lock().expect("no thread panics while it holds the images");
        if known.len() >= REMEMBERED {
            known.shift_remove_index(0);
        }
        known.insert(key, stored);
    }

    async fn ask(&self, query: ImageQuery<'_>) -> Result<ImageMetadata, String> {
        let reference = image::Reference::parse(query.image).map_err(|error| error.to_string())?;
        if let Some(digest) = reference.identifier.strip_prefix('@')
            && let Some(stored) = self.recall(&reference.name())
        {
            return answer(digest, &stored, query.has_args);
        }
        let keyring =
            Keyring::gather(&self.client, query.namespace, Some(query.service_account), query.pull_secrets).await;
        let keyring = keyring.map_err(|error| format!("error creating k8schain: {error}"))?;
        let auth = keyring.login(&reference.repository).map_or(Ok(RegistryAuth::Anonymous), auth)?;
        let (registry, repository) =
            reference.repository.split_once('/').ok_or_else(|| format!("{} has no registry", query.image))?;
        let at = match reference.identifier.split_at(1) {
            ("@", digest) => Reference::with_digest(registry.to_owned(), repository.to_owned(), digest.to_owned()),
            (_, tag) => Reference::with_tag(registry.to_owned(), repository.to_owned(), tag.to_owned()),
        };
        let source = Source::connect(at, auth).await?;
        let (body, digest) = source.manifest(&source.reference).await?;
        let key = reference.with_digest(&digest);
        let stored = if let Some(stored) = self.recall(&key) {
            stored
        } else {
            let stored = source.read(&body).await?;
            self.remember(key, stored.clone());
            stored
        };
        answer(&digest, &stored, query.has_args)
    }
}

impl ImageConfigs for RegistryImages {
    fn find<'a>(&'a self, query: ImageQuery<'a>) -> BoxFuture<'a, Result<ImageMetadata, String>> {
        Box::pin(self.ask(query))
    }
}

fn answer(digest: &str, stored: &Stored, has_args: bool) -> Result<ImageMetadata, String> {
    let commands = match stored {
        Stored::One(config) => BTreeMap::from([(image::platform(config), image::command(config, has_args))]),
        Stored::Index(manifests) => image::command_map(manifests, has_args).map_err(|error| error.to_string())?,
    };
    Ok(ImageMetadata { digest: digest.to_owned(), commands })
}

fn auth(login: &Login) -> Result<RegistryAuth, String> {
    if !login.registry_token.is_empty() {
        return Ok(RegistryAuth::Bearer(login.registry_token.clone()));
    }
    if login.password.is_empty() && !login.identity_token.is_empty() {
        return Err("a pull secret has an `identitytoken`, which is not supported: give it `username` and `password`"
            .to_owned());
    }
    Ok(RegistryAuth::Basic(login.username.clone(), login.password.clone()))
}

/// One image in its registry.
struct Source {
    client: Client,
    scheme: &'static str,
    reference: Reference,
    auth: RegistryAuth,
}

impl Source {
    /// Logs in. A registry of this machine or of a private network may do without TLS.
    async fn connect(reference: Reference, auth: RegistryAuth) -> Result<Self, String> {
        let mut tries = vec![("https", ClientProtocol::Https)];
        if is_private(reference.registry()) {
            tries.push(("http", ClientProtocol::Http));
        }
        let mut last = None;
        for (scheme, protocol) in tries {
            let config = ClientConfig {
                protocol,
                connect_timeout: Some(CONNECT),
                read_timeout: Some(READ),
                platform_resolver: None,
                user_agent: concat!("tekton/", env!("CARGO_PKG_VERSION")),
                ..ClientConfig::default()
            };
            let client = Client::try_from(config).map_err(|error| text(&error))?;
            match client.auth(&reference, &auth, RegistryOperation::Pull).await {
                Ok(_token) => return Ok(Self { client, scheme, reference, auth }),
                // What a registry says is final; only one that does not speak TLS is tried without.
                Err(error @ OciDistributionError::RequestError(_)) => {
                    last.get_or_insert_with(|| {
                        format!("Get \"{scheme}://{}/v2/\": {}", reference.registry(), text(&error))
                    });
                }
                Err(error) => return Err(text(&error)),
            }
        }
        Err(last.unwrap_or_default())
    }

    async fn manifest(&self, reference: &Reference) -> Result<(Vec<u8>, String), String> {
        let found = self.client.pull_manifest_raw(reference, &self.auth, &ACCEPTED).await;
        found.map(|(body, digest)| (body.to_vec(), digest)).map_err(|error| text(&error))
    }

    /// Reads the configurations of all images that a manifest stands for.
    async fn read(&self, body: &[u8]) -> Result<Stored, String> {
        match Content::parse(body)? {
            Content::Image(config) => Ok(Stored::One(self.config(&config).await?)),
            Content::Index(entries) => {
                let wanted = entries.into_iter().map(|entry| (entry.platform(), entry.digest));
                let wanted = wanted.filter(|(platform, _)| platform != "unknown/unknown");
                let read = wanted.map(|(platform, digest)| async move {
                    let (body, _) = self.manifest(&self.reference.clone_with_digest(digest.clone())).await?;
                    match Content::parse(&body)? {
                        Content::Image(config) => {
                            Ok::<_, String>(Manifest { platform, digest, config: self.config(&config).await? })
                        }
                        Content::Index(_) => Err(format!("{digest} is an index inside an index")),
                    }
                });
                try_join_all(read).await.map(Stored::Index)
            }
        }
    }

    async fn config(&self, digest: &str) -> Result<ImageConfig, String> {
        let descriptor = OciDescriptor { digest: digest.to_owned(), ..OciDescriptor::default() };
        let mut content = Vec::new();
        self.client.pull_blob(&self.reference, &descriptor, &mut content).await.map_err(|error| text(&error))?;
        let file: ConfigFile = serde_json::from_slice(&content).map_err(|error| {
            let (scheme, at) = (self.scheme, &self.reference);
            format!("{scheme}://{}/v2/{}/blobs/{digest}: {error}", at.registry(), at.repository())
        })?;
        let inner = file.config.unwrap_or_default();
        Ok(ImageConfig {
            os: file.os,
            architecture: file.architecture,
            entrypoint: inner.entrypoint.unwrap_or_default(),
            cmd: inner.cmd.unwrap_or_default(),
        })
    }
}

/// What a manifest leads to.
enum Content {
    /// The digest of the configuration.
    Image(String),
    Index(Vec<Entry>),
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Platform {
    os: String,
    architecture: String,
    variant: String,
    #[serde(rename = "os.version")]
    os_version: String,
}

impl Entry {
    /// `os/architecture/variant:version`, as far as it is said.
    fn platform(&self) -> String {
        let Some(platform) = self.platform.as_ref().filter(|platform| !platform.os.is_empty()) else {
            return String::new();
        };
        let mut text = platform.os.clone();
        for (mark, part) in [('/', &platform.architecture), ('/', &platform.variant), (':', &platform.os_version)] {
            if !part.is_empty() {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }
}

impl Content {
    fn parse(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Any {
            #[serde(default)]
            schema_version: u8,
            config: Option<Descriptor>,
            manifests: Option<Vec<Entry>>,
        }
        let any: Any = serde_json::from_slice(body).map_err(|error| format!("failed to read a manifest: {error}"))?;
        match any {
            Any { schema_version: 2, manifests: Some(entries), .. } => Ok(Self::Index(entries)),
            Any { schema_version: 2, config: Some(config), .. } => Ok(Self::Image(config.digest)),
            _ => Err("unsupported media type for image reference".to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    config: Option<Inner>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Inner {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
}

/// Whether a registry is on this machine, in a private network or under `.local`.
fn is_private(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => address.is_private() || address.is_loopback(),
        Ok(std::net::IpAddr::V6(address)) => address.is_loopback(),
        Err(_) => bare == "localhost" || bare.rsplit('.').next() == Some("local"),
    }
}

/// What a registry, or the way to it, says.
fn text(error: &OciDistributionError) -> String {
    match error {
        OciDistributionError::RegistryError { envelope, url } => {
            let said: Vec<String> = envelope.errors.iter().map(diagnostic).collect();
            match said.as_slice() {
                [one] => format!("GET {url}: {one}"),
                _ => format!("GET {url}: multiple errors returned: {}", said.join("; ")),
            }
        }
        OciDistributionError::ServerError { code, url, message } => {
            let name = http::StatusCode::from_u16(*code).ok().and_then(|code| code.canonical_reason());
            let status = format!("GET {url}: unexpected status code {code} {}", name.unwrap_or_default());
            if message.is_empty() { status } else { format!("{status}: {message}") }
        }
        OciDistributionError::UnauthorizedError { url } => {
            format!("GET {url}: UNAUTHORIZED: authentication required")
        }
        OciDistributionError::ImageManifestNotFoundError(said) => format!("MANIFEST_UNKNOWN: {said}"),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.contains(&cause_text) {
                    text.push_str(": ");
                    text.push_str(&cause_text);
                }
                source = cause.source();
            }
            text
        }
    }
}

fn diagnostic(error: &oci_client::errors::OciError) -> String {
    // The code is known by the name that the protocol gives it.
    let code = serde_json::to_value(&error.code).ok();
    let code = code.as_ref().and_then(serde_json::Value::as_str).unwrap_or("UNKNOWN");
    let said = format!("{code}: {}", error.message);
    match &error.detail {
        serde_json::Value::Null => said,
        serde_json::Value::Object(map) => {
            // Go prints a map with its keys in order.
            let pairs: BTreeMap<&String, String> = map.iter().map(|(key, value)| (key, plain(value))).collect();
            let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("{said}; map[{}]", pairs.join(" "))
        }
        other => format!("{said}; {}", plain(other)),
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
