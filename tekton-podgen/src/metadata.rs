//! Name, labels, annotations, owner and deadline of the Pod of a TaskRun.

use crate::input::Options;
use crate::names;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::BTreeMap;
use tekton_types::config::Config;
use tekton_types::v1::TaskRun;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// The name of the Pod: a function of the TaskRun's name and the number of its finished attempts.
pub fn pod_name(run: &TaskRun) -> String {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    tekton_contract::names::pod_name(name, run.status.retries_status.len())
}

/// The TaskRun's labels, and those by which its Pod is found.
pub fn labels(run: &TaskRun, managed_by: &str) -> BTreeMap<String, String> {
    let mut labels = run.metadata.labels.clone().unwrap_or_default();
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    labels.insert(names::TASK_RUN_LABEL.to_owned(), own(&run.metadata.name));
    labels.insert(names::TASK_RUN_UID_LABEL.to_owned(), own(&run.metadata.uid));
    labels.insert(names::MANAGED_BY_LABEL.to_owned(), managed_by.to_owned());
    labels
}

pub(crate) fn of_pod(run: &TaskRun, options: &Options<'_>, ready: bool) -> ObjectMeta {
    let mut annotations = run.metadata.annotations.clone().unwrap_or_default();
    annotations.remove(names::MANAGED_BY_LABEL);
    annotations.insert(names::RELEASE_ANNOTATION.to_owned(), options.release.to_owned());
    if ready {
        annotations.insert(names::READY_ANNOTATION.to_owned(), names::READY_VALUE.to_owned());
    }
    ObjectMeta {
        name: Some(pod_name(run)),
        namespace: run.metadata.namespace.clone(),
        owner_references: Some(vec![owner(run)]),
        annotations: Some(annotations),
        labels: Some(labels(run, &options.config.defaults.default_managed_by_label_value)),
        ..ObjectMeta::default()
    }
}

/// The TaskRun as the controlling owner of an object.
pub fn owner(run: &TaskRun) -> OwnerReference {
    OwnerReference {
        api_version: <TaskRun as k8s_openapi::Resource>::API_VERSION.to_owned(),
        kind: <TaskRun as k8s_openapi::Resource>::KIND.to_owned(),
        name: run.metadata.name.clone().unwrap_or_default(),
        uid: run.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Pods live half as long again as their TaskRun may, so that the TaskRun's own timeout comes first.
pub(crate) fn active_deadline_seconds(run: &TaskRun, config: &Config) -> i64 {
    let nanos = run.spec.timeout.as_ref().map_or_else(
        || i128::from(config.defaults.default_timeout_minutes) * 60 * NANOS_PER_SECOND,
        |timeout| i128::from(timeout.nanos()),
    );
    if nanos == 0 {
        return i64::from(i32::MAX);
    }
    i64::try_from(nanos * 3 / 2 / NANOS_PER_SECOND).unwrap_or(i64::MAX)
}
