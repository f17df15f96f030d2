//! Pods on the node, over the embedded API server and the host runtime: containers and pods, created to done.
//!
//! `cargo bench -p tekton-benches --bench node` prints milliseconds. Goals on an idle machine of two cores: a container
//! starts in under 10 ms, a pod with two init containers is done in under 50 ms.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tekton_local::node::{Node, NodeOptions};
use tekton_local::runtime::host::HostRuntime;
use tekton_local::runtime::{ContainerSpec, Runtime};
use tekton_local::{LocalCluster, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 30;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let dir = std::env::temp_dir().join(format!("tekton-bench-{}", std::process::id()));
    println!("{:<44} {:>8} {:>8} {:>8} | milliseconds", "", "least", "median", "most");
    containers(&dir.join("runtime")).await;

    let cluster = LocalCluster::start(Options::default());
    let options = NodeOptions { ephemeral: true, ..NodeOptions::new(dir.join("node")) };
    let node = Node::start(cluster.client(), options).await.expect("this machine permits namespaces");
    let pods = Api::<Pod>::default_namespaced(cluster.client());
    pods_done(&pods, "a pod of one container", 0, 1).await;
    pods_done(&pods, "a pod of two init containers and one", 2, 1).await;
    pods_done(&pods, "a pod of two init containers and ten", 2, 10).await;
    annotations(&pods).await;
    node.shutdown().await;
    cluster.stop().await;
    // What is left is an empty directory of this program.
    let _ = std::fs::remove_dir_all(dir);
}

/// One container of the host runtime, from the call to the end of `true`.
async fn containers(dir: &std::path::Path) {
    let runtime = HostRuntime::new(dir.to_owned(), None).expect("a directory");
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let spec = ContainerSpec { pod: "bench".into(), command: vec!["/bin/true".into()], ..ContainerSpec::default() };
        let begin = Instant::now();
        let started = runtime.start(spec).await.expect("this machine permits namespaces");
        starts.push(begin.elapsed());
        started.container.wait().await;
        ends.push(begin.elapsed());
    }
    print("a container: call to exec", starts);
    print("a container: call to exit", ends);
}

fn container(name: &str, script: &str) -> Value {
    json!({ "name": name, "image": "none", "command": ["/bin/sh", "-c", script] })
}

/// Pods one after the other, from their creation to phase `Succeeded`.
async fn pods_done(pods: &Api<Pod>, label: &str, inits: usize, mains: usize) {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("bench-{inits}-{mains}-{round}");
        let list = |prefix: &str, count: usize| -> Vec<Value> {
            (0..count).map(|index| container(&format!("{prefix}{index}"), "exit 0")).collect()
        };
        let spec =
            json!({ "restartPolicy": "Never", "initContainers": list("i", inits), "containers": list("c", mains) });
        let begin = Instant::now();
        create(pods, &name, spec).await;
        until(pods, &name, "Succeeded").await;
        times.push(begin.elapsed());
    }
    print(label, times);
}

/// From the patch of an annotation to the end of a container that waits for it in its downward API volume.
async fn annotations(pods: &Api<Pod>) {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("annotation-{round}");
        let mut wait = container("c", "while ! [ -s /tekton/downward/ready ]; do sleep 0.001; done");
        wait["volumeMounts"] = json!([{ "name": "d", "mountPath": "/tekton/downward" }]);
        let volumes = json!([{ "name": "d", "downwardAPI": { "items": [
            { "path": "ready", "fieldRef": { "fieldPath": "metadata.annotations['tekton.dev/ready']" } } ] } }]);
        create(pods, &name, json!({ "restartPolicy": "Never", "containers": [wait], "volumes": volumes })).await;
        until(pods, &name, "Running").await;
        let begin = Instant::now();
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { "tekton.dev/ready": "READY" } } }));
        pods.patch(&name, &PatchParams::default(), &patch).await.expect("patched");
        until(pods, &name, "Succeeded").await;
        times.push(begin.elapsed());
    }
    print("an annotation: patch to the container's end", times);
}

async fn create(pods: &Api<Pod>, name: &str, spec: Value) {
    let pod = json!({ "metadata": { "name": name }, "spec": spec });
    let pod = serde_json::from_value(pod).expect("a pod");
    pods.create(&PostParams::default(), &pod).await.expect("created");
}

async fn until(pods: &Api<Pod>, name: &str, phase: &str) {
    loop {
        let pod = pods.get(name).await.expect("the pod");
        let found = pod.status.and_then(|status| status.phase).unwrap_or_default();
        if found == phase {
            return;
        }
        assert_ne!(found, "Failed", "{name}");
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

fn print(label: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |index: usize| times[index].as_secs_f64() * 1000.0;
    println!("{label:<44} {:>8.2} {:>8.2} {:>8.2} |", at(0), at(times.len() / 2), at(times.len() - 1));
}
