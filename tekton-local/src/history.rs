//! Runs that have ended, kept in a directory: taken over from a cluster in memory, and removed again with their logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::LocalCluster;
use crate::node::Logs;
use crate::store::{Key, Object, Store};

/// The folder of a data directory, or of a node, that holds one folder for each Pod by its uid.
const PODS: &str = "pods";
/// The folder of a Pod that holds the logs of its containers.
const LOGS: &str = "logs";

/// A run at the top: its resource such as `tekton.dev/pipelineruns`, its namespace and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// `group/plural`.
    pub resource: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// Copies a run with all that it owns, their events and their logs into another cluster's store and directory.
///
/// A run whose name is taken there gets a number behind it, and what it owns gets the same: two runs of one manifest
/// are two runs. Answers the name under which it is kept, or nothing when there is no such run.
///
/// Errors: a log cannot be copied.
pub fn record(
    from: &LocalCluster,
    node: &Path,
    into: &LocalCluster,
    dir: &Path,
    run: &Run,
) -> std::io::Result<Option<String>> {
    let (from, into) = (&from.api().store, &into.api().store);
    let root = Key { resource: run.resource.as_str().into(), namespace: run.namespace.clone(), name: run.name.clone() };
    let Some(object) = from.get(&root) else { return Ok(None) };
    let mut found = vec![(root, object)];
    found.extend(owned(from, found[0].1.meta("uid")));
    let uids: BTreeSet<String> = found.iter().map(|(_, object)| object.meta("uid").to_owned()).collect();
    for event in from.list("/events", Some(&run.namespace)).1 {
        if event.value["involvedObject"]["uid"].as_str().is_some_and(|uid| uids.contains(uid)) {
            let name = event.meta("name").to_owned();
            found.push((Key { resource: "/events".into(), namespace: run.namespace.clone(), name }, event));
        }
    }
    let names = free_names(into, &found, &run.name);
    for (key, object) in &found {
        let uid = object.meta("uid");
        if &*key.resource == "/pods" {
            copy(&node.join(PODS).join(uid).join(LOGS), &dir.join(PODS).join(uid).join(LOGS))?;
        }
        let mut value = object.value.clone();
        rename(&mut value, &names);
        let name = names.get(&key.name).unwrap_or(&key.name).clone();
        // The names were free, and the store is this process's alone.
        let _ = into.create(&Key { name, ..key.clone() }, value);
    }
    Ok(Some(names.get(&run.name).unwrap_or(&run.name).clone()))
}

/// Serves the logs of a data directory whose node does not run.
pub fn serve_logs(cluster: &LocalCluster, dir: &Path) {
    cluster.set_logs(Arc::new(Logs::new(dir.join(PODS))));
}

/// Everything that an object owns, and what that owns, each once.
pub fn owned(store: &Store, uid: &str) -> Vec<(Key, Arc<Object>)> {
    let mut found: Vec<(Key, Arc<Object>)> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![uid.to_owned()];
    while let Some(owner) = open.pop() {
        for key in store.dependents(&owner) {
            if let Some(object) = store.get(&key)
                && seen.insert(object.meta("uid").to_owned())
            {
                open.push(object.meta("uid").to_owned());
                found.push((key, object));
            }
        }
    }
    found
}

/// Removes the folders of Pods that are no longer in the store. Only for a directory whose node does not run.
pub fn sweep(store: &Store, dir: &Path) {
    for entry in std::fs::read_dir(dir.join(PODS)).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|uid| store.by_uid(uid).is_none()) {
            // What cannot be removed now is tried again by the next sweep.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// New names for those that are taken, all with the same number behind the run's own name.
fn free_names(into: &Store, found: &[(Key, Arc<Object>)], run: &str) -> BTreeMap<String, String> {
    let numbered = |name: &str, number: u32| match name.strip_prefix(run) {
        Some(rest) => format!("{run}-{number}{rest}"),
        None => format!("{name}-{number}"),
    };
    let taken = |number: u32| {
        found.iter().any(|(key, _)| {
            let name = if number == 1 { key.name.clone() } else { numbered(&key.name, number) };
            into.get(&Key { name, ..key.clone() }).is_some()
        })
    };
    match (1..=u32::MAX).find(|number| !taken(*number)) {
        None | Some(1) => BTreeMap::new(),
        Some(number) => found.iter().map(|(key, _)| (key.name.clone(), numbered(&key.name, number))).collect(),
    }
}

/// Puts new names in an object wherever it names itself, its owners, its children or what it is about.
fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    if names.is_empty() {
        return;
    }
    let swap = |at: Option<&mut Value>| {
        if let Some(at) = at
            && let Some(new) = at.as_str().and_then(|old| names.get(old))
        {
            *at = new.as_str().into();
        }
    };
    swap(value.pointer_mut("/metadata/name"));
    swap(value.pointer_mut("/involvedObject/name"));
    swap(value.pointer_mut("/status/podName"));
    for label in ["pipelineRun", "taskRun", "customRun"] {
        swap(value.pointer_mut(&format!("/metadata/labels/tekton.dev~1{label}")));
    }
    for list in ["/metadata/ownerReferences", "/status/childReferences"] {
        for entry in value.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            swap(entry.get_mut("name"));
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(from) {
        Ok(entries) => entries,
        // A Pod that never started has no logs.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    std::fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
