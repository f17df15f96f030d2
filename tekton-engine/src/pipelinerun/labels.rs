//! Labels and annotations of a PipelineRun and of what it creates.

use std::collections::BTreeMap;

use tekton_contract::labels;
use tekton_types::v1::{PipelineRun, PipelineTask, PipelineTaskMetadata};

use crate::pass::Stop;

/// Gives the run the label that names its pipeline.
///
/// Errors: the run has no pipeline.
pub(super) fn name_pipeline(run: &mut PipelineRun) -> Result<(), Stop> {
    if run.metadata.labels.as_ref().is_some_and(|all| all.contains_key(labels::PIPELINE)) {
        return Ok(());
    }
    let own = run.metadata.name.clone().unwrap_or_default();
    let reference = run.spec.pipeline_ref.as_ref();
    let name = if let Some(reference) = reference.filter(|reference| !reference.name.is_empty()) {
        reference.name.clone()
    } else if run.spec.pipeline_spec.is_some() {
        // The base of a generated name keeps runs of one anonymous pipeline together.
        let base = run.metadata.generate_name.as_deref().unwrap_or_default();
        let base = tekton_contract::names::restrict_length(base);
        if base.is_empty() { own } else { base.to_owned() }
    } else if let Some(reference) = reference.filter(|reference| !reference.resolver.is_empty()) {
        let param = |wanted: &str| {
            reference.params.iter().rfind(|param| param.name == wanted).and_then(|param| param.value.as_string())
        };
        if param("kind") == Some("pipeline") { param("name").unwrap_or_default().to_owned() } else { own }
    } else {
        return Err(Stop::transient(format!("pipelineRun {own} not providing PipelineRef or PipelineSpec")));
    };
    run.metadata.labels.get_or_insert_default().insert(labels::PIPELINE.to_owned(), name);
    Ok(())
}

/// The value of the label that says whether a task stands under `tasks` or under `finally`.
pub(super) fn member_of(run: &PipelineRun, task: &str) -> Option<&'static str> {
    let spec = run.status.pipeline_spec.as_ref()?;
    let named = |tasks: &[PipelineTask]| tasks.iter().any(|candidate| candidate.name == task);
    if named(&spec.tasks) {
        Some(labels::MEMBER_OF_TASKS)
    } else if named(&spec.r#finally) {
        Some(labels::MEMBER_OF_FINALLY)
    } else {
        None
    }
}

/// Labels of what the run creates for a task.
pub(super) fn of_child(run: &PipelineRun, task: &str, member: Option<&str>) -> BTreeMap<String, String> {
    let mut all = run.metadata.labels.clone().unwrap_or_default();
    all.insert(labels::PIPELINE_RUN.to_owned(), run.metadata.name.clone().unwrap_or_default());
    all.insert(labels::PIPELINE_RUN_UID.to_owned(), run.metadata.uid.clone().unwrap_or_default());
    if !task.is_empty() {
        all.insert(labels::PIPELINE_TASK.to_owned(), task.to_owned());
    }
    if let Some(member) = member {
        all.insert(labels::MEMBER_OF.to_owned(), member.to_owned());
    }
    all
}

/// Annotations of what the run creates: its own, but for those that are reserved.
pub(super) fn annotations_of_child(run: &PipelineRun) -> BTreeMap<String, String> {
    let own = run.metadata.annotations.clone().unwrap_or_default();
    own.into_iter().filter(|(key, _)| !is_reserved(key)).collect()
}

/// Annotations that say something of the run itself and must not pass to its children.
fn is_reserved(key: &str) -> bool {
    key.contains(labels::CHAINS_RESERVED_PREFIX)
}

/// Lays metadata from the strongest to the weakest: settings per task, the run, the inline task.
pub(super) fn layered(
    strongest: Option<&PipelineTaskMetadata>,
    run: (BTreeMap<String, String>, BTreeMap<String, String>),
    weakest: Option<&PipelineTaskMetadata>,
) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let lay = |strongest: Option<&BTreeMap<String, String>>,
               own: BTreeMap<String, String>,
               weakest: Option<&BTreeMap<String, String>>| {
        let mut all = weakest.cloned().unwrap_or_default();
        all.extend(own);
        all.extend(strongest.cloned().unwrap_or_default());
        all
    };
    (
        lay(strongest.map(|m| &m.labels), run.0, weakest.map(|m| &m.labels)),
        lay(strongest.map(|m| &m.annotations), run.1, weakest.map(|m| &m.annotations)),
    )
}
