//! What a kubelet does beyond running containers: Events, limits, access modes, probes and hooks, and what pods may not see.

use crate::node::{World, phase, sh, state};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_tell_the_life_of_a_pod() {
    let world = World::new().await;
    let pod =
        world.create("told", json!({ "containers": [sh("c", "sleep 100")], "terminationGracePeriodSeconds": 1 })).await;
    world.event("told", "Scheduled", "Successfully assigned default/told to tekton-local").await;
    let image = "Container image \"image\" is not used: the host runtime runs this machine's programs";
    world.event("told", "Pulled", image).await;
    world.event("told", "Created", "Created container: c").await;
    world.event("told", "Started", "Started container c").await;
    world.pods.delete("told", &DeleteParams::default()).await.expect("deleted");
    world.event("told", "Killing", "Stopping container c").await;
    assert!(pod.metadata.uid.is_some());

    let volumes = json!([{ "name": "v", "secret": { "secretName": "nope" } }]);
    world.create("mount", json!({ "containers": [sh("c", "true")], "volumes": volumes })).await;
    world.event("mount", "FailedMount", "MountVolume.SetUp failed for volume \"v\" : secret \"nope\" not found").await;
    let mut container = sh("c", "true");
    container["env"] = json!([{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "nope", "key": "k" } } }]);
    world.create("config", json!({ "containers": [container] })).await;
    world.event("config", "Failed", "Error: secret \"nope\" not found").await;
    world.create("late", json!({ "activeDeadlineSeconds": 1, "terminationGracePeriodSeconds": 0, "containers": [sh("c", "sleep 100")] })).await;
    world.event("late", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline").await;
    for name in ["mount", "config"] {
        world.pods.delete(name, &DeleteParams::default()).await.expect("deleted");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_probes_are_told_and_restart_the_container() {
    let world = World::new().await;
    let mut container = sh("c", "while :; do sleep 0.1; done");
    container["livenessProbe"] = json!({ "exec": { "command": ["sh", "-c", "echo not well; exit 1"] },
        "periodSeconds": 1, "failureThreshold": 2, "terminationGracePeriodSeconds": 1 });
    container["readinessProbe"] = json!({ "tcpSocket": { "port": 1 } });
    world.create("sick", json!({ "restartPolicy": "Always", "containers": [container] })).await;
    world.event("sick", "Unhealthy", "Liveness probe failed: not well\n").await;
    world.event("sick", "Unhealthy", "Readiness probe failed: dial tcp 127.0.0.1:1: connect: connection refused").await;
    world.event("sick", "Killing", "Container c failed liveness probe, will be restarted").await;
    let pod = world.until("sick", |pod| pod.status.is_some() && state(pod, "c")["restartCount"] == 1).await;
    assert_eq!(state(&pod, "c")["ready"], false);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_run_and_their_failures_are_told() {
    let world = World::new().await;
    let mut container = sh("c", "trap 'cat /workspace/x/log; exit 0' TERM; while :; do sleep 0.05; done");
    container["volumeMounts"] = json!([{ "name": "x", "mountPath": "/workspace/x" }]);
    container["lifecycle"] = json!({
        "postStart": { "exec": { "command": ["sh", "-c", "echo begun >> /workspace/x/log"] } },
        "preStop": { "exec": { "command": ["sh", "-c", "echo ending >> /workspace/x/log; exit 3"] } } });
    let mut bad = sh("bad", "sleep 100");
    bad["lifecycle"] = json!({ "postStart": { "exec": { "command": ["false"] } } });
    let volumes = json!([{ "name": "x", "emptyDir": {} }]);
    world
        .create(
            "hooks",
            json!({ "containers": [container, bad], "volumes": volumes, "terminationGracePeriodSeconds": 2 }),
        )
        .await;
    world.event("hooks", "FailedPostStartHook", "PostStartHook failed").await;
    world.until("hooks", |pod| pod.status.is_some() && state(pod, "c")["state"].get("running").is_some()).await;
    // Nothing removes the pod while a finalizer holds it, so that its log can be read.
    let hold = Patch::Merge(json!({ "metadata": { "finalizers": ["test/hold"] } }));
    world.pods.patch("hooks", &PatchParams::default(), &hold).await.expect("patched");
    world.pods.delete("hooks", &DeleteParams::default()).await.expect("deleted");
    world.event("hooks", "FailedPreStopHook", "PreStopHook failed").await;
    let begin = Instant::now();
    while world.logs("hooks", "c").await != "begun\nending\n" {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", world.logs("hooks", "c").await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let free = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    drop(world.pods.patch("hooks", &PatchParams::default(), &free).await);
    world.gone("hooks").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_in_memory_is_in_memory_and_one_that_is_too_full_evicts_its_pod() {
    let world = World::new().await;
    let mut container = sh("c", "stat -f -c %T /m; head -c 3000000 /dev/zero > /d/file; sleep 100");
    container["volumeMounts"] = json!([{ "name": "m", "mountPath": "/m" }, { "name": "d", "mountPath": "/d" }]);
    let volumes = json!([{ "name": "m", "emptyDir": { "medium": "Memory", "sizeLimit": "64Mi" } },
        { "name": "d", "emptyDir": { "sizeLimit": "1Mi" } }]);
    world.create("full", json!({ "containers": [container], "volumes": volumes })).await;
    let status = world.done("full").await.status.expect("a status");
    let message = "Usage of EmptyDir volume \"d\" exceeds the limit \"1Mi\". ";
    assert_eq!((status.reason.as_deref(), status.message.as_deref()), (Some("Evicted"), Some(message)));
    world.event("full", "Evicted", message).await;
    if std::path::Path::new("/dev/shm").is_dir() {
        assert_eq!(world.logs("full", "c").await, "tmpfs\n");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_is_evicted_on_request() {
    let world = World::new().await;
    let pod = world.create("out", json!({ "containers": [sh("c", "sleep 100")] })).await;
    world.until("out", |pod| phase(pod) == "Running").await;
    world.node.evict(pod.metadata.uid.expect("a uid"), "The node was low on resource: memory. ");
    let status = world.done("out").await.status.expect("a status");
    assert_eq!((status.phase.as_deref(), status.reason.as_deref()), (Some("Failed"), Some("Evicted")));
    assert_eq!(status.message.as_deref(), Some("The node was low on resource: memory. "));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_shared_as_their_modes_say() {
    let world = World::new().await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(world.cluster.client(), "default");
    for (name, mode) in [("alone", "ReadWriteOncePod"), ("shown", "ReadOnlyMany")] {
        let claim = json!({ "metadata": { "name": name }, "spec": { "accessModes": [mode], "resources": { "requests": { "storage": "1Gi" } } } });
        claims.create(&PostParams::default(), &serde_json::from_value(claim).expect("a claim")).await.expect("created");
    }
    let using = |claim: &str, script: &str| {
        let mut container = sh("c", script);
        container["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
        json!({ "containers": [container], "terminationGracePeriodSeconds": 0,
            "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": claim } }] })
    };
    world.create("first", using("alone", "sleep 100")).await;
    world.until("first", |pod| phase(pod) == "Running").await;
    world.create("second", using("alone", "true")).await;
    let scheduled = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
        conditions.into_iter().find(|condition| condition.type_ == "PodScheduled")
    };
    let waits = world.until("second", |pod| scheduled(pod).is_some_and(|c| c.status == "False")).await;
    let condition = scheduled(&waits).expect("there");
    assert_eq!(condition.reason.as_deref(), Some("Unschedulable"));
    let why = "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode. \
        preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    assert_eq!(condition.message.as_deref(), Some(why));
    world.event("second", "FailedScheduling", why).await;
    world.pods.delete("first", &DeleteParams::default()).await.expect("deleted");
    assert_eq!(phase(&world.done("second").await), "Succeeded");
    world.create("reader", using("shown", "touch /v/x 2>&1; test ! -e /v/x")).await;
    assert_eq!(phase(&world.done("reader").await), "Succeeded");
    assert!(world.logs("reader", "c").await.contains("Read-only file system"));
    world.create("none", using("missing", "true")).await;
    let why = "0/1 nodes are available: persistentvolumeclaim \"missing\" not found. \
        preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    world.event("none", "FailedScheduling", why).await;
    world.pods.delete("none", &DeleteParams::default()).await.expect("deleted");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_sees_no_secret_of_another() {
    let world = World::new().await;
    let secret = json!({ "metadata": { "name": "s" }, "stringData": { "token": "opensesame" } });
    Api::<Secret>::namespaced(world.cluster.client(), "default")
        .create(&PostParams::default(), &serde_json::from_value(secret).expect("a secret"))
        .await
        .expect("created");
    let mut owner = sh("c", "echo $(cat /s/token) $TOKEN > /dev/shm/x; cp /s/token /tmp/; exec sleep 100");
    owner["env"] = json!([{ "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "s", "key": "token" } } }]);
    owner["volumeMounts"] = json!([{ "name": "s", "mountPath": "/s" }, { "name": "m", "mountPath": "/m" }]);
    let volumes =
        json!([{ "name": "s", "secret": { "secretName": "s" } }, { "name": "m", "emptyDir": { "medium": "Memory" } }]);
    world.create("owner", json!({ "containers": [owner], "volumes": volumes })).await;
    world.until("owner", |pod| phase(pod) == "Running").await;
    // The word is put together here, so that the thief's own command line does not show it.
    let script = "word=open; word=${word}sesame; exec 2>/dev/null
        grep -qa $word /proc/[0-9]*/environ && echo environment
        for root in /proc/[0-9]*/root; do [ -e $root/s/token ] && echo root of a process; done
        grep -rqs $word $NODE /tmp /dev/shm /run /var/tmp && echo files
        umount -l $NODE && grep -rqs $word $NODE && echo below the cover
        unshare -Urm sh -c \"umount -l $NODE; mkdir /tmp/n; mount --bind $NODE/.. /tmp/n; grep -rqs $word $NODE /tmp/n\" && echo from namespaces
        echo over";
    let mut thief = sh("c", script);
    thief["env"] = json!([{ "name": "NODE", "value": world.dir.path().join("node") }]);
    world.create("thief", json!({ "containers": [thief] })).await;
    world.done("thief").await;
    assert_eq!(world.logs("thief", "c").await, "over\n");
    world.end().await;
}

#[tokio::test]
async fn what_is_made_in_a_volume_belongs_to_the_fs_group_of_the_pod() {
    let world = World::new().await;
    // Only root can give files away.
    if !std::fs::read_to_string("/proc/self/status").expect("it is there").contains("\nUid:\t0\t0\t") {
        return;
    }
    let spec = json!({"securityContext": {"fsGroup": 4242, "runAsUser": 1234}, "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{"name": "c", "image": "any", "command": ["sh", "-c", "touch /v/x; stat -c %u:%g /v/x"],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]});
    world.create("shares", spec).await;
    world.done("shares").await;
    assert_eq!(world.logs("shares", "c").await, "1234:4242\n");
    world.end().await;
}
