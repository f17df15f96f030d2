//! Tekton's kinds as clients see them: versions, definitions, schemas.

use std::sync::Arc;

use kube::Client;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tekton_local::{LocalCluster, Options, TektonAdmission, http, kube};

fn cluster() -> LocalCluster {
    LocalCluster::start(Options { admission: vec![Arc::new(TektonAdmission::default())], ..Options::default() })
}

fn api(client: &Client, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').expect("a group and a version");
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::default_namespaced_with(client.clone(), &resource)
}

fn object(value: &Value) -> DynamicObject {
    serde_json::from_value(value.clone()).expect("an object")
}

async fn read(api: &Api<DynamicObject>, name: &str) -> Value {
    serde_json::to_value(api.get(name).await.expect("it is there")).expect("plain data")
}

#[tokio::test]
async fn an_object_is_served_at_each_version_with_its_own_fields() {
    let cluster = cluster();
    let client = cluster.client();
    let (old, new) = (api(&client, "tekton.dev/v1beta1", "Task"), api(&client, "tekton.dev/v1", "Task"));
    let limits = json!({"limits": {"cpu": "1"}});
    let task = json!({"apiVersion": "tekton.dev/v1beta1", "kind": "Task", "metadata": {"name": "t"},
        "spec": {"steps": [{"name": "a", "image": "b", "tty": true, "resources": limits}]}});
    let made = old.create(&PostParams::default(), &object(&task)).await.expect("created");
    assert_eq!(made.types.expect("types").api_version, "tekton.dev/v1beta1");

    let stored = read(&new, "t").await;
    assert_eq!(stored["spec"]["steps"][0], json!({"name": "a", "image": "b", "computeResources": limits}));
    let back = read(&old, "t").await;
    assert_eq!(back["spec"]["steps"][0], task["spec"]["steps"][0], "deprecated fields come back");

    let patch = json!({"spec": {"steps": [{"name": "a", "image": "c", "resources": limits}]}});
    old.patch("t", &PatchParams::default(), &Patch::Merge(&patch)).await.expect("patched at the older version");
    let stored = read(&new, "t").await;
    assert_eq!(stored["spec"]["steps"][0], json!({"name": "a", "image": "c", "computeResources": limits}));
    let listed = old.list(&ListParams::default()).await.expect("listed").items;
    assert_eq!(listed[0].data["spec"]["steps"][0]["resources"], limits);
}

#[tokio::test]
async fn runs_move_their_settings_between_versions() {
    let cluster = cluster();
    let client = cluster.client();
    let (old, new) = (api(&client, "tekton.dev/v1beta1", "PipelineRun"), api(&client, "tekton.dev/v1", "PipelineRun"));
    let run = json!({"apiVersion": "tekton.dev/v1beta1", "kind": "PipelineRun", "metadata": {"name": "r"},
        "spec": {"pipelineRef": {"name": "p"}, "serviceAccountName": "sa", "timeout": "2h"}});
    old.create(&PostParams::default(), &object(&run)).await.expect("created");
    let stored = read(&new, "r").await;
    assert_eq!(stored["spec"]["taskRunTemplate"]["serviceAccountName"], "sa");
    assert_eq!(stored["spec"]["timeouts"]["pipeline"], "2h0m0s");
}

#[tokio::test]
async fn requests_and_step_actions_are_served_at_both_their_versions() {
    let cluster = cluster();
    let client = cluster.client();
    let version = |version: &str| api(&client, &format!("resolution.tekton.dev/{version}"), "ResolutionRequest");
    let request = json!({"apiVersion": "resolution.tekton.dev/v1alpha1", "kind": "ResolutionRequest",
        "metadata": {"name": "r", "labels": {"resolution.tekton.dev/type": "git"}}, "spec": {"params": {"url": "u"}}});
    version("v1alpha1").create(&PostParams::default(), &object(&request)).await.expect("created");
    assert_eq!(read(&version("v1beta1"), "r").await["spec"]["params"], json!([{"name": "url", "value": "u"}]));
    assert_eq!(read(&version("v1alpha1"), "r").await["spec"], request["spec"]);

    let action = json!({"apiVersion": "tekton.dev/v1alpha1", "kind": "StepAction", "metadata": {"name": "s"},
        "spec": {"image": "a", "script": "b"}});
    api(&client, "tekton.dev/v1alpha1", "StepAction")
        .create(&PostParams::default(), &object(&action))
        .await
        .expect("created");
    assert_eq!(read(&api(&client, "tekton.dev/v1beta1", "StepAction"), "s").await["spec"]["script"], "b");
}

#[tokio::test]
async fn a_request_that_the_older_version_cannot_hold_is_still_readable() {
    let cluster = cluster();
    let client = cluster.client();
    let request = json!({"apiVersion": "resolution.tekton.dev/v1beta1", "kind": "ResolutionRequest",
        "metadata": {"name": "r", "labels": {"resolution.tekton.dev/type": "git"}},
        "spec": {"params": [{"name": "list", "value": ["a", "b"]}]}});
    let stored = api(&client, "resolution.tekton.dev/v1beta1", "ResolutionRequest");
    stored.create(&PostParams::default(), &object(&request)).await.expect("created");
    let older = read(&api(&client, "resolution.tekton.dev/v1alpha1", "ResolutionRequest"), "r").await;
    assert_eq!(older["apiVersion"], "resolution.tekton.dev/v1alpha1");
}

#[tokio::test]
async fn the_definitions_of_tektons_kinds_are_objects_of_the_cluster() {
    let cluster = cluster();
    let resource =
        ApiResource::from_gvk(&GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    let crds: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
    let all = crds.list(&ListParams::default()).await.expect("listed").items;
    let names: Vec<&str> = all.iter().filter_map(|crd| crd.metadata.name.as_deref()).collect();
    assert!(names.contains(&"taskruns.tekton.dev") && names.contains(&"resolutionrequests.resolution.tekton.dev"));
    for crd in &all {
        let conditions = crd.data["status"]["conditions"].as_array().expect("conditions");
        assert!(conditions.iter().any(|condition| condition["type"] == "Established" && condition["status"] == "True"));
    }
}

#[tokio::test]
async fn openapi_tells_the_fields_of_every_kind_at_every_version() {
    let cluster = cluster();
    let client = cluster.client();
    let get = async |path: &str| -> Value {
        let request =
            http::Request::get(path).header("Accept", "application/json").body(Vec::new()).expect("a request");
        client.request(request).await.expect("a document")
    };
    let v3 = get("/openapi/v3/apis/tekton.dev/v1").await;
    let schemas = &v3["components"]["schemas"];
    assert_eq!(schemas["dev.tekton.v1.TaskRun"]["properties"]["spec"]["properties"]["retries"]["type"], "integer");
    let older = get("/openapi/v3/apis/tekton.dev/v1beta1").await;
    let step = &older["components"]["schemas"]["dev.tekton.v1beta1.Task"]["properties"]["spec"]["properties"]["steps"];
    assert!(step["items"]["properties"]["resources"].is_object());
    let v2 = get("/openapi/v2").await;
    assert!(v2["definitions"]["dev.tekton.v1.Pipeline"]["properties"]["spec"]["properties"]["finally"].is_object());
}

#[tokio::test]
async fn fields_that_must_be_given_are_asked_for() {
    let cluster = LocalCluster::start(Options::default());
    let tasks = api(&cluster.client(), "tekton.dev/v1", "Task");
    let task = json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "t"},
        "spec": {"params": [{"type": "string"}], "steps": []}});
    let error = tasks.create(&PostParams::default(), &object(&task)).await.expect_err("a parameter has a name");
    assert!(error.to_string().contains("spec.params[0].name: Required value"), "{error}");
}
