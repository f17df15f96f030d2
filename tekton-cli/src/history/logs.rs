//! `tekton logs`: what the steps of a run wrote, in the order in which they ran, or as it comes.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use futures::AsyncReadExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, LogParams};
use tokio::sync::mpsc;

use super::History;
use super::select::{Run, one, runs, told};
use crate::args::{LogsArguments, RunFilter, RunKind};
use crate::run::logs::{Follower, LogLine};

/// How often a followed run is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Name prefix of the containers of steps.
const STEP: &str = "step-";

/// Prints the logs of one run.
///
/// Errors: there is no such run, or its logs cannot be read.
pub(crate) async fn logs(arguments: &LogsArguments) -> Result<ExitCode, String> {
    let history = History::open(arguments.data.data_dir.as_deref()).await?;
    let printed = async {
        let client = history.client();
        let run = one(client, &RunFilter { task: None, ..arguments.filter.clone() }, arguments.name.as_deref()).await?;
        if arguments.follow && !run.is_done() {
            return follow(client, &run, arguments).await;
        }
        for (task, pod) in pods(client, &run).await? {
            if arguments.filter.task.as_ref().is_none_or(|wanted| *wanted == task) {
                print_pod(client, &run, &task, &pod, arguments).await?;
            }
        }
        Ok(())
    }
    .await;
    history.close().await;
    printed.map(|()| ExitCode::SUCCESS)
}

/// The pods of a run with the task of each, in the order in which they began.
async fn pods(client: &kube::Client, run: &Run) -> Result<Vec<(String, Pod)>, String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), run.meta("namespace"));
    let label = match run.kind {
        RunKind::Pipelinerun => tekton_contract::labels::PIPELINE_RUN,
        RunKind::Taskrun => tekton_contract::labels::TASK_RUN,
        RunKind::Customrun => return Err("a CustomRun has no logs here: its controller has them".to_owned()),
    };
    let params = ListParams::default().labels(&format!("{label}={}", run.meta("name")));
    let mut found: Vec<(String, Pod)> =
        api.list(&params).await.map_err(told)?.items.into_iter().map(|pod| (task_of(&pod), pod)).collect();
    found.sort_by_key(|(task, pod)| {
        let start = pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0);
        (start.is_none(), start, task.clone())
    });
    Ok(found)
}

fn task_of(pod: &Pod) -> String {
    let label = |key: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)).cloned();
    label(tekton_contract::labels::PIPELINE_TASK)
        .or_else(|| label(tekton_contract::labels::TASK_RUN))
        .unwrap_or_default()
}

fn prefix(run: &Run, task: &str, step: &str) -> String {
    if run.kind == RunKind::Pipelinerun { format!("[{task} : {step}] ") } else { format!("[{step}] ") }
}

async fn print_pod(
    client: &kube::Client,
    run: &Run,
    task: &str,
    pod: &Pod,
    arguments: &LogsArguments,
) -> Result<(), String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), run.meta("namespace"));
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let begun: BTreeMap<&str, bool> = statuses
        .into_iter()
        .flatten()
        .map(|status| {
            let state = status.state.as_ref();
            (status.name.as_str(), state.is_some_and(|state| state.running.is_some() || state.terminated.is_some()))
        })
        .collect();
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    for container in containers {
        let Some(step) = container.name.strip_prefix(STEP) else { continue };
        let wanted = arguments.step.as_ref().is_none_or(|wanted| wanted == step);
        if !wanted || !begun.get(container.name.as_str()).copied().unwrap_or(false) {
            continue;
        }
        let params = LogParams {
            container: Some(container.name.clone()),
            timestamps: arguments.timestamps,
            tail_lines: arguments.tail,
            ..LogParams::default()
        };
        let mut stream = api.log_stream(name, &params).await.map_err(told)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.map_err(|error| format!("the log of {name}: {error}"))?;
        let prefix = if arguments.prefix { prefix(run, task, step) } else { String::new() };
        let mut text = String::with_capacity(bytes.len() + 64);
        for line in String::from_utf8_lossy(&bytes).lines() {
            text.extend([prefix.as_str(), line, "\n"]);
        }
        crate::printed(text);
    }
    Ok(())
}

/// Prints lines as they come until the run has ended.
async fn follow(client: &kube::Client, run: &Run, arguments: &LogsArguments) -> Result<(), String> {
    let (sender, lines) = mpsc::unbounded_channel();
    let api: Api<Pod> = Api::namespaced(client.clone(), run.meta("namespace"));
    let mut follower = Follower::new(api, sender);
    let filter = RunFilter { namespace: Some(run.meta("namespace").to_owned()), ..RunFilter::default() };
    let print = print_lines(run, arguments, lines);
    let watch = async {
        loop {
            // Looked at before its pods are, so that no pod of an ended run is missed.
            let now = runs(client, &filter, Some(run.kind)).await?;
            let now = now.iter().find(|now| now.meta("uid") == run.meta("uid"));
            for (task, pod) in pods(client, run).await? {
                follower.observe(&pod, &task);
            }
            if now.is_none_or(Run::is_done) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        follower.drain().await;
        drop(follower);
        Ok::<(), String>(())
    };
    let (watched, ()) = tokio::join!(watch, print);
    watched
}

async fn print_lines(run: &Run, arguments: &LogsArguments, lines: mpsc::UnboundedReceiver<LogLine>) {
    let mut lines = lines;
    while let Some(line) = lines.recv().await {
        let wanted = arguments.filter.task.as_ref().is_none_or(|task| *task == line.task)
            && arguments.step.as_ref().is_none_or(|step| *step == line.step);
        if wanted {
            let prefix = if arguments.prefix { prefix(run, &line.task, &line.step) } else { String::new() };
            crate::printed(format!("{prefix}{}\n", line.text));
        }
    }
}
