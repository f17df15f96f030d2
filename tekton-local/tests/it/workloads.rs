//! Deployments, ReplicaSets, StatefulSets and Jobs, with pods that run.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tekton_local::node::{Node, NodeHandle, NodeOptions};
use tekton_local::{LocalCluster, Options};

struct World {
    cluster: LocalCluster,
    node: NodeHandle,
    pods: Api<Pod>,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = LocalCluster::start(Options::default());
        let options = NodeOptions { ephemeral: true, ..NodeOptions::new(dir.path().join("node")) };
        let node = Node::start(cluster.client(), options).await.expect("a node");
        let pods = Api::default_namespaced(cluster.client());
        Self { cluster, node, pods, _dir: dir }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::default_namespaced(self.cluster.client())
    }

    async fn running(&self) -> Vec<String> {
        let pods = self.pods.list(&ListParams::default()).await.expect("listed").items;
        let live = pods.iter().filter(|pod| {
            pod.metadata.deletion_timestamp.is_none()
                && pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
        });
        live.map(ResourceExt::name_any).collect()
    }

    async fn end(self) {
        self.node.shutdown().await;
        self.cluster.stop().await;
    }
}

/// Waits until an object is as it should be.
async fn until<K>(api: &Api<K>, name: &str, what: impl Fn(&Value) -> bool) -> Value
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let begin = Instant::now();
    loop {
        let object = serde_json::to_value(api.get(name).await.expect("it is there")).expect("JSON");
        if what(&object) {
            return object;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{:#}", object["status"]);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn template(script: &str, restart: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "x"}},
        "spec": {"terminationGracePeriodSeconds": 0, "restartPolicy": restart,
            "containers": [{"name": "c", "image": "any", "command": ["sh", "-c", script]}]},
    })
}

fn serves(object: &Value, replicas: u64) -> bool {
    let status = &object["status"];
    status["observedGeneration"] == object["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|field| status[field] == replicas)
}

#[tokio::test]
async fn a_deployment_rolls_out_scales_and_replaces_what_goes() {
    let world = World::new().await;
    let api: Api<Deployment> = world.api();
    let deployment = json!({"metadata": {"name": "web"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "x"}}, "template": template("sleep 60", "Always")}});
    let deployment = serde_json::from_value(deployment).expect("a Deployment");
    api.create(&PostParams::default(), &deployment).await.expect("created");
    let first = until(&api, "web", |web| serves(web, 2)).await;
    let conditions = first["status"]["conditions"].as_array().expect("conditions");
    assert!(conditions.iter().any(|c| c["type"] == "Available" && c["status"] == "True"));
    assert_eq!(first["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let before = world.running().await;

    let patch = Patch::Merge(json!({"spec": {"template": template("sleep 61", "Always")}}));
    api.patch("web", &PatchParams::default(), &patch).await.expect("patched");
    let second = until(&api, "web", |web| serves(web, 2) && web["metadata"]["generation"] == 2).await;
    assert_eq!(second["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    let after = world.running().await;
    assert!(after.len() == 2 && after.iter().all(|pod| !before.contains(pod)), "{before:?} {after:?}");
    let sets = world.api::<ReplicaSet>().list(&ListParams::default()).await.expect("listed").items;
    let mut replicas: Vec<i32> = sets.iter().filter_map(|set| set.spec.replicas).collect();
    replicas.sort_unstable();
    assert_eq!(replicas, [0, 2], "the old set stays for a way back");

    world.pods.delete(&after[0], &DeleteParams::default()).await.expect("deleted");
    let begin = Instant::now();
    while world.running().await.len() != 2 || world.running().await.contains(&after[0]) {
        assert!(begin.elapsed() < Duration::from_secs(30), "nothing takes its place");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let scale = Patch::Merge(json!({"spec": {"replicas": 1}}));
    let scaled: Scale = api.patch_scale("web", &PatchParams::default(), &scale).await.expect("scaled");
    assert_eq!(scaled.spec.and_then(|spec| spec.replicas), Some(1));
    until(&api, "web", |web| serves(web, 1)).await;
    world.end().await;
}

#[tokio::test]
async fn a_job_ends_when_its_pods_have() {
    let world = World::new().await;
    let api: Api<Job> = world.api();
    let job = |name: &str, spec: Value| -> Job {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).expect("a Job")
    };
    let create = async |job: Job| drop(api.create(&PostParams::default(), &job).await.expect("created"));
    let ended = |kind: &'static str| {
        move |job: &Value| {
            let conditions = job["status"]["conditions"].as_array();
            conditions.into_iter().flatten().any(|c| c["type"] == kind && c["status"] == "True")
        }
    };
    create(job("good", json!({"completions": 3, "parallelism": 2, "template": template("true", "Never")}))).await;
    create(job("bad", json!({"backoffLimit": 0, "template": template("exit 3", "Never")}))).await;
    create(job("late", json!({"activeDeadlineSeconds": 1, "template": template("sleep 60", "Never")}))).await;
    let script = "test \"$JOB_COMPLETION_INDEX\" = 0 -o \"$JOB_COMPLETION_INDEX\" = 1";
    let indexed = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimit": 0,
        "template": template(script, "Never")});
    create(job("indexed", indexed)).await;
    create(job("brief", json!({"ttlSecondsAfterFinished": 0, "template": template("true", "Never")}))).await;

    let good = until(&api, "good", ended("Complete")).await;
    assert_eq!(good["status"]["succeeded"], 3);
    assert!(good["status"]["completionTime"].is_string());
    let bad = until(&api, "bad", ended("Failed")).await;
    let reasons: Vec<&Value> =
        bad["status"]["conditions"].as_array().expect("some").iter().map(|c| &c["reason"]).collect();
    assert!(reasons.iter().all(|reason| **reason == "BackoffLimitExceeded"), "{reasons:?}");
    assert_eq!(bad["status"]["failed"], 1);
    until(&api, "indexed", ended("Complete")).await;
    let late = until(&api, "late", ended("Failed")).await;
    assert_eq!(late["status"]["conditions"][1]["reason"], "DeadlineExceeded");
    let begin = Instant::now();
    while api.get_opt("brief").await.expect("an answer").is_some() {
        assert!(begin.elapsed() < Duration::from_secs(30), "its time to live is over");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_stateful_set_numbers_its_pods() {
    let world = World::new().await;
    let api: Api<StatefulSet> = world.api();
    let set = json!({"metadata": {"name": "db"}, "spec": {"serviceName": "db", "replicas": 2,
        "selector": {"matchLabels": {"app": "x"}}, "template": template("sleep 60", "Always")}});
    api.create(&PostParams::default(), &serde_json::from_value(set).expect("a set")).await.expect("created");
    until(&api, "db", |db| db["status"]["readyReplicas"] == 2).await;
    assert_eq!(world.running().await, ["db-0", "db-1"]);
    let scale = Patch::Merge(json!({"spec": {"replicas": 1}}));
    drop(api.patch_scale("db", &PatchParams::default(), &scale).await.expect("scaled"));
    until(&api, "db", |db| db["status"]["replicas"] == 1).await;
    let old = world.pods.get("db-0").await.expect("it stays");
    world.pods.delete("db-0", &DeleteParams::default()).await.expect("deleted");
    let begin = Instant::now();
    while world.pods.get_opt("db-0").await.expect("an answer").is_none_or(|new| new.uid() == old.uid()) {
        assert!(begin.elapsed() < Duration::from_secs(30), "it is not made anew");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.end().await;
}
