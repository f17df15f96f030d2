//! The embedded cluster as its clients see it.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy, WatchEvent,
    WatchParams,
};
use kube::core::ApiResource;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::json;
use tekton_local::k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use tekton_local::{LocalCluster, Options, kube};

fn config_map(name: &str, label: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": {"app": label}}, "data": {"a": "1"}}))
        .expect("the object is a ConfigMap")
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::default_namespaced(client.clone())
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within half a minute: {what}");
}

fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("no answer of the server: {other}"),
    }
}

#[tokio::test]
async fn a_stale_update_conflicts() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    let made = api.create(&PostParams::default(), &config_map("one", "x")).await.expect("created");
    let mut changed = made.clone();
    changed.data.get_or_insert_default().insert("b".to_owned(), "2".to_owned());
    api.replace("one", &PostParams::default(), &changed).await.expect("replaced");
    let stale = api.replace("one", &PostParams::default(), &made).await.expect_err("the resource version is old");
    assert_eq!(code(&stale), 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_its_node_removes_at_the_mark_of_a_deletion_was_deleted_by_it() {
    let cluster = LocalCluster::start(Options::default());
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let mut changes = pods.watch(&WatchParams::default(), "0").await.expect("watched").boxed();
    let node = pods.clone();
    let removing = tokio::spawn(async move {
        let now = DeleteParams::default().grace_period(0);
        while let Some(Ok(change)) = changes.next().await {
            if let WatchEvent::Modified(pod) = change
                && pod.metadata.deletion_timestamp.is_some()
            {
                // Who asked for the deletion may have been quicker.
                drop(node.delete(&pod.name_any(), &now).await);
            }
        }
    });
    let spec = json!({"nodeName": "n", "containers": [{"name": "c", "image": "i"}]});
    for round in 0..200 {
        let name = format!("p{round}");
        let pod = json!({"metadata": {"name": name}, "spec": spec});
        pods.create(&PostParams::default(), &serde_json::from_value(pod).expect("a Pod")).await.expect("created");
        let done = Patch::Merge(json!({"status": {"phase": "Failed"}}));
        pods.patch_status(&name, &PatchParams::default(), &done).await.expect("it is done");
        pods.delete(&name, &DeleteParams::default()).await.expect("deleted");
    }
    removing.abort();
}

#[tokio::test]
async fn names_are_generated_until_one_is_free() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    let mut new = config_map("", "x");
    new.metadata.name = None;
    new.metadata.generate_name = Some("gen-".to_owned());
    let one = api.create(&PostParams::default(), &new).await.expect("created");
    let two = api.create(&PostParams::default(), &new).await.expect("created");
    assert!(one.name_any().starts_with("gen-"));
    assert_ne!(one.name_any(), two.name_any());
}

#[tokio::test]
async fn lists_select_and_come_in_pages() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    for i in 0..10 {
        let label = if i % 2 == 0 { "even" } else { "odd" };
        api.create(&PostParams::default(), &config_map(&format!("m{i}"), label)).await.expect("created");
    }
    let even = api.list(&ListParams::default().labels("app=even")).await.expect("listed");
    assert_eq!(even.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["m0", "m2", "m4", "m6", "m8"]);
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let mut page = ListParams::default().labels("app").limit(3);
        page.continue_token.clone_from(&token);
        let page = api.list(&page).await.expect("listed");
        names.extend(page.items.iter().map(ResourceExt::name_any));
        token = page.metadata.continue_.filter(|t| !t.is_empty());
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 10);
}

#[tokio::test]
async fn a_watch_continues_where_a_list_ended() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    let version =
        api.list(&ListParams::default()).await.expect("listed").metadata.resource_version.expect("lists have one");
    api.create(&PostParams::default(), &config_map("one", "x")).await.expect("created");
    let patch = Patch::Merge(json!({"data": {"b": "2"}}));
    api.patch("one", &PatchParams::default(), &patch).await.expect("patched");
    api.delete("one", &DeleteParams::default()).await.expect("deleted");
    let events = api.watch(&WatchParams::default(), &version).await.expect("watching").take(3);
    let kinds: Vec<&str> = events
        .map_ok(|event| match event {
            WatchEvent::Added(_) => "added",
            WatchEvent::Modified(_) => "modified",
            WatchEvent::Deleted(_) => "deleted",
            WatchEvent::Bookmark(_) | WatchEvent::Error(_) => "other",
        })
        .try_collect()
        .await
        .expect("the watch goes on");
    assert_eq!(kinds, ["added", "modified", "deleted"]);
}

#[tokio::test]
async fn a_watch_from_compacted_history_is_told_to_list_again() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    let version =
        api.list(&ListParams::default()).await.expect("listed").metadata.resource_version.expect("lists have one");
    api.create(&PostParams::default(), &config_map("one", "x")).await.expect("created");
    cluster.api().store.compact();
    let mut events = api.watch(&WatchParams::default(), &version).await.expect("watching").boxed();
    match events.next().await {
        Some(Ok(WatchEvent::Error(status))) => assert_eq!(status.code, 410),
        other => panic!("no error event: {other:?}"),
    }
}

#[tokio::test]
async fn an_informer_with_a_streaming_list_sees_everything() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    for i in 0..20 {
        api.create(&PostParams::default(), &config_map(&format!("m{i}"), "x")).await.expect("created");
    }
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let mut events = watcher(api.clone(), config.labels("app=x")).boxed();
        let mut seen = 0;
        loop {
            match events.next().await.expect("a watcher never ends").expect("the server answers") {
                watcher::Event::InitApply(_) => seen += 1,
                watcher::Event::InitDone => break,
                _ => {}
            }
        }
        assert_eq!(seen, 20);
    }
}

#[tokio::test]
async fn dependents_go_with_their_owner() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    let owner = api.create(&PostParams::default(), &config_map("owner", "x")).await.expect("created");
    let mut parent = owner;
    for name in ["child", "grandchild"] {
        let mut new = config_map(name, "x");
        new.metadata.owner_references = serde_json::from_value(json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": parent.name_any(), "uid": parent.uid(), "controller": true,
            "blockOwnerDeletion": true,
        }]))
        .expect("owner references");
        parent = api.create(&PostParams::default(), &new).await.expect("created");
    }
    let foreground =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
    api.delete("owner", &foreground).await.expect("deleted");
    eventually("everything is gone", async || {
        api.list(&ListParams::default().labels("app=x")).await.is_ok_and(|l| l.items.is_empty())
    })
    .await;
}

#[tokio::test]
async fn an_orphan_stays_when_its_owner_goes() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    let owner = api.create(&PostParams::default(), &config_map("owner", "x")).await.expect("created");
    let mut child = config_map("child", "x");
    child.metadata.owner_references =
        serde_json::from_value(json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid()}]))
            .expect("owners");
    api.create(&PostParams::default(), &child).await.expect("created");
    let orphan = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    api.delete("owner", &orphan).await.expect("deleted");
    eventually("the owner is gone", async || api.get_opt("owner").await.is_ok_and(|o| o.is_none())).await;
    let child = api.get("child").await.expect("the orphan is there");
    assert!(child.metadata.owner_references.is_none_or(|owners| owners.is_empty()));
}

#[tokio::test]
async fn a_namespace_takes_its_content_with_it() {
    let cluster = LocalCluster::start(Options::default());
    let client = cluster.client();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let new = serde_json::from_value(json!({"metadata": {"name": "team"}})).expect("a namespace");
    namespaces.create(&PostParams::default(), &new).await.expect("created");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "team");
    assert!(accounts.get("default").await.is_ok(), "a namespace has its service account from the start");
    let maps: Api<ConfigMap> = Api::namespaced(client, "team");
    maps.create(&PostParams::default(), &config_map("one", "x")).await.expect("created");
    namespaces.delete("team", &DeleteParams::default()).await.expect("deleted");
    eventually("the namespace is gone", async || namespaces.get_opt("team").await.is_ok_and(|n| n.is_none())).await;
    assert!(maps.get_opt("one").await.expect("answered").is_none());
    let refused = namespaces.delete("default", &DeleteParams::default()).await.expect_err("it stays");
    assert_eq!((code(&refused), refused.to_string().contains("this namespace may not be deleted")), (403, true));
}

#[tokio::test]
async fn status_is_written_apart_from_the_rest() {
    let cluster = LocalCluster::start(Options::default());
    let api: Api<Pod> = Api::default_namespaced(cluster.client());
    let new = serde_json::from_value(
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}),
    )
    .expect("a pod");
    let made = api.create(&PostParams::default(), &new).await.expect("created");
    assert_eq!(made.spec.as_ref().and_then(|s| s.service_account_name.as_deref()), Some("default"));
    let patch = Patch::Merge(json!({"status": {"phase": "Running"}}));
    let ignored = api.patch("p", &PatchParams::default(), &patch).await.expect("patched");
    assert_eq!(ignored.status.and_then(|s| s.phase).as_deref(), Some("Pending"));
    let written = api.patch_status("p", &PatchParams::default(), &patch).await.expect("patched");
    assert_eq!(written.status.and_then(|s| s.phase).as_deref(), Some("Running"));
}

#[tokio::test]
async fn a_patch_after_which_an_object_cannot_be_read_is_invalid() {
    let cluster = LocalCluster::start(Options::default());
    let maps = maps(&cluster.client());
    maps.create(&PostParams::default(), &config_map("one", "x")).await.expect("created");
    let patch = json!({"data": {"a": 1}});
    let refused = maps.patch("one", &PatchParams::default(), &Patch::Merge(&patch)).await.expect_err("no text");
    assert_eq!(code(&refused), 422);
    assert!(refused.to_string().contains("is invalid: patch: Invalid value"), "{refused}");
    assert!(refused.to_string().contains("cannot unmarshal number"), "{refused}");
}

#[tokio::test]
async fn a_running_pod_is_given_time_to_end() {
    let cluster = LocalCluster::start(Options::default());
    let api: Api<Pod> = Api::default_namespaced(cluster.client());
    let new =
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}});
    api.create(&PostParams::default(), &serde_json::from_value(new).expect("a pod")).await.expect("created");
    let answer = api.delete("p", &DeleteParams::default()).await.expect("deleted");
    let pod = answer.left().expect("the pod is answered");
    assert_eq!(pod.metadata.deletion_grace_period_seconds, Some(30));
    api.delete("p", &DeleteParams::default().grace_period(0)).await.expect("deleted");
    assert!(api.get_opt("p").await.expect("answered").is_none());
}

#[tokio::test]
async fn apply_refuses_fields_of_others_unless_forced() {
    let cluster = LocalCluster::start(Options::default());
    let api = maps(&cluster.client());
    let apply = |value: &str| {
        Patch::Apply(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": value}}),
        )
    };
    api.patch("one", &PatchParams::apply("first"), &apply("1")).await.expect("applied");
    let refused = api.patch("one", &PatchParams::apply("second"), &apply("2")).await.expect_err("the field is owned");
    assert_eq!(code(&refused), 409);
    let forced = api.patch("one", &PatchParams::apply("second").force(), &apply("2")).await.expect("forced");
    assert_eq!(forced.data.and_then(|d| d.get("a").cloned()).as_deref(), Some("2"));
}

#[tokio::test]
async fn a_custom_resource_is_served_as_its_definition_says() {
    let cluster = LocalCluster::start(Options::default());
    let client = cluster.client();
    let resource = ApiResource {
        group: "example.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "example.com/v1".to_owned(),
        kind: "Thing".to_owned(),
        plural: "things".to_owned(),
    };
    let definitions = ApiResource {
        group: "apiextensions.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    };
    let definition = json!({
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"}, "versions": [{
            "name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "n": {"type": "integer", "minimum": 1, "default": 3},
            }}}}},
        }]},
    });
    let mut definition: DynamicObject = serde_json::from_value(definition).expect("an object");
    definition.types =
        Some(kube::core::TypeMeta { api_version: definitions.api_version.clone(), kind: definitions.kind.clone() });
    let definitions = Api::<DynamicObject>::all_with(client.clone(), &definitions);
    definitions.create(&PostParams::default(), &definition).await.expect("created");
    let maps = maps(&client);
    maps.create(&PostParams::default(), &config_map("one", "x")).await.expect("created");
    let things: Api<DynamicObject> = Api::default_namespaced_with(client, &resource);
    let made = things
        .create(&PostParams::default(), &DynamicObject::new("one", &resource).data(json!({"spec": {"x": 1}})))
        .await
        .expect("created");
    assert_eq!(made.data["spec"], json!({"n": 3}));
    let wrong = DynamicObject::new("two", &resource).data(json!({"spec": {"n": 0}}));
    assert_eq!(code(&things.create(&PostParams::default(), &wrong).await.expect_err("it violates the schema")), 422);
    // Finalizers of custom resources, and of their definitions, need no domain.
    let kept = json!({"metadata": {"finalizers": ["keeper.example.com"], "labels": {"a": "b"}}});
    things.patch("one", &PatchParams::default(), &Patch::Merge(&kept)).await.expect("patched");
    definitions.patch("things.example.com", &PatchParams::default(), &Patch::Merge(&kept)).await.expect("patched");
    let refused = maps.patch("one", &PatchParams::default(), &Patch::Merge(&kept)).await.expect_err("it has no domain");
    assert_eq!(code(&refused), 422);
}

#[tokio::test]
async fn the_server_listens_on_loopback_only_and_wants_its_token() {
    let cluster = LocalCluster::start(Options::default());
    assert!(cluster.serve(([0, 0, 0, 0], 0).into()).await.is_err());
    let serving = cluster.serve(([127, 0, 0, 1], 0).into()).await.expect("served");
    let kubeconfig = kube::config::Kubeconfig::from_yaml(&serving.kubeconfig).expect("a kubeconfig");
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default())
        .await
        .expect("a configuration");
    let client = Client::try_from(config.clone()).expect("a client");
    assert!(maps(&client).list(&ListParams::default()).await.is_ok());
    config.auth_info.token = Some("guess".to_owned().into());
    let stranger = Client::try_from(config).expect("a client");
    assert_eq!(code(&maps(&stranger).list(&ListParams::default()).await.expect_err("the token is wrong")), 401);
}
