//! `tekton graph`.

use serde_json::Value;
use tekton_dag::draw::{Drawing, Task};
use tekton_dag::edges;
use tekton_types::v1::{PipelineSpec, PipelineTask};

use crate::args::{GraphArguments, GraphFormat};
use crate::files::{self, is_tekton};

/// Draws every pipeline of the file.
///
/// Errors: the file cannot be read, or holds no pipeline.
pub(crate) fn graph(arguments: &GraphArguments) -> Result<String, String> {
    let objects = files::objects(&files::read_all(std::slice::from_ref(&arguments.file))?)?;
    let mut text = String::new();
    for object in &objects {
        let Some(spec) = spec_of(object) else { continue };
        let spec: PipelineSpec = serde_json::from_value(spec.clone())
            .map_err(|error| format!("{}: {}: {error}", arguments.file.display(), name(object)))?;
        let drawing = drawing(&spec);
        text.push_str(&match arguments.format {
            GraphFormat::Ascii => drawing.ascii(),
            GraphFormat::Dot => drawing.dot(),
            GraphFormat::Mermaid => drawing.mermaid(),
            GraphFormat::Svg => drawing.svg(),
            GraphFormat::Json => json_of(name(object), &drawing),
        });
    }
    if text.is_empty() {
        return Err(format!("{}: there is no Pipeline here", arguments.file.display()));
    }
    Ok(text)
}

/// One line a pipeline.
fn json_of(pipeline: &str, drawing: &Drawing) -> String {
    let mut json = drawing.json();
    json["pipeline"] = pipeline.into();
    format!("{json}\n")
}

/// The spec of a Pipeline, or of the pipeline within a PipelineRun.
fn spec_of(object: &Value) -> Option<&Value> {
    if is_tekton(object, "Pipeline") {
        object.get("spec")
    } else if is_tekton(object, "PipelineRun") {
        object.get("spec")?.get("pipelineSpec")
    } else {
        None
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn drawing(spec: &PipelineSpec) -> Drawing {
    let after = edges::dependencies(&spec.tasks);
    let task = |task: &PipelineTask| Task {
        name: task.name.clone(),
        after: after.get(task.name.as_str()).into_iter().flatten().map(|name| (*name).to_string()).collect(),
        note: note(task),
    };
    Drawing {
        tasks: spec.tasks.iter().map(task).collect(),
        finally: spec
            .finally
            .iter()
            .map(|task| Task { name: task.name.clone(), after: Vec::new(), note: note(task) })
            .collect(),
    }
}

fn note(task: &PipelineTask) -> String {
    let mut notes = Vec::new();
    if !task.when.is_empty() {
        notes.push("when".to_owned());
    }
    if tekton_dag::matrix::is_matrixed(task) {
        notes.push(format!("matrix of {}", tekton_dag::matrix::runs_of(task)));
    }
    if task.retries > 0 {
        notes.push(format!("retries {}", task.retries));
    }
    notes.join(", ")
}
