//! Rules off the admission path: what is accepted and likely not what was meant.

mod images;
mod runs;
mod scripts;
mod unused;

use tekton_types::Object;
use tekton_types::v1::{PipelineSpec, PipelineTask, TaskSpec};

use crate::beta;
use crate::diagnostic::{Diagnostic, Severity};

/// Lints one object, after defaulting. Paths are those of the object as given.
pub fn lint(object: &Object) -> Vec<Diagnostic> {
    let converted = beta::to_v1(object);
    let mut found = Vec::new();
    match converted.as_ref().unwrap_or(object) {
        Object::Task(task) => {
            task_spec(&task.spec, "spec", &mut found);
            unused::task(&task.spec, "spec", &mut found);
        }
        Object::TaskRun(run) => {
            if let Some(spec) = &run.spec.task_spec {
                task_spec(spec, "spec.taskSpec", &mut found);
            }
        }
        Object::Pipeline(pipeline) => {
            pipeline_spec(&pipeline.spec, "spec", &mut found);
            unused::pipeline(&pipeline.spec, "spec", &mut found);
        }
        Object::PipelineRun(run) => {
            if let Some(spec) = &run.spec.pipeline_spec {
                pipeline_spec(spec, "spec.pipelineSpec", &mut found);
            }
            runs::pipeline_run(run, &mut found);
        }
        Object::StepAction(action) => images::check(&action.spec.image, "spec.image", &mut found),
        _ => {}
    }
    found
}

fn warning(code: &'static str, message: String, path: String) -> Diagnostic {
    Diagnostic::new(code, Severity::Warning, message, [path])
}

fn task_spec(spec: &TaskSpec, path: &str, found: &mut Vec<Diagnostic>) {
    for (index, step) in spec.steps.iter().enumerate() {
        let path = format!("{path}.steps[{index}]");
        scripts::check(&step.script, &format!("{path}.script"), found);
        images::check(&step.image, &format!("{path}.image"), found);
    }
    for (index, sidecar) in spec.sidecars.iter().enumerate() {
        let path = format!("{path}.sidecars[{index}]");
        scripts::check(&sidecar.script, &format!("{path}.script"), found);
        images::check(&sidecar.image, &format!("{path}.image"), found);
    }
}

fn pipeline_spec(spec: &PipelineSpec, path: &str, found: &mut Vec<Diagnostic>) {
    for (field, tasks) in [("tasks", &spec.tasks), ("finally", &spec.r#finally)] {
        for (index, task) in tasks.iter().enumerate() {
            let path = format!("{path}.{field}[{index}]");
            pipeline_task(task, &path, found);
        }
    }
}

fn pipeline_task(task: &PipelineTask, path: &str, found: &mut Vec<Diagnostic>) {
    if let Some(reference) = &task.task_ref
        && reference.api_version.starts_with("tekton.dev/")
        && (reference.kind.is_empty() || reference.kind == "Task")
    {
        found.push(
            warning(
                "custom-task-of-tekton",
                format!("apiVersion makes this reference to Task {:?} a custom task that nobody runs", reference.name),
                format!("{path}.taskRef.apiVersion"),
            )
            .with_help("leave apiVersion out"),
        );
    }
    if let Some(embedded) = task.task_spec.as_ref().filter(|s| !s.is_custom_task()) {
        task_spec(&embedded.task_spec, &format!("{path}.taskSpec"), found);
    }
}
