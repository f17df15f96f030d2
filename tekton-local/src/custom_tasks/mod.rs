//! The controller of custom tasks: CustomRuns of the kinds in [`KNOWN`] run in this process, without a Pod.
//!
//! What comes next for a CustomRun is a function of it and of the time; the loop writes that down, and looks again when
//! the run changes or its time has come. CustomRuns of other kinds are left to other controllers.

mod cel;
mod wait;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use tekton_types::condition::{self, Condition};
use tekton_types::v1beta1::{CustomRun, CustomRunStatus, customrun_spec_status};

/// API version and kind of the custom tasks that run here.
pub const KNOWN: [(&str, &str); 3] = [
    ("wait.testing.tekton.dev/v1beta1", wait::KIND),
    ("wait.testing.tekton.dev/v1alpha1", wait::KIND),
    ("cel.tekton.dev/v1alpha1", cel::KIND),
];

/// How long after a failed write a run is looked at again.
const RETRY: SignedDuration = SignedDuration::from_millis(500);

/// API version and kind of the custom task that a CustomRun runs; empty without one.
pub fn task_of(run: &CustomRun) -> (&str, &str) {
    match (&run.spec.custom_ref, &run.spec.custom_spec) {
        (Some(task), _) => (&task.api_version, &task.kind),
        (None, Some(task)) => (&task.api_version, &task.kind),
        (None, None) => ("", ""),
    }
}

/// Whether custom tasks of an API version and kind run here.
pub fn is_known(api_version: &str, kind: &str) -> bool {
    KNOWN.contains(&(api_version, kind))
}

/// What comes next for a run.
#[derive(Debug, Default, PartialEq)]
struct Next {
    /// Its status, if that changes.
    status: Option<CustomRunStatus>,
    /// When to look at it again.
    wake: Option<Timestamp>,
}

/// A CustomRun that goes on.
struct Tracked {
    run: CustomRun,
    /// When this attempt began: the time in the status is in whole seconds.
    begun: Option<Timestamp>,
    wake: Option<Timestamp>,
}

/// Runs custom tasks. Never ends.
pub(crate) async fn run(client: Client) {
    let all: Api<CustomRun> = Api::all(client.clone());
    let mut events = watcher(all, watcher::Config::default()).default_backoff().boxed();
    let mut tracked: BTreeMap<(String, String), Tracked> = BTreeMap::new();
    loop {
        let next = tracked.values().filter_map(|one| one.wake).min();
        let sleep = next.map(|at| Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default());
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(watcher::Event::Apply(run) | watcher::Event::InitApply(run))) => take_in(&mut tracked, run),
                Some(Ok(watcher::Event::Delete(run))) => drop(tracked.remove(&key(&run))),
                // Nothing that is remembered need exist any more; what does is told again.
                Some(Ok(watcher::Event::Init)) => tracked.clear(),
                // The watcher starts over by itself.
                Some(Ok(watcher::Event::InitDone) | Err(_)) => {}
                None => return,
            },
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
        }
        let now = Timestamp::now();
        for one in tracked.values_mut().filter(|one| one.wake.is_some_and(|at| at <= now)) {
            proceed(&client, one, now).await;
        }
        tracked.retain(|_, one| !is_done(&one.run));
    }
}

fn key(run: &CustomRun) -> (String, String) {
    (run.namespace().unwrap_or_default(), run.name_any())
}

/// Notes the new state of a run, which is to be looked at now.
fn take_in(tracked: &mut BTreeMap<(String, String), Tracked>, run: CustomRun) {
    let (api_version, kind) = task_of(&run);
    if !is_known(api_version, kind) || is_done(&run) || run.metadata.deletion_timestamp.is_some() {
        tracked.remove(&key(&run));
        return;
    }
    let known = tracked.get(&key(&run)).filter(|one| one.run.metadata.uid == run.metadata.uid);
    let begun = known.and_then(|one| one.begun).or_else(|| run.status.start_time.as_ref().map(|time| time.0));
    tracked.insert(key(&run), Tracked { run, begun, wake: Some(Timestamp::MIN) });
}

/// Takes a run as far as it goes now.
async fn proceed(client: &Client, one: &mut Tracked, now: Timestamp) {
    let Next { status, wake } = advance(&one.run, one.begun, now);
    one.wake = wake;
    let Some(status) = status else { return };
    let api: Api<CustomRun> = Api::namespaced(client.clone(), &one.run.namespace().unwrap_or_default());
    let begins = status.start_time != one.run.status.start_time || status.retries_status.len() > retried(&one.run);
    let changed = CustomRun { status, ..one.run.clone() };
    match api.replace_status(&one.run.name_any(), &PostParams::default(), &changed).await {
        Ok(written) => {
            one.run = written;
            if begins {
                one.begun = Some(now);
            }
        }
        // It is gone, or has changed: the watch tells.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => one.wake = None,
        Err(_) => one.wake = Some(now.saturating_add(RETRY).unwrap_or(Timestamp::MAX)),
    }
}

fn retried(run: &CustomRun) -> usize {
    run.status.retries_status.len()
}

fn is_done(run: &CustomRun) -> bool {
    condition::succeeded(&run.status.conditions).is_some_and(|condition| !condition.is_unknown())
}

/// What comes next for a run whose attempt began at `begun`, if it has.
fn advance(run: &CustomRun, begun: Option<Timestamp>, now: Timestamp) -> Next {
    if is_done(run) {
        return Next::default();
    }
    match task_of(run).1 {
        wait::KIND => wait::advance(run, begun, now),
        _ => cel::advance(run, now),
    }
}

/// The status of a run with another condition.
fn with(run: &CustomRun, status: &str, reason: &str, message: impl Into<String>, now: Timestamp) -> CustomRunStatus {
    let mut changed = run.status.clone();
    changed.observed_generation = run.metadata.generation.unwrap_or_default();
    changed.start_time.get_or_insert(Time(now));
    let condition = Condition::succeeded(status, reason, message);
    condition::set(&mut changed.conditions, Condition { last_transition_time: Some(Time(now)), ..condition });
    changed
}

/// The end of a run.
fn ended(run: &CustomRun, status: &str, reason: &str, message: impl Into<String>, now: Timestamp) -> Next {
    let status = CustomRunStatus { completion_time: Some(Time(now)), ..with(run, status, reason, message, now) };
    Next { status: Some(status), wake: None }
}

/// The end of a run that was cancelled, unless it was not.
fn cancelled(run: &CustomRun, otherwise: &str, now: Timestamp) -> Option<Next> {
    (run.spec.status == customrun_spec_status::CANCELLED).then(|| {
        let told = &run.spec.status_message;
        let message = if told.is_empty() { otherwise } else { told };
        ended(run, condition::FALSE, "Cancelled", message, now)
    })
}

#[cfg(test)]
mod tests;
