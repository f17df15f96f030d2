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
    if target.resource.kind == "Event" {
        // Events show their name last, and only when asked for more.
        all.clear();
    }
    all.extend(builtin(&target.resource.kind, target.resource.group.as_str()));
    all
}

/// `name:type`, with a `*` behind the names of columns of `-o wide`; as kubectl's printers have them.
fn builtin(kind: &str, group: &str) -> Vec<Column> {
    let declared = match (group, kind) {
        ("", "Pod") => "Ready,Status,Restarts,Age,IP*,Node*,Nominated Node*,Readiness Gates*",
        ("", "ConfigMap") => "Data,Age",
        ("", "Secret") => "Type,Data,Age",
        ("", "ServiceAccount") => "Age",
        ("", "Namespace") => "Status,Age",
        ("", "Node") => {
            "Status,Roles,Age,Version,Internal-IP*,External-IP*,OS-Image*,Kernel-Version*,Container-Runtime*"
        }
        ("", "PersistentVolumeClaim") => {
            "Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,VolumeMode*"
        }
        ("", "PersistentVolume") => {
            "Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age,VolumeMode*"
        }
        ("", "Service") => "Type,Cluster-IP,External-IP,Port(s),Age,Selector*",
        ("", "Endpoints") => "Endpoints,Age",
        ("", "PodTemplate") => "Containers,Images,Pod Labels",
        ("", "ResourceQuota") => "Request,Limit,Age",
        ("", "ReplicationController") | ("apps", "ReplicaSet") => {
            "Desired:integer,Current:integer,Ready:integer,Age,Containers*,Images*,Selector*"
        }
        ("" | "events.k8s.io", "Event") => {
            let list = "Last Seen,Type,Reason,Object,Subobject*,Source*,Message,First Seen*,Count*";
            let mut columns: Vec<Column> = list.split(',').map(declared_column).collect();
            columns.push(Column {
                priority: 1,
                description: NAME.to_owned(),
                format: "name".to_owned(),
                ..plain("Name", "string")
            });
            return columns;
        }
        ("apps", "StatefulSet") => "Ready,Age,Containers*,Images*",
        ("apps", "Deployment") => "Ready,Up-to-date,Available,Age,Containers*,Images*,Selector*",
        ("apps", "DaemonSet") => {
            "Desired:integer,Current:integer,Ready:integer,Up-to-date:integer,Available:integer,Node Selector,Age,Containers*,Images*,Selector*"
        }
        ("batch", "Job") => "Status,Completions,Duration,Age,Containers*,Images*,Selector*",
        ("batch", "CronJob") => {
            "Schedule,Timezone,Suspend:boolean,Active:integer,Last Schedule,Age,Containers*,Images*,Selector*"
        }
        ("coordination.k8s.io", "Lease") => "Holder,Age",
        ("storage.k8s.io", "StorageClass") => "Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age",
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            "Role,Age,Users*,Groups*,ServiceAccounts*"
        }
        ("policy", "PodDisruptionBudget") => "Min Available,Max Unavailable,Allowed Disruptions:integer,Age",
        ("networking.k8s.io", "NetworkPolicy") => "Pod-Selector,Age",
        ("scheduling.k8s.io", "PriorityClass") => "Value:integer,Global-Default:boolean,Age,PreemptionPolicy",
        ("admissionregistration.k8s.io", _) => "Webhooks:integer,Age",
        _ => return vec![Column { description: CREATED.to_owned(), ..plain("Created At", "date") }],
    };
    declared.split(',').map(declared_column).collect()
}

fn declared_column(text: &str) -> Column {
    let (name, kind) = text.split_once(':').unwrap_or((text, "string"));
    match name.strip_suffix('*') {
        Some(name) => wide(name, kind),
        None => plain(name, kind),
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
    if target.resource.kind == "Event" {
        cells.clear();
    }
    cells.extend(super::cells::of(&target.resource.kind, target.resource.group.as_str(), object, now));
    cells
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
            if index == "*" {
                // A column shows the first of many.
                value = value.as_array()?.first()?;
                rest = after;
                continue;
            }
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
