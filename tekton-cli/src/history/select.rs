//! Which runs are meant: by kind, namespace, label, pipeline and name.

use jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::Value;
use tekton_contract::labels;

use crate::args::{RunFilter, RunKind};

/// A run of any kind, as the API server has it.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) kind: RunKind,
    pub(super) value: Value,
}

impl RunKind {
    /// The kind with its version.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Pipelinerun => ("PipelineRun", "v1"),
            Self::Taskrun => ("TaskRun", "v1"),
            Self::Customrun => ("CustomRun", "v1beta1"),
        }
    }

    /// The kind as it stands before a name.
    pub(super) const fn lower(self) -> &'static str {
        match self {
            Self::Pipelinerun => "pipelinerun",
            Self::Taskrun => "taskrun",
            Self::Customrun => "customrun",
        }
    }

    /// Calls to the API server about this kind, in a namespace or in all.
    pub(super) fn api(self, client: &kube::Client, namespace: Option<&str>) -> Api<DynamicObject> {
        let (kind, version) = self.names();
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("tekton.dev", version, kind));
        match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        }
    }
}

impl Run {
    pub(super) fn meta(&self, field: &str) -> &str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }

    pub(super) fn time(&self, pointer: &str) -> Option<Timestamp> {
        self.value.pointer(pointer)?.as_str()?.parse().ok()
    }

    pub(super) fn created(&self) -> Timestamp {
        self.time("/metadata/creationTimestamp").unwrap_or(Timestamp::MIN)
    }

    /// `taskrun/name`.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.kind.lower(), self.meta("name"))
    }

    fn is_child(&self) -> bool {
        let owners = self.value["metadata"]["ownerReferences"].as_array();
        owners.into_iter().flatten().any(|owner| owner["kind"] == "PipelineRun")
    }

    /// The condition `Succeeded`.
    pub(super) fn condition(&self) -> Option<&Value> {
        self.value["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Succeeded")
    }

    /// Whether it is known how it ended.
    pub(super) fn is_done(&self) -> bool {
        self.condition().is_some_and(|condition| condition["status"] != "Unknown")
    }
}

/// Reads the runs of some kinds, newest first, whose parents are not runs themselves unless one kind was asked for.
///
/// Errors: the API server does not answer.
pub(super) async fn runs(client: &kube::Client, filter: &RunFilter, kind: Option<RunKind>) -> Result<Vec<Run>, String> {
    let kinds = kind.map_or(vec![RunKind::Pipelinerun, RunKind::Taskrun, RunKind::Customrun], |kind| vec![kind]);
    let mut selectors: Vec<String> = filter.label.clone();
    if let Some(pipeline) = &filter.pipeline {
        selectors.push(format!("{}={pipeline}", labels::PIPELINE));
    }
    if let Some(task) = &filter.task {
        selectors.push(format!("{}={task}", labels::TASK));
    }
    let params = ListParams::default().labels(&selectors.join(","));
    let mut found = Vec::new();
    for each in kinds {
        for object in each.api(client, filter.namespace.as_deref()).list(&params).await.map_err(told)?.items {
            let mut value = serde_json::to_value(&object).map_err(|error| error.to_string())?;
            let (name, version) = each.names();
            value["apiVersion"] = format!("tekton.dev/{version}").into();
            value["kind"] = name.into();
            if let Some(metadata) = value["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            let run = Run { kind: each, value };
            if kind.is_some() || !run.is_child() {
                found.push(run);
            }
        }
    }
    found.sort_by(|a, b| b.created().cmp(&a.created()).then_with(|| a.path().cmp(&b.path())));
    Ok(found)
}

/// The run that a person means by `NAME`, `KIND/NAME`, or nothing at all: the newest.
///
/// Errors: there is none of this name, or more than one.
pub(super) async fn one(client: &kube::Client, filter: &RunFilter, wanted: Option<&str>) -> Result<Run, String> {
    let Some(wanted) = wanted else {
        let newest = runs(client, filter, None).await?.into_iter().next();
        return newest.ok_or_else(|| "there are no runs".to_owned());
    };
    let (kind, name) = match wanted.split_once('/') {
        Some((kind, name)) => (Some(RunKind::parse(kind)?), name),
        None => (None, wanted),
    };
    let mut found = Vec::new();
    for each in kind.map_or(vec![RunKind::Pipelinerun, RunKind::Taskrun, RunKind::Customrun], |kind| vec![kind]) {
        found.extend(runs(client, filter, Some(each)).await?.into_iter().filter(|run| run.meta("name") == name));
    }
    match found.len() {
        0 => Err(format!("there is no run named {wanted}; `tekton list` shows those that are there")),
        1 => Ok(found.swap_remove(0)),
        _ => {
            let all: Vec<String> =
                found.iter().map(|run| format!("{} in namespace {}", run.path(), run.meta("namespace"))).collect();
            Err(format!("{wanted} is the name of more than one: {}; say KIND/NAME or --namespace", all.join(", ")))
        }
    }
}

/// An answer of the API server as a text for people.
pub(super) fn told(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => format!("the API server: {other}"),
    }
}
