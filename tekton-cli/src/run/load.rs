//! From files and flags to the objects that are created: everything that is not a run, then the runs.

use serde_json::{Value, json};
use tekton_types::Object;
use tekton_types::decode::Problem;
use tekton_types::duration::GoDuration;
use tekton_types::v1::{Param, ParamSpec, PipelineRun, PipelineSpec, TaskRun, TaskSpec, TimeoutFields};
use tekton_types::v1beta1::convert;

use super::params;
use super::workspaces::Workspace;
use crate::files::{self, is_tekton};

/// What the command line says about every run.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// `-p`, as written.
    pub(crate) params: Vec<String>,
    /// From `--param-file`.
    pub(crate) file_params: Vec<Param>,
    /// `-w`.
    pub(crate) workspaces: Vec<Workspace>,
    /// `--service-account`.
    pub(crate) service_account: Option<String>,
    /// `--timeout`.
    pub(crate) timeout: Option<GoDuration>,
}

/// What is to be created.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Everything that the runs may refer to.
    pub(crate) objects: Vec<Value>,
    /// The runs, in the order of the files.
    pub(crate) runs: Vec<Run>,
}

/// A run to be created.
#[derive(Debug)]
pub(crate) enum Run {
    /// A `TaskRun`.
    Task(Box<TaskRun>),
    /// A `PipelineRun`.
    Pipeline(Box<PipelineRun>),
}

/// Sorts the objects of the files and applies what the command line says.
///
/// Errors: an object that cannot be read, nothing to run, or more than one Task or Pipeline and no run.
pub(crate) fn load(all: Vec<Value>, overrides: &Overrides) -> Result<Loaded, String> {
    let mut loaded = Loaded::default();
    for object in all {
        let object = to_hub(object)?;
        if is_tekton(&object, "PipelineRun") {
            loaded.runs.push(Run::Pipeline(typed(object)?));
        } else if is_tekton(&object, "TaskRun") {
            loaded.runs.push(Run::Task(typed(object)?));
        } else {
            loaded.objects.push(object);
        }
    }
    if loaded.runs.is_empty() {
        let run = made(&loaded.objects)?;
        loaded.runs.push(run);
    }
    for run in &mut loaded.runs {
        apply(run, &loaded.objects, overrides)?;
    }
    Ok(loaded)
}

/// An object of an older version of Tekton's API at the version that everything works with.
fn to_hub(object: Value) -> Result<Value, String> {
    let older = ["tekton.dev/v1beta1", "tekton.dev/v1alpha1"].iter().any(|version| object["apiVersion"] == *version);
    if !older {
        return Ok(object);
    }
    match Object::from_json(&object) {
        (Some(typed), problems) if !problems.iter().any(|p| p.problem == Problem::BadValue) => {
            convert::to_hub(typed).map(|typed| typed.to_json()).map_err(|error| error.to_string())
        }
        (_, problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

/// The run of the only Pipeline, else of the only Task.
fn made(objects: &[Value]) -> Result<Run, String> {
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let of_kind = |kind| objects.iter().filter(|object| is_tekton(object, kind)).map(name).collect::<Vec<_>>();
    let (pipelines, tasks) = (of_kind("Pipeline"), of_kind("Task"));
    let metadata = |name: &str| json!({"generateName": format!("{name}-")});
    match (pipelines.as_slice(), tasks.as_slice()) {
        ([pipeline], _) => Ok(Run::Pipeline(typed(json!({
            "metadata": metadata(pipeline), "spec": {"pipelineRef": {"name": pipeline}},
        }))?)),
        ([], [task]) => Ok(Run::Task(typed(json!({"metadata": metadata(task), "spec": {"taskRef": {"name": task}}}))?)),
        ([], []) => Err("nothing to run: the files hold no PipelineRun, TaskRun, Pipeline or Task".to_owned()),
        ([], tasks) => {
            Err(format!("which of the tasks {} is meant? Add a TaskRun or Pipeline that says so", tasks.join(", ")))
        }
        (pipelines, _) => {
            Err(format!("which of the pipelines {} is meant? Add a PipelineRun that says so", pipelines.join(", ")))
        }
    }
}

fn typed<T: serde::de::DeserializeOwned>(object: Value) -> Result<Box<T>, String> {
    serde_json::from_value(object).map(Box::new).map_err(|error| error.to_string())
}

fn apply(run: &mut Run, objects: &[Value], overrides: &Overrides) -> Result<(), String> {
    let declared = declared_params(run, objects);
    let given = params::from_texts(&overrides.params, &declared)?;
    let (metadata, params, workspaces) = match run {
        Run::Task(run) => {
            if let Some(timeout) = overrides.timeout {
                run.spec.timeout = Some(timeout);
            }
            if let Some(account) = &overrides.service_account {
                run.spec.service_account_name.clone_from(account);
            }
            (&mut run.metadata, &mut run.spec.params, &mut run.spec.workspaces)
        }
        Run::Pipeline(run) => {
            if let Some(timeout) = overrides.timeout {
                run.spec.timeouts.get_or_insert_with(TimeoutFields::default).pipeline = Some(timeout);
            }
            if let Some(account) = &overrides.service_account {
                run.spec.task_run_template.service_account_name.clone_from(account);
            }
            (&mut run.metadata, &mut run.spec.params, &mut run.spec.workspaces)
        }
    };
    if metadata.name.is_none() && metadata.generate_name.is_none() {
        metadata.generate_name = Some("run-".to_owned());
    }
    for param in overrides.file_params.iter().cloned().chain(given) {
        params::set(params, param);
    }
    for workspace in &overrides.workspaces {
        let binding = workspace.binding();
        match workspaces.iter_mut().find(|old| old.name == binding.name) {
            Some(old) => *old = binding,
            None => workspaces.push(binding),
        }
    }
    Ok(())
}

/// The params that the run's Task or Pipeline declares, when it is in the run or in the files.
fn declared_params(run: &Run, objects: &[Value]) -> Vec<ParamSpec> {
    let referred = |kind: &str, name: &str| {
        objects.iter().find(|object| is_tekton(object, kind) && object["metadata"]["name"] == name).map(|o| &o["spec"])
    };
    match run {
        Run::Task(run) => {
            let spec = run.spec.task_spec.clone().or_else(|| {
                let spec = referred("Task", &run.spec.task_ref.as_ref()?.name)?;
                serde_json::from_value::<TaskSpec>(spec.clone()).ok()
            });
            spec.map(|spec| spec.params).unwrap_or_default()
        }
        Run::Pipeline(run) => {
            let spec = run.spec.pipeline_spec.clone().or_else(|| {
                let spec = referred("Pipeline", &run.spec.pipeline_ref.as_ref()?.name)?;
                serde_json::from_value::<PipelineSpec>(spec.clone()).ok()
            });
            spec.map(|spec| spec.params).unwrap_or_default()
        }
    }
}

/// Reads a `--param-file`.
///
/// Errors: it cannot be read, or is not one mapping from names to values.
pub(crate) fn param_file(path: &std::path::Path) -> Result<Vec<Param>, String> {
    let sources = files::read_all(&[path.to_owned()])?;
    let [document] = &files::objects(&sources)?[..] else {
        return Err(format!("{}: expected one mapping from param names to values", path.display()));
    };
    params::from_document(document).map_err(|why| format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use tekton_types::v1::ParamValue;

    use super::*;

    fn task() -> Value {
        json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "metadata": {"name": "greet"},
               "spec": {"params": [{"name": "flags", "type": "array"}, {"name": "name"}], "steps": []}})
    }

    #[test]
    fn a_lone_task_gets_a_run_with_params_of_their_declared_types() {
        let overrides =
            Overrides { params: vec!["flags=a,b".to_owned(), "name=a,b".to_owned()], ..Overrides::default() };
        let loaded = load(vec![task()], &overrides).expect("there is one task");
        let [Run::Task(run)] = &loaded.runs[..] else { panic!("a task makes a TaskRun") };
        assert_eq!(run.metadata.generate_name.as_deref(), Some("greet-"));
        assert_eq!(run.spec.params[0].value, ParamValue::Array(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(run.spec.params[1].value, ParamValue::String("a,b".to_owned()));
    }

    #[test]
    fn two_tasks_and_no_run_are_an_error_that_names_them() {
        let mut other = task();
        other["metadata"]["name"] = json!("wave");
        let error = load(vec![task(), other], &Overrides::default()).expect_err("which one is not said");
        assert_eq!(error, "which of the tasks greet, wave is meant? Add a TaskRun or Pipeline that says so");
    }

    #[test]
    fn an_older_version_is_converted_on_the_way_in() {
        let run = json!({"apiVersion": "tekton.dev/v1beta1", "kind": "PipelineRun", "metadata": {"name": "old"},
            "spec": {"timeout": "5m", "pipelineRef": {"name": "p"}}});
        let loaded = load(vec![run], &Overrides::default()).expect("it is a run");
        let [Run::Pipeline(run)] = &loaded.runs[..] else { panic!("it is a PipelineRun") };
        let timeout = run.spec.timeouts.as_ref().and_then(|timeouts| timeouts.pipeline);
        assert_eq!(timeout.map(|timeout| timeout.to_string()).as_deref(), Some("5m0s"));
    }

    #[test]
    fn nothing_to_run_is_an_error() {
        assert!(load(Vec::new(), &Overrides::default()).is_err());
    }
}
