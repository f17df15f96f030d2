//! The engine runtime against Docker or Podman, where one answers; else these tests print that they were skipped.

use bollard::query_parameters::{CreateImageOptions, ListContainersOptions};
use futures::StreamExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tekton_local::runtime::{RuntimeChoice, engine};

use crate::node::{World, phase, state};

/// An image of nothing but busybox, whose entrypoint greets.
const IMAGE: &str = "localhost/tekton-test:1";

/// The engine with the image in it, or `None`, told once. Where `TEKTON_ENGINE` is set, there has to be one.
async fn engine_with_image() -> Option<bollard::Docker> {
    let found = find_engine().await;
    assert!(found.is_some() || std::env::var_os("TEKTON_ENGINE").is_none(), "there is no engine with the image");
    found
}

async fn find_engine() -> Option<bollard::Docker> {
    if !engine::answers().await {
        eprintln!("skipped: no container engine answers");
        return None;
    }
    let socket = engine::sockets().into_iter().next()?;
    let path = socket.strip_prefix("unix://")?.to_owned();
    let client = bollard::Docker::connect_with_unix(&path, 60, bollard::API_DEFAULT_VERSION).ok()?;
    let client = client.negotiate_version().await.ok()?;
    if client.inspect_image(IMAGE).await.is_err() {
        let Some(content) = root_file_system() else {
            eprintln!("skipped: no static busybox to make an image of");
            return None;
        };
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            repo: Some(IMAGE.to_owned()),
            changes: vec![r#"ENTRYPOINT ["/bin/greet"]"#.to_owned()],
            ..CreateImageOptions::default()
        };
        let mut steps =
            std::pin::pin!(client.create_image(Some(options), Some(bollard::body_full(content.into())), None));
        while let Some(step) = steps.next().await {
            step.expect("the engine takes the image");
        }
    }
    Some(client)
}

/// A tar archive with busybox and links to it; `None` without a static one.
fn root_file_system() -> Option<Vec<u8>> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find(|path| std::path::Path::new(path).exists())?;
    let dir = tempfile::tempdir().ok()?;
    let bin = dir.path().join("bin");
    std::fs::create_dir_all(&bin).ok()?;
    std::fs::create_dir_all(dir.path().join("tmp")).ok()?;
    std::fs::copy(busybox, bin.join("busybox")).ok()?;
    for name in ["sh", "cat", "echo", "nc", "sleep", "id", "pwd", "ls", "test", "touch", "hostname", "chmod", "mkdir"] {
        std::os::unix::fs::symlink("busybox", bin.join(name)).ok()?;
    }
    std::fs::write(bin.join("greet"), "#!/bin/sh\necho ${1:-hello} from the image\n").ok()?;
    std::fs::set_permissions(bin.join("greet"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).ok()?;
    let output = std::process::Command::new("tar").arg("-C").arg(dir.path()).args(["-c", "."]).output().ok()?;
    output.status.success().then_some(output.stdout)
}

fn sh(name: &str, script: &str) -> Value {
    json!({ "name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", script] })
}

async fn containers_of(client: &bollard::Docker, pod_uid: &str) -> usize {
    let filters = [("label".to_owned(), vec![format!("tekton.local/pod={pod_uid}")])].into();
    let options = ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
    // Podman has no list while one of its containers is being removed.
    client.list_containers(Some(options)).await.map_or(1, |list| list.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_images_shares_network_and_volumes_and_leaves_nothing() {
    let Some(client) = engine_with_image().await else { return };
    let world = World::with(RuntimeChoice::Engine).await;
    let mount = json!([{ "name": "x", "mountPath": "/x" }]);
    let mut server = sh("server", "echo over the network | nc -l -p 8123; echo why > /dev/termination-log; exit 3");
    let mut asks = sh(
        "asks",
        "while ! nc 127.0.0.1 8123 </dev/null > /x/got 2>/dev/null; do sleep 0.1; done; cat /x/got; ls /usr 2>/dev/null; pwd; echo $NAME",
    );
    asks["workingDir"] = json!("/x");
    asks["env"] = json!([{ "name": "NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }]);
    let greets = json!({ "name": "greets", "image": IMAGE, "imagePullPolicy": "Never" });
    let names = json!({ "name": "names", "image": IMAGE, "imagePullPolicy": "Never", "args": ["bye"] });
    let missing =
        json!({ "name": "missing", "image": IMAGE, "imagePullPolicy": "Never", "command": ["/no/such/program"] });
    for container in [&mut server, &mut asks] {
        container["volumeMounts"] = mount.clone();
    }
    let pod = world
        .create("pod", json!({ "containers": [server, asks, greets, names, missing], "volumes": [{ "name": "x", "emptyDir": {} }] }))
        .await;
    let uid = pod.metadata.uid.expect("a uid");
    let pod = world.done("pod").await;
    assert_eq!(phase(&pod), "Failed");
    let end = |name: &str| state(&pod, name)["state"]["terminated"].clone();
    assert_eq!((&end("server")["exitCode"], &end("server")["message"]), (&json!(3), &json!("why\n")));
    assert_eq!(world.logs("pod", "asks").await, "over the network\n/x\npod\n", "{}", end("asks"));
    assert_eq!(world.logs("pod", "greets").await, "hello from the image\n");
    assert_eq!(world.logs("pod", "names").await, "bye from the image\n");
    assert_eq!((&end("missing")["exitCode"], &end("missing")["reason"]), (&json!(128), &json!("StartError")));
    let id = state(&pod, "greets")["containerID"].clone();
    assert!(id.as_str().is_some_and(|id| id.starts_with("engine://")), "{id}");
    world.pods.delete("pod", &DeleteParams::default()).await.expect("deleted");
    world.gone("pod").await;
    let begin = std::time::Instant::now();
    while containers_of(&client, &uid).await > 0 {
        assert!(begin.elapsed().as_secs() < 20, "containers are left");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_cannot_be_had_has_kubernetes_reasons() {
    if engine_with_image().await.is_none() {
        return;
    }
    let world = World::with(RuntimeChoice::Engine).await;
    let container = |name: &str, image: &str, policy: &str| json!({ "name": name, "image": image, "imagePullPolicy": policy, "command": ["true"] });
    let spec = json!({ "terminationGracePeriodSeconds": 0, "containers": [
        container("never", "localhost/no-such-image:1", "Never"),
        container("pull", "localhost:1/no/such:1", "IfNotPresent"),
        container("name", "No Such Name", "IfNotPresent"),
    ] });
    world.create("pull", spec).await;
    for (name, reason, text) in [
        ("never", "ErrImageNeverPull", "is not present with pull policy of Never"),
        ("pull", "ErrImagePull", "failed to pull image \"localhost:1/no/such:1\""),
        ("name", "InvalidImageName", "Failed to apply default image tag"),
    ] {
        let pod = world
            .until("pull", |pod| pod.status.is_some() && state(pod, name)["state"]["waiting"]["reason"] == reason)
            .await;
        let message = state(&pod, name)["state"]["waiting"]["message"].clone();
        assert!(message.as_str().is_some_and(|m| m.contains(text)), "{message}");
    }
    world.until("pull", |pod| state(pod, "pull")["state"]["waiting"]["reason"] == "ImagePullBackOff").await;
    world.pods.delete("pull", &DeleteParams::default()).await.expect("deleted");
    world.gone("pull").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_goes_on_is_probed_and_stopped() {
    if engine_with_image().await.is_none() {
        return;
    }
    let world = World::with(RuntimeChoice::Engine).await;
    let mut container = sh("c", "trap 'echo bye; exit 0' TERM; sleep 1; touch /tmp/ready; while :; do sleep 0.1; done");
    container["readinessProbe"] =
        json!({ "exec": { "command": ["test", "-f", "/tmp/ready"] }, "periodSeconds": 1, "timeoutSeconds": 10 });
    world.create("long", json!({ "containers": [container] })).await;
    world.until("long", |pod| pod.status.is_some() && state(pod, "c")["ready"] == true).await;
    world.pods.delete("long", &DeleteParams::default()).await.expect("deleted");
    world.gone("long").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_may_do_what_its_security_context_says_and_no_more() {
    if engine_with_image().await.is_none() {
        return;
    }
    let world = World::with(RuntimeChoice::Engine).await;
    let effective = "while read -r name bits; do [ \"$name\" = CapEff: ] && echo $bits; done </proc/self/status";
    let mut none = sh("none", effective);
    none["securityContext"] = json!({ "capabilities": { "drop": ["ALL"] } });
    let mut one = sh("one", effective);
    one["securityContext"] = json!({ "capabilities": { "drop": ["all"], "add": ["CAP_CHOWN"] } });
    let mut fixed = sh("fixed", "touch /made 2>/dev/null || echo refused");
    fixed["securityContext"] = json!({ "readOnlyRootFilesystem": true });
    world.create("may", json!({ "containers": [none, one, fixed] })).await;
    world.done("may").await;
    assert_eq!(world.logs("may", "none").await, "0000000000000000\n");
    assert_eq!(world.logs("may", "one").await, "0000000000000001\n");
    assert_eq!(world.logs("may", "fixed").await, "refused\n");
    let mut all = sh("all", "true");
    all["securityContext"] = json!({ "privileged": true });
    let mut admin = sh("admin", "true");
    admin["securityContext"] = json!({ "capabilities": { "add": ["SYS_ADMIN"] } });
    world.create("not", json!({ "terminationGracePeriodSeconds": 0, "containers": [all, admin] })).await;
    for (name, what) in [("all", "a privileged container"), ("admin", "a container with capability SYS_ADMIN")] {
        let waits = |pod: &_| state(pod, name)["state"]["waiting"]["reason"] == "CreateContainerConfigError";
        let pod = world.until("not", |pod| pod.status.is_some() && waits(pod)).await;
        let message = state(&pod, name)["state"]["waiting"]["message"].clone();
        assert_eq!(message, format!("{what} could change this machine; --allow-privileged says that it may"));
    }
    world.pods.delete("not", &DeleteParams::default()).await.expect("deleted");
    world.gone("not").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_of_a_maker_that_was_killed_are_removed() {
    let Some(client) = engine_with_image().await else { return };
    let socket = engine::sockets().into_iter().next().expect("the engine has a socket");
    // The one that runs this test is alive, so that no other test's runtime tidies up after it.
    let parent = std::os::unix::process::parent_id();
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).expect("it runs");
    let begun = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(19)).expect("it has begun");
    let owner = format!("{parent}-{begun}");
    let labels = [("tekton.local/owner", owner.as_str()), ("tekton.local/pod", "orphan")];
    let body = bollard::models::ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        entrypoint: Some(vec!["/bin/sleep".to_owned(), "600".to_owned()]),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..bollard::models::ContainerCreateBody::default()
    };
    let options = None::<bollard::query_parameters::CreateContainerOptions>;
    client.create_container(options, body).await.expect("a container");
    assert_eq!(containers_of(&client, "orphan").await, 1);
    engine::remove_owned(&socket, &owner).await.expect("the engine answers");
    assert_eq!(containers_of(&client, "orphan").await, 0);
}
