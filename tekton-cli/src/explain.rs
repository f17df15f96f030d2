//! `tekton explain`: why a run and its tasks stand where they stand, from a cluster or from printed objects.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::Value as Json;
use tekton_contract::labels;
use tekton_engine::explain::{self, Around, Explanation, State};
use tekton_engine::{Kind, Object};

use crate::args::{ExplainArguments, ExplainFormat};
use crate::run::style::{Paint, Tone};
use crate::serve::KUBECONFIG;
use crate::{files, printed};

/// Kinds of runs, in the order in which a bare name is looked for, with the short names that `kubectl` knows.
const RUNS: [(Kind, &str); 3] = [(Kind::PipelineRun, "pr"), (Kind::TaskRun, "tr"), (Kind::CustomRun, "customrun")];

/// Explains a run.
///
/// Errors: no such run or task, unreadable files, or a cluster that does not answer.
pub(crate) async fn explain(arguments: &ExplainArguments) -> Result<ExitCode, String> {
    let wanted = arguments.run.as_deref().map(Wanted::parse).transpose()?;
    let objects = if arguments.filename.is_empty() {
        let wanted = wanted.as_ref().ok_or("which run? Give its name, or objects with -f")?;
        let client = client(arguments.kubeconfig.as_deref()).await?;
        from_cluster(&client, &arguments.namespace, wanted).await?
    } else {
        from_files(arguments)?
    };
    let run = match &wanted {
        Some(wanted) => wanted.among(&objects).ok_or_else(|| format!("there is no run called {}", wanted.name))?,
        None => first_run(&objects).ok_or("the files hold no PipelineRun, TaskRun or CustomRun")?,
    };
    let around = Around::new(&objects, Timestamp::now());
    let explanation = match (&arguments.task, run) {
        (Some(task), Object::PipelineRun(run)) => {
            explain::explain_task(run, task, &around).ok_or_else(|| format!("the run has no task {task}"))?
        }
        (Some(_), _) => return Err("--task is for PipelineRuns: other runs have no tasks".to_owned()),
        (None, run) => explain::explain(run, &around).ok_or("only runs can be explained")?,
    };
    Ok(printed(match arguments.output {
        ExplainFormat::Text => text(&explanation, Paint::for_stream(&std::io::stdout())),
        ExplainFormat::Json => serde_json::to_string_pretty(&explanation).map_err(|error| error.to_string())? + "\n",
    }))
}

/// A run as the command line names it.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    kind: Option<Kind>,
    name: String,
}

impl Wanted {
    fn parse(text: &str) -> Result<Self, String> {
        let Some((kind, name)) = text.split_once('/') else {
            return Ok(Self { kind: None, name: text.to_owned() });
        };
        let word = kind.to_lowercase();
        let known = RUNS
            .iter()
            .find(|(kind, short)| word == *short || word == kind.as_str().to_lowercase() || word == kind.resource());
        match known {
            Some((kind, _)) => Ok(Self { kind: Some(*kind), name: name.to_owned() }),
            None => Err(format!("{kind} is no kind of run: pipelinerun (pr), taskrun (tr) and customrun are")),
        }
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        RUNS.into_iter().map(|(kind, _)| kind).filter(|kind| self.kind.is_none_or(|wanted| wanted == *kind))
    }

    fn among<'o>(&self, objects: &'o [Object]) -> Option<&'o Object> {
        self.kinds().find_map(|kind| {
            objects
                .iter()
                .find(|object| object.kind() == kind && object.metadata().name.as_deref() == Some(self.name.as_str()))
        })
    }
}

/// The first run that no other run owns.
fn first_run(objects: &[Object]) -> Option<&Object> {
    let is_run = |object: &&Object| RUNS.iter().any(|(kind, _)| *kind == object.kind());
    let is_owned = |object: &&Object| {
        let owners = object.metadata().owner_references.as_deref().unwrap_or_default();
        owners.iter().any(|owner| owner.kind == Kind::PipelineRun.as_str())
    };
    let mut runs = objects.iter().filter(is_run);
    runs.clone().find(|run| !is_owned(run)).or_else(|| runs.next())
}

fn from_files(arguments: &ExplainArguments) -> Result<Vec<Object>, String> {
    let sources = files::read_all(&arguments.filename)?;
    let mut objects = Vec::new();
    for value in files::objects(&sources)? {
        let Some(kind) = kind_of(&value) else { continue };
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let object = Object::from_json(kind, value).map_err(|error| format!("{} {name}: {error}", kind.as_str()))?;
        objects.push(object);
    }
    Ok(objects)
}

fn kind_of(value: &Json) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| value["kind"] == kind.as_str() && value["apiVersion"] == kind.api_version())
}

/// A client of the cluster that a kubeconfig names: the given one, that of `tekton serve` in this folder, or kubectl's.
async fn client(kubeconfig: Option<&Path>) -> Result<kube::Client, String> {
    let local = Path::new(KUBECONFIG);
    let Some(path) = kubeconfig.or_else(|| local.exists().then_some(local)) else {
        return kube::Client::try_default().await.map_err(|error| format!("no cluster to ask: {error}"));
    };
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let read = Kubeconfig::read_from(path).map_err(|error| failed(&error))?;
    let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
    kube::Client::try_from(config.map_err(|error| failed(&error))?).map_err(|error| failed(&error))
}

/// The run with its children, their children, their Pods, and the requests of the namespace to resolvers.
async fn from_cluster(client: &kube::Client, namespace: &str, wanted: &Wanted) -> Result<Vec<Object>, String> {
    let failed = |error: kube::Error| format!("the cluster: {error}");
    let mut found = None;
    for kind in wanted.kinds() {
        if found.is_none() {
            let got = api(client, namespace, kind).get_opt(&wanted.name).await.map_err(failed)?;
            found = got.map(|object| read(kind, object)).transpose()?;
        }
    }
    let run = found.ok_or_else(|| format!("there is no run called {} in namespace {namespace}", wanted.name))?;
    let mut objects = all(client, namespace, Kind::ResolutionRequest, &ListParams::default()).await?;
    let mut pipelines = Vec::new();
    match &run {
        Object::PipelineRun(_) => pipelines.push(wanted.name.clone()),
        Object::TaskRun(_) => {
            let own = ListParams::default().labels(&format!("{}={}", labels::TASK_RUN, wanted.name));
            objects.extend(all(client, namespace, Kind::Pod, &own).await?);
        }
        _ => {}
    }
    objects.push(run);
    while let Some(name) = pipelines.pop() {
        let own = ListParams::default().labels(&format!("{}={name}", labels::PIPELINE_RUN));
        for kind in [Kind::TaskRun, Kind::CustomRun, Kind::PipelineRun, Kind::Pod] {
            let children = all(client, namespace, kind, &own).await?;
            if kind == Kind::PipelineRun {
                pipelines.extend(children.iter().filter_map(|child| child.metadata().name.clone()));
            }
            objects.extend(children);
        }
    }
    Ok(objects)
}

fn api(client: &kube::Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let (group, version) = kind.api_version().split_once('/').unwrap_or(("", kind.api_version()));
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.as_str()), kind.resource());
    Api::namespaced_with(client.clone(), namespace, &resource)
}

async fn all(client: &kube::Client, namespace: &str, kind: Kind, of: &ListParams) -> Result<Vec<Object>, String> {
    match api(client, namespace, kind).list(of).await {
        Ok(list) => list.items.into_iter().map(|object| read(kind, object)).collect(),
        // A cluster without the kind has no objects of it.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(format!("the cluster: {error}")),
    }
}

fn read(kind: Kind, object: DynamicObject) -> Result<Object, String> {
    let unreadable = |error: serde_json::Error| format!("a {} of the cluster: {error}", kind.as_str());
    Object::from_json(kind, serde_json::to_value(object).map_err(unreadable)?).map_err(unreadable)
}

/// The tree of reasons, one a line.
fn text(explanation: &Explanation, paint: Paint) -> String {
    fn tell(explanation: &Explanation, depth: usize, paint: Paint, out: &mut String) {
        let (glyph, tone) = match explanation.state {
            State::Succeeded => ("✓", Tone::Green),
            State::Failed => ("✗", Tone::Red),
            State::Cancelled => ("■", Tone::Yellow),
            State::Running => ("●", Tone::Blue),
            State::Waiting => ("○", Tone::Dim),
            _ => ("–", Tone::Dim),
        };
        let indent = "  ".repeat(depth);
        writeln!(out, "{indent}{} {} {}", paint.tone(tone, glyph), explanation.subject, explanation.text)
            .expect("a string can be written to");
        for reason in &explanation.because {
            tell(reason, depth + 1, paint, out);
        }
    }
    let mut out = String::new();
    tell(explanation, 0, paint, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_with_or_without_its_kind() {
        let parsed = |text| Wanted::parse(text).map(|wanted| (wanted.kind, wanted.name));
        assert_eq!(parsed("ci"), Ok((None, "ci".to_owned())));
        for text in ["pr/ci", "pipelinerun/ci", "PipelineRun/ci", "pipelineruns/ci"] {
            assert_eq!(parsed(text), Ok((Some(Kind::PipelineRun), "ci".to_owned())), "{text}");
        }
        assert!(parsed("pod/ci").is_err());
    }
}
