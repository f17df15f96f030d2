//! The columns of tables, by kind.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::Target;
use crate::resources::Column;
use crate::resources::columns::column;

/// The description of the name column.
const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

fn plain(name: &str, kind: &str) -> Column {
    column(name, kind, "")
}

fn wide(name: &str, kind: &str) -> Column {
    Column { priority: 1, ..plain(name, kind) }
}

/// The columns of a resource.
pub(crate) fn of(target: &Target) -> Vec<Column> {
    let name = Column { format: "name".to_owned(), description: NAME.to_owned(), ..plain("Name", "string") };
    let mut all = vec![name];
    if target.resource.custom {
        all.extend(target.declared().columns.iter().map(|c| {
            let mut column = c.clone();
            if column.description.is_empty() && column.json_path == ".metadata.creationTimestamp" {
                CREATED.clone_into(&mut column.description);
            } else if column.description.is_empty() {
                column.description =
                    format!("Custom resource definition column (in JSONPath format): {}", column.json_path);
            }
            column
        }));
        return all;
    }
    all.extend(builtin(&target.resource.kind, target.resource.group.as_str()));
    all
}

fn builtin(kind: &str, group: &str) -> Vec<Column> {
    let age = || plain("Age", "string");
    let created = || Column { description: CREATED.to_owned(), ..plain("Created At", "date") };
    match (group, kind) {
        ("", "Pod") => vec![
            plain("Ready", "string"),
            plain("Status", "string"),
            plain("Restarts", "string"),
            age(),
            wide("IP", "string"),
            wide("Node", "string"),
            wide("Nominated Node", "string"),
            wide("Readiness Gates", "string"),
        ],
        ("", "ConfigMap") => vec![plain("Data", "string"), age()],
        ("", "Secret") => vec![plain("Type", "string"), plain("Data", "string"), age()],
        ("", "ServiceAccount") => vec![plain("Secrets", "string"), age()],
        ("", "Namespace") => vec![plain("Status", "string"), age()],
        ("", "Node") => vec![plain("Status", "string"), plain("Roles", "string"), age(), plain("Version", "string")],
        ("", "PersistentVolumeClaim") => vec![
            plain("Status", "string"),
            plain("Volume", "string"),
            plain("Capacity", "string"),
            plain("Access Modes", "string"),
            plain("StorageClass", "string"),
            plain("VolumeAttributesClass", "string"),
            age(),
            wide("VolumeMode", "string"),
        ],
        ("", "Service") => vec![
            plain("Type", "string"),
            plain("Cluster-IP", "string"),
            plain("External-IP", "string"),
            plain("Port(s)", "string"),
            age(),
            wide("Selector", "string"),
        ],
        ("" | "events.k8s.io", "Event") => {
            let mut columns = vec![
                plain("Last Seen", "string"),
                plain("Type", "string"),
                plain("Reason", "string"),
                plain("Object", "string"),
                wide("Subobject", "string"),
                wide("Source", "string"),
                plain("Message", "string"),
                wide("First Seen", "string"),
                wide("Count", "string"),
            ];
            columns.push(Column {
                priority: 1,
                description: NAME.to_owned(),
                format: "name".to_owned(),
                ..plain("Name", "string")
            });
            columns
        }
        ("apps", "StatefulSet") => {
            vec![plain("Ready", "string"), age(), wide("Containers", "string"), wide("Images", "string")]
        }
        ("apps", "Deployment") => {
            vec![
                plain("Ready", "string"),
                plain("Up-to-date", "string"),
                plain("Available", "string"),
                age(),
                wide("Containers", "string"),
                wide("Images", "string"),
                wide("Selector", "string"),
            ]
        }
        ("batch", "Job") => vec![
            plain("Status", "string"),
            plain("Completions", "string"),
            plain("Duration", "string"),
            age(),
            wide("Containers", "string"),
            wide("Images", "string"),
            wide("Selector", "string"),
        ],
        ("coordination.k8s.io", "Lease") => vec![plain("Holder", "string"), age()],
        ("storage.k8s.io", "StorageClass") => vec![
            plain("Provisioner", "string"),
            plain("ReclaimPolicy", "string"),
            plain("VolumeBindingMode", "string"),
            plain("AllowVolumeExpansion", "string"),
            age(),
        ],
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => vec![plain("Role", "string"), age()],
        _ => vec![created()],
    }
}

/// The cells of an object, one for each column.
pub(crate) fn cells(target: &Target, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = object["metadata"]["name"].clone();
    let mut cells = vec![name];
    if target.resource.custom {
        for column in &target.declared().columns {
            cells.push(custom_cell(column, object, now));
        }
        return cells;
    }
    cells.extend(builtin_cells(&target.resource.kind, target.resource.group.as_str(), object, now));
    cells
}

fn text(value: &Value, none: &str) -> Value {
    match value.as_str() {
        Some("") | None => none.into(),
        Some(text) => text.into(),
    }
}

fn size(value: &Value) -> usize {
    value.as_object().map_or_else(|| value.as_array().map_or(0, Vec::len), serde_json::Map::len)
}

fn builtin_cells(kind: &str, group: &str, object: &Value, now: Timestamp) -> Vec<Value> {
    let age = age_of(&object["metadata"]["creationTimestamp"], now);
    let names = |list: &Value, field: &str| -> Value {
        let all: Vec<&str> = list.as_array().into_iter().flatten().filter_map(|c| c[field].as_str()).collect();
        all.join(",").into()
    };
    let template = &object["spec"]["template"]["spec"]["containers"];
    match (group, kind) {
        ("", "Pod") => super::podcells::cells(object, age, now),
        ("", "ConfigMap") => vec![(size(&object["data"]) + size(&object["binaryData"])).into(), age],
        ("", "Secret") => vec![object["type"].clone(), size(&object["data"]).into(), age],
        ("", "ServiceAccount") => vec![size(&object["secrets"]).into(), age],
        ("", "Namespace") => vec![object["status"]["phase"].clone(), age],
        ("", "Node") => {
            let ready = object["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|c| c["type"] == "Ready" && c["status"] == "True");
            vec![
                if ready { "Ready" } else { "NotReady" }.into(),
                "<none>".into(),
                age,
                text(&object["status"]["nodeInfo"]["kubeletVersion"], ""),
            ]
        }
        ("", "PersistentVolumeClaim") => {
            let modes: Vec<&str> = object["status"]["accessModes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(short_mode)
                .collect();
            let bound = object["spec"]["volumeName"].as_str().is_some_and(|v| !v.is_empty());
            vec![
                object["status"]["phase"].clone(),
                text(&object["spec"]["volumeName"], ""),
                if bound { text(&object["status"]["capacity"]["storage"], "") } else { "".into() },
                if bound { modes.join(",") } else { String::new() }.into(),
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
            let ready = format!(
                "{}/{}",
                object["status"]["readyReplicas"].as_i64().unwrap_or(0),
                object["spec"]["replicas"].as_i64().unwrap_or(0)
            );
            vec![ready.into(), age, names(template, "name"), names(template, "image")]
        }
        ("apps", "Deployment") => {
            let count = |field: &str| object["status"][field].as_i64().unwrap_or(0);
            let ready = format!("{}/{}", count("readyReplicas"), object["spec"]["replicas"].as_i64().unwrap_or(0));
            vec![
                ready.into(),
                count("updatedReplicas").into(),
                count("availableReplicas").into(),
                age,
                names(template, "name"),
                names(template, "image"),
                labels(&object["spec"]["selector"]["matchLabels"]),
            ]
        }
        ("batch", "Job") => {
            let has = |kind: &str| {
                object["status"]["conditions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|c| c["type"] == kind && c["status"] == "True")
            };
            let status = if has("Complete") {
                "Complete"
            } else if has("Failed") {
                "Failed"
            } else {
                "Running"
            };
            let done = format!(
                "{}/{}",
                object["status"]["succeeded"].as_i64().unwrap_or(0),
                object["spec"]["completions"].as_i64().unwrap_or(1)
            );
            vec![
                status.into(),
                done.into(),
                "".into(),
                age,
                names(template, "name"),
                names(template, "image"),
                labels(&object["spec"]["selector"]["matchLabels"]),
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
            vec![role.into(), age]
        }
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

fn custom_cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    let Some(value) = json_path(object, &column.json_path) else { return Value::Null };
    match column.kind.as_str() {
        "integer" => value.as_i64().map_or(Value::Null, Value::from),
        "number" => value.as_f64().map_or(Value::Null, |n| json!(n)),
        "boolean" => value.as_bool().map_or(Value::Null, Value::from),
        "date" => match value.as_str() {
            Some(time) if time.parse::<Timestamp>().is_ok() => age_of(&value, now),
            _ => "<invalid>".into(),
        },
        _ => match value {
            Value::String(text) => text.into(),
            Value::Null => Value::Null,
            other => other.to_string().into(),
        },
    }
}

/// A JSON path of the kind that printer columns use: fields, `[n]`, and `[?(@.x=="y")]`.
pub(crate) fn json_path(object: &Value, path: &str) -> Option<Value> {
    let mut value = object;
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[?(@.") {
            let (condition, after) = after.split_once(")]")?;
            let (field, want) = condition.split_once("==")?;
            let want = want.trim().trim_matches(|c| c == '"' || c == '\'');
            value = value.as_array()?.iter().find(|item| item[field.trim()].as_str() == Some(want))?;
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']')?;
            value = match index.trim_matches(|c| c == '"' || c == '\'').parse::<usize>() {
                Ok(index) => value.get(index)?,
                Err(_) => value.get(index.trim_matches(|c| c == '"' || c == '\''))?,
            };
            rest = after;
        } else {
            let after = rest.strip_prefix('.').unwrap_or(rest);
            let mut field = String::new();
            let mut end = after.len();
            let mut chars = after.char_indices();
            while let Some((i, c)) = chars.next() {
                match c {
                    '\\' => {
                        if let Some((_, escaped)) = chars.next() {
                            field.push(escaped);
                        }
                    }
                    '.' | '[' => {
                        end = i;
                        break;
                    }
                    c => field.push(c),
                }
            }
            value = value.get(&field)?;
            rest = &after[end..];
        }
    }
    Some(value.clone())
}

/// How long ago a time was, as kubectl prints it.
pub(crate) fn age_of(time: &Value, now: Timestamp) -> Value {
    let Some(Ok(time)) = time.as_str().map(str::parse::<Timestamp>) else { return "<unknown>".into() };
    duration(now.as_second() - time.as_second()).into()
}

/// A duration as kubectl prints it.
pub(crate) fn duration(seconds: i64) -> String {
    match seconds {
        s if s < -1 => "<invalid>".to_owned(),
        s if s < 0 => "0s".to_owned(),
        s if s < 120 => format!("{s}s"),
        s if s < 600 => match s % 60 {
            0 => format!("{}m", s / 60),
            r => format!("{}m{r}s", s / 60),
        },
        s if s < 3 * 3600 => format!("{}m", s / 60),
        s if s < 8 * 3600 => match s / 60 % 60 {
            0 => format!("{}h", s / 3600),
            r => format!("{}h{r}m", s / 3600),
        },
        s if s < 48 * 3600 => format!("{}h", s / 3600),
        s if s < 192 * 3600 => match s / 3600 % 24 {
            0 => format!("{}d", s / 86400),
            r => format!("{}d{r}h", s / 86400),
        },
        s if s < 2 * 365 * 86400 => format!("{}d", s / 86400),
        s if s < 8 * 365 * 86400 => match s / 86400 % 365 {
            0 => format!("{}y", s / 86400 / 365),
            r => format!("{}y{r}d", s / 86400 / 365),
        },
        s => format!("{}y", s / 86400 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_kubectl_prints_them() {
        assert_eq!(duration(5), "5s");
        assert_eq!(duration(125), "2m5s");
        assert_eq!(duration(3600), "60m");
        assert_eq!(duration(5 * 3600 + 60), "5h1m");
        assert_eq!(duration(50 * 3600), "2d2h");
    }

    #[test]
    fn a_json_path_finds_fields_indexes_and_filters() {
        let object = json!({"status": {"conditions": [{"type": "A", "status": "x"}, {"type": "Succeeded", "status": "True"}]}, "a.b": 1});
        assert_eq!(json_path(&object, ".status.conditions[?(@.type==\"Succeeded\")].status"), Some(json!("True")));
        assert_eq!(json_path(&object, ".status.conditions[0].type"), Some(json!("A")));
        assert_eq!(json_path(&object, ".a\\.b"), Some(json!(1)));
        assert_eq!(json_path(&object, ".none.x"), None);
    }
}
