//! `managedFields`: who has set what, for updates and for server-side apply.

use serde_json::{Value, json};

use super::error::ApiError;
use crate::patch::apply;
use crate::patch::set::{Set, changes, of_value};
use crate::patch::shape::Shape;

/// Who writes, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) api_version: &'a str,
    pub(crate) subresource: &'a str,
}

#[derive(Debug, Clone)]
struct Entry {
    manager: String,
    operation: String,
    api_version: String,
    subresource: String,
    time: String,
    set: Set,
}

impl Entry {
    fn is_of(&self, writer: &Writer<'_>, operation: &str) -> bool {
        self.manager == writer.manager
            && self.operation == operation
            && self.subresource == writer.subresource
            && (operation == "Apply" || self.api_version == writer.api_version)
    }

    fn print(&self) -> Value {
        let mut entry = json!({
            "manager": self.manager, "operation": self.operation, "apiVersion": self.api_version, "time": self.time,
            "fieldsType": "FieldsV1", "fieldsV1": self.set.to_fields(),
        });
        if !self.subresource.is_empty() {
            entry["subresource"] = self.subresource.clone().into();
        }
        entry
    }
}

fn read(object: &Value) -> Vec<Entry> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["fieldsV1"].is_object())
        .map(|entry| Entry {
            manager: text(entry, "manager"),
            operation: text(entry, "operation"),
            api_version: text(entry, "apiVersion"),
            subresource: text(entry, "subresource"),
            time: text(entry, "time"),
            set: Set::from_fields(&entry["fieldsV1"]),
        })
        .collect()
}

fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.set.is_empty());
    entries.sort_by(|a, b| {
        let rank = |e: &Entry| usize::from(e.operation != "Apply");
        rank(a).cmp(&rank(b)).then_with(|| a.time.cmp(&b.time)).then_with(|| a.manager.cmp(&b.manager))
    });
    let Some(meta) = object["metadata"].as_object_mut() else { return };
    if entries.is_empty() {
        meta.remove("managedFields");
    } else {
        meta.insert("managedFields".to_owned(), entries.iter().map(Entry::print).collect());
    }
}

/// What the server itself sets and nobody owns.
fn unowned(set: &mut Set) {
    set.owned = false;
    for field in ["f:apiVersion", "f:kind"] {
        set.children.remove(field);
    }
    if let Some(meta) = set.children.get_mut("f:metadata") {
        meta.owned = false;
        for field in [
            "f:name",
            "f:namespace",
            "f:uid",
            "f:resourceVersion",
            "f:creationTimestamp",
            "f:generation",
            "f:selfLink",
            "f:managedFields",
            "f:deletionTimestamp",
            "f:deletionGracePeriodSeconds",
            "f:clusterName",
        ] {
            meta.children.remove(field);
        }
        if meta.is_empty() {
            set.children.remove("f:metadata");
        }
    }
}

/// Structs and lists that a typed object always has, so that nobody is recorded for them themselves: the names of the
/// fields that lead there.
const ALWAYS_THERE: &[&[&str]] = &[
    &["f:template", "f:metadata"],
    &["f:template", "f:spec", "f:containers"],
    &["f:spec", "f:template", "f:metadata"],
    &["f:spec", "f:template", "f:spec", "f:containers"],
    &["f:spec", "f:jobTemplate", "f:metadata"],
    &["f:spec", "f:jobTemplate", "f:spec", "f:template", "f:metadata"],
    &["f:spec", "f:jobTemplate", "f:spec", "f:template", "f:spec", "f:containers"],
    &["f:spec", "f:containers"],
    &["f:spec", "f:selector"],
    &["f:spec", "f:strategy"],
    &["f:spec", "f:updateStrategy"],
    &["f:spec", "f:resources"],
    &["f:status"],
    &["f:involvedObject"],
    &["f:source"],
];

/// Takes out what [`ALWAYS_THERE`] names.
fn untyped_only(set: &mut Set, custom: bool) {
    if custom {
        return;
    }
    for path in ALWAYS_THERE {
        let mut at = &mut *set;
        for field in *path {
            let Some(below) = at.children.get_mut(*field) else { break };
            if !below.children.is_empty() {
                below.owned = false;
            }
            at = below;
        }
    }
}

fn without_managed(value: &Value) -> Value {
    let mut copy = value.clone();
    if let Some(meta) = copy["metadata"].as_object_mut() {
        meta.remove("managedFields");
    }
    copy
}

/// Records an update (or a creation, when there is no `old`) in the `managedFields` of `new`.
pub(crate) fn record_update(old: Option<&Value>, new: &mut Value, writer: &Writer<'_>, shape: Shape<'_>, custom: bool) {
    let sent = new["metadata"].get("managedFields").cloned();
    let reset = sent
        .as_ref()
        .and_then(Value::as_array)
        .is_some_and(|list| list.len() == 1 && list[0].as_object().is_some_and(serde_json::Map::is_empty));
    if reset && old.is_some() {
        if let Some(meta) = new["metadata"].as_object_mut() {
            meta.remove("managedFields");
        }
        return;
    }
    // Whoever has cleared the record wants none, until somebody applies.
    if old.is_some_and(|old| old["metadata"]["managedFields"].is_null()) && sent.is_none() {
        return;
    }
    let mut entries = match (&sent, old) {
        (Some(Value::Array(list)), Some(_)) if !list.is_empty() => read(new),
        (_, Some(old)) => read(old),
        _ => Vec::new(),
    };
    let empty = json!({"metadata": {}});
    let (mut changed, mut removed) = changes(Some(old.unwrap_or(&empty)), Some(new), shape);
    unowned(&mut changed);
    unowned(&mut removed);
    untyped_only(&mut changed, custom);
    if writer.subresource == "status" {
        changed.children.remove("f:spec");
    } else if !custom && old.is_none() {
        // A status is not set with the object, and what a namespace is held by is the server's.
        changed.children.remove("f:status");
        if new["kind"] == "Namespace" {
            changed.children.remove("f:spec");
        }
    }
    if changed.is_empty() && removed.is_empty() {
        write(new, entries);
        return;
    }
    for entry in &mut entries {
        entry.set.subtract(&removed);
        if !entry.is_of(writer, "Update") {
            entry.set.subtract(&changed);
        }
    }
    if !changed.is_empty() {
        let time = super::now();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.is_of(writer, "Update")) {
            entry.set.union(&changed);
            entry.time = time;
        } else {
            entries.push(Entry {
                manager: writer.manager.to_owned(),
                operation: "Update".to_owned(),
                api_version: writer.api_version.to_owned(),
                subresource: writer.subresource.to_owned(),
                time,
                set: changed,
            });
        }
    }
    write(new, entries);
}

/// The object after an apply: `live` (or an empty object) with what `applied` sets.
///
/// Errors: a conflict with fields that other managers own, unless `force`.
pub(crate) fn apply_configuration(
    live: Option<&Value>,
    applied: &Value,
    writer: &Writer<'_>,
    shape: Shape<'_>,
    force: bool,
) -> Result<Value, ApiError> {
    let mut config = without_managed(applied);
    if let Some(meta) = config["metadata"].as_object_mut() {
        for field in ["resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"] {
            meta.remove(field);
        }
    }
    let mut entries = live.map(read).unwrap_or_default();
    let mut set = of_value(&config, shape);
    unowned(&mut set);

    let mut merged = match live {
        Some(live) => without_managed(live),
        None => json!({"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": {}}),
    };
    let before = merged.clone();
    apply::merge(&mut merged, &config, shape);
    let (mut changed, _) = changes(Some(&before), Some(&merged), shape);
    unowned(&mut changed);

    let mut conflicts = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is_of(writer, "Apply")) {
        let common = entry.set.intersection(&changed).intersection(&set);
        for path in common.paths() {
            conflicts.push((conflict_text(entry, writer), path));
        }
    }
    if !conflicts.is_empty() {
        if !force {
            conflicts.sort();
            return Err(ApiError::apply_conflict(&conflicts));
        }
        for entry in entries.iter_mut().filter(|entry| !entry.is_of(writer, "Apply")) {
            let lost = entry.set.intersection(&changed).intersection(&set);
            entry.set.subtract(&lost);
        }
    }

    let previous = entries.iter().position(|entry| entry.is_of(writer, "Apply"));
    if let Some(at) = previous {
        let mut gone = entries[at].set.clone();
        gone.subtract(&set);
        gone.spare(&set);
        for other in entries.iter().filter(|entry| !entry.is_of(writer, "Apply")) {
            gone.subtract(&other.set);
            gone.spare(&other.set);
        }
        apply::remove(&mut merged, &gone, shape);
    }
    let unchanged = previous.is_some_and(|at| entries[at].set == set);
    match previous {
        Some(at) if unchanged && merged == before => writer.api_version.clone_into(&mut entries[at].api_version),
        Some(at) => {
            entries[at].set = set;
            writer.api_version.clone_into(&mut entries[at].api_version);
            entries[at].time = super::now();
        }
        None => entries.push(Entry {
            manager: writer.manager.to_owned(),
            operation: "Apply".to_owned(),
            api_version: writer.api_version.to_owned(),
            subresource: writer.subresource.to_owned(),
            time: super::now(),
            set,
        }),
    }
    write(&mut merged, entries);
    Ok(merged)
}

fn conflict_text(entry: &Entry, writer: &Writer<'_>) -> String {
    let mut text = format!("conflict with \"{}\"", entry.manager);
    let mut add = |parts: [&str; 3]| text.extend(parts);
    if !entry.subresource.is_empty() {
        add([" with subresource \"", &entry.subresource, "\""]);
    }
    if entry.operation == "Update" || entry.api_version != writer.api_version {
        add([" using ", &entry.api_version, ""]);
    }
    text
}
