//! Who may do what, and how much of it: tokens, roles, quotas and limits.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenReview};
use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, Node, Pod, ResourceQuota, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tekton_local::{LocalCluster, Options, Serving};

async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: kube::Resource + Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object).await.expect("created")
}

/// A client over HTTPS that has this token.
async fn with_token(serving: &Serving, token: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&serving.kubeconfig).expect("a kubeconfig");
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
    config.auth_info.token = Some(token.to_owned().into());
    Client::try_from(config).expect("a client")
}

fn refused(error: &kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_service_account_may_do_what_its_roles_say_while_it_exists() {
    let cluster = LocalCluster::start(Options::default());
    let owner = cluster.client();
    let accounts: Api<ServiceAccount> = Api::default_namespaced(owner.clone());
    create(&accounts, json!({"metadata": {"name": "builder"}})).await;
    let asked = accounts.create_token_request("builder", &PostParams::default(), &TokenRequest::default()).await;
    let token = asked.expect("a token").status.and_then(|status| status.token).expect("a token");

    let serving = cluster.serve(([127, 0, 0, 1], 0).into()).await.expect("served");
    let builder = with_token(&serving, &token).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(builder.clone());
    let (code, message) = refused(&maps.list(&ListParams::default()).await.expect_err("no role says so"));
    assert_eq!(code, 403);
    assert_eq!(
        message,
        "configmaps is forbidden: User \"system:serviceaccount:default:builder\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\""
    );

    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]);
    create(&Api::<Role>::default_namespaced(owner.clone()), json!({"metadata": {"name": "reader"}, "rules": rules}))
        .await;
    let binding = json!({
        "metadata": {"name": "reader"}, "subjects": [{"kind": "ServiceAccount", "name": "builder", "namespace": "default"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
    });
    create(&Api::<RoleBinding>::default_namespaced(owner.clone()), binding).await;
    maps.list(&ListParams::default()).await.expect("the role says so");
    let secrets: Api<Secret> = Api::default_namespaced(builder.clone());
    assert_eq!(refused(&secrets.list(&ListParams::default()).await.expect_err("no role says so")).0, 403);
    let elsewhere: Api<ConfigMap> = Api::namespaced(builder.clone(), "kube-system");
    assert_eq!(
        refused(&elsewhere.list(&ListParams::default()).await.expect_err("the role is of one namespace")).0,
        403
    );

    let review: TokenReview = create(&Api::all(owner.clone()), json!({"metadata": {}, "spec": {"token": token}})).await;
    let status = review.status.expect("a status");
    assert_eq!(status.authenticated, Some(true));
    assert_eq!(status.user.and_then(|user| user.username).as_deref(), Some("system:serviceaccount:default:builder"));
    let forged = with_token(&serving, &format!("{}A", &token[..token.len() - 1])).await;
    let forged: Api<ConfigMap> = Api::default_namespaced(forged);
    assert_eq!(refused(&forged.list(&ListParams::default()).await.expect_err("nobody signed it")).0, 401);
    accounts.delete("builder", &DeleteParams::default()).await.expect("deleted");
    assert_eq!(refused(&maps.list(&ListParams::default()).await.expect_err("the account is gone")).0, 401);
    cluster.stop().await;
}

fn pod(name: &str, resources: &Value) -> Pod {
    let container = json!({"name": "c", "image": "i", "resources": resources});
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"containers": [container]}})).expect("a pod")
}

#[tokio::test]
async fn a_quota_holds_and_counts() {
    let cluster = LocalCluster::start(Options::default());
    let quotas: Api<ResourceQuota> = Api::default_namespaced(cluster.client());
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    create(&quotas, json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2", "requests.cpu": "1"}}})).await;
    let params = PostParams::default();
    let half = json!({"requests": {"cpu": "500m"}});
    pods.create(&params, &pod("one", &half)).await.expect("there is room");
    let (code, message) = refused(&pods.create(&params, &pod("two", &json!({}))).await.expect_err("it does not say"));
    assert_eq!(
        (code, message.as_str()),
        (403, "pods \"two\" is forbidden: failed quota: few: must specify requests.cpu for: c")
    );
    let much = json!({"requests": {"cpu": "600m"}});
    let (_, message) = refused(&pods.create(&params, &pod("two", &much)).await.expect_err("it asks for too much"));
    assert_eq!(
        message,
        "pods \"two\" is forbidden: exceeded quota: few, requested: requests.cpu=600m, used: requests.cpu=500m, limited: requests.cpu=1"
    );
    pods.create(&params, &pod("two", &half)).await.expect("there is room");
    let used = quotas.get("few").await.expect("it is there").status.and_then(|status| status.used).expect("counted");
    assert_eq!((used["pods"].0.as_str(), used["requests.cpu"].0.as_str()), ("2", "1"));
    let (_, message) = refused(&pods.create(&params, &pod("three", &half)).await.expect_err("there is no room"));
    assert!(message.contains("pods=1, used: pods=2, limited: pods=2") || message.contains("used: pods=2"), "{message}");
    pods.delete("one", &DeleteParams::default()).await.expect("deleted");
    pods.create(&params, &pod("three", &half)).await.expect("there is room again");
    // Of many at once, no more pass than there is room for.
    pods.delete("two", &DeleteParams::default()).await.expect("deleted");
    let names: Vec<String> = (0..8).map(|i| format!("many-{i}")).collect();
    let all = futures::future::join_all(names.iter().map(|name| {
        let (pods, params, pod) = (pods.clone(), params.clone(), pod(name, &half));
        async move { pods.create(&params, &pod).await.is_ok() }
    }));
    assert_eq!(all.await.into_iter().filter(|created| *created).count(), 1);
    cluster.stop().await;
}

#[tokio::test]
async fn containers_get_the_defaults_of_their_namespace_and_keep_its_limits() {
    let cluster = LocalCluster::start(Options::default());
    let limit = json!({"type": "Container", "max": {"memory": "1Gi"}, "defaultRequest": {"memory": "64Mi"}});
    let ranges: Api<LimitRange> = Api::default_namespaced(cluster.client());
    create(&ranges, json!({"metadata": {"name": "sane"}, "spec": {"limits": [limit]}})).await;
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let made = pods.create(&PostParams::default(), &pod("small", &json!({}))).await.expect("created");
    let resources = serde_json::to_value(&made.spec.expect("a spec").containers[0].resources).expect("JSON");
    assert_eq!(resources, json!({"limits": {"memory": "1Gi"}, "requests": {"memory": "64Mi"}}));
    let large = json!({"limits": {"memory": "2Gi"}});
    let error = pods.create(&PostParams::default(), &pod("large", &large)).await.expect_err("it is too large");
    assert_eq!(
        refused(&error).1,
        "pods \"large\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn this_machine_is_a_ready_node() {
    let cluster = LocalCluster::start(Options::default());
    let nodes: Api<Node> = Api::all(cluster.client());
    let status = nodes.get("tekton-local").await.expect("a node").status.expect("a status");
    let ready = status.conditions.expect("conditions").into_iter().find(|condition| condition.type_ == "Ready");
    assert_eq!(ready.expect("told").status, "True");
    assert!(status.capacity.expect("told").contains_key("memory"));
    cluster.stop().await;
}

#[tokio::test]
async fn a_request_in_the_name_of_another_has_the_rights_of_the_other() {
    let cluster = LocalCluster::start(Options::default());
    let ask = |user: &'static str| {
        let api = std::sync::Arc::clone(cluster.api());
        async move {
            let request = http::Request::get("/api/v1/namespaces/default/secrets").header("impersonate-user", user);
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            api.handle(&parts, bytes::Bytes::new()).await.status().as_u16()
        }
    };
    assert_eq!(ask("jane").await, 403);
    let granted = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]);
    let roles: Api<Role> = Api::default_namespaced(cluster.client());
    create(&roles, json!({"metadata": {"name": "reader"}, "rules": granted})).await;
    let bindings: Api<RoleBinding> = Api::default_namespaced(cluster.client());
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"});
    let jane = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]);
    create(&bindings, json!({"metadata": {"name": "reader"}, "roleRef": role, "subjects": jane})).await;
    assert_eq!(ask("jane").await, 200);
    assert_eq!(ask("joe").await, 403);
}
