//! One pass over one run: decide, fetch, apply, until the decision is settled; then write and tell.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use tekton_contract::labels;
use tekton_engine::{
    ApiFault, Class, Decision, Effect, Env, Fact, Facts, Kind, Metadata, Need, ObjectKey, Outcome, Run, Snapshot, Value,
};
use tekton_types::config::Config;

use crate::Shell;
use crate::cache::CACHED;
use crate::images::ImageQuery;

/// More rounds of asking than any decision needs; reaching it is a defect of the engine, not of the run.
const MAX_ROUNDS: usize = 64;

/// When to look again at a run that has changed while it was decided.
const AFTER_CONFLICT: Duration = Duration::from_millis(50);

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Nothing more to do until something changes, or until so much time has passed.
    Done(Option<Duration>),
    /// Try again with a growing delay.
    Retry(String),
}

/// Runs one pass over the newest known version of `run`.
pub(crate) async fn pass<R: Run>(shell: &Shell, run: Arc<R>) -> Passed {
    let config = shell.config.borrow().clone();
    let env = |now| Env { now, config: &config, cluster: &shell.cluster };
    let mut facts = Facts::new();
    for _ in 0..MAX_ROUNDS {
        let decision = R::decide(&Snapshot { run: &run, facts: &facts }, &env(Timestamp::now()));
        let asked: Vec<Need> = facts.unanswered(&decision.needs).cloned().collect();
        let fresh: Vec<&Effect> =
            decision.effects.iter().filter(|effect| facts.outcome(&effect.key()).is_none()).collect();
        if asked.is_empty() && fresh.is_empty() {
            return settle(shell, &run, decision).await;
        }
        let answers = join_all(asked.into_iter().map(|need| async move {
            let fact = answer(shell, &need).await;
            (need, fact)
        }))
        .await;
        for (need, fact) in answers {
            facts.set(need, fact);
        }
        apply(shell, &fresh, &config, &mut facts).await;
    }
    Passed::Retry(format!("the decision about {} did not settle", key_of::<R>(&run)))
}

/// Applies effects in order up to the first refusal; neighbours with the same verb and kind at the same time.
async fn apply(shell: &Shell, effects: &[&Effect], config: &Config, facts: &mut Facts) {
    let same = |a: &&Effect, b: &&Effect| {
        let (a, b) = (a.key(), b.key());
        a.verb == b.verb && a.object.kind == b.object.kind
    };
    for group in effects.chunk_by(same) {
        let outcomes = join_all(group.iter().map(|effect| persistently(shell, effect, config))).await;
        let mut refused = false;
        for (effect, outcome) in group.iter().zip(outcomes) {
            match &outcome {
                Outcome::Done(Some(object)) => shell.cache.insert(object.clone()),
                Outcome::Done(None) => {}
                Outcome::Refused(fault) => {
                    refused = true;
                    tracing::debug!(effect = ?effect.key(), %fault, "refused");
                }
            }
            facts.set_outcome(effect.key(), outcome);
        }
        if refused {
            return;
        }
    }
}

/// Applies one effect, again after a while as long as the engine says so.
async fn persistently(shell: &Shell, effect: &Effect, config: &Config) -> Outcome {
    let mut tries = 1;
    loop {
        let outcome = shell.api.apply(&decorated(effect, &shell.cluster.release)).await;
        let Outcome::Refused(fault) = &outcome else { return outcome };
        let Some(wait) = tekton_engine::retry_after(effect, fault, tries, config) else { return outcome };
        tracing::debug!(effect = ?effect.key(), %fault, ?wait, "refused, tried again");
        tokio::time::sleep(wait.try_into().unwrap_or(Duration::ZERO)).await;
        tries += 1;
    }
}

/// The effect with what the first pass over a TaskRun would add to it: the annotation that tells who runs it. Set when
/// the TaskRun is created, it costs no write of its own.
fn decorated<'e>(effect: &'e Effect, release: &str) -> Cow<'e, Effect> {
    let Effect::Create(object) = effect else { return Cow::Borrowed(effect) };
    if object.kind() != Kind::TaskRun {
        return Cow::Borrowed(effect);
    }
    let mut object = object.clone();
    let annotations = object.metadata_mut().annotations.get_or_insert_default();
    annotations.entry(labels::RELEASE.to_owned()).or_insert_with(|| release.to_owned());
    Cow::Owned(Effect::Create(object))
}

async fn answer(shell: &Shell, need: &Need) -> Fact {
    let answered = match need {
        Need::Object(key) if CACHED.contains(&key.kind) => {
            shell.cache.get(key).map(Value::Object).ok_or_else(|| ApiFault::not_found(key))
        }
        // A Pod that has ended stays as it is, and a run that was done before a restart asks for nothing else.
        Need::Fresh(key) if let Some(pod) = shell.cache.ended_pod(key) => Ok(Value::Object(pod)),
        Need::Object(key) | Need::Fresh(key) => shell.api.get(key).await.map(Value::Object),
        Need::List { kind, namespace, labels } if CACHED.contains(kind) => {
            Ok(Value::List(shell.cache.list(*kind, namespace, labels)))
        }
        Need::List { kind, namespace, labels } => {
            shell.api.list(*kind, namespace, labels.iter()).await.map(Value::List)
        }
        Need::DryRun { kind, namespace, body } => shell.api.dry_run(*kind, namespace, body).await.map(Value::Object),
        Need::Image { image, has_args, namespace, service_account, pull_secrets } => {
            let query = ImageQuery { image, has_args: *has_args, namespace, service_account, pull_secrets };
            let found = shell.images.find(query).await;
            found.map(Value::Image).map_err(|text| ApiFault { text, ..ApiFault::default() })
        }
        Need::Logs { namespace, pod, container } => shell.api.logs(namespace, pod, container).await.map(Value::Text),
        Need::ServerVersion => shell.api.version().await.map(Value::Version),
        other => Err(ApiFault { text: format!("this shell cannot answer {other:?}"), ..ApiFault::default() }),
    };
    match answered {
        Ok(value) => Fact::Known(value),
        Err(fault) => Fact::Denied(fault),
    }
}

/// Writes what differs, emits what changed, and says when to come back.
async fn settle<R: Run>(shell: &Shell, run: &Arc<R>, decision: Decision<R::Status>) -> Passed {
    let key = key_of::<R>(run);
    for note in &decision.notes {
        tracing::debug!(run = %key, subject = note.subject, "{}", note.text);
    }
    if let Some(left) = may_wait(shell, &**run, &key, &decision) {
        return Passed::Done(Some(left));
    }
    match write(shell, run, &key, &decision).await {
        Ok(()) => {}
        // Somebody changed the run meanwhile. The watch may be long in telling, so the run is asked for.
        Err(fault) if fault.is_conflict() => {
            if let Ok(newest) = shell.api.get(&key).await {
                shell.cache.insert(newest);
            }
            return Passed::Done(Some(AFTER_CONFLICT));
        }
        // It is gone: the watch brings the news.
        Err(fault) if fault.is_not_found() => return Passed::Done(Some(AFTER_CONFLICT)),
        Err(fault) => return Passed::Retry(format!("failed to write {key}: {fault}")),
    }
    let events = decision.transitions.iter().filter_map(tekton_engine::Transition::event).collect::<Vec<_>>();
    shell.emit(&key, Run::metadata(&**run), events);
    match decision.fault {
        Some(fault) if fault.class == Class::Transient => return Passed::Retry(fault.text),
        Some(fault) => tracing::info!(run = %key, "{fault}"),
        None => {}
    }
    let now = Timestamp::now();
    Passed::Done(decision.wake_at.map(|at| at.duration_since(now).try_into().unwrap_or(Duration::ZERO)))
}

/// How long to put off writing, when nothing is lost by that: the next pass finds out the same and more.
fn may_wait<R: Run>(shell: &Shell, run: &R, key: &ObjectKey, decision: &Decision<R::Status>) -> Option<Duration> {
    if shell.eager || decision.metadata.is_some() || decision.fault.is_some() || decision.status == *run.status() {
        return None;
    }
    let wait = R::may_wait(run.status(), &decision.status)?.try_into().ok()?;
    let left = shell.pace.left(key, wait, Instant::now())?;
    let wake = decision.wake_at.map(|at| at.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO));
    Some(wake.map_or(left, |wake| left.min(wake)))
}

async fn write<R: Run>(
    shell: &Shell,
    run: &Arc<R>,
    key: &ObjectKey,
    decision: &Decision<R::Status>,
) -> Result<(), ApiFault> {
    let mut version = Run::metadata(&**run).resource_version.clone();
    if let Some(metadata) = &decision.metadata
        && let Some(body) = metadata_patch(Run::metadata(&**run), metadata)
    {
        let written = shell.api.patch(key, &body).await?;
        version.clone_from(&written.metadata().resource_version);
        shell.cache.insert(written);
    }
    if decision.status != *run.status() {
        let mut wanted = R::clone(run);
        wanted.metadata_mut().resource_version = version;
        *wanted.status_mut() = decision.status.clone();
        let written = shell.api.put_status(&wanted.into_object()).await?;
        shell.pace.wrote(key, Instant::now());
        shell.cache.insert(written);
    }
    Ok(())
}

/// The merge patch from the metadata as it is to the labels and annotations as they shall be.
fn metadata_patch(
    before: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    after: &Metadata,
) -> Option<Json> {
    let mut metadata = Map::new();
    for (name, before, after) in
        [("labels", &before.labels, &after.labels), ("annotations", &before.annotations, &after.annotations)]
    {
        let before = before.as_ref();
        let mut changes: Map<String, Json> = after
            .iter()
            .filter(|(key, value)| before.and_then(|before| before.get(*key)) != Some(value))
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let removed = before.into_iter().flatten().map(|(key, _)| key).filter(|key| !after.contains_key(*key));
        changes.extend(removed.map(|key| (key.clone(), Json::Null)));
        if !changes.is_empty() {
            metadata.insert(name.to_owned(), Json::Object(changes));
        }
    }
    if metadata.is_empty() {
        return None;
    }
    if let Some(version) = &before.resource_version {
        metadata.insert("resourceVersion".to_owned(), json!(version));
    }
    Some(json!({"metadata": metadata}))
}

/// The key of a run.
pub(crate) fn key_of<R: Run>(run: &R) -> ObjectKey {
    let metadata = Run::metadata(run);
    ObjectKey::new(
        R::KIND,
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    #[test]
    fn a_metadata_patch_holds_what_differs_and_the_version_it_is_based_on() {
        let before = ObjectMeta {
            labels: Some([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into()),
            resource_version: Some("7".to_owned()),
            ..ObjectMeta::default()
        };
        let after = Metadata { labels: [("a".to_owned(), "9".to_owned())].into(), annotations: BTreeMap::new() };
        assert_eq!(
            metadata_patch(&before, &after),
            Some(json!({"metadata": {"labels": {"a": "9", "b": null}, "resourceVersion": "7"}}))
        );
    }

    #[test]
    fn equal_metadata_needs_no_patch() {
        assert_eq!(metadata_patch(&ObjectMeta::default(), &Metadata::default()), None);
    }
}
