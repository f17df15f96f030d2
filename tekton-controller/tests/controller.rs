//! The controller against the embedded API server, with a kubelet that ends every Pod at once.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tekton_controller::{Election, Options, run};
use tekton_engine::{ClusterFacts, Images};
use tekton_local::LocalCluster;
use tekton_types::condition::{self, Condition};
use tekton_types::v1::{PipelineRun, TaskRun};
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster with the controller and the kubelet.
struct Fixture {
    cluster: LocalCluster,
    stop: oneshot::Sender<()>,
    controller: tokio::task::JoinHandle<()>,
    kubelet: tokio::task::JoinHandle<()>,
}

impl Fixture {
    fn start() -> Self {
        let cluster = LocalCluster::start(tekton_local::Options {
            namespaces: vec!["tekton-pipelines".to_owned()],
            ..tekton_local::Options::default()
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let client = cluster.client();
        let controller = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            run(client, options(), stop).await.expect("the controller runs");
        });
        let kubelet = tokio::spawn(end_every_pod(cluster.client()));
        Self { cluster, stop, controller, kubelet }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.cluster.client(), "default")
    }

    async fn stop(self) {
        self.kubelet.abort();
        drop(self.stop);
        self.controller.await.expect("the controller ends");
        self.cluster.stop().await;
    }
}

/// Options with an image for each part of a Pod.
fn options() -> Options {
    let image = || "busybox".to_owned();
    let images = Images {
        entrypoint: image(),
        sidecar_log_results: image(),
        nop: image(),
        shell: image(),
        shell_windows: image(),
        working_dir_init: image(),
    };
    Options { cluster: ClusterFacts { images, ..ClusterFacts::default() }, ..Options::default() }
}

/// Ends every step of every Pod with success; a step that writes results writes its name.
async fn end_every_pod(client: kube::Client) {
    let api: Api<Pod> = Api::namespaced(client, "default");
    loop {
        let pods = api.list(&ListParams::default()).await.expect("pods can be listed");
        for pod in pods.items {
            if pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Succeeded") {
                continue;
            }
            let containers = pod.spec.map(|spec| spec.containers).unwrap_or_default();
            let statuses: Vec<Value> = containers
                .iter()
                .map(|container| {
                    let args = container.args.clone().unwrap_or_default();
                    let results = args.iter().position(|arg| arg == "-results").and_then(|at| args.get(at + 1));
                    let message: Vec<Value> = results
                        .into_iter()
                        .flat_map(|names| names.split(','))
                        .map(|name| json!({"key": name, "value": format!("value of {name}"), "type": 1}))
                        .collect();
                    json!({
                        "name": container.name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                        "state": {"terminated": {"exitCode": 0, "reason": "Completed", "message": json!(message).to_string()}},
                    })
                })
                .collect();
            let status = json!({"status": {"phase": "Succeeded", "containerStatuses": statuses}});
            let name = pod.metadata.name.unwrap_or_default();
            api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
                .await
                .expect("a pod takes a status");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn read<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("the object has the shape of its kind")
}

/// Waits until the run is over; its condition.
async fn over<K>(api: &Api<K>, name: &str, conditions: impl Fn(&K) -> &[Condition]) -> K
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let wait = async {
        loop {
            let run = api.get(name).await.expect("the run is there");
            if condition::succeeded(conditions(&run)).is_some_and(|condition| !condition.is_unknown()) {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the run is over in time")
}

#[tokio::test]
async fn a_task_run_makes_a_pod_and_ends_with_it() {
    let fixture = Fixture::start();
    let api = fixture.api::<TaskRun>();
    let task_run = read(json!({
        "metadata": {"name": "hello"},
        "spec": {"taskSpec": {
            "results": [{"name": "greeting", "type": "string"}],
            "steps": [{"name": "say", "image": "busybox", "script": "echo hello"}],
        }},
    }));
    api.create(&PostParams::default(), &task_run).await.expect("a TaskRun can be created");
    let run = over(&api, "hello", |run| &run.status.conditions).await;
    let condition = condition::succeeded(&run.status.conditions).expect("the run is over");
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("True", "Succeeded"), "{condition:?}");
    assert_eq!(run.status.pod_name, "hello-pod");
    assert_eq!(run.status.results[0].value.as_string(), Some("value of greeting"));
    fixture.stop().await;
}

#[tokio::test]
async fn results_flow_from_one_task_to_the_next() {
    let fixture = Fixture::start();
    let api = fixture.api::<PipelineRun>();
    let step = |script: &str| json!([{"name": "run", "image": "busybox", "script": script}]);
    let pipeline_run = read(json!({
        "metadata": {"name": "two"},
        "spec": {"pipelineSpec": {
            "tasks": [
                {"name": "second",
                 "params": [{"name": "text", "value": "$(tasks.first.results.word)"}],
                 "taskSpec": {"params": [{"name": "text", "type": "string"}],
                              "results": [{"name": "echo", "type": "string"}], "steps": step("echo $(params.text)")}},
                {"name": "first",
                 "taskSpec": {"results": [{"name": "word", "type": "string"}], "steps": step("echo a word")}},
            ],
            "results": [{"name": "all", "value": "$(tasks.first.results.word), $(tasks.second.results.echo)"}],
        }},
    }));
    api.create(&PostParams::default(), &pipeline_run).await.expect("a PipelineRun can be created");
    let run = over(&api, "two", |run| &run.status.conditions).await;
    let condition = condition::succeeded(&run.status.conditions).expect("the run is over");
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("True", "Succeeded"), "{condition:?}");
    assert_eq!(run.status.results[0].value.as_string(), Some("value of word, value of echo"));
    let second = fixture.api::<TaskRun>().get("two-second").await.expect("the task ran");
    assert_eq!(second.spec.params[0].value.as_string(), Some("value of word"));
    fixture.stop().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_read_does_not_hide_the_others_and_its_author_is_told() {
    let fixture = Fixture::start();
    let client = fixture.cluster.client();
    let of_any_shape: Api<DynamicObject> = Api::namespaced_with(client, "default", &ApiResource::erase::<TaskRun>(&()));
    let steps = json!([{"name": "say", "image": "busybox", "script": "echo"}]);
    let bad = read(json!({
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": "bad"},
        "spec": {"timeout": "10 minutes", "taskSpec": {"steps": steps}},
    }));
    of_any_shape.create(&PostParams::default(), &bad).await.expect("there is no admission here");
    let api = fixture.api::<TaskRun>();
    let good = read(json!({"metadata": {"name": "good"}, "spec": {"taskSpec": {"steps": steps}}}));
    api.create(&PostParams::default(), &good).await.expect("a TaskRun can be created");
    over(&api, "good", |run| &run.status.conditions).await;
    let events = fixture.api::<Event>().list(&ListParams::default()).await.expect("events can be listed");
    let told = events.items.iter().find(|event| event.involved_object.name.as_deref() == Some("bad"));
    let message = told.and_then(|event| event.message.as_deref()).unwrap_or_default();
    assert!(message.contains("unknown unit"), "{message:?}");
    fixture.stop().await;
}

#[tokio::test]
async fn of_two_controllers_one_decides_and_the_other_takes_over_when_it_ends() {
    let cluster = LocalCluster::start(tekton_local::Options {
        namespaces: vec!["tekton-pipelines".to_owned()],
        ..tekton_local::Options::default()
    });
    let kubelet = tokio::spawn(end_every_pod(cluster.client()));
    let stand = |identity: &str| {
        let (stop, stopped) = oneshot::channel::<()>();
        let election = Election { retry_period: Duration::from_millis(50), ..Election::new(identity) };
        let options = Options { election: Some(election), ..options() };
        let client = cluster.client();
        let controller = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            run(client, options, stop).await.expect("the controller runs");
        });
        (stop, controller)
    };
    let leases: Api<Lease> = Api::namespaced(cluster.client(), "tekton-pipelines");
    let elected = async |who: &str| {
        let wait = async {
            loop {
                let lease = leases.get_opt("tekton-pipelines-controller").await.expect("leases can be read");
                if lease.and_then(|lease| lease.spec?.holder_identity).as_deref() == Some(who) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the lease is taken in time");
    };
    let (stop_first, first) = stand("first");
    elected("first").await;
    let (stop_second, second) = stand("second");
    let api: Api<TaskRun> = Api::namespaced(cluster.client(), "default");
    for (name, stop_before) in [("under-first", None), ("under-second", Some(stop_first))] {
        if let Some(stop) = stop_before {
            drop(stop);
            elected("second").await;
        }
        let steps = json!([{"name": "say", "image": "busybox", "script": "echo"}]);
        let task_run = read(json!({"metadata": {"name": name}, "spec": {"taskSpec": {"steps": steps}}}));
        api.create(&PostParams::default(), &task_run).await.expect("a TaskRun can be created");
        over(&api, name, |run| &run.status.conditions).await;
    }
    first.await.expect("the first controller has ended");
    drop(stop_second);
    second.await.expect("the second controller ends");
    kubelet.abort();
    cluster.stop().await;
}
