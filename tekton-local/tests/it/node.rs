//! The node against the embedded API server: real pods, real processes.

use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tekton_local::node::{Node, NodeHandle, NodeOptions};
use tekton_local::runtime::{RUNTIME_ANNOTATION, RuntimeChoice};
use tekton_local::{LocalCluster, Options};

pub(crate) struct World {
    pub(crate) cluster: LocalCluster,
    pub(crate) node: NodeHandle,
    pub(crate) pods: Api<Pod>,
    pub(crate) dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(RuntimeChoice::Host).await
    }

    pub(crate) async fn with(runtime: RuntimeChoice) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = LocalCluster::start(Options::default());
        let options = NodeOptions { ephemeral: true, runtime, ..NodeOptions::new(dir.path().join("node")) };
        let node = Node::start(cluster.client(), options).await.expect("a node");
        cluster.set_logs(node.logs());
        let pods = Api::namespaced(cluster.client(), "default");
        Self { cluster, node, pods, dir }
    }

    pub(crate) async fn create(&self, name: &str, spec: Value) -> Pod {
        self.create_with(name, json!({}), spec).await
    }

    async fn create_with(&self, name: &str, annotations: Value, mut spec: Value) -> Pod {
        if spec.get("restartPolicy").is_none() {
            spec["restartPolicy"] = json!("Never");
        }
        let pod = json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "annotations": annotations }, "spec": spec });
        self.pods.create(&PostParams::default(), &serde_json::from_value(pod).expect("a pod")).await.expect("created")
    }

    pub(crate) async fn until(&self, name: &str, what: impl Fn(&Pod) -> bool) -> Pod {
        let begin = Instant::now();
        loop {
            let pod = self.pods.get(name).await.expect("the pod");
            if what(&pod) {
                return pod;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "{}",
                serde_json::to_string_pretty(&pod.status).expect("JSON")
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn done(&self, name: &str) -> Pod {
        self.until(name, |pod| matches!(phase(pod), "Succeeded" | "Failed")).await
    }

    pub(crate) async fn gone(&self, name: &str) {
        let begin = Instant::now();
        while self.pods.get_opt(name).await.expect("an answer").is_some() {
            assert!(begin.elapsed() < Duration::from_secs(20), "{name} is still there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for an Event of a pod; gives how often it has come.
    pub(crate) async fn event(&self, name: &str, reason: &str, message: &str) -> i32 {
        let events = Api::<Event>::namespaced(self.cluster.client(), "default");
        let begin = Instant::now();
        loop {
            let all = events.list(&ListParams::default()).await.expect("events").items;
            let own: Vec<&Event> = all.iter().filter(|e| e.involved_object.name.as_deref() == Some(name)).collect();
            let found = |e: &&&Event| e.reason.as_deref() == Some(reason) && e.message.as_deref() == Some(message);
            if let Some(event) = own.iter().find(found) {
                return event.count.unwrap_or(0);
            }
            let told: Vec<_> = own.iter().map(|e| (e.reason.as_deref(), e.message.as_deref())).collect();
            assert!(begin.elapsed() < Duration::from_secs(20), "{reason} {message}: {told:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn logs(&self, name: &str, container: &str) -> String {
        let params = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        self.pods.logs(name, &params).await.expect("logs")
    }

    /// Ends the world and checks that nothing of it is left.
    pub(crate) async fn end(self) {
        self.node.shutdown().await;
        let left: Vec<PathBuf> =
            std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten().map(|e| e.path()).collect();
        assert!(left.is_empty(), "{left:?}");
        self.cluster.stop().await;
    }
}

pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or_default()
}

pub(crate) fn state(pod: &Pod, container: &str) -> Value {
    let status = pod.status.clone().unwrap_or_default();
    let all =
        status.container_statuses.into_iter().flatten().chain(status.init_container_statuses.into_iter().flatten());
    serde_json::to_value(all.into_iter().find(|c| c.name == container)).expect("JSON")
}

pub(crate) fn sh(name: &str, script: &str) -> Value {
    json!({ "name": name, "image": "image", "command": ["sh", "-c", script] })
}

#[tokio::test]
async fn a_pod_says_which_runtime_it_has() {
    let world = World::new().await;
    let container = json!({ "name": "c", "image": "x", "command": ["true"] });
    world.create_with("unbound", json!({ "mine": "kept" }), json!({ "containers": [&container] })).await;
    world.create("bound", json!({ "nodeName": "tekton-local", "containers": [container] })).await;
    for name in ["unbound", "bound"] {
        let of = |pod: &Pod| pod.metadata.annotations.clone().unwrap_or_default();
        let pod = world.until(name, |pod| of(pod).contains_key(RUNTIME_ANNOTATION)).await;
        assert_eq!(of(&pod)[RUNTIME_ANNOTATION], "host");
        assert_eq!(of(&pod).contains_key("mine"), name == "unbound");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_run_in_order_and_share_volumes() {
    let world = World::new().await;
    let mount = json!([{ "name": "shared", "mountPath": "/workspace/shared" }]);
    let mut containers: Vec<Value> = [
        ("first", "echo first >> /workspace/shared/log"),
        ("second", "echo second >> /workspace/shared/log"),
        ("main", "cat /workspace/shared/log; echo done > /workspace/shared/flag"),
        ("other", "while ! [ -f /workspace/shared/flag ]; do sleep 0.01; done; echo saw it"),
    ]
    .map(|(name, script)| sh(name, script))
    .to_vec();
    for container in &mut containers {
        container["volumeMounts"] = mount.clone();
    }
    world
        .create(
            "order",
            json!({ "initContainers": containers[..2], "containers": containers[2..],
            "volumes": [{ "name": "shared", "emptyDir": {} }] }),
        )
        .await;
    let pod = world.done("order").await;
    assert_eq!(phase(&pod), "Succeeded", "{}", world.logs("order", "first").await);
    assert_eq!(pod.spec.as_ref().and_then(|s| s.node_name.as_deref()), Some("tekton-local"));
    assert_eq!(world.logs("order", "main").await, "first\nsecond\n");
    assert_eq!(world.logs("order", "other").await, "saw it\n");
    assert_eq!(state(&pod, "main")["state"]["terminated"]["reason"], "Completed");
    let conditions = serde_json::to_value(pod.status.and_then(|s| s.conditions)).expect("JSON");
    let find =
        |t: &str| conditions.as_array().expect("a list").iter().find(|c| c["type"] == t).cloned().unwrap_or_default();
    assert_eq!(
        (&find("Initialized")["status"], &find("Initialized")["reason"]),
        (&json!("True"), &json!("PodCompleted"))
    );
    assert_eq!((&find("Ready")["status"], &find("Ready")["reason"]), (&json!("False"), &json!("PodCompleted")));
    assert_eq!(find("PodScheduled")["status"], "True");
    world.pods.delete("order", &DeleteParams::default()).await.expect("deleted");
    world.gone("order").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_are_told_with_code_reason_and_message() {
    let world = World::new().await;
    let mut fallback = sh("fallback", "echo from the log; exit 4");
    fallback["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    let mut long = sh("long", "head -c 5000 /dev/zero | tr '\\0' x > /tekton/termination");
    long["terminationMessagePath"] = json!("/tekton/termination");
    world
        .create("ends", json!({ "containers": [
            sh("code", "echo why > /dev/termination-log; exit 3"), sh("signal", "sh -c 'kill -9 $$$$'; exit $?"), fallback, long,
            { "name": "missing", "image": "image", "command": ["no-such-program"] } ] }))
        .await;
    let pod = world.done("ends").await;
    assert_eq!(phase(&pod), "Failed");
    let check = |container: &str, code: i64, reason: &str, message: Value| {
        let end = state(&pod, container)["state"]["terminated"].clone();
        assert_eq!(
            (&end["exitCode"], &end["reason"], &end["message"]),
            (&json!(code), &json!(reason), &message),
            "{container}"
        );
    };
    check("code", 3, "Error", json!("why\n"));
    check("signal", 137, "Error", Value::Null);
    check("fallback", 4, "Error", json!("from the log\n"));
    check("long", 0, "Completed", json!("x".repeat(12 * 1024 / 5)));
    check(
        "missing",
        128,
        "StartError",
        json!(
            "unable to start container process: error during container init: exec: \"no-such-program\": executable file not found in $PATH"
        ),
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_without_command_says_why_it_does_not_start() {
    let world = World::new().await;
    world.create("none", json!({ "containers": [{ "name": "c", "image": "registry.example/no/such" }] })).await;
    let pod = world
        .until("none", |pod| {
            pod.status.is_some() && state(pod, "c")["state"]["waiting"]["reason"] == "CreateContainerError"
        })
        .await;
    let text = state(&pod, "c")["state"]["waiting"]["message"].clone();
    assert!(text.as_str().is_some_and(|t| t.contains("does not read images")), "{text}");
    let env = json!([{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "nope", "key": "k" } } }]);
    let mut container = sh("c", "true");
    container["env"] = env;
    world.create("config", json!({ "containers": [container] })).await;
    let pod = world
        .until("config", |pod| {
            pod.status.is_some() && state(pod, "c")["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        })
        .await;
    assert_eq!(state(&pod, "c")["state"]["waiting"]["message"], "secret \"nope\" not found");
    for name in ["none", "config"] {
        world.pods.delete(name, &DeleteParams::default()).await.expect("deleted");
        world.gone(name).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_annotation_reaches_a_running_container() {
    let world = World::new().await;
    let mut container =
        sh("c", "while ! [ -s /tekton/downward/ready ]; do sleep 0.002; done; cat /tekton/downward/ready");
    container["volumeMounts"] = json!([{ "name": "downward", "mountPath": "/tekton/downward" }]);
    let volumes = json!([{ "name": "downward", "downwardAPI": { "items": [
        { "path": "ready", "fieldRef": { "fieldPath": "metadata.annotations['tekton.dev/ready']" } } ] } }]);
    world.create("wait", json!({ "containers": [container], "volumes": volumes })).await;
    world.until("wait", |pod| phase(pod) == "Running").await;
    let begin = Instant::now();
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { "tekton.dev/ready": "READY" } } }));
    world.pods.patch("wait", &PatchParams::default(), &patch).await.expect("patched");
    let pod = world.done("wait").await;
    eprintln!("from the annotation to the end of the pod: {:?}", begin.elapsed());
    assert_eq!((phase(&pod), world.logs("wait", "c").await.as_str()), ("Succeeded", "READY"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn environment_and_arguments_are_expanded() {
    let world = World::new().await;
    let client = world.cluster.client();
    let map = json!({ "metadata": { "name": "map" }, "data": { "a": "from map", "file": "text" } });
    Api::<ConfigMap>::namespaced(client.clone(), "default")
        .create(&PostParams::default(), &serde_json::from_value(map).expect("a map"))
        .await
        .expect("created");
    let secret = json!({ "metadata": { "name": "secret" }, "stringData": { "s": "hidden" } });
    Api::<Secret>::namespaced(client, "default")
        .create(&PostParams::default(), &serde_json::from_value(secret).expect("a secret"))
        .await
        .expect("created");
    let container = json!({ "name": "c", "image": "image", "command": ["sh", "-c"],
        "args": ["echo '$(NAME) $(CPU) $(MAP) $(SECRET) $(P_a) $(UNKNOWN) $$(NAME)'; cat /etc/made/file /workspace/all/s; pwd"],
        "workingDir": "/workspace/made",
        "envFrom": [{ "prefix": "P_", "configMapRef": { "name": "map" } }],
        "env": [
            { "name": "NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "CPU", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu", "divisor": "1m" } } },
            { "name": "MAP", "valueFrom": { "configMapKeyRef": { "name": "map", "key": "a" } } },
            { "name": "SECRET", "value": "<$(S)>" },
            { "name": "S", "valueFrom": { "secretKeyRef": { "name": "secret", "key": "s" } } },
        ],
        "resources": { "limits": { "cpu": "250m" } },
        "volumeMounts": [{ "name": "map", "mountPath": "/etc/made" }, { "name": "all", "mountPath": "/workspace/all" }] });
    let volumes = json!([{ "name": "map", "configMap": { "name": "map" } },
        { "name": "all", "projected": { "sources": [{ "secret": { "name": "secret" } }] } }]);
    world.create("env", json!({ "containers": [container], "volumes": volumes })).await;
    let pod = world.done("env").await;
    assert_eq!(
        world.logs("env", "c").await,
        "env 250 from map <$(S)> from map $(UNKNOWN) $(NAME)\ntexthidden/workspace/made\n",
        "{:?}",
        pod.status
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_deleted_while_it_runs_ends_within_its_grace() {
    let world = World::new().await;
    world
        .create(
            "polite",
            json!({ "containers": [sh("c", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done")] }),
        )
        .await;
    world.create("stubborn", json!({ "containers": [sh("c", "trap '' TERM; while :; do sleep 0.01; done")] })).await;
    for name in ["polite", "stubborn"] {
        world.until(name, |pod| phase(pod) == "Running").await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.pods.delete("polite", &DeleteParams::default()).await.expect("deleted");
    world.pods.delete("stubborn", &DeleteParams::default().grace_period(1)).await.expect("deleted");
    let begin = Instant::now();
    world.gone("polite").await;
    assert!(begin.elapsed() < Duration::from_millis(900), "{:?}", begin.elapsed());
    world.gone("stubborn").await;
    assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_whose_image_is_replaced_ends() {
    let world = World::new().await;
    let spec = json!({ "containers": [sh("step", "exit 0"), sh("sidecar", "trap 'exit 0' TERM; while :; do sleep 0.01; done")],
        "terminationGracePeriodSeconds": 2 });
    world.create("swap", spec).await;
    world
        .until("swap", |pod| {
            pod.status.is_some()
                && state(pod, "step")["state"].get("terminated").is_some()
                && state(pod, "sidecar")["state"].get("running").is_some()
        })
        .await;
    let mut spec = world.pods.get("swap").await.expect("the pod");
    spec.spec.as_mut().expect("a spec").containers[1].image = Some("nop".into());
    world.pods.replace("swap", &PostParams::default(), &spec).await.expect("replaced");
    let pod = world.done("swap").await;
    assert_eq!(phase(&pod), "Succeeded");
    assert_eq!((&state(&pod, "sidecar")["restartCount"], &state(&pod, "sidecar")["image"]), (&json!(1), &json!("nop")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn native_sidecars_start_first_and_end_last() {
    let world = World::new().await;
    let mut sidecar =
        sh("sidecar", "trap 'echo stopped; exit 0' TERM; touch /workspace/x/up; while :; do sleep 0.01; done");
    sidecar["restartPolicy"] = json!("Always");
    sidecar["startupProbe"] = json!({ "exec": { "command": ["test", "-f", "/workspace/x/up"] }, "periodSeconds": 1 });
    let mut main = sh("main", "ls /workspace/x");
    for c in [&mut sidecar, &mut main] {
        c["volumeMounts"] = json!([{ "name": "x", "mountPath": "/workspace/x" }]);
    }
    world
        .create(
            "native",
            json!({ "initContainers": [sidecar], "containers": [main], "volumes": [{ "name": "x", "emptyDir": {} }] }),
        )
        .await;
    let pod = world.done("native").await;
    assert_eq!((phase(&pod), world.logs("native", "main").await.as_str()), ("Succeeded", "up\n"), "{:?}", pod.status);
    assert_eq!(world.logs("native", "sidecar").await, "stopped\n");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_restart_as_the_policy_says() {
    let world = World::new().await;
    let script = "echo x >> /workspace/x/n; [ $(wc -l < /workspace/x/n) -ge 2 ] || exit 1";
    let mut container = sh("c", script);
    container["volumeMounts"] = json!([{ "name": "x", "mountPath": "/workspace/x" }]);
    let volumes = json!([{ "name": "x", "emptyDir": {} }]);
    world.create("again", json!({ "restartPolicy": "OnFailure", "containers": [container], "volumes": volumes })).await;
    let begin = Instant::now();
    let pod = world.done("again").await;
    assert_eq!((phase(&pod), &state(&pod, "c")["restartCount"]), ("Succeeded", &json!(1)));
    assert_eq!(state(&pod, "c")["lastState"]["terminated"]["exitCode"], 1);
    assert!(begin.elapsed() < Duration::from_secs(9), "the first restart does not wait");

    world.create("crash", json!({ "restartPolicy": "Always", "containers": [sh("c", "exit 1")] })).await;
    let pod = world.until("crash", |pod| pod.status.is_some() && state(pod, "c")["restartCount"] == 2).await;
    let waiting = state(&pod, "c")["state"]["waiting"].clone();
    assert_eq!(waiting["reason"], "CrashLoopBackOff");
    let name = format!("crash_default({})", pod.metadata.uid.as_deref().unwrap_or_default());
    assert_eq!(waiting["message"], format!("back-off 10s restarting failed container=c pod={name}"));
    world.event("crash", "BackOff", &format!("Back-off restarting failed container c in pod {name}")).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_ends_at_its_deadline() {
    let world = World::new().await;
    world.create("late", json!({ "activeDeadlineSeconds": 1, "terminationGracePeriodSeconds": 0, "containers": [sh("c", "sleep 100")] })).await;
    let status = world.done("late").await.status.expect("a status");
    assert_eq!((status.reason.as_deref(), status.phase.as_deref()), (Some("DeadlineExceeded"), Some("Failed")));
    assert_eq!(status.message.as_deref(), Some("Pod was active on the node longer than the specified deadline"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_bound_and_keeps_its_files() {
    let world = World::new().await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(world.cluster.client(), "default");
    let claim = json!({ "metadata": { "name": "claim" }, "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } });
    claims.create(&PostParams::default(), &serde_json::from_value(claim).expect("a claim")).await.expect("created");
    for (name, script, sub_path) in
        [("write", "echo kept > /workspace/c/file", "in/side"), ("read", "cat /workspace/c/in/side/file", "")]
    {
        let mut container = sh("c", script);
        container["volumeMounts"] = json!([{ "name": "c", "mountPath": "/workspace/c", "subPath": sub_path }]);
        world.create(name, json!({ "containers": [container], "volumes": [{ "name": "c", "persistentVolumeClaim": { "claimName": "claim" } }] })).await;
        let pod = world.done(name).await;
        assert_eq!(phase(&pod), "Succeeded", "{name}: {} {:?}", world.logs(name, "c").await, pod.status);
    }
    assert_eq!(world.logs("read", "c").await, "kept\n");
    let bound = claims.get("claim").await.expect("the claim");
    assert_eq!(bound.status.and_then(|s| s.phase).as_deref(), Some("Bound"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_reaches_neither_the_host_nor_another_pod() {
    let world = World::new().await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    let target = elsewhere.path().to_path_buf();
    let mut container = sh(
        "c",
        "ln -s /etc /workspace/x/etc; touch /workspace/x/etc/tekton-test && exit 1; touch /usr/tekton-test && exit 1; \
        ls $NODE && exit 1; exit 0",
    );
    container["env"] = json!([{ "name": "NODE", "value": world.dir.path().join("node/pods") }]);
    container["volumeMounts"] = json!([{ "name": "x", "mountPath": "/workspace/x" }]);
    world.create("inside", json!({ "containers": [container], "volumes": [{ "name": "x", "emptyDir": {} }] })).await;
    let pod = world.done("inside").await;
    assert_eq!(phase(&pod), "Succeeded", "{}", world.logs("inside", "c").await);
    let left: Vec<_> = std::fs::read_dir(&target).expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!Path::new("/etc/tekton-test").exists() && !Path::new("/usr/tekton-test").exists());

    let host = json!([{ "name": "h", "hostPath": { "path": target } }]);
    let mut container = sh("c", "touch /h/x");
    container["volumeMounts"] = json!([{ "name": "h", "mountPath": "/h" }]);
    world.create("host", json!({ "containers": [container], "volumes": host })).await;
    let pod = world
        .until("host", |pod| pod.status.is_some() && state(pod, "c")["state"]["waiting"].get("message").is_some())
        .await;
    let message = state(&pod, "c")["state"]["waiting"]["message"].clone();
    assert!(message.as_str().is_some_and(|m| m.contains("is not allowed on this node")), "{message}");

    let link = sh("c", "ln -s / /workspace/x/root");
    let mut escape = sh("e", "true");
    escape["volumeMounts"] = json!([{ "name": "x", "mountPath": "/workspace/x", "subPath": "root/etc" }]);
    let mut link = link;
    link["volumeMounts"] = json!([{ "name": "x", "mountPath": "/workspace/x" }]);
    world
        .create(
            "escape",
            json!({ "initContainers": [link], "containers": [escape], "volumes": [{ "name": "x", "emptyDir": {} }] }),
        )
        .await;
    let pod = world
        .until("escape", |pod| {
            pod.status.is_some() && state(pod, "e")["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        })
        .await;
    let message = state(&pod, "e")["state"]["waiting"]["message"].clone();
    assert!(
        message
            .as_str()
            .is_some_and(|m| m.starts_with("failed to prepare subPath for volumeMount \"x\" of container \"e\"")),
        "{message}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_is_done_in_tens_of_milliseconds() {
    let world = World::new().await;
    let mut times = Vec::new();
    for index in 0..10 {
        let name = format!("quick-{index}");
        let begin = Instant::now();
        world
            .create(
                &name,
                json!({ "initContainers": [sh("i", "exit 0"), sh("j", "exit 0")], "containers": [sh("c", "exit 0")] }),
            )
            .await;
        world.done(&name).await;
        times.push(begin.elapsed());
    }
    times.sort();
    eprintln!(
        "a pod of two init containers and one container, created to done: median {:?}, worst {:?}",
        times[5], times[9]
    );
    assert!(times[5] < Duration::from_secs(2));
    world.end().await;
}

/// A process of its own that is killed while it runs pods.
const VICTIM: &str = "TEKTON_NODE_VICTIM";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_leaves_nothing() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        return be_the_victim(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for delay in [0, 3, 7, 15, 30, 60, 120, 200] {
        let mark = format!("{}.{delay}", 100_000 + std::process::id());
        let mut victim = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "node::a_node_that_is_killed_leaves_nothing", "--nocapture"])
            .env(VICTIM, dir.path().join("node"))
            .env("MARK", &mark)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(victim.stdout.take().expect("a pipe")));
        assert!(lines.any(|line| line.expect("a line").contains("pods are created")));
        std::thread::sleep(Duration::from_millis(delay));
        victim.kill().expect("killed");
        victim.wait().expect("ended");
        let begin = Instant::now();
        while dir.path().join("node").exists() || !processes(&mark).is_empty() {
            let left = processes(&mark);
            assert!(begin.elapsed() < Duration::from_secs(5), "after {delay} ms: {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        assert!(!mounts.contains(dir.path().to_str().expect("text")));
    }
}

/// The processes that sleep for this time.
fn processes(mark: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    let lines = all.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains("sleep") && line.contains(mark)).collect()
}

#[expect(clippy::print_stdout, reason = "the line that the test waits for")]
async fn be_the_victim(dir: &Path) {
    let mark = std::env::var("MARK").expect("set by the test");
    let cluster = LocalCluster::start(Options::default());
    let options = NodeOptions { ephemeral: true, ..NodeOptions::new(dir) };
    let node = Node::start(cluster.client(), options).await.expect("a node");
    let pods = Api::<Pod>::namespaced(cluster.client(), "default");
    for index in 0..5 {
        let script = format!(
            "mkdir /workspace/x/d; chmod 0 /workspace/x/d; trap '' TERM; sleep {mark} & setsid sleep {mark}; wait"
        );
        let mut container = sh("c", &script);
        container["volumeMounts"] = json!([{ "name": "x", "mountPath": "/workspace/x" }]);
        let pod = json!({ "metadata": { "name": format!("p{index}") }, "spec": {
            "containers": [container], "volumes": [{ "name": "x", "emptyDir": {} }] } });
        pods.create(&PostParams::default(), &serde_json::from_value(pod).expect("a pod")).await.expect("created");
    }
    println!("pods are created");
    tokio::time::sleep(Duration::from_mins(1)).await;
    node.shutdown().await;
}

#[tokio::test]
async fn what_asks_for_another_scheduler_or_class_is_left_to_them() {
    let world = World::new().await;
    let mut spec = json!({ "containers": [sh("c", "true")], "schedulerName": "another" });
    world.create("waits", spec.clone()).await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(world.cluster.client(), "default");
    for (name, class) in [("theirs", json!("another")), ("ours", Value::Null)] {
        let claim = json!({ "metadata": { "name": name }, "spec": { "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } }, "storageClassName": class } });
        claims.create(&PostParams::default(), &serde_json::from_value(claim).expect("a claim")).await.expect("created");
    }
    spec["schedulerName"] = Value::Null;
    world.create("runs", spec).await;
    world.done("runs").await;
    let phase_of =
        async |name: &str| claims.get(name).await.expect("it is there").status.and_then(|status| status.phase);
    let begin = Instant::now();
    while phase_of("ours").await.as_deref() != Some("Bound") {
        assert!(begin.elapsed() < Duration::from_secs(20), "a claim of the default class is bound");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(phase_of("theirs").await.as_deref(), Some("Pending"));
    assert_eq!(phase(&world.pods.get("waits").await.expect("it is there")), "Pending");
    world.end().await;
}
