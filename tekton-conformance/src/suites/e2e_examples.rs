//! Suite e2e-examples: upstream's own examples, run on the local cluster as they ran on a real one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tekton_local::kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use tekton_local::kube::core::GroupVersionKind;
use tekton_local::kube::discovery::ApiResource;
use tekton_local::kube::{Client, ResourceExt as _};
use tekton_local::node::NodeOptions;
use tekton_local::{Installation, InstallationOptions};
use tekton_types::yaml;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use super::outcome;
use crate::{Case, cases_dir, diff};

/// How many examples run at a time; they mostly wait.
pub(super) const AT_A_TIME: usize = 12;
/// How long an example may take; the longest sleeps for ten seconds.
const LIMIT: Duration = Duration::from_mins(2);
/// How long an example may take that found no network or no image where it was recorded.
const SHORT_LIMIT: Duration = Duration::from_mins(1);
/// The time between two looks at the runs of an example.
const PAUSE: Duration = Duration::from_millis(50);

/// Flags that upstream's own test of alpha features turns on.
const ALPHA: [&str; 6] = [
    "enable-artifacts",
    "enable-cel-in-whenexpression",
    "enable-concise-resolver-syntax",
    "enable-kubernetes-sidecar",
    "enable-param-enum",
    "enable-termination-message-compression",
];

/// One cluster for each stage of API fields; each example has a namespace of its own in it.
struct World {
    runtime: Runtime,
    clusters: BTreeMap<&'static str, Installation>,
    _dir: tempfile::TempDir,
}

fn world() -> Result<&'static World, String> {
    static WORLD: OnceLock<Result<World, String>> = OnceLock::new();
    WORLD.get_or_init(start).as_ref().map_err(Clone::clone)
}

fn start() -> Result<World, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut clusters = BTreeMap::new();
    for stage in ["stable", "beta", "alpha"] {
        let mut flags = BTreeMap::from([("enable-api-fields".to_owned(), stage.to_owned())]);
        if stage == "alpha" {
            flags.extend(ALPHA.map(|flag| (flag.to_owned(), "true".to_owned())));
            flags.insert("results-from".to_owned(), "sidecar-logs".to_owned());
        }
        let node = NodeOptions { ephemeral: true, ..NodeOptions::new(dir.path().join(stage)) };
        let options = InstallationOptions {
            config_maps: BTreeMap::from([("feature-flags".to_owned(), flags)]),
            ..InstallationOptions::new(node)
        };
        let started = runtime.block_on(Installation::start(options));
        clusters.insert(stage, started.map_err(|error| format!("the local cluster does not start: {error}"))?);
    }
    Ok(World { runtime, clusters, _dir: dir })
}

/// Runs one example and compares what its runs came to.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let world = world()?;
    let stage = case.input["apiFields"].as_str().unwrap_or_default();
    let cluster = world.clusters.get(stage).ok_or_else(|| format!("no such stage of API fields: {stage}"))?;
    let file = case.input["file"].as_str().unwrap_or_default();
    let text = std::fs::read_to_string(examples()?.join(file)).map_err(|error| format!("{file}: {error}"))?;
    let limit = if case.expect["completed"] == true { LIMIT } else { SHORT_LIMIT };
    let runs = world.runtime.block_on(async { run(&cluster.client(), file, &text, limit).await })?;
    diff::equal(&outcome::comparable(&case.expect["runs"]), &outcome::comparable(&runs))
}

/// Where upstream's files are: beside the folder of recorded cases.
fn examples() -> Result<PathBuf, String> {
    let dir = cases_dir().ok_or("there is no folder of recorded cases")?.join("../realworld/tektoncd__pipeline");
    if dir.is_dir() { Ok(dir) } else { Err(format!("upstream's examples are not in {}", dir.display())) }
}

/// Creates what the file holds, in its order, and waits for its runs.
async fn run(client: &Client, file: &str, text: &str, limit: Duration) -> Result<Value, String> {
    let namespace = namespace_of(file);
    let new = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    create(client, None, new).await?;
    let mut runs = Vec::new();
    for document in yaml::parse_each(text) {
        let object = document.map_err(|error| format!("{file}: {}", error.message))?.to_json();
        if object.is_null() {
            continue;
        }
        let is_run = ["TaskRun", "PipelineRun"].iter().any(|kind| object["kind"] == **kind);
        let created = create(client, Some(&namespace), object).await?;
        if is_run {
            runs.push(created);
        }
    }
    let until = Instant::now() + limit;
    let mut outcomes = Vec::new();
    for run in runs {
        let api = api(client, Some(&namespace), &run.resource);
        let done = loop {
            let now = api.get(&run.name).await.map_err(|error| error.to_string())?;
            let now = serde_json::to_value(now).map_err(|error| error.to_string())?;
            let condition = outcome::condition(&now);
            if condition["status"] == "True" || condition["status"] == "False" {
                break now;
            }
            if Instant::now() > until {
                let waiting = waiting(client, &namespace).await;
                return Err(format!("{} is not done after {limit:?}: {condition} {waiting}", run.name));
            }
            sleep(PAUSE).await;
        };
        let children = children(client, &namespace, &done).await?;
        outcomes.push(outcome::of_run(&run.kind, &run.written_name, &done, &children));
    }
    // What the example leaves running, such as a sidecar, is not to slow the next one down.
    let namespaces = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
    drop(self::api(client, None, &namespaces).delete(&namespace, &DeleteParams::default()).await);
    Ok(outcomes.into())
}

/// `examples/v1/taskruns/beta/x.yaml` in namespace `ex-taskruns-beta-x`.
fn namespace_of(file: &str) -> String {
    let path = Path::new(file).with_extension("");
    let parts: Vec<String> =
        path.iter().skip(2).map(|part| part.to_string_lossy().to_lowercase().replace(['_', '.'], "-")).collect();
    let mut name = format!("ex-{}", parts.join("-"));
    name.truncate(63);
    name.trim_end_matches('-').to_owned()
}

struct Created {
    kind: String,
    resource: ApiResource,
    name: String,
    /// The name as the file has it: that of an object whose name is made up is the part before it.
    written_name: String,
}

fn api(client: &Client, namespace: Option<&str>, resource: &ApiResource) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

async fn create(client: &Client, namespace: Option<&str>, object: Value) -> Result<Created, String> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let metadata = &object["metadata"];
    let written_name = metadata["name"].as_str().or(metadata["generateName"].as_str()).unwrap_or_default().to_owned();
    let object: DynamicObject = serde_json::from_value(object).map_err(|error| format!("{kind}: {error}"))?;
    let created = api(client, namespace, &resource)
        .create(&PostParams::default(), &object)
        .await
        .map_err(|error| format!("{kind} {written_name} is refused: {error}"))?;
    Ok(Created { kind, name: created.name_any(), written_name, resource })
}

/// The TaskRuns that a run lists as its children, in its order.
async fn children(client: &Client, namespace: &str, run: &Value) -> Result<Vec<Value>, String> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("tekton.dev", "v1", "TaskRun"));
    let api = api(client, Some(namespace), &resource);
    let mut children = Vec::new();
    for reference in run["status"]["childReferences"].as_array().into_iter().flatten() {
        if reference["kind"] == "TaskRun" {
            let name = reference["name"].as_str().unwrap_or_default();
            let child = api.get(name).await.map_err(|error| error.to_string())?;
            let mut child = serde_json::to_value(child).map_err(|error| error.to_string())?;
            child["pipelineTask"] = reference["pipelineTaskName"].clone();
            children.push(child);
        }
    }
    Ok(children)
}

/// What the containers of a namespace wait for.
async fn waiting(client: &Client, namespace: &str) -> Value {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    let pods = api(client, Some(namespace), &resource).list(&ListParams::default()).await;
    let states = pods.into_iter().flat_map(|pods| pods.items).flat_map(|pod| {
        let statuses = ["initContainerStatuses", "containerStatuses"].map(|field| pod.data["status"][field].clone());
        statuses.into_iter().flat_map(|list| list.as_array().cloned().unwrap_or_default())
    });
    states
        .filter(|status| !status["state"]["waiting"].is_null())
        .map(|status| status["state"]["waiting"].clone())
        .collect()
}
