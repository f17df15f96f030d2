//! Rules off the admission path: what is accepted and likely not what was meant.

mod deprecated;
mod images;
mod pipelines;
mod races;
mod results;
mod runs;
mod scripts;
mod shell;
mod unused;
mod values;

use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::v1::{PipelineSpec, PipelineTask, TaskSpec};
use tekton_types::yaml::Node;

use crate::beta;
use crate::diagnostic::{Diagnostic, Severity};
use crate::fix::Fix;

/// The object as its author wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'g> {
    /// The text of the file.
    pub(crate) text: &'g str,
    /// The document.
    pub(crate) root: &'g Node<'g>,
    /// The configuration.
    pub(crate) config: &'g Config,
}

/// A finding, perhaps with a fix.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) diagnostic: Diagnostic,
    pub(crate) fix: Option<Fix>,
}

impl From<Diagnostic> for Found {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, fix: None }
    }
}

/// Lints one object, after defaulting. Paths are those of the object as given.
pub(crate) fn lint(object: &Object, given: &Given<'_>) -> Vec<Found> {
    let converted = beta::to_v1(object);
    let mut found = Vec::new();
    deprecated::check(object, given, &mut found);
    values::check(given, &mut found);
    match converted.as_ref().unwrap_or(object) {
        Object::Task(task) => task_spec(&task.spec, "spec", given, &mut found),
        Object::TaskRun(run) => {
            if let Some(spec) = &run.spec.task_spec {
                task_spec(spec, "spec.taskSpec", given, &mut found);
            }
            runs::task_run(run, given, &mut found);
        }
        Object::Pipeline(pipeline) => pipeline_spec(&pipeline.spec, "spec", given, &mut found),
        Object::PipelineRun(run) => {
            if let Some(spec) = &run.spec.pipeline_spec {
                pipeline_spec(spec, "spec.pipelineSpec", given, &mut found);
            }
            runs::pipeline_run(run, given, &mut found);
        }
        Object::StepAction(action) => images::check(&action.spec.image, "spec.image", &mut found),
        Object::V1Alpha1StepAction(action) => images::check(&action.spec.image, "spec.image", &mut found),
        _ => {}
    }
    found
}

fn warning(code: &'static str, message: impl Into<String>, path: impl Into<String>) -> Diagnostic {
    Diagnostic::new(code, Severity::Warning, message, [path.into()])
}

fn task_spec(spec: &TaskSpec, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    for (index, step) in spec.steps.iter().enumerate() {
        let path = format!("{path}.steps[{index}]");
        scripts::check(&step.script, &step.env, &path, given, found);
        images::check(&step.image, &format!("{path}.image"), found);
    }
    for (index, sidecar) in spec.sidecars.iter().enumerate() {
        let path = format!("{path}.sidecars[{index}]");
        scripts::check(&sidecar.script, &sidecar.env, &path, given, found);
        images::check(&sidecar.image, &format!("{path}.image"), found);
    }
    unused::task(spec, path, found);
    results::check(spec, path, given.config, found);
}

fn pipeline_spec(spec: &PipelineSpec, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    for (field, tasks) in [("tasks", &spec.tasks), ("finally", &spec.r#finally)] {
        for (index, task) in tasks.iter().enumerate() {
            pipeline_task(task, &format!("{path}.{field}[{index}]"), given, found);
        }
    }
    pipelines::check(spec, path, found);
    races::check(spec, path, found);
    unused::pipeline(spec, path, found);
}

fn pipeline_task(task: &PipelineTask, path: &str, given: &Given<'_>, found: &mut Vec<Found>) {
    pipelines::reference(task, path, given, found);
    if let Some(embedded) = task.task_spec.as_ref().filter(|s| !s.is_custom_task()) {
        task_spec(&embedded.task_spec, &format!("{path}.taskSpec"), given, found);
    }
}
