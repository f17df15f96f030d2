//! Lookups against a registry of this test's own, with credentials from an embedded API server.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tekton_local::{LocalCluster, Options};
use tokio::net::TcpListener;

use super::*;

/// A registry over HTTP: content by path, a login by token where `password` is set.
#[derive(Default)]
struct Registry {
    content: HashMap<String, Vec<u8>>,
    password: Option<&'static str>,
    requests: AtomicUsize,
}

impl Registry {
    /// Puts content at its digest, below `app`.
    fn put(&mut self, kind: &str, body: &Value) -> String {
        let body = body.to_string().into_bytes();
        let digest = Sha256::digest(&body).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        self.content.insert(format!("/v2/team/app/{kind}/{digest}"), body);
        digest
    }

    fn image(&mut self, architecture: &str, entrypoint: &[&str], cmd: &[&str]) -> String {
        let config = self.put(
            "blobs",
            &json!({
                "os": "linux", "architecture": architecture, "config": { "Entrypoint": entrypoint, "Cmd": cmd },
            }),
        );
        self.put("manifests", &json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST_MEDIA_TYPE, "config": { "digest": config }, "layers": [],
        }))
    }

    fn tag(&mut self, tag: &str, digest: &str) {
        let body = self.content[&format!("/v2/team/app/manifests/{digest}")].clone();
        self.content.insert(format!("/v2/team/app/manifests/{tag}"), body);
    }

    fn index(&mut self, entries: &[(&str, &str, &str)]) -> String {
        let entries: Vec<Value> = entries
            .iter()
            .map(|(os, architecture, digest)| {
                json!({ "digest": digest, "platform": { "os": os, "architecture": architecture } })
            })
            .collect();
        self.put(
            "manifests",
            &json!({
                "schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE, "manifests": entries,
            }),
        )
    }

    fn answer(&self, request: &http::Request<Incoming>) -> http::Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let path = request.uri().path();
        let host = request.headers()["host"].to_str().expect("a host").to_owned();
        let sent = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let reply = |status: u16, body: Vec<u8>| {
            let answer = http::Response::builder().status(status);
            answer.body(Full::new(Bytes::from(body))).expect("an answer")
        };
        if path == "/token" {
            let wanted = self.password.map(|word| format!("Basic {}", STANDARD.encode(format!("me:{word}"))));
            return if wanted.as_deref() == Some(sent) {
                reply(200, json!({ "token": "let-me-in" }).to_string().into_bytes())
            } else {
                reply(401, b"wrong login".to_vec())
            };
        }
        if self.password.is_some() && sent != "Bearer let-me-in" {
            let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"registry\"");
            let mut answer = reply(401, Vec::new());
            answer.headers_mut().insert("www-authenticate", challenge.parse().expect("a header"));
            return answer;
        }
        match (path, self.content.get(path)) {
            ("/v2/", _) => reply(200, b"{}".to_vec()),
            (_, Some(body)) => reply(200, body.clone()),
            (_, None) => {
                let tag = path.rsplit('/').next().unwrap_or_default();
                let errors = json!({ "errors": [
                    { "code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": { "Tag": tag } }
                ] });
                reply(404, errors.to_string().into_bytes())
            }
        }
    }

    /// Serves, and returns the address.
    async fn serve(self) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let registry = Arc::new(self);
        let served = registry.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let registry = served.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = registry.answer(&request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    // A client that speaks TLS is refused by the parser.
                    drop(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await,
                    );
                });
            }
        });
        (registry, address)
    }
}

fn query(image: &str, has_args: bool) -> ImageQuery<'_> {
    ImageQuery { image, has_args, namespace: "default", service_account: "", pull_secrets: &[] }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn an_image_gives_the_command_of_its_platform_and_its_digest_is_asked_once() {
    let mut registry = Registry::default();
    let digest = registry.image("amd64", &["/tool"], &["--help"]);
    registry.tag("v1", &digest);
    let (registry, address) = registry.serve().await;
    let images = RegistryImages::new(LocalCluster::start(Options::default()).client());
    let tagged = format!("{address}/team/app:v1");
    let found = images.find(query(&tagged, false)).await.expect("it is found");
    assert_eq!(found.digest, digest);
    assert_eq!(found.commands, BTreeMap::from([("linux/amd64".to_owned(), Some(words(&["/tool", "--help"])))]));
    let asked = registry.requests.load(Ordering::Relaxed);
    let by_digest = format!("{address}/team/app@{digest}");
    let found = images.find(query(&by_digest, true)).await.expect("it is remembered");
    assert_eq!(found.commands["linux/amd64"], Some(words(&["/tool"])));
    assert_eq!(registry.requests.load(Ordering::Relaxed), asked, "a digest that is known is not asked again");
}

#[tokio::test]
async fn an_index_gives_the_commands_of_all_platforms_but_attestations() {
    let mut registry = Registry::default();
    let amd = registry.image("amd64", &["/amd"], &[]);
    let arm = registry.image("arm64", &[], &["/arm"]);
    let index =
        registry.index(&[("linux", "amd64", &amd), ("linux", "arm64", &arm), ("unknown", "unknown", "sha256:no")]);
    registry.tag("latest", &index);
    let twice = registry.index(&[("linux", "amd64", &amd), ("linux", "amd64", &arm)]);
    let (_, address) = registry.serve().await;
    let images = RegistryImages::new(LocalCluster::start(Options::default()).client());
    let image = format!("{address}/team/app");
    let found = images.find(query(&image, false)).await.expect("it is found");
    assert_eq!(found.digest, index);
    let expected =
        [("linux/amd64".to_owned(), Some(words(&["/amd"]))), ("linux/arm64".to_owned(), Some(words(&["/arm"])))];
    assert_eq!(found.commands, BTreeMap::from(expected));
    let image = format!("{address}/team/app@{twice}");
    let error = images.find(query(&image, false)).await.expect_err("which is meant?");
    assert_eq!(error, format!("duplicate unique image found for platform: linux/amd64: found {amd} and {arm}"));
}

#[tokio::test]
async fn pull_secrets_of_the_run_and_of_its_account_log_in() {
    let mut registry = Registry { password: Some("secret"), ..Registry::default() };
    let digest = registry.image("amd64", &["/tool"], &[]);
    registry.tag("v1", &digest);
    let (_, address) = registry.serve().await;
    let cluster = LocalCluster::start(Options::default());
    let client = cluster.client();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    for (name, password) in [("good", "secret"), ("bad", "guess")] {
        let config = json!({ "auths": { &address: { "username": "me", "password": password } } });
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": { "name": name }, "stringData": { ".dockerconfigjson": config.to_string() } });
        let secret = serde_json::from_value(secret).expect("a secret");
        secrets.create(&PostParams::default(), &secret).await.expect("created");
    }
    let images = RegistryImages::new(client.clone());
    let image = format!("{address}/team/app:v1");
    let anonymous = images.find(query(&image, false)).await.expect_err("nobody may read it");
    assert!(anonymous.contains("wrong login"), "{anonymous}");
    for (name, may) in [("good", true), ("bad", false), ("missing", false)] {
        let names = [name.to_owned()];
        let found = images.find(ImageQuery { pull_secrets: &names, ..query(&image, false) }).await;
        assert_eq!(found.is_ok(), may, "{name}: {found:?}");
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
    let patch = Patch::Merge(json!({ "imagePullSecrets": [{ "name": "good" }] }));
    accounts.patch("default", &PatchParams::default(), &patch).await.expect("patched");
    images.find(query(&image, false)).await.expect("the account has the secret");
}

#[tokio::test]
async fn what_a_registry_says_reaches_the_user() {
    let mut registry = Registry::default();
    let old = registry.put("manifests", &json!({ "schemaVersion": 1, "name": "team/app" }));
    let (_, address) = registry.serve().await;
    let images = RegistryImages::new(LocalCluster::start(Options::default()).client());
    for (image, expected) in [
        (
            format!("{address}/team/app:none"),
            format!(
                "GET http://{address}/v2/team/app/manifests/none: MANIFEST_UNKNOWN: manifest unknown; map[Tag:none]"
            ),
        ),
        (format!("{address}/team/app@{old}"), "unsupported media type for image reference".to_owned()),
        ("No Such Image".to_owned(), "could not parse reference: No Such Image".to_owned()),
    ] {
        assert_eq!(images.find(query(&image, false)).await.expect_err("it can't be had"), expected);
    }
    let closed = images.find(query("127.0.0.1:1/team/app", false)).await.expect_err("nobody listens");
    assert!(closed.starts_with("Get \"https://127.0.0.1:1/v2/\": ") && closed.contains("refused"), "{closed}");
}
