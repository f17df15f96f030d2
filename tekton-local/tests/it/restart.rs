//! What is left when the process ends, in order or not: everything that was acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Client, ResourceExt};
use serde_json::json;
use tekton_local::{LocalCluster, Options};

fn maps(client: Client) -> Api<ConfigMap> {
    Api::default_namespaced(client)
}

fn open(dir: &Path) -> LocalCluster {
    LocalCluster::open(dir, Options::default()).expect("the directory can be opened")
}

fn config_map(name: &str, n: u64) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"n": n.to_string()}})).expect("a ConfigMap")
}

#[tokio::test]
async fn objects_and_definitions_are_there_after_a_restart_and_revisions_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = open(dir.path());
    let made = maps(cluster.client()).create(&PostParams::default(), &config_map("kept", 1)).await.expect("created");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gears.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "gears", "singular": "gear", "kind": "Gear"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    });
    let definitions =
        ApiResource::from_gvk(&GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    let definition: DynamicObject = serde_json::from_value(definition).expect("an object");
    let api: Api<DynamicObject> = Api::all_with(cluster.client(), &definitions);
    api.create(&PostParams::default(), &definition).await.expect("defined");
    cluster.stop().await;

    let cluster = open(dir.path());
    let api = maps(cluster.client());
    let kept = api.get("kept").await.expect("it is there");
    assert_eq!((kept.uid(), kept.resource_version()), (made.uid(), made.resource_version()));
    let gears = ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Gear"));
    let gears: Api<DynamicObject> = Api::default_namespaced_with(cluster.client(), &gears);
    assert_eq!(gears.list(&ListParams::default()).await.expect("the kind is served").items.len(), 0);
    let next = api.create(&PostParams::default(), &config_map("next", 2)).await.expect("created");
    assert!(revision(&next) > revision(&kept));
    cluster.stop().await;
}

#[tokio::test]
async fn a_watch_from_before_a_restart_is_told_to_list_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = open(dir.path());
    let before = maps(cluster.client()).list(&ListParams::default()).await.expect("listed");
    let before = before.metadata.resource_version.expect("lists have one");
    cluster.stop().await;
    let cluster = open(dir.path());
    let events = maps(cluster.client()).watch(&WatchParams::default(), &before).await.expect("watching");
    let first = events.boxed().try_next().await.expect("an event").expect("an event");
    assert!(matches!(&first, WatchEvent::Error(status) if status.code == 410), "{first:?}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_directory_is_served_by_one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = open(dir.path());
    let refused = LocalCluster::open(dir.path(), Options::default()).expect_err("it is in use");
    assert!(refused.to_string().contains("is in use by another process"), "{refused}");
    cluster.stop().await;
    open(dir.path()).stop().await;
}

fn revision(map: &ConfigMap) -> u64 {
    map.resource_version().expect("stored objects have one").parse().expect("a number")
}

/// Set in the process that is to be killed.
const VICTIM: &str = "TEKTON_STORE_VICTIM";
/// How often a process is killed.
const KILLS: u64 = 40;

/// What a client was told: the state of a ConfigMap, or that it is gone.
type Told = BTreeMap<String, Option<(u64, u64)>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_lost_nothing_that_it_acknowledged() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        return be_the_victim(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut told = Told::new();
    let mut newest = 0;
    for round in 0..KILLS {
        let mut victim = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "restart::a_killed_server_has_lost_nothing_that_it_acknowledged", "--nocapture"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(victim.stdout.take().expect("a pipe")).lines();
        // After so many answers it is killed, in the middle of whatever it does by then.
        let mut left = 1 + round * 7 % 60;
        let mut killed = false;
        let before = newest;
        let mut uncertain: Vec<String> = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                // Asked for, not answered: either state is right.
                ["ask", name] => uncertain.push((*name).to_owned()),
                ["is", name, n, at] => {
                    let at: u64 = at.parse().expect("a revision");
                    assert!(at > before, "revision {at} comes after {before}");
                    newest = newest.max(at);
                    told.insert((*name).to_owned(), Some((n.parse().expect("a number"), at)));
                    uncertain.retain(|asked| asked != name);
                    left -= 1;
                }
                ["gone", name] => {
                    told.insert((*name).to_owned(), None);
                    uncertain.retain(|asked| asked != name);
                }
                _ => {}
            }
            if left == 0 && !killed {
                victim.kill().expect("killed");
                killed = true;
                left = u64::MAX;
            }
        }
        victim.wait().expect("ended");
        assert!(killed, "the victim ended by itself in round {round}");
        let cluster = open(dir.path());
        let api = maps(cluster.client());
        let now: BTreeMap<String, (u64, u64)> = api
            .list(&ListParams::default().labels("of=victim"))
            .await
            .expect("listed")
            .items
            .iter()
            .map(|map| {
                (map.name_any(), (map.data.as_ref().expect("data")["n"].parse().expect("a number"), revision(map)))
            })
            .collect();
        for (name, state) in &told {
            let found = now.get(name).copied();
            assert!(
                found == *state || uncertain.contains(name),
                "round {round}, {name}: told {state:?}, found {found:?}"
            );
        }
        // From here on what was found is what was told.
        for name in uncertain {
            told.insert(name.clone(), now.get(&name).copied());
        }
        assert!(now.keys().all(|name| told.contains_key(name)), "nothing appears that nobody asked for");
        newest = newest.max(now.values().map(|(_, at)| *at).max().unwrap_or(0));
        cluster.stop().await;
    }
}

#[expect(clippy::print_stdout, reason = "the lines that the test reads")]
async fn be_the_victim(dir: &Path) {
    let cluster = open(dir);
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let clients = (0..4).map(|client| {
        let api = maps(cluster.client());
        tokio::spawn(async move {
            for n in u64::try_from(started.as_nanos()).expect("a time of this age").. {
                let name = format!("m-{client}-{}", n % 5);
                println!("ask {name}");
                let mut map = config_map(&name, n);
                map.labels_mut().insert("of".to_owned(), "victim".to_owned());
                if n % 7 == 0 {
                    match api.delete(&name, &DeleteParams::default()).await {
                        Ok(_) => println!("gone {name}"),
                        Err(kube::Error::Api(status)) if status.code == 404 => println!("gone {name}"),
                        Err(error) => panic!("{error}"),
                    }
                } else {
                    let params = PatchParams::apply("victim").force();
                    let map = ConfigMap { metadata: map.metadata, data: map.data, ..ConfigMap::default() };
                    let stored = api.patch(&name, &params, &Patch::Apply(&map)).await.expect("applied");
                    println!("is {name} {n} {}", revision(&stored));
                }
            }
        })
    });
    futures::future::join_all(clients).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
}
