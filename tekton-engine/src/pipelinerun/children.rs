//! The children that a PipelineRun has, whatever its status remembers.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels;
use tekton_types::v1::{ChildStatusReference, PipelineRun, TaskRun};
use tekton_types::v1beta1::CustomRun;

use crate::object::{Kind, Stored};
use crate::pass::{Pass, Stop};

/// The children that carry the labels of the run, by name.
#[derive(Debug, Default)]
pub(super) struct Children<'a> {
    pub(super) tasks: BTreeMap<&'a str, &'a TaskRun>,
    pub(super) custom_tasks: BTreeMap<&'a str, &'a CustomRun>,
    pub(super) pipelines: BTreeMap<&'a str, &'a PipelineRun>,
}

impl<'a> Children<'a> {
    /// Lists the children.
    pub(super) fn list(pass: &mut Pass<'a>, run: &PipelineRun) -> Result<Self, Stop> {
        let pipeline_runs = listed::<PipelineRun>(pass, run);
        let task_runs = listed::<TaskRun>(pass, run);
        let custom_runs = listed::<CustomRun>(pass, run);
        Ok(Self {
            pipelines: by_name(pipeline_runs?, |run| &run.metadata),
            tasks: by_name(task_runs?, |run| &run.metadata),
            custom_tasks: by_name(custom_runs?, |run| &run.metadata),
        })
    }

    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.custom_tasks.is_empty() && self.pipelines.is_empty()
    }

    /// Adds to the status the references of children that it does not list yet.
    ///
    /// Errors: a reference in the status is of a kind that nobody knows.
    pub(super) fn recover(&self, run: &mut PipelineRun) -> Result<(), Stop> {
        let listed = if self.is_empty() { check_kinds(run) } else { Ok(()) };
        let uid = run.metadata.uid.clone().unwrap_or_default();
        let mut known: BTreeMap<String, ChildStatusReference> =
            run.status.child_references.drain(..).map(|child| (child.name.clone(), child)).collect();
        let mut add = |kind: Kind, meta: &ObjectMeta| {
            let owner = meta.owner_references.as_deref().and_then(|owners| owners.first());
            if owner.is_none_or(|owner| owner.uid != uid) {
                return;
            }
            let name = meta.name.clone().unwrap_or_default();
            let task = meta.labels.as_ref().and_then(|labels| labels.get(labels::PIPELINE_TASK));
            known.entry(name.clone()).or_insert_with(|| ChildStatusReference {
                api_version: kind.api_version().to_owned(),
                kind: kind.as_str().to_owned(),
                name,
                pipeline_task_name: task.cloned().unwrap_or_default(),
                ..ChildStatusReference::default()
            });
        };
        self.pipelines.values().for_each(|child| add(Kind::PipelineRun, &child.metadata));
        self.tasks.values().for_each(|child| add(Kind::TaskRun, &child.metadata));
        self.custom_tasks.values().for_each(|child| add(Kind::CustomRun, &child.metadata));
        let mut references: Vec<_> = known.into_values().collect();
        let key =
            |child: &ChildStatusReference| (child.pipeline_task_name.clone(), child.name.clone(), child.kind.clone());
        references.sort_by_cached_key(key);
        run.status.child_references = references;
        listed.and_then(|()| check_kinds(run))
    }
}

/// Errors: references in the status are of kinds that nobody knows.
fn check_kinds(run: &PipelineRun) -> Result<(), Stop> {
    let kinds = [Kind::TaskRun, Kind::CustomRun, Kind::PipelineRun].map(Kind::as_str);
    let unknown: Vec<String> = run
        .status
        .child_references
        .iter()
        .filter(|child| !kinds.contains(&child.kind.as_str()))
        .map(|child| format!("child with name {} has unknown kind {}", child.name, child.kind))
        .collect();
    if unknown.is_empty() { Ok(()) } else { Err(Stop::transient(unknown.join("\n"))) }
}

fn listed<'a, T: Stored + 'a>(pass: &mut Pass<'a>, run: &PipelineRun) -> Result<Vec<&'a Arc<T>>, Stop> {
    let selector = BTreeMap::from([
        (labels::PIPELINE_RUN.to_owned(), run.metadata.name.clone().unwrap_or_default()),
        (labels::PIPELINE_RUN_UID.to_owned(), run.metadata.uid.clone().unwrap_or_default()),
    ]);
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    pass.list::<T>(namespace, selector)?.map_err(|fault| Stop::transient(&fault.text))
}

fn by_name<'a, T>(objects: Vec<&'a Arc<T>>, meta: impl Fn(&'a T) -> &'a ObjectMeta) -> BTreeMap<&'a str, &'a T> {
    objects.into_iter().map(|object| (meta(object).name.as_deref().unwrap_or_default(), &**object)).collect()
}
