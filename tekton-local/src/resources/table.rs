//! The built-in resources as one table.

use std::sync::Arc;

use super::{Resource, ScalePaths, Version};

/// group, versions (preferred first), plural, kind, namespaced, short names, status, categories.
type Row = (&'static str, &'static str, &'static str, &'static str, bool, &'static str, bool, &'static str);

const ROWS: &[Row] = &[
    ("", "v1", "bindings", "Binding", true, "", false, ""),
    ("", "v1", "componentstatuses", "ComponentStatus", false, "cs", false, ""),
    ("", "v1", "configmaps", "ConfigMap", true, "cm", false, ""),
    ("", "v1", "endpoints", "Endpoints", true, "ep", false, ""),
    ("", "v1", "events", "Event", true, "ev", false, ""),
    ("", "v1", "limitranges", "LimitRange", true, "limits", false, ""),
    ("", "v1", "namespaces", "Namespace", false, "ns", true, ""),
    ("", "v1", "nodes", "Node", false, "no", true, ""),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, "pvc", true, ""),
    ("", "v1", "persistentvolumes", "PersistentVolume", false, "pv", true, ""),
    ("", "v1", "pods", "Pod", true, "po", true, "all"),
    ("", "v1", "podtemplates", "PodTemplate", true, "", false, ""),
    ("", "v1", "replicationcontrollers", "ReplicationController", true, "rc", true, "all"),
    ("", "v1", "resourcequotas", "ResourceQuota", true, "quota", true, ""),
    ("", "v1", "secrets", "Secret", true, "", false, ""),
    ("", "v1", "serviceaccounts", "ServiceAccount", true, "sa", false, ""),
    ("", "v1", "services", "Service", true, "svc", true, "all"),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        false,
        "",
        false,
        "api-extensions",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false,
        "",
        false,
        "api-extensions",
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
        "crd,crds",
        true,
        "api-extensions",
    ),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", true, "", false, ""),
    ("apps", "v1", "daemonsets", "DaemonSet", true, "ds", true, "all"),
    ("apps", "v1", "deployments", "Deployment", true, "deploy", true, "all"),
    ("apps", "v1", "replicasets", "ReplicaSet", true, "rs", true, "all"),
    ("apps", "v1", "statefulsets", "StatefulSet", true, "sts", true, "all"),
    ("batch", "v1", "cronjobs", "CronJob", true, "cj", true, "all"),
    ("batch", "v1", "jobs", "Job", true, "", true, "all"),
    ("coordination.k8s.io", "v1", "leases", "Lease", true, "", false, ""),
    ("events.k8s.io", "v1", "events", "Event", true, "ev", false, ""),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true, "netpol", false, ""),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true, "pdb", true, ""),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false, "", false, ""),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false, "", false, ""),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true, "", false, ""),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", true, "", false, ""),
    ("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false, "pc", false, ""),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", false, "sc", false, ""),
];

/// Every resource of the table.
pub(super) fn builtin() -> Vec<Resource> {
    ROWS.iter().map(resource).collect()
}

fn resource(&(group, versions, plural, kind, namespaced, short, status, categories): &Row) -> Resource {
    let scale = matches!((group, plural), ("apps", "deployments" | "replicasets" | "statefulsets")).then(|| {
        ScalePaths { spec: ".spec.replicas".to_owned(), status: ".status.replicas".to_owned(), selector: None }
    });
    let served: Vec<Version> = versions
        .split(',')
        .map(|name| Version { name: name.to_owned(), status, scale: scale.clone(), schema: None, columns: Vec::new() })
        .collect();
    let list = |text: &str| text.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (storage, key) = if group == "events.k8s.io" {
        ("v1".to_owned(), "/events".to_owned())
    } else if group.is_empty() {
        (served[0].name.clone(), format!("/{plural}"))
    } else {
        (format!("{group}/{}", served[0].name), format!("{group}/{plural}"))
    };
    Resource {
        group: group.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        namespaced,
        short_names: list(short),
        categories: list(categories),
        versions: served,
        storage,
        custom: false,
        key: Arc::from(key),
    }
}
