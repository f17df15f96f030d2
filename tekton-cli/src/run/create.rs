//! Creates what was loaded: namespaces first, then everything that the runs refer to, then the runs.

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use super::load::{Loaded, Run};
use super::workspaces::Workspace;
use super::world::RunKey;

/// Creates everything; returns the runs under the names that they got.
///
/// Errors: an object that the API server refuses, with its kind and name.
pub(crate) async fn all(
    client: &kube::Client,
    namespace: &str,
    loaded: Loaded,
    workspaces: &[Workspace],
) -> Result<Vec<RunKey>, String> {
    for workspace in workspaces {
        if let Some((volume, claim)) = workspace.objects(namespace) {
            let volumes: Api<PersistentVolume> = Api::all(client.clone());
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
            let named = |error: kube::Error| format!("workspace {}: {error}", workspace.name);
            made(volumes.create(&PostParams::default(), &volume).await).map_err(named)?;
            made(claims.create(&PostParams::default(), &claim).await).map_err(named)?;
        }
    }
    for object in loaded.objects {
        create(client, namespace, object).await?;
    }
    let mut runs = Vec::with_capacity(loaded.runs.len());
    for run in loaded.runs {
        runs.push(match run {
            Run::Task(run) => RunKey::Task(create(client, namespace, as_json(&*run)?).await?),
            Run::Pipeline(run) => RunKey::Pipeline(create(client, namespace, as_json(&*run)?).await?),
        });
    }
    Ok(runs)
}

/// An object that is there already is the same: its name says what it stands for.
fn made<K>(created: kube::Result<K>) -> kube::Result<()> {
    match created {
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        created => created.map(drop),
    }
}

fn as_json(run: &impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(run).map_err(|error| error.to_string())
}

/// Creates one object, or replaces what a cluster is born with; returns its name.
async fn create(client: &kube::Client, namespace: &str, mut object: Value) -> Result<String, String> {
    let described = format!(
        "{} {}",
        object["kind"].as_str().unwrap_or("object without a kind"),
        object["metadata"]["name"].as_str().or(object["metadata"]["generateName"].as_str()).unwrap_or_default()
    );
    let Some(resource) = resource_of(&object) else {
        return Err(format!("{described}: `apiVersion` and `kind` are needed"));
    };
    let kind = resource.kind.as_str();
    let api: Api<DynamicObject> = if CLUSTER_WIDE.contains(&kind) {
        Api::all_with(client.clone(), &resource)
    } else {
        let own = object["metadata"]["namespace"].as_str().unwrap_or(namespace).to_owned();
        ensure_namespace(client, &own).await?;
        Api::namespaced_with(client.clone(), &own, &resource)
    };
    if object["metadata"].is_null() {
        object["metadata"] = json!({});
    }
    let typed: DynamicObject = serde_json::from_value(object).map_err(|error| format!("{described}: {error}"))?;
    let created = match api.create(&PostParams::default(), &typed).await {
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" && kind.ends_with("Run") => {
            return Err(format!(
                "{described} is in the data directory already; remove it with `tekton delete`, or use `generateName`"
            ));
        }
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
            let name = typed.metadata.name.clone().unwrap_or_default();
            let force = kube::api::PatchParams::apply("tekton").force();
            api.patch(&name, &force, &kube::api::Patch::Apply(&typed)).await
        }
        created => created,
    };
    match created {
        Ok(created) => Ok(created.metadata.name.unwrap_or_default()),
        Err(kube::Error::Api(status)) => Err(format!("{described}: {}", status.message)),
        Err(error) => Err(format!("{described}: {error}")),
    }
}

/// Kinds of which there is one for the whole cluster; all others live in a namespace.
const CLUSTER_WIDE: [&str; 7] = [
    "Namespace",
    "PersistentVolume",
    "StorageClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PriorityClass",
];

fn resource_of(object: &Value) -> Option<ApiResource> {
    let version = object["apiVersion"].as_str()?;
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    Some(ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, object["kind"].as_str()?)))
}

async fn ensure_namespace(client: &kube::Client, name: &str) -> Result<(), String> {
    let api: Api<Namespace> = Api::all(client.clone());
    let known = api.get_opt(name).await.map_err(|error| error.to_string())?;
    if known.is_none() {
        let new: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).map_err(|e| e.to_string())?;
        api.create(&PostParams::default(), &new).await.map_err(|error| format!("namespace {name}: {error}"))?;
    }
    Ok(())
}
