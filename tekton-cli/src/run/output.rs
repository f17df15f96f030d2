//! The final objects: one `List` whose first item is the run, followed by every child run.

use kube::api::{Api, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use super::world::RunKey;

/// Kinds of runs with their versions.
const RUN_KINDS: [(&str, &str); 3] = [("PipelineRun", "v1"), ("TaskRun", "v1"), ("CustomRun", "v1beta1")];

/// Fetches the runs and all that they own, each run before its children.
///
/// Errors: the API server does not answer.
pub(crate) async fn final_list(client: &kube::Client, namespace: &str, runs: &[RunKey]) -> kube::Result<Value> {
    let mut all = Vec::new();
    for (kind, version) in RUN_KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("tekton.dev", version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        for object in api.list(&ListParams::default()).await?.items {
            let mut value = serde_json::to_value(&object).map_err(kube::Error::SerdeError)?;
            value["apiVersion"] = json!(format!("tekton.dev/{version}"));
            value["kind"] = json!(kind);
            if let Some(metadata) = value["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            all.push(value);
        }
    }
    all.sort_by(|a, b| created(a).cmp(created(b)));
    let mut items = Vec::new();
    for run in runs {
        let (kind, name) = match run {
            RunKey::Pipeline(name) => ("PipelineRun", name),
            RunKey::Task(name) => ("TaskRun", name),
            RunKey::Custom(name) => ("CustomRun", name),
        };
        if let Some(index) = all.iter().position(|value| value["kind"] == kind && value["metadata"]["name"] == **name) {
            take_with_children(index, &mut all, &mut items);
        }
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}))
}

fn created(value: &Value) -> &str {
    value["metadata"]["creationTimestamp"].as_str().unwrap_or_default()
}

fn take_with_children(index: usize, all: &mut Vec<Value>, items: &mut Vec<Value>) {
    let run = all.remove(index);
    let uid = run["metadata"]["uid"].clone();
    let order: Vec<Value> = run["status"]["childReferences"].as_array().into_iter().flatten().cloned().collect();
    items.push(run);
    let owned = |value: &Value| {
        value["metadata"]["ownerReferences"].as_array().into_iter().flatten().any(|owner| owner["uid"] == uid)
    };
    // In the order in which the run lists its children; one that it does not list comes last.
    for reference in order {
        let child = all.iter().position(|value| {
            value["kind"] == reference["kind"] && value["metadata"]["name"] == reference["name"] && owned(value)
        });
        if let Some(child) = child {
            take_with_children(child, all, items);
        }
    }
    while let Some(child) = all.iter().position(owned) {
        take_with_children(child, all, items);
    }
}
