//! Follows the logs of every step of every Pod as soon as its container runs.

use std::collections::HashSet;

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

/// Name prefix of the containers of steps.
const STEP: &str = "step-";

/// A line that a step wrote.
#[derive(Debug)]
pub(crate) struct LogLine {
    /// The pipeline task, or the TaskRun.
    pub(crate) task: String,
    /// The step.
    pub(crate) step: String,
    /// Without the line feed.
    pub(crate) text: String,
}

/// Follows the logs of steps.
#[derive(Debug)]
pub(crate) struct Follower {
    pods: Api<Pod>,
    lines: UnboundedSender<LogLine>,
    following: HashSet<(String, String)>,
    tasks: JoinSet<()>,
}

impl Follower {
    /// A follower that sends every line to `lines`.
    pub(crate) fn new(pods: Api<Pod>, lines: UnboundedSender<LogLine>) -> Self {
        Self { pods, lines, following: HashSet::new(), tasks: JoinSet::new() }
    }

    /// Looks at the new state of a Pod and follows the containers that have begun.
    pub(crate) fn observe(&mut self, pod: &Pod, task: &str) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let Some(name) = pod.metadata.name.clone() else { return };
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        for status in statuses.into_iter().flatten() {
            let Some(step) = status.name.strip_prefix(STEP) else { continue };
            let begun =
                status.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some());
            if !begun || !self.following.insert((uid.clone(), status.name.clone())) {
                continue;
            }
            let (pods, lines) = (self.pods.clone(), self.lines.clone());
            let (pod, container) = (name.clone(), status.name.clone());
            let (task, step) = (task.to_owned(), step.to_owned());
            self.tasks.spawn(async move {
                let params = LogParams { container: Some(container), follow: true, ..LogParams::default() };
                // A Pod that is deleted meanwhile has no more logs to show.
                let Ok(stream) = pods.log_stream(&pod, &params).await else { return };
                let mut stream = stream.lines();
                while let Ok(Some(text)) = stream.try_next().await {
                    if lines.send(LogLine { task: task.clone(), step: step.clone(), text }).is_err() {
                        return;
                    }
                }
            });
        }
    }

    /// Waits until every log has been read to its end.
    pub(crate) async fn drain(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
