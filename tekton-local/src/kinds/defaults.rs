//! Defaults of built-in kinds.

use serde_json::{Map, Value, json};

use crate::api::{Api, Target};

/// Sets a field that is absent.
pub(super) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut()
        && fields.get(field).is_none_or(Value::is_null)
    {
        fields.insert(field.to_owned(), value);
    }
}

/// The items of a list, to be changed; nothing when there is no list.
pub(super) fn items<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Makes sure that a field is an object.
pub(super) fn object_at<'a>(object: &'a mut Value, field: &str) -> &'a mut Value {
    if !object[field].is_object() {
        object[field] = Value::Object(Map::new());
    }
    &mut object[field]
}

/// Fills in what the kind leaves to the server.
pub(super) fn apply(target: &Target, object: &mut Value) {
    match (target.resource.group.as_str(), target.resource.kind.as_str()) {
        ("", "Secret") => super::secret::default(object),
        ("", "Pod") => {
            pod(object);
            pod_status(object);
        }
        ("", "PodTemplate") => pod_spec(object_at(object_at(object, "template"), "spec"), false),
        ("", "Namespace") => namespace(object),
        ("", "PersistentVolumeClaim") => {
            set(object_at(object, "spec"), "volumeMode", "Filesystem".into());
            set(object_at(object, "status"), "phase", "Pending".into());
        }
        ("", "PersistentVolume") => {
            set(object_at(object, "spec"), "volumeMode", "Filesystem".into());
            let spec = object_at(object, "spec");
            set(spec, "persistentVolumeReclaimPolicy", "Retain".into());
            if spec["hostPath"].is_object() {
                set(&mut spec["hostPath"], "type", "".into());
            }
            set(object_at(object, "status"), "phase", "Pending".into());
        }
        ("", "LimitRange") => limit_range(object),
        ("", "Service") => service(object),
        ("" | "events.k8s.io", "Event") => event(target, object),
        ("apps", "StatefulSet" | "Deployment" | "ReplicaSet" | "DaemonSet") => workload(&target.resource.kind, object),
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("storage.k8s.io", "StorageClass") => {
            set(object, "reclaimPolicy", "Delete".into());
            set(object, "volumeBindingMode", "Immediate".into());
        }
        (group, kind) => super::stored::default(group, kind, object),
    }
}

fn definition(object: &mut Value) {
    let spec = object_at(object, "spec");
    set(spec, "conversion", json!({"strategy": "None"}));
    let names = object_at(spec, "names");
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    set(names, "singular", kind.to_lowercase().into());
    set(names, "listKind", format!("{kind}List").into());
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    object_at(&mut object["metadata"], "labels")["kubernetes.io/metadata.name"] = name;
    if object["metadata"]["deletionTimestamp"].is_null() {
        set(object_at(object, "spec"), "finalizers", json!(["kubernetes"]));
    }
    set(object_at(object, "status"), "phase", "Active".into());
}

fn limit_range(object: &mut Value) {
    for limit in items(object_at(object, "spec"), "limits") {
        if limit["type"] != "Container" {
            continue;
        }
        for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
            for (what, amount) in limit[from].as_object().cloned().into_iter().flatten() {
                set(object_at(limit, to), &what, amount);
            }
        }
    }
}

fn service(object: &mut Value) {
    let spec = object_at(object, "spec");
    set(spec, "type", "ClusterIP".into());
    set(spec, "sessionAffinity", "None".into());
    if spec["type"] != "ExternalName" {
        set(spec, "internalTrafficPolicy", "Cluster".into());
    }
    for port in items(&mut *spec, "ports") {
        set(port, "protocol", "TCP".into());
        let own = port["port"].clone();
        set(port, "targetPort", own);
    }
    object_at(object_at(object, "status"), "loadBalancer");
}

fn event(target: &Target, object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.entry("eventTime").or_insert(Value::Null);
    }
    if target.resource.group.is_empty() {
        object_at(object, "source");
        for field in ["firstTimestamp", "lastTimestamp"] {
            if let Some(fields) = object.as_object_mut() {
                fields.entry(field).or_insert(Value::Null);
            }
        }
        object_at(object, "involvedObject");
        set(object, "reportingComponent", "".into());
        set(object, "reportingInstance", "".into());
    } else {
        object_at(object, "deprecatedSource");
        object_at(object, "regarding");
        if let Some(fields) = object.as_object_mut() {
            for field in ["deprecatedFirstTimestamp", "deprecatedLastTimestamp"] {
                fields.entry(field).or_insert(Value::Null);
            }
        }
    }
}

fn workload(kind: &str, object: &mut Value) {
    let spec = object_at(object, "spec");
    set(spec, "revisionHistoryLimit", 10.into());
    if kind != "DaemonSet" {
        set(spec, "replicas", 1.into());
    }
    match kind {
        "StatefulSet" => {
            set(spec, "podManagementPolicy", "OrderedReady".into());
            set(spec, "updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
            set(spec, "persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
            for claim in items(&mut *spec, "volumeClaimTemplates") {
                set(claim, "apiVersion", "v1".into());
                set(claim, "kind", "PersistentVolumeClaim".into());
                set(object_at(claim, "spec"), "volumeMode", "Filesystem".into());
                set(object_at(claim, "status"), "phase", "Pending".into());
            }
        }
        "Deployment" => {
            set(spec, "progressDeadlineSeconds", 600.into());
            set(
                spec,
                "strategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
            );
        }
        "DaemonSet" => {
            let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
            set(spec, "updateStrategy", rolling);
        }
        _ => {}
    }
    pod_spec(object_at(object_at(spec, "template"), "spec"), false);
    if kind == "ReplicaSet"
        && let Some(fields) = spec.as_object_mut()
    {
        fields.remove("revisionHistoryLimit");
    }
}

pub(super) fn job(object: &mut Value) {
    let uid = object["metadata"]["uid"].clone();
    let name = object["metadata"]["name"].clone();
    let spec = object_at(object, "spec");
    for (field, value) in [
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("podReplacementPolicy", json!("TerminatingOrFailed")),
    ] {
        set(spec, field, value);
    }
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        set(spec, "completions", 1.into());
    }
    set(spec, "parallelism", 1.into());
    if spec["selector"].is_null() && uid.is_string() {
        spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
        let template = object_at(spec, "template");
        let labels = object_at(object_at(template, "metadata"), "labels");
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("job-name", &name),
        ] {
            set(labels, label, value.clone());
        }
    }
    pod_spec(object_at(object_at(spec, "template"), "spec"), false);
}

/// Defaults of a pod, without its status.
pub(super) fn pod(pod: &mut Value) {
    pod_spec(object_at(pod, "spec"), true);
}

/// Defaults of a pod's spec; `running` pods also get what only admission sets.
pub(super) fn pod_spec(spec: &mut Value, running: bool) {
    let host_network = spec["hostNetwork"] == true;
    set(spec, "restartPolicy", "Always".into());
    set(spec, "terminationGracePeriodSeconds", 30.into());
    set(spec, "dnsPolicy", "ClusterFirst".into());
    set(spec, "securityContext", json!({}));
    set(spec, "schedulerName", "default-scheduler".into());
    for list in ["initContainers", "containers"] {
        for container in items(&mut *spec, list) {
            self::container(container, host_network);
        }
    }
    for volume in items(&mut *spec, "volumes") {
        self::volume(volume);
    }
    if let Some(name) = spec["serviceAccountName"].as_str().filter(|n| !n.is_empty()).map(str::to_owned) {
        set(spec, "serviceAccount", name.into());
    } else if let Some(name) = spec["serviceAccount"].as_str().filter(|n| !n.is_empty()).map(str::to_owned) {
        set(spec, "serviceAccountName", name.into());
    }
    if running {
        for list in ["initContainers", "containers"] {
            for container in items(&mut *spec, list) {
                requests_of_limits(container);
            }
        }
        set(spec, "enableServiceLinks", true.into());
    }
}

/// What admission adds to a pod: its priority, and that it stays for a while on a node that is lost.
pub(super) fn pod_admission(pod: &mut Value, class: Option<&Value>) {
    let spec = object_at(pod, "spec");
    let of_class = |field: &str| class.map(|class| class[field].clone()).filter(|value| !value.is_null());
    set(spec, "priority", of_class("value").unwrap_or_else(|| 0.into()));
    set(spec, "preemptionPolicy", of_class("preemptionPolicy").unwrap_or_else(|| "PreemptLowerPriority".into()));
    tolerations(spec);
}

fn tolerations(spec: &mut Value) {
    let mut list = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = list.iter().any(|t| {
            (t["key"] == key || (t["key"].as_str().unwrap_or_default().is_empty() && t["operator"] == "Exists"))
                && (t["effect"] == "NoExecute" || t["effect"].as_str().unwrap_or_default().is_empty())
        });
        if !tolerated {
            list.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
    spec["tolerations"] = list.into();
}

fn container(container: &mut Value, host_network: bool) {
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && tag.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    set(container, "imagePullPolicy", if latest { "Always" } else { "IfNotPresent" }.into());
    set(container, "terminationMessagePath", "/dev/termination-log".into());
    set(container, "terminationMessagePolicy", "File".into());
    object_at(container, "resources");
    for port in items(&mut *container, "ports") {
        set(port, "protocol", "TCP".into());
        if host_network {
            let own = port["containerPort"].clone();
            set(port, "hostPort", own);
        }
    }
    for env in items(&mut *container, "env") {
        if let Some(reference) = env.pointer_mut("/valueFrom/fieldRef") {
            set(reference, "apiVersion", "v1".into());
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[probe].is_object() {
            self::probe(&mut container[probe]);
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(action) = container.pointer_mut(&format!("/lifecycle/{hook}/httpGet")) {
            http_get(action);
        }
    }
}

/// What a container does not request it requests as far as it is limited.
fn requests_of_limits(container: &mut Value) {
    let resources = object_at(container, "resources");
    if let Some(limits) = resources["limits"].as_object().cloned() {
        let requests = object_at(resources, "requests");
        for (name, value) in limits {
            set(requests, &name, value);
        }
    }
}

fn http_get(action: &mut Value) {
    set(action, "path", "/".into());
    set(action, "scheme", "HTTP".into());
}

fn probe(probe: &mut Value) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe[field] == 0 {
            probe[field] = value.into();
        }
        set(probe, field, value.into());
    }
    if probe["httpGet"].is_object() {
        http_get(&mut probe["httpGet"]);
    }
    if probe["grpc"].is_object() {
        set(&mut probe["grpc"], "service", "".into());
    }
}

fn volume(volume: &mut Value) {
    let has_source = volume.as_object().is_some_and(|fields| fields.keys().any(|name| name != "name"));
    if !has_source {
        volume["emptyDir"] = json!({});
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if volume[source].is_object() {
            set(&mut volume[source], "defaultMode", 420.into());
        }
    }
    if volume["hostPath"].is_object() {
        set(&mut volume["hostPath"], "type", "".into());
    }
    if let Some(source) = volume.get_mut("downwardAPI") {
        downward_items(source);
    }
    for source in volume.get_mut("projected").into_iter().flat_map(|projected| items(projected, "sources")) {
        if source["serviceAccountToken"].is_object() {
            set(&mut source["serviceAccountToken"], "expirationSeconds", 3600.into());
        }
        if let Some(source) = source.get_mut("downwardAPI") {
            downward_items(source);
        }
    }
    if let Some(spec) = volume.pointer_mut("/ephemeral/volumeClaimTemplate/spec") {
        set(spec, "volumeMode", "Filesystem".into());
    }
}

fn downward_items(source: &mut Value) {
    if !source.is_object() {
        return;
    }
    for item in items(&mut *source, "items") {
        if item["fieldRef"].is_object() {
            set(&mut item["fieldRef"], "apiVersion", "v1".into());
        }
    }
}

fn pod_status(pod: &mut Value) {
    let class = qos_class(&pod["spec"]);
    let status = object_at(pod, "status");
    set(status, "phase", "Pending".into());
    set(status, "qosClass", class.into());
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in items(status, list) {
            for (field, value) in [
                ("state", json!({})),
                ("lastState", json!({})),
                ("ready", json!(false)),
                ("restartCount", json!(0)),
                ("image", json!("")),
                ("imageID", json!("")),
            ] {
                set(container, field, value);
            }
        }
    }
    for condition in items(status, "conditions") {
        if let Some(fields) = condition.as_object_mut() {
            for field in ["lastProbeTime", "lastTransitionTime"] {
                fields.entry(field).or_insert(Value::Null);
            }
        }
    }
}

fn qos_class(spec: &Value) -> &'static str {
    let containers =
        || ["initContainers", "containers"].into_iter().flat_map(|list| spec[list].as_array().into_iter().flatten());
    let has = |c: &Value, kind: &str, name: &str| {
        c["resources"][kind][name].is_string() || c["resources"][kind][name].is_number()
    };
    let any = containers()
        .any(|c| ["requests", "limits"].iter().any(|kind| ["cpu", "memory"].iter().any(|name| has(c, kind, name))));
    if !any {
        return "BestEffort";
    }
    let guaranteed = containers().all(|c| {
        ["cpu", "memory"]
            .iter()
            .all(|name| has(c, "limits", name) && c["resources"]["requests"][*name] == c["resources"]["limits"][*name])
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

/// Adds a finalizer that holds an object while it is used.
pub(super) fn protect(object: &mut Value, finalizer: &str) {
    match object["metadata"]["finalizers"].as_array_mut() {
        Some(list) if list.iter().any(|f| f == finalizer) => {}
        Some(list) => list.push(finalizer.into()),
        None => object["metadata"]["finalizers"] = json!([finalizer]),
    }
}

/// What admission adds to a claim: protection while pods use it, and the default class.
pub(super) fn claim_admission(api: &Api, claim: &mut Value) {
    protect(claim, "kubernetes.io/pvc-protection");
    if claim["spec"].get("storageClassName").is_none()
        && let Some(class) = default_class(api)
    {
        claim["spec"]["storageClassName"] = class.into();
    }
}

fn default_class(api: &Api) -> Option<String> {
    let is_default =
        |class: &Value| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
    let (_, classes) = api.store.list("storage.k8s.io/storageclasses", None);
    classes.iter().find(|class| is_default(&class.value)).map(|class| class.meta("name").to_owned())
}
