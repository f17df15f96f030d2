//! Jobs: pods that are to end well a number of times.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{Cluster, Wake, pods};
use crate::store::{Key, Object};

/// The annotation and label that number the pods of an indexed Job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How long the first pod that replaces a failed one waits; each failure doubles it.
const BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_mins(6);

/// How a Job has ended: the type of its condition, the reason and the message.
type Ending = (&'static str, &'static str, String);

pub(super) async fn reconcile(cluster: &Cluster, key: &Key, job: &Value) -> Result<Wake, kube::Error> {
    let all = pods::of(cluster, job);
    if let Some(ended) = ended_at(job) {
        return expire(cluster, key, job, ended).await;
    }
    let state = State::of(job, &all);
    let ending = state.ending(job);
    let suspended = job["spec"]["suspend"] == true;
    let mut wake = None;
    if ending.is_some() || suspended {
        for pod in all.iter().filter(|pod| pods::is_active(&pod.value)) {
            pods::delete(cluster, pod).await?;
        }
    } else {
        wake = state.back_off(&all);
        if wake.is_none() {
            create_missing(cluster, job, &state, &all).await?;
        }
        wake = [wake, deadline(job)].into_iter().flatten().min();
    }
    let now = State::of(job, &pods::of(cluster, job));
    pods::write_status(cluster, key, ("batch", "Job"), job, now.status(job, ending.as_ref(), suspended)).await?;
    Ok(wake)
}

/// What the pods of a Job have come to.
struct State {
    active: usize,
    ready: usize,
    succeeded: usize,
    failed: usize,
    completions: Option<usize>,
    indexed: bool,
}

fn index_of(pod: &Value) -> Option<usize> {
    pod["metadata"]["annotations"][INDEX].as_str()?.parse().ok()
}

impl State {
    fn of(job: &Value, all: &[Arc<Object>]) -> Self {
        let indexed = job["spec"]["completionMode"] == "Indexed";
        let phase = |wanted: &str| all.iter().filter(|pod| pods::phase(&pod.value) == wanted).collect::<Vec<_>>();
        let done = phase("Succeeded");
        let succeeded = if indexed {
            done.iter().filter_map(|pod| index_of(&pod.value)).collect::<BTreeSet<_>>().len()
        } else {
            done.len()
        };
        Self {
            active: all.iter().filter(|pod| pods::is_active(&pod.value)).count(),
            ready: all.iter().filter(|pod| pods::is_ready(&pod.value)).count(),
            succeeded,
            failed: phase("Failed").len(),
            completions: job["spec"]["completions"].as_u64().and_then(|n| usize::try_from(n).ok()),
            indexed,
        }
    }

    /// How the Job ends now, if it does.
    fn ending(&self, job: &Value) -> Option<Ending> {
        if pods::count(self.failed) > pods::number(job, "/spec/backoffLimit", 6) {
            let message = "Job has reached the specified backoff limit".to_owned();
            return Some(("Failed", "BackoffLimitExceeded", message));
        }
        if deadline(job) == Some(Duration::ZERO) {
            return Some(("Failed", "DeadlineExceeded", "Job was active longer than specified deadline".to_owned()));
        }
        let done = match self.completions {
            Some(completions) => self.succeeded >= completions,
            // Without a number, the first that ends well decides when the last has ended.
            None => self.succeeded > 0 && self.active == 0,
        };
        done.then(|| {
            let message = "Reached expected number of succeeded pods".to_owned();
            ("Complete", "CompletionsReached", message)
        })
    }

    /// How long the next pod has to wait because others have failed.
    fn back_off(&self, all: &[Arc<Object>]) -> Wake {
        let doubled = u32::try_from(self.failed.checked_sub(1)?).ok()?;
        let wait = BACK_OFF.saturating_mul(2_u32.saturating_pow(doubled)).min(LONGEST_BACK_OFF);
        let last = all
            .iter()
            .filter(|pod| pods::phase(&pod.value) == "Failed")
            .filter_map(|pod| finished(&pod.value))
            .max()?;
        let waited = Duration::try_from(Timestamp::now().duration_since(last)).unwrap_or_default();
        wait.checked_sub(waited).filter(|left| !left.is_zero())
    }

    fn status(&self, job: &Value, ending: Option<&Ending>, suspended: bool) -> Value {
        let now = crate::api::now();
        let mut status = json!({"ready": self.ready, "terminating": 0});
        for (field, count) in [("active", self.active), ("succeeded", self.succeeded), ("failed", self.failed)] {
            if count > 0 {
                status[field] = count.into();
            }
        }
        if !suspended {
            let start = &job["status"]["startTime"];
            status["startTime"] = if start.is_null() { now.clone().into() } else { start.clone() };
        }
        if let Some((kind, reason, message)) = ending {
            let first = if *kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
            status["conditions"] = json!([
                pods::condition(job, first, "True", reason, message),
                pods::condition(job, kind, "True", reason, message),
            ]);
            if *kind == "Complete" {
                status["completionTime"] = now.into();
            }
        } else if suspended {
            status["conditions"] = json!([pods::condition(job, "Suspended", "True", "JobSuspended", "Job suspended")]);
        }
        status
    }
}

/// When the last container of a pod ended.
fn finished(pod: &Value) -> Option<Timestamp> {
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    statuses.iter().filter_map(|status| status["state"]["terminated"]["finishedAt"].as_str()?.parse().ok()).max()
}

/// The time that is left until a Job has to have ended; zero when that is past.
fn deadline(job: &Value) -> Wake {
    let seconds = job["spec"]["activeDeadlineSeconds"].as_u64()?;
    let start: Timestamp = job["status"]["startTime"].as_str()?.parse().ok()?;
    let ran = Duration::try_from(Timestamp::now().duration_since(start)).unwrap_or_default();
    Some(Duration::from_secs(seconds).saturating_sub(ran))
}

fn ended_at(job: &Value) -> Option<Timestamp> {
    let conditions = job["status"]["conditions"].as_array()?;
    let ended =
        conditions.iter().find(|c| c["status"] == "True" && (c["type"] == "Complete" || c["type"] == "Failed"))?;
    ended["lastTransitionTime"].as_str()?.parse().ok()
}

/// Deletes a Job that has ended when its time to live is over.
async fn expire(cluster: &Cluster, key: &Key, job: &Value, ended: Timestamp) -> Result<Wake, kube::Error> {
    let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_u64() else { return Ok(None) };
    let lived = Duration::try_from(Timestamp::now().duration_since(ended)).unwrap_or_default();
    let left = Duration::from_secs(seconds).saturating_sub(lived);
    if !left.is_zero() {
        return Ok(Some(left));
    }
    let api = pods::dynamic(cluster, key, "batch", "Job");
    api.delete(&key.name, &DeleteParams::background()).await.map(|_| None)
}

async fn create_missing(cluster: &Cluster, job: &Value, state: &State, all: &[Arc<Object>]) -> Result<(), kube::Error> {
    let parallelism = usize::try_from(pods::number(job, "/spec/parallelism", 1)).unwrap_or(0);
    let left = match state.completions {
        Some(completions) => completions.saturating_sub(state.succeeded),
        None if state.succeeded > 0 => 0,
        None => parallelism,
    };
    let missing = parallelism.min(left).saturating_sub(state.active);
    let taken: BTreeSet<usize> = all
        .iter()
        .filter(|pod| pods::phase(&pod.value) == "Succeeded" || pods::is_active(&pod.value))
        .filter_map(|pod| index_of(&pod.value))
        .collect();
    let mut free = (0..state.completions.unwrap_or(0)).filter(|index| !taken.contains(index));
    for _ in 0..missing {
        let index = if state.indexed { free.next() } else { None };
        pods::create(cluster, job, |pod| {
            if let Some(index) = index {
                number(pod, index);
            }
        })
        .await?;
    }
    Ok(())
}

/// Tells a pod of an indexed Job which one it is.
fn number(pod: &mut Value, index: usize) {
    let text = index.to_string();
    for field in ["annotations", "labels"] {
        if !pod["metadata"][field].is_object() {
            pod["metadata"][field] = json!({});
        }
        pod["metadata"][field][INDEX] = text.as_str().into();
    }
    for list in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let variable = json!({"name": "JOB_COMPLETION_INDEX", "value": text});
            match container.get_mut("env").and_then(Value::as_array_mut) {
                Some(env) => env.push(variable),
                None => container["env"] = json!([variable]),
            }
        }
    }
}
