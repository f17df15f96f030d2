//! What a cluster is born with besides namespaces: its roles, and the node that this machine is.

use serde_json::{Value, json};

use crate::api::{Api, now};

const ROLES: &str = "rbac.authorization.k8s.io/clusterroles";
const BINDINGS: &str = "rbac.authorization.k8s.io/clusterrolebindings";
/// The name under which this machine is a node.
pub(crate) const NODE: &str = "tekton-local";

/// Makes the roles of every cluster and, when pods are to run, the node.
pub(crate) fn bootstrap(api: &Api, runs: bool) {
    let all =
        json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]);
    // What the aggregated roles of a cluster come to, without the parts about access itself.
    let namespaced = |verbs: Value| {
        json!([{
            "apiGroups": ["", "apps", "batch", "coordination.k8s.io", "events.k8s.io", "networking.k8s.io", "policy",
                "tekton.dev", "resolution.tekton.dev"],
            "resources": ["*"], "verbs": verbs,
        }])
    };
    let edit = json!(["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]);
    let view = json!([{
        "apiGroups": ["", "apps", "batch", "events.k8s.io", "tekton.dev", "resolution.tekton.dev"],
        "resources": ["configmaps", "deployments", "events", "jobs", "limitranges", "persistentvolumeclaims", "pipelineruns",
            "pipelines", "pods", "pods/log", "replicasets", "resourcequotas", "serviceaccounts", "services",
            "statefulsets", "stepactions", "taskruns", "tasks", "customruns", "resolutionrequests"],
        "verbs": ["get", "list", "watch"],
    }]);
    for (name, rules) in
        [("cluster-admin", all), ("admin", namespaced(edit.clone())), ("edit", namespaced(edit)), ("view", view)]
    {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        api.ensure(ROLES, role);
    }
    api.ensure(
        BINDINGS,
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "cluster-admin"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:masters"}],
        }),
    );
    if runs {
        api.ensure("/nodes", node());
    }
}

fn node() -> Value {
    let (os, arch) = (std::env::consts::OS, architecture());
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
    let capacity = json!({"cpu": cpus, "memory": memory(), "pods": "1000"});
    let time = now();
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "", "lastHeartbeatTime": time, "lastTransitionTime": time,
        })
    };
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NODE, "labels": {
            "kubernetes.io/hostname": NODE, "kubernetes.io/os": os, "kubernetes.io/arch": arch,
            "node-role.kubernetes.io/control-plane": "",
        }},
        "spec": {},
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "nodeInfo": {
                "operatingSystem": os, "architecture": arch, "kubeletVersion": "v1.32.0", "kubeProxyVersion": "",
                "kernelVersion": kernel(), "osImage": os, "containerRuntimeVersion": "host://1",
                "machineID": "", "systemUUID": "", "bootID": "",
            },
        },
    })
}

/// The processor as Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn memory() -> String {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    total.map_or_else(|| "0".to_owned(), |total| format!("{}Ki", total.trim()))
}
