//! The cells of the rows of built-in kinds, as kubectl's printers compute them.

use jiff::Timestamp;
use serde_json::Value;

use super::columns::{age_of, duration};

fn text(value: &Value, none: &str) -> Value {
    match value.as_str() {
        Some("") | None => none.into(),
        Some(text) => text.into(),
    }
}

fn size(value: &Value) -> usize {
    value.as_object().map_or_else(|| value.as_array().map_or(0, Vec::len), serde_json::Map::len)
}

/// The cells of an object behind its name.
pub(super) fn of(kind: &str, group: &str, object: &Value, now: Timestamp) -> Vec<Value> {
    let age = age_of(&object["metadata"]["creationTimestamp"], now);
    let count = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let template = &object["spec"]["template"]["spec"]["containers"];
    match (group, kind) {
        ("", "Pod") => super::podcells::cells(object, age, now),
        ("", "ConfigMap") => vec![(size(&object["data"]) + size(&object["binaryData"])).into(), age],
        ("", "Secret") => vec![object["type"].clone(), size(&object["data"]).into(), age],
        ("", "ServiceAccount") => vec![age],
        ("", "Namespace") => vec![object["status"]["phase"].clone(), age],
        ("", "Node") => node_cells(object, age),
        ("", "PersistentVolume") => volume_cells(object, age),
        ("", "Endpoints") => vec![endpoints(&object["subsets"]), age],
        ("", "PodTemplate") => {
            let template = &object["template"];
            let containers = &template["spec"]["containers"];
            vec![names(containers, "name"), names(containers, "image"), labels(&template["metadata"]["labels"])]
        }
        ("", "ResourceQuota") => quota_cells(object, age),
        ("", "PersistentVolumeClaim") => {
            let bound = object["spec"]["volumeName"].as_str().is_some_and(|v| !v.is_empty());
            vec![
                object["status"]["phase"].clone(),
                text(&object["spec"]["volumeName"], ""),
                if bound { text(&object["status"]["capacity"]["storage"], "") } else { "".into() },
                if bound { modes(&object["status"]["accessModes"]) } else { "".into() },
                text(&object["spec"]["storageClassName"], ""),
                text(&object["spec"]["volumeAttributesClassName"], "<unset>"),
                age,
                text(&object["spec"]["volumeMode"], "Filesystem"),
            ]
        }
        ("", "Service") => {
            let ports: Vec<String> = object["spec"]["ports"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|p| format!("{}/{}", p["port"], p["protocol"].as_str().unwrap_or("TCP")))
                .collect();
            let ports = if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") };
            vec![
                object["spec"]["type"].clone(),
                text(&object["spec"]["clusterIP"], "None"),
                "<none>".into(),
                ports.into(),
                age,
                labels(&object["spec"]["selector"]),
            ]
        }
        (_, "Event") => event_cells(object, now),
        ("apps", "StatefulSet") => {
            let ready = format!("{}/{}", count("/status/readyReplicas"), count("/spec/replicas"));
            vec![ready.into(), age, names(template, "name"), names(template, "image")]
        }
        ("apps", "Deployment") => vec![
            format!("{}/{}", count("/status/readyReplicas"), count("/spec/replicas")).into(),
            count("/status/updatedReplicas").into(),
            count("/status/availableReplicas").into(),
            age,
            names(template, "name"),
            names(template, "image"),
            selector(&object["spec"]["selector"]),
        ],
        ("apps", "ReplicaSet") => vec![
            count("/spec/replicas").into(),
            count("/status/replicas").into(),
            count("/status/readyReplicas").into(),
            age,
            names(template, "name"),
            names(template, "image"),
            selector(&object["spec"]["selector"]),
        ],
        ("", "ReplicationController") => vec![
            count("/spec/replicas").into(),
            count("/status/replicas").into(),
            count("/status/readyReplicas").into(),
            age,
            names(template, "name"),
            names(template, "image"),
            labels(&object["spec"]["selector"]),
        ],
        ("apps", "DaemonSet") => vec![
            count("/status/desiredNumberScheduled").into(),
            count("/status/currentNumberScheduled").into(),
            count("/status/numberReady").into(),
            count("/status/updatedNumberScheduled").into(),
            count("/status/numberAvailable").into(),
            labels(&object["spec"]["template"]["spec"]["nodeSelector"]),
            age,
            names(template, "name"),
            names(template, "image"),
            selector(&object["spec"]["selector"]),
        ],
        ("batch", "Job") => job_cells(object, age, now),
        ("batch", "CronJob") => {
            let spec = &object["spec"];
            let template = &spec["jobTemplate"]["spec"]["template"]["spec"]["containers"];
            let last = &object["status"]["lastScheduleTime"];
            vec![
                spec["schedule"].clone(),
                text(&spec["timeZone"], "<none>"),
                if spec["suspend"] == true { "True" } else { "False" }.into(),
                size(&object["status"]["active"]).into(),
                if last.is_null() { "<none>".into() } else { age_of(last, now) },
                age,
                names(template, "name"),
                names(template, "image"),
                selector(&spec["jobTemplate"]["spec"]["selector"]),
            ]
        }
        ("coordination.k8s.io", "Lease") => vec![text(&object["spec"]["holderIdentity"], ""), age],
        ("storage.k8s.io", "StorageClass") => vec![
            object["provisioner"].clone(),
            text(&object["reclaimPolicy"], "Delete"),
            text(&object["volumeBindingMode"], "Immediate"),
            object["allowVolumeExpansion"].as_bool().unwrap_or(false).into(),
            age,
        ],
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            let role = format!(
                "{}/{}",
                object["roleRef"]["kind"].as_str().unwrap_or_default(),
                object["roleRef"]["name"].as_str().unwrap_or_default()
            );
            vec![role.into(), age, subjects(object, "User"), subjects(object, "Group"), accounts(object)]
        }
        ("policy", "PodDisruptionBudget") => {
            let spec = &object["spec"];
            let amount = |field: &str| match &spec[field] {
                Value::Null => Value::from("N/A"),
                Value::String(text) => text.as_str().into(),
                other => other.to_string().into(),
            };
            vec![amount("minAvailable"), amount("maxUnavailable"), count("/status/disruptionsAllowed").into(), age]
        }
        ("networking.k8s.io", "NetworkPolicy") => vec![selector(&object["spec"]["podSelector"]), age],
        ("scheduling.k8s.io", "PriorityClass") => vec![
            count("/value").into(),
            (object["globalDefault"] == true).into(),
            age,
            text(&object["preemptionPolicy"], "PreemptLowerPriority"),
        ],
        ("admissionregistration.k8s.io", _) => vec![size(&object["webhooks"]).into(), age],
        _ => vec![object["metadata"]["creationTimestamp"].clone()],
    }
}

fn event_cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let involved = if object["involvedObject"].is_object() { &object["involvedObject"] } else { &object["regarding"] };
    let pick = |a: &str, b: &str| if object[a].is_null() { object[b].clone() } else { object[a].clone() };
    let target = format!(
        "{}/{}",
        involved["kind"].as_str().unwrap_or_default().to_lowercase(),
        involved["name"].as_str().unwrap_or_default()
    );
    let first = match pick("firstTimestamp", "deprecatedFirstTimestamp") {
        Value::Null => object["eventTime"].clone(),
        time => time,
    };
    let last = match &object["series"]["lastObservedTime"] {
        Value::Null => match pick("lastTimestamp", "deprecatedLastTimestamp") {
            Value::Null => first.clone(),
            time => time,
        },
        time => time.clone(),
    };
    let source = pick("source", "deprecatedSource");
    let source = match source["component"].as_str() {
        Some(component) if !component.is_empty() => match source["host"].as_str() {
            Some(host) if !host.is_empty() => format!("{component}, {host}"),
            _ => component.to_owned(),
        },
        _ => pick("reportingComponent", "reportingController").as_str().unwrap_or_default().to_owned(),
    };
    let count =
        object["series"]["count"].as_i64().or_else(|| pick("count", "deprecatedCount").as_i64()).unwrap_or(1).max(1);
    vec![
        age_of(&last, now),
        object["type"].clone(),
        object["reason"].clone(),
        target.into(),
        text(&involved["fieldPath"], ""),
        source.into(),
        pick("message", "note").as_str().unwrap_or_default().trim().into(),
        age_of(&first, now),
        count.into(),
        object["metadata"]["name"].clone(),
    ]
}

fn short_mode(mode: &str) -> &str {
    match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    }
}

fn labels(value: &Value) -> Value {
    let all: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    if all.is_empty() { "<none>".into() } else { all.join(",").into() }
}

/// A selector as kubectl prints it.
fn selector(value: &Value) -> Value {
    let mut all: Vec<String> = value["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    for wanted in value["matchExpressions"].as_array().into_iter().flatten() {
        let key = wanted["key"].as_str().unwrap_or_default();
        let values: Vec<&str> = wanted["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        all.push(match wanted["operator"].as_str() {
            Some("Exists") => key.to_owned(),
            Some("DoesNotExist") => format!("!{key}"),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            _ => format!("{key} in ({})", values.join(",")),
        });
    }
    if all.is_empty() { "<none>".into() } else { all.join(",").into() }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

fn node_cells(node: &Value, age: Value) -> Vec<Value> {
    let ready = match condition(node, "Ready").map(|ready| ready["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    };
    let ready =
        if node["spec"]["unschedulable"] == true { format!("{ready},SchedulingDisabled") } else { ready.to_owned() };
    let mut roles: Vec<&str> = node["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(label, _)| label.strip_prefix("node-role.kubernetes.io/"))
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    let roles = if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") };
    let address = |kind: &str| {
        let all = node["status"]["addresses"].as_array().into_iter().flatten();
        all.into_iter().find(|a| a["type"] == kind).map_or_else(|| "<none>".into(), |a| a["address"].clone())
    };
    let info = &node["status"]["nodeInfo"];
    vec![
        ready.into(),
        roles.into(),
        age,
        text(&info["kubeletVersion"], ""),
        address("InternalIP"),
        address("ExternalIP"),
        text(&info["osImage"], "<unknown>"),
        text(&info["kernelVersion"], "<unknown>"),
        text(&info["containerRuntimeVersion"], "<unknown>"),
    ]
}

fn volume_cells(volume: &Value, age: Value) -> Vec<Value> {
    let spec = &volume["spec"];
    let claim = &spec["claimRef"];
    let claim = match claim["name"].as_str() {
        Some(name) => format!("{}/{name}", claim["namespace"].as_str().unwrap_or_default()),
        None => String::new(),
    };
    vec![
        text(&spec["capacity"]["storage"], ""),
        modes(&spec["accessModes"]),
        text(&spec["persistentVolumeReclaimPolicy"], ""),
        if volume["metadata"]["deletionTimestamp"].is_null() {
            text(&volume["status"]["phase"], "")
        } else {
            "Terminating".into()
        },
        claim.into(),
        text(&spec["storageClassName"], ""),
        text(&spec["volumeAttributesClassName"], "<unset>"),
        text(&volume["status"]["reason"], ""),
        age,
        text(&spec["volumeMode"], "<unset>"),
    ]
}

/// The addresses behind a name: three, and how many more.
fn endpoints(subsets: &Value) -> Value {
    let mut all = Vec::new();
    for subset in subsets.as_array().into_iter().flatten() {
        let addresses = subset["addresses"].as_array().into_iter().flatten().filter_map(|a| a["ip"].as_str());
        let ports: Vec<&Value> = subset["ports"].as_array().into_iter().flatten().map(|port| &port["port"]).collect();
        for address in addresses {
            if ports.is_empty() {
                all.push(address.to_owned());
            }
            all.extend(ports.iter().map(|port| format!("{address}:{port}")));
        }
    }
    match all.len() {
        0 => "<none>".into(),
        1..=3 => all.join(",").into(),
        more => format!("{} + {} more...", all[..3].join(","), more - 3).into(),
    }
}

/// What is used of what is allowed, limits apart from the rest.
fn quota_cells(quota: &Value, age: Value) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in quota["status"]["hard"].as_object().into_iter().flatten() {
        let used = quota["status"]["used"][name].as_str().unwrap_or("0");
        let shown = format!("{name}: {used}/{}", hard.as_str().unwrap_or_default());
        if name.starts_with("limits") { limits.push(shown) } else { requests.push(shown) }
    }
    vec![requests.join(", ").into(), limits.join(", ").into(), age]
}

fn job_cells(job: &Value, age: Value, now: Timestamp) -> Vec<Value> {
    let holds = |kind: &str| condition(job, kind).is_some_and(|condition| condition["status"] == "True");
    let status = if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if !job["metadata"]["deletionTimestamp"].is_null() {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else if holds("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let succeeded = job["status"]["succeeded"].as_i64().unwrap_or(0);
    let done = match (job["spec"]["completions"].as_i64(), job["spec"]["parallelism"].as_i64()) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, Some(parallel)) if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let time = |field: &str| job["status"][field].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let lasted = time("startTime").map_or_else(String::new, |start| {
        duration(time("completionTime").unwrap_or(now).as_second() - start.as_second())
    });
    let template = &job["spec"]["template"]["spec"]["containers"];
    vec![
        status.into(),
        done.into(),
        lasted.into(),
        age,
        names(template, "name"),
        names(template, "image"),
        selector(&job["spec"]["selector"]),
    ]
}

fn subjects(binding: &Value, kind: &str) -> Value {
    let all = binding["subjects"].as_array().into_iter().flatten().filter(|subject| subject["kind"] == kind);
    all.filter_map(|subject| subject["name"].as_str()).collect::<Vec<_>>().join(", ").into()
}

fn accounts(binding: &Value) -> Value {
    let all = binding["subjects"].as_array().into_iter().flatten();
    let all = all.filter(|subject| subject["kind"] == "ServiceAccount").map(|subject| {
        let field = |name: &str| subject[name].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", field("namespace"), field("name"))
    });
    all.collect::<Vec<_>>().join(", ").into()
}

fn modes(value: &Value) -> Value {
    let all = value.as_array().into_iter().flatten().filter_map(Value::as_str).map(short_mode);
    all.collect::<Vec<_>>().join(",").into()
}

/// One field of each item of a list.
fn names(list: &Value, field: &str) -> Value {
    let all: Vec<&str> = list.as_array().into_iter().flatten().filter_map(|item| item[field].as_str()).collect();
    all.join(",").into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_those_of_kubectl() {
        let check = |group: &str, kind: &str, object: &Value, row: &Value| {
            let now = "2024-01-01T00:01:00Z".parse().expect("a time");
            assert_eq!(Value::from(of(kind, group, object, now)), *row, "{kind}");
        };
        let meta = json!({"creationTimestamp": "2024-01-01T00:00:00Z"});
        check(
            "",
            "PersistentVolume",
            &json!({"metadata": meta, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "fast", "volumeMode": "Filesystem"}, "status": {"phase": "Available"}}),
            &json!(["1Gi", "RWO", "Retain", "Available", "", "fast", "<unset>", "", "60s", "Filesystem"]),
        );
        check(
            "batch",
            "Job",
            &json!({"metadata": meta, "spec": {"completions": 2}, "status": {"succeeded": 1, "startTime": "2024-01-01T00:00:30Z"}}),
            &json!(["Running", "1/2", "30s", "60s", "", "", "<none>"]),
        );
        check(
            "apps",
            "ReplicaSet",
            &json!({"metadata": meta, "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}}, "status": {"replicas": 2}}),
            &json!([3, 2, 0, "60s", "", "", "a=b"]),
        );
        check(
            "",
            "ResourceQuota",
            &json!({"metadata": meta, "status": {"hard": {"pods": "5", "limits.cpu": "2"}, "used": {"pods": "1", "limits.cpu": "0"}}}),
            &json!(["pods: 1/5", "limits.cpu: 0/2", "60s"]),
        );
    }
}
