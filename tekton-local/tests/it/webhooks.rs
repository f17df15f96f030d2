//! Admission webhooks on loopback, called by the server: one listens in the test itself.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tekton_local::{LocalCluster, Options};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What the webhook answers to the path and the request of a review.
type Answer = fn(&str, &Value) -> Value;

/// A webhook that listens until the test ends.
struct Hook {
    url: String,
    bundle: String,
    /// Path and request of each review, in order.
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Service {
    answer: Answer,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl tower_service::Service<Request<hyper::body::Incoming>> for Service {
    type Response = Response<Full<bytes::Bytes>>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<hyper::body::Incoming>) -> Self::Future {
        let Self { answer, asked } = self.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.expect("a body").to_bytes();
            let review: Value = serde_json::from_slice(&body).expect("JSON");
            let mut response = answer(&path, &review["request"]);
            response["uid"] = review["request"]["uid"].clone();
            asked.lock().expect("nobody panics here").push((path, review["request"].clone()));
            let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
            Ok(Response::new(Full::from(answer.to_string())))
        })
    }
}

impl Hook {
    async fn listen(answer: Answer) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "hooks.default.svc".to_owned()];
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(names).expect("names").self_signed(&key).expect("signed");
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let service = Service { answer, asked: Arc::clone(&asked) };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(service.clone()));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    drop(
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await,
                    );
                });
            }
        });
        Self { url, bundle: BASE64.encode(certificate.pem()), asked, task }
    }

    fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// A webhook of this address for ConfigMaps; `more` goes over it.
    fn spec(&self, name: &str, more: &Value) -> Value {
        let mut spec = json!({
            "name": format!("{name}.example.com"), "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"url": format!("{}/{name}", self.url), "caBundle": self.bundle},
            "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field.as_str()] = value.clone();
        }
        spec
    }

    fn paths(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics here").drain(..).map(|(path, _)| path).collect()
    }
}

/// Sets `data.NAME` to `yes`, or refuses what says `data.bad`.
fn answer(path: &str, request: &Value) -> Value {
    match path {
        "/slow" => {
            std::thread::sleep(std::time::Duration::from_secs(3));
            json!({"allowed": true})
        }
        "/check" if !request["object"]["data"]["bad"].is_null() => {
            json!({"allowed": false, "status": {"code": 403, "reason": "Forbidden", "message": "that is bad"}})
        }
        "/keep" if request["operation"] == "DELETE" => json!({"allowed": false, "status": {"message": "it stays"}}),
        "/check" | "/keep" => json!({"allowed": true}),
        name => {
            let field = name.trim_start_matches('/');
            let operations = json!([{"op": "add", "path": format!("/data/{field}"), "value": "yes"}]);
            json!({"allowed": true, "patchType": "JSONPatch", "patch": BASE64.encode(operations.to_string())})
        }
    }
}

struct World {
    cluster: LocalCluster,
    maps: Api<ConfigMap>,
    hook: Hook,
}

impl World {
    async fn new() -> Self {
        let cluster = LocalCluster::start(Options::default());
        let maps = Api::default_namespaced(cluster.client());
        Self { cluster, maps, hook: Hook::listen(answer).await }
    }

    async fn mutating(&self, name: &str, hooks: Vec<Value>) {
        let all: Api<MutatingWebhookConfiguration> = Api::all(self.cluster.client());
        let new = serde_json::from_value(json!({"metadata": {"name": name}, "webhooks": hooks})).expect("well-formed");
        all.create(&PostParams::default(), &new).await.expect("created");
    }

    async fn validating(&self, name: &str, hooks: Vec<Value>) {
        let all: Api<ValidatingWebhookConfiguration> = Api::all(self.cluster.client());
        let new = serde_json::from_value(json!({"metadata": {"name": name}, "webhooks": hooks})).expect("well-formed");
        all.create(&PostParams::default(), &new).await.expect("created");
    }

    async fn create(&self, name: &str, data: &Value) -> Result<Value, String> {
        self.create_with(name, data, &PostParams::default()).await
    }

    async fn create_with(&self, name: &str, data: &Value, params: &PostParams) -> Result<Value, String> {
        let labels = json!({"name": name});
        let map = json!({"metadata": {"name": name, "labels": labels}, "data": data});
        let map = serde_json::from_value(map).expect("a ConfigMap");
        match self.maps.create(params, &map).await {
            Ok(made) => Ok(serde_json::to_value(made.data).expect("JSON")),
            Err(kube::Error::Api(status)) => Err(format!("{} {}: {}", status.code, status.reason, status.message)),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn webhooks_change_objects_in_order_and_are_asked_again_when_they_want() {
    let world = World::new().await;
    world.mutating("b-second", vec![world.hook.spec("second", &json!({}))]).await;
    world.mutating("a-first", vec![world.hook.spec("first", &json!({"reinvocationPolicy": "IfNeeded"}))]).await;
    world.validating("check", vec![world.hook.spec("check", &json!({}))]).await;
    assert_eq!(world.create("x", &json!({"a": "b"})).await, Ok(json!({"a": "b", "first": "yes", "second": "yes"})));
    assert_eq!(world.hook.paths(), ["/first", "/second", "/first", "/check"]);
    let patch = Patch::Merge(json!({"data": {"second": null}}));
    let patched = world.maps.patch("x", &PatchParams::default(), &patch).await.expect("patched");
    assert_eq!(patched.data.expect("data")["second"], "yes");
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_refusal_is_passed_on_in_the_words_of_kubernetes() {
    let world = World::new().await;
    world.validating("check", vec![world.hook.spec("check", &json!({}))]).await;
    world.validating("keep", vec![world.hook.spec("keep", &json!({}))]).await;
    assert_eq!(
        world.create("x", &json!({"bad": "yes"})).await,
        Err("403 Forbidden: admission webhook \"check.example.com\" denied the request: that is bad".to_owned())
    );
    world.create("x", &json!({"a": "b"})).await.expect("nothing is wrong with it");
    let asked = world.hook.asked.lock().expect("nobody panics here").pop().expect("it was asked").1;
    assert_eq!((asked["operation"].as_str(), asked["name"].as_str()), (Some("CREATE"), Some("x")));
    assert_eq!(asked["userInfo"]["username"], "tekton-local");
    assert_eq!(asked["object"]["data"]["a"], "b");
    let refused = world.maps.delete("x", &DeleteParams::default()).await.expect_err("it stays");
    assert!(refused.to_string().contains("admission webhook \"keep.example.com\" denied the request: it stays"));
    world.cluster.stop().await;
}

#[tokio::test]
async fn only_what_is_selected_is_asked_about() {
    let world = World::new().await;
    let other = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}});
    let named = json!({"objectSelector": {"matchExpressions": [{"key": "name", "operator": "In", "values": ["x"]}]}});
    let rule = |operations: &str, resources: &str| json!({"rules": [{"operations": [operations], "apiGroups": ["*"], "apiVersions": ["*"], "resources": [resources]}]});
    world
        .mutating(
            "hooks",
            vec![
                world.hook.spec("namespace", &other),
                world.hook.spec("object", &named),
                world.hook.spec("update", &rule("UPDATE", "configmaps")),
                world.hook.spec("secrets", &rule("CREATE", "secrets")),
                world.hook.spec("status", &rule("CREATE", "configmaps/status")),
                world.hook.spec("all", &rule("*", "*")),
            ],
        )
        .await;
    world.create("x", &json!({"a": "b"})).await.expect("created");
    assert_eq!(world.hook.paths(), ["/object", "/all"]);
    world.create("y", &json!({"a": "b"})).await.expect("created");
    assert_eq!(world.hook.paths(), ["/all"]);
    let namespaces: Api<Namespace> = Api::all(world.cluster.client());
    let patch = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    // A namespace has no `data` to which something could be added.
    let refused =
        namespaces.patch("default", &PatchParams::default(), &patch).await.expect_err("the patch does not fit");
    assert!(refused.to_string().contains("sent a patch that does not apply"), "{refused}");
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_webhook_that_cannot_be_called_counts_as_its_policy_says() {
    let world = World::new().await;
    let nobody = json!({"clientConfig": {"url": "https://127.0.0.1:1/x", "caBundle": world.hook.bundle}});
    let ignored = json!({"clientConfig": {"url": "https://127.0.0.1:1/x"}, "failurePolicy": "Ignore"});
    world.validating("ignored", vec![world.hook.spec("check", &ignored)]).await;
    world.create("a", &json!({})).await.expect("its failure does not count");
    let refused = |world: &World, text: &'static str| {
        let outcome = world.maps.clone();
        async move {
            let map = serde_json::from_value(json!({"metadata": {"name": "b"}, "data": {"a": "b"}})).expect("a map");
            let error = outcome.create(&PostParams::default(), &map).await.expect_err("it counts").to_string();
            assert!(error.contains("failed calling webhook \"check.example.com\": failed to call webhook"), "{error}");
            assert!(error.contains(text), "{error}");
        }
    };
    let all: Api<ValidatingWebhookConfiguration> = Api::all(world.cluster.client());
    let elsewhere = json!({"clientConfig": {"url": "https://192.0.2.1/x"}});
    let strangers = json!({"clientConfig": {"url": world.hook.url}});
    let slow = json!({"clientConfig": {"url": format!("{}/slow", world.hook.url), "caBundle": world.hook.bundle}, "timeoutSeconds": 1});
    for (spec, text) in [
        (nobody, "127.0.0.1:1/x"),
        (elsewhere, "on loopback over https only"),
        (strangers, "certificate"),
        (slow, "context deadline exceeded"),
    ] {
        world.validating("counts", vec![world.hook.spec("check", &spec)]).await;
        refused(&world, text).await;
        all.delete("counts", &DeleteParams::default()).await.expect("it does not stand in its own way");
    }
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_dry_run_reaches_only_webhooks_without_side_effects() {
    let world = World::new().await;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    world.mutating("pure", vec![world.hook.spec("pure", &json!({"sideEffects": "NoneOnDryRun"}))]).await;
    assert_eq!(world.create_with("x", &json!({"a": "b"}), &dry).await, Ok(json!({"a": "b", "pure": "yes"})));
    assert_eq!(world.hook.asked.lock().expect("nobody panics here")[0].1["dryRun"], true);
    world.validating("impure", vec![world.hook.spec("check", &json!({"sideEffects": "Some"}))]).await;
    assert_eq!(
        world.create_with("x", &json!({"a": "b"}), &dry).await,
        Err("400 BadRequest: admission webhook \"check.example.com\" does not support dry run".to_owned())
    );
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_service_stands_for_the_port_of_its_pods_on_this_machine() {
    let world = World::new().await;
    let services: Api<k8s_openapi::api::core::v1::Service> = Api::default_namespaced(world.cluster.client());
    let service =
        json!({"metadata": {"name": "hooks"}, "spec": {"ports": [{"port": 443, "targetPort": world.hook.port()}]}});
    services
        .create(&PostParams::default(), &serde_json::from_value(service).expect("a Service"))
        .await
        .expect("created");
    let config = json!({"clientConfig": {"service": {"namespace": "default", "name": "hooks", "path": "served"}, "caBundle": world.hook.bundle}});
    world.mutating("served", vec![world.hook.spec("x", &config)]).await;
    assert_eq!(world.create("x", &json!({"a": "b"})).await, Ok(json!({"a": "b", "served": "yes"})));
    world.cluster.stop().await;
}
