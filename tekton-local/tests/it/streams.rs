//! Exec, attach and port-forward through the served API, with the client library that has them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, DeleteParams, LogParams, PostParams, TerminalSize};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tekton_local::node::{Node, NodeHandle, NodeOptions};
use tekton_local::{LocalCluster, Options, Serving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct World {
    cluster: LocalCluster,
    node: NodeHandle,
    pods: Api<Pod>,
    // Served until the test ends.
    _serving: Serving,
    _dir: tempfile::TempDir,
}

impl World {
    /// A served cluster in which the pod `box` runs a script.
    async fn with_box(script: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = LocalCluster::start(Options::default());
        let options = NodeOptions { ephemeral: true, ..NodeOptions::new(dir.path().join("node")) };
        let node = Node::start(cluster.client(), options).await.expect("a node");
        cluster.set_logs(node.logs());
        let serving = cluster.serve(([127, 0, 0, 1], 0).into()).await.expect("served");
        let kubeconfig = Kubeconfig::from_yaml(&serving.kubeconfig).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
        let pods: Api<Pod> = Api::default_namespaced(Client::try_from(config).expect("a client"));
        let pod = json!({"metadata": {"name": "box"}, "spec": {"restartPolicy": "Never", "containers":
            [{"name": "c", "image": "any", "command": ["sh", "-c", script], "stdin": true, "stdinOnce": true, "env": [{"name": "WHO", "value": "box"}]}]}});
        let pod = serde_json::from_value(pod).expect("a pod");
        pods.create(&PostParams::default(), &pod).await.expect("created");
        loop {
            let pod = pods.get("box").await.expect("the pod");
            if pod.status.and_then(|status| status.phase).as_deref() == Some("Running") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { cluster, node, pods, _serving: serving, _dir: dir }
    }

    async fn end(self) {
        drop(self.pods.delete("box", &DeleteParams::default().grace_period(0)).await);
        self.node.shutdown().await;
        self.cluster.stop().await;
    }
}

#[tokio::test]
async fn a_command_has_its_streams_its_environment_and_its_exit_code() {
    let world = World::with_box("sleep 60").await;
    let params = AttachParams::default().stdin(true).stderr(true);
    let script = "read line; echo got $line from $WHO; echo oops >&2; exit 7";
    let mut process = world.pods.exec("box", ["sh", "-c", script], &params).await.expect("executed");
    let mut stdin = process.stdin().expect("asked for");
    stdin.write_all(b"a line\n").await.expect("written");
    let (mut out, mut err) = (String::new(), String::new());
    process.stdout().expect("asked for").read_to_string(&mut out).await.expect("read");
    process.stderr().expect("asked for").read_to_string(&mut err).await.expect("read");
    assert_eq!((out.as_str(), err.as_str()), ("got a line from box\n", "oops\n"));
    let status = process.take_status().expect("one").await.expect("told");
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    assert_eq!(status.details.and_then(|d| d.causes).expect("causes")[0].message.as_deref(), Some("7"));

    let mut process = world.pods.exec("box", ["true"], &AttachParams::default()).await.expect("executed");
    let status = process.take_status().expect("one").await.expect("told");
    assert_eq!(status.status.as_deref(), Some("Success"));
    let mut process = world.pods.exec("box", ["no-such-program"], &AttachParams::default()).await.expect("answered");
    let status = process.take_status().expect("one").await.expect("told");
    assert!(status.message.expect("a message").contains("no-such-program"));
    world.end().await;
}

#[tokio::test]
async fn a_terminal_has_the_size_of_the_persons_one() {
    let world = World::with_box("sleep 60").await;
    let params = AttachParams::interactive_tty();
    let script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut process = world.pods.exec("box", ["sh", "-c", script], &params).await.expect("executed");
    let mut stdout = process.stdout().expect("asked for");
    let mut said = Vec::new();
    while !said.ends_with(b"ready\r\n") {
        said.push(stdout.read_u8().await.expect("a terminal turns line feeds into two characters"));
    }
    let mut size = process.terminal_size().expect("asked for");
    futures::SinkExt::send(&mut size, TerminalSize { width: 101, height: 33 }).await.expect("sent");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).await.expect("read");
    assert_eq!(rest, "33 101\r\n");
    world.end().await;
}

#[tokio::test]
async fn attach_shows_what_is_written_from_then_on_and_feeds_the_container() {
    let world = World::with_box("echo before; read x; echo \"got $x\"; read y || echo ended; sleep 60").await;
    while world.pods.logs("box", &LogParams::default()).await.expect("a log").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut attached = world.pods.attach("box", &AttachParams::default().stdin(true)).await.expect("attached");
    let mut stdin = attached.stdin().expect("asked for");
    stdin.write_all(b"word\n").await.expect("written");
    let mut stdout = attached.stdout().expect("asked for");
    let mut line = vec![0; 9];
    stdout.read_exact(&mut line).await.expect("read");
    assert_eq!(line, b"got word\n");
    // The pod says that the first client's end of its input is the container's.
    stdin.shutdown().await.expect("closed");
    drop(stdin);
    let mut line = vec![0; 6];
    stdout.read_exact(&mut line).await.expect("read");
    assert_eq!(line, b"ended\n");
    world.end().await;
}

#[tokio::test]
async fn a_port_of_a_pod_is_reached() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.expect("copied");
    });
    let world = World::with_box("sleep 60").await;
    let mut forwarded = world.pods.portforward("box", &[port]).await.expect("forwarded");
    let mut stream = forwarded.take_stream(port).expect("one");
    stream.write_all(b"there and back").await.expect("written");
    let mut back = [0; 14];
    stream.read_exact(&mut back).await.expect("read");
    assert_eq!(&back, b"there and back");
    drop(stream);
    drop(forwarded);
    echo.abort();
    world.end().await;
}

#[tokio::test]
async fn who_asks_for_another_protocol_is_told_which_is_spoken() {
    let world = World::with_box("sleep 60").await;
    let request = http::Request::post("/api/v1/namespaces/default/pods/box/exec?command=true&stdout=true")
        .header("connection", "Upgrade")
        .header("upgrade", "h2c")
        .body(Vec::new())
        .expect("a request");
    let refused = world.cluster.client().request::<serde_json::Value>(request).await.expect_err("refused");
    assert!(refused.to_string().contains("this server speaks WebSockets and SPDY/3.1, not h2c"), "{refused}");
    let unknown = http::Request::get("/api/v1/namespaces/default/pods/box/exec?command=true&container=x")
        .body(Vec::new())
        .expect("a request");
    let refused = world.cluster.client().request::<serde_json::Value>(unknown).await.expect_err("refused");
    assert!(refused.to_string().contains("container x is not valid for pod box"), "{refused}");
    world.end().await;
}
