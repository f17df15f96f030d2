//! The Pods of all of upstream's examples are accepted by the embedded API server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use serde_json::{Value, json};
use tekton_conformance::world::{World, kind_called};
use tekton_engine::{Kind, Object};
use tekton_local::kube::api::{Api, PostParams};
use tekton_local::kube::{Client, Error};
use tekton_local::{LocalCluster, Options};
use tekton_types::v1::{PipelineRun, TaskRun};

use super::generate::Scenario;
use super::taskruns::admitted;

const NAMESPACE: &str = "default";
/// Rounds of the controller; the deepest example needs fewer.
const ROUNDS: usize = 12;

fn examples() -> Option<PathBuf> {
    let folder = tekton_conformance::cases_dir()?.join("../realworld/tektoncd__pipeline/examples");
    folder.is_dir().then_some(folder)
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder is readable").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, into);
        } else if entry.extension().is_some_and(|end| end == "yaml") {
            into.push(entry);
        }
    }
}

/// The documents of a file, each with a name, a namespace and an identity.
fn documents(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("an example is readable");
    let parsed = tekton_types::yaml::parse(&text).expect("an example is YAML");
    let mut documents: Vec<Value> =
        parsed.iter().map(tekton_types::yaml::Document::to_json).filter(Value::is_object).collect();
    for (index, document) in documents.iter_mut().enumerate() {
        let metadata = &mut document["metadata"];
        if metadata["name"].is_null() {
            let prefix = metadata["generateName"].as_str().unwrap_or("example-").to_owned();
            metadata["name"] = format!("{prefix}{index}").into();
        }
        metadata["namespace"] = NAMESPACE.into();
        metadata["uid"] = format!("uid-{index}").into();
    }
    documents
}

fn is_run(document: &Value) -> bool {
    document["kind"] == "TaskRun" || document["kind"] == "PipelineRun"
}

/// The world of a file; `None` when nothing runs in it, or it is refused under these flags.
fn world(file: &Path, flags: &[(&str, &str)]) -> Option<World> {
    let mut documents = documents(file);
    documents.retain(|document| kind_called(document["kind"].as_str().unwrap_or_default()).is_some());
    let first = documents.iter().position(is_run)?;
    let run = documents.remove(first);
    if !documents
        .iter()
        .any(|document| document["kind"] == "ServiceAccount" && document["metadata"]["name"] == "default")
    {
        documents.push(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": NAMESPACE, "uid": "account"}}));
    }
    let flags = flags.iter().map(|(flag, value)| ((*flag).to_owned(), (*value).to_owned())).collect();
    admitted(&Scenario { run, objects: documents, flags }).ok()
}

fn names(world: &World, kind: Kind) -> Vec<String> {
    world.objects.keys().filter(|key| key.kind == kind).map(|key| key.name.clone()).collect()
}

/// Ends every step of a Pod well, with a value for each result that its task declares.
fn succeed(world: &mut World, pod: &Pod) {
    let name = pod.metadata.labels.as_ref().and_then(|labels| labels.get("tekton.dev/taskRun"));
    let run = name.and_then(|name| world.get::<TaskRun>(NAMESPACE, name));
    let declared = run.and_then(|run| run.status.task_spec.as_ref()).map(|spec| spec.results.clone());
    let results: Vec<Value> = declared
        .unwrap_or_default()
        .iter()
        .map(|result| {
            let value = match result.type_.as_str() {
                "array" => json!(["x", "y"]).to_string(),
                "object" => {
                    json!(result.properties.keys().map(|key| (key, "x")).collect::<std::collections::BTreeMap<_, _>>())
                        .to_string()
                }
                _ => "x".to_owned(),
            };
            json!({"key": result.name, "value": value, "type": 1})
        })
        .collect();
    let message = Value::from(results).to_string();
    let ended = |name: &str| json!({"name": name, "state": {"terminated": {"exitCode": 0, "message": message}}});
    let spec = pod.spec.as_ref().expect("a built Pod has a spec");
    let statuses: Vec<Value> = spec.containers.iter().map(|container| ended(&container.name)).collect();
    let mut pod = pod.clone();
    pod.status = serde_json::from_value(json!({"phase": "Succeeded", "containerStatuses": statuses})).ok();
    world.put(Object::Pod(Arc::new(pod)));
}

/// Creates an object, which may be there already.
async fn create<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: tekton_local::kube::Resource + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    match api.create(&PostParams::default(), object).await {
        Err(Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Plays a file to its end; how many Pods were accepted, and which were not.
async fn play(world: &mut World, client: &Client) -> (usize, Vec<String>) {
    let (mut seen, mut refused) = (BTreeSet::new(), Vec::new());
    for name in names(world, Kind::ServiceAccount) {
        let account = world.get::<ServiceAccount>(NAMESPACE, &name).expect("it was just listed");
        let mut account = (**account).clone();
        account.metadata.uid = None;
        create(&Api::namespaced(client.clone(), NAMESPACE), &account).await.expect("an account is accepted");
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    for _ in 0..ROUNDS {
        for name in names(world, Kind::PipelineRun) {
            world.pass::<PipelineRun>(NAMESPACE, &name);
        }
        for name in names(world, Kind::TaskRun) {
            world.pass::<TaskRun>(NAMESPACE, &name);
        }
        for name in names(world, Kind::Pod) {
            if !seen.insert(name.clone()) {
                continue;
            }
            let pod = Arc::clone(world.get::<Pod>(NAMESPACE, &name).expect("it was just listed"));
            let mut new = (*pod).clone();
            (new.metadata.uid, new.metadata.creation_timestamp, new.status) = (None, None, None);
            // Names are unique within a file only.
            new.metadata.name = None;
            new.metadata.generate_name = Some("example-".to_owned());
            // The identities that the world gives are longer than those of a cluster.
            let labels = new.metadata.labels.get_or_insert_default();
            labels.insert("tekton.dev/taskRunUID".to_owned(), "00000000-0000-4000-8000-000000000000".to_owned());
            if let Err(error) = pods.create(&PostParams::default(), &new).await {
                refused.push(format!("{name}: {error}"));
            }
            succeed(world, &pod);
        }
    }
    (seen.len(), refused)
}

#[tokio::test]
async fn the_pods_of_all_examples_are_accepted_by_the_api_server() {
    let Some(folder) = examples() else {
        eprintln!("skipped: there is no folder of upstream's examples");
        return;
    };
    let mut all = Vec::new();
    files(&folder, &mut all);
    let cluster = LocalCluster::start(Options::default());
    let client = cluster.client();
    let alpha = ("enable-api-fields", "alpha");
    let common =
        [alpha, ("enable-artifacts", "true"), ("enable-param-enum", "true"), ("enable-cel-in-whenexpression", "true")];
    let strict = [
        ("results-from", "sidecar-logs"),
        ("set-security-context", "true"),
        ("enable-kubernetes-sidecar", "true"),
        ("keep-pod-on-cancel", "true"),
    ];
    // With results in logs, which nobody prints here, the tasks that wait for results have no Pods.
    for (flags, least) in [(common.to_vec(), 200), ([&common[..], &strict].concat(), 150)] {
        let (mut accepted, mut files_with_pods, mut refused) = (0, 0, Vec::new());
        for file in &all {
            let Some(mut world) = world(file, &flags) else { continue };
            let (pods, faults) = play(&mut world, &client).await;
            accepted += pods - faults.len();
            files_with_pods += usize::from(pods > 0);
            refused.extend(faults.into_iter().map(|fault| format!("{}: {fault}", file.display())));
        }
        assert!(refused.is_empty(), "{} Pods are refused:\n{}", refused.len(), refused.join("\n"));
        assert!(files_with_pods >= 120 && accepted >= least, "only {files_with_pods} files came to {accepted} Pods");
        eprintln!("{accepted} Pods of {files_with_pods} files were accepted");
    }
    cluster.stop().await;
}
