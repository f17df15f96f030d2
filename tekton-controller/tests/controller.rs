//! The controller against the embedded API server, with a kubelet that ends every Pod at once.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tekton_controller::{Options, run};
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
