//! An informer over connections that break: in the end it knows what the store knows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::ErrorKind::ConnectionReset;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, StreamBody};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::json;
use tekton_local::store::{Key, Store};
use tekton_local::{ApiService, LocalCluster, Options};
use tower_service::Service;

const OBJECTS: usize = 10_000;
const CHANGES: usize = 4_000;

/// Answers that break off after some frames, and requests that are not answered at all.
#[derive(Clone)]
struct Flaky {
    inner: ApiService,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Service<Request<kube::client::Body>> for Flaky {
    type Response = Response<tekton_local::api::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let (refuse, frames) = {
            let mut random = self.random.lock().expect("nobody panics here");
            let frames = if random.u8(0..3) == 0 { random.usize(0..200) } else { random.usize(OBJECTS..3 * OBJECTS) };
            (random.u8(0..40) == 0, frames)
        };
        let answer = self.inner.call(request);
        async move {
            let response = answer.await?;
            if refuse {
                let mut response =
                    Response::new(http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync());
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                return Ok(response);
            }
            let (parts, mut body) = response.into_parts();
            let frames = futures::stream::poll_fn(move |cx| Body::poll_frame(std::pin::Pin::new(&mut body), cx))
                .enumerate()
                .map(move |(index, frame)| if index < frames { frame } else { Err(ConnectionReset.into()) });
            Ok(Response::from_parts(parts, StreamBody::new(frames).boxed_unsync()))
        }
        .boxed()
    }
}

fn key(name: &str) -> Key {
    Key { resource: "/configmaps".into(), namespace: "default".to_owned(), name: name.to_owned() }
}

fn map(name: &str, n: usize) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"n": n.to_string()},
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "labels": {"of": "test"}},
    })
}

/// Creates, changes, deletes, and now and then forgets history.
async fn mutate(store: &Store, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..CHANGES {
        let name = format!("m{}", random.usize(0..OBJECTS + 200));
        match (store.get(&key(&name)), random.u8(0..4)) {
            (None, _) => drop(store.create(&key(&name), map(&name, n)).expect("it is new")),
            (Some(found), 0) => {
                drop(store.delete(&key(&name), found.revision, found.value.clone()).expect("it is there"));
            }
            (Some(found), _) => drop(store.update(&key(&name), found.revision, map(&name, n)).expect("it is there")),
        }
        if random.usize(0..800) == 0 {
            store.compact();
        }
        if n % 20 == 0 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

type Known = BTreeMap<String, String>;

async fn the_cache_equals_the_store(config: watcher::Config, seed: u64) {
    let cluster = LocalCluster::start(Options::default());
    let api = Arc::clone(cluster.api());
    for i in 0..OBJECTS {
        let name = format!("m{i}");
        api.store.create(&key(&name), map(&name, 0)).expect("it is new");
    }
    let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
    let client = Client::new(Flaky { inner: ApiService::new(Arc::clone(&api)), random }, "default");
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mutator = tokio::spawn({
        let api = Arc::clone(&api);
        async move { mutate(&api.store, seed).await }
    });
    let mut events = watcher(maps, config.labels("of=test")).boxed();
    let (mut known, mut listed, mut lists) = (Known::new(), Known::new(), 0);
    let began = Instant::now();
    let stored = || -> Known {
        let all = api.store.list("/configmaps", Some("default")).1;
        let ours = all.iter().filter(|object| object.value["metadata"]["labels"]["of"] == "test");
        ours.map(|object| (object.meta("name").to_owned(), object.meta("resourceVersion").to_owned())).collect()
    };
    let told = |map: &ConfigMap| (map.name_any(), map.resource_version().expect("stored objects have one"));
    loop {
        let quiet = tokio::time::timeout(Duration::from_millis(200), events.next()).await;
        match quiet {
            Ok(event) => match event.expect("a watcher never ends") {
                Ok(watcher::Event::Init) => listed = Known::new(),
                Ok(watcher::Event::InitApply(map)) => listed.extend([told(&map)]),
                Ok(watcher::Event::InitDone) => {
                    known = std::mem::take(&mut listed);
                    lists += 1;
                }
                Ok(watcher::Event::Apply(map)) => known.extend([told(&map)]),
                Ok(watcher::Event::Delete(map)) => drop(known.remove(&map.name_any())),
                // The watcher starts over by itself.
                Err(_) => {}
            },
            Err(_silence) if mutator.is_finished() && known == stored() => break,
            Err(_silence) => {}
        }
        assert!(began.elapsed() < Duration::from_mins(2), "{} known, {} stored", known.len(), stored().len());
    }
    assert!(lists > 0);
    mutator.await.expect("it made its changes");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_informer_with_lists_ends_with_what_the_store_holds() {
    for seed in 1..=2 {
        the_cache_equals_the_store(watcher::Config::default().page_size(500), seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_informer_with_streaming_lists_ends_with_what_the_store_holds() {
    for seed in 1..=2 {
        the_cache_equals_the_store(watcher::Config::default().streaming_lists(), seed).await;
    }
}
