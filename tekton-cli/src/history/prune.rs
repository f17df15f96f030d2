//! `tekton delete` and `tekton prune`: runs go, with all that they own and their logs.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams};
use tekton_local::history;

use super::History;
use super::select::{Run, one, runs, told};
use crate::args::{DeleteArguments, PruneArguments};

/// How long the owned objects of a deleted run may take to go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deletes the runs that were named.
///
/// Errors: a run that is not there; those before it are gone by then.
pub(crate) async fn delete(arguments: &DeleteArguments) -> Result<ExitCode, String> {
    let history = History::open(arguments.data.data_dir.as_deref()).await?;
    let deleted = async {
        if arguments.all {
            for run in runs(history.client(), &arguments.filter, None).await? {
                remove(&history, &run).await?;
            }
        }
        for name in &arguments.names {
            let run = one(history.client(), &arguments.filter, Some(name)).await?;
            remove(&history, &run).await?;
        }
        Ok(ExitCode::SUCCESS)
    }
    .await;
    history.close().await;
    deleted
}

/// Deletes the ended runs that are neither among the newest nor new enough.
///
/// Errors: the data directory cannot be read, or a run cannot be deleted.
pub(crate) async fn prune(arguments: &PruneArguments) -> Result<ExitCode, String> {
    let since = arguments.keep_since.as_deref().map(age).transpose()?;
    let history = History::open(arguments.data.data_dir.as_deref()).await?;
    let pruned = async {
        let ended: Vec<Run> =
            runs(history.client(), &arguments.filter, None).await?.into_iter().filter(Run::is_done).collect();
        for run in doomed(&ended, arguments.keep, since, Timestamp::now()) {
            if arguments.dry_run {
                crate::printed(format!("{} would be deleted\n", run.path()));
            } else {
                remove(&history, run).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
    .await;
    history.close().await;
    pruned
}

/// Of runs that come newest first: those beyond the first `keep` of their namespace that are older than `since` as well.
fn doomed(ended: &[Run], keep: Option<usize>, since: Option<SignedDuration>, now: Timestamp) -> Vec<&Run> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut doomed = Vec::new();
    for run in ended {
        let place = seen.entry(run.meta("namespace")).or_default();
        *place += 1;
        let ended_at = run.time("/status/completionTime").unwrap_or_else(|| run.created());
        let among = keep.is_some_and(|keep| *place <= keep);
        let young = since.is_some_and(|since| now.duration_since(ended_at) < since);
        if !among && !young {
            doomed.push(run);
        }
    }
    doomed
}

/// `30m`, `12h`, `7d` or `2w`.
fn age(text: &str) -> Result<SignedDuration, String> {
    let days = |suffix: char, days: i64| {
        let count: i64 = text.strip_suffix(suffix)?.parse().ok()?;
        SignedDuration::try_from_hours(count.checked_mul(days)?.checked_mul(24)?).filter(|d| !d.is_negative())
    };
    let plain = || text.parse::<SignedDuration>().ok().filter(|duration| !duration.is_negative());
    days('d', 1)
        .or_else(|| days('w', 7))
        .or_else(plain)
        .ok_or_else(|| format!("--keep-since {text}: expected a time such as 30m, 12h, 7d or 2w"))
}

/// Deletes a run and waits until what it owned has gone too.
async fn remove(history: &History, run: &Run) -> Result<(), String> {
    let namespace = run.meta("namespace");
    let owned = history.local.as_ref().map(|(local, _)| history::owned(&local.api().store, run.meta("uid")));
    let api = run.kind.api(history.client(), Some(namespace));
    api.delete(run.meta("name"), &DeleteParams::background()).await.map_err(told)?;
    if let (Some((local, _)), Some(owned)) = (&history.local, owned) {
        // No node runs here that would end the pods.
        let pods: Api<Pod> = Api::namespaced(history.client().clone(), namespace);
        for (key, _) in owned.iter().filter(|(key, _)| &*key.resource == "/pods") {
            let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            match pods.delete(&key.name, &at_once).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                other => drop(other.map_err(told)?),
            }
        }
        let began = Instant::now();
        let left = || owned.iter().any(|(key, _)| local.api().store.get(key).is_some());
        while left() && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    crate::printed(format!("{} deleted\n", run.path()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::RunKind;

    #[test]
    fn ages_are_read_with_days_and_weeks() {
        for (text, hours) in [("12h", 12), ("7d", 168), ("2w", 336)] {
            assert_eq!(age(text).expect(text), SignedDuration::from_hours(hours));
        }
        for text in ["", "d", "-1d", "7 fortnights", "99999999999999999d"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_newest_of_each_namespace_and_the_young_stay() {
        let run = |name: &str, namespace: &str, ended: &str| Run {
            kind: RunKind::Taskrun,
            value: json!({"metadata": {"name": name, "namespace": namespace}, "status": {"completionTime": ended}}),
        };
        let all = [
            run("a", "one", "2026-01-09T00:00:00Z"),
            run("b", "one", "2026-01-08T00:00:00Z"),
            run("c", "two", "2026-01-02T00:00:00Z"),
            run("d", "one", "2026-01-01T00:00:00Z"),
        ];
        let now = "2026-01-10T00:00:00Z".parse().expect("a time");
        let names = |keep: Option<usize>, since: Option<i64>| {
            let since = since.map(SignedDuration::from_hours);
            doomed(&all, keep, since, now).iter().map(|run| run.meta("name").to_owned()).collect::<String>()
        };
        assert_eq!(names(Some(1), None), "bd");
        assert_eq!(names(None, Some(72)), "cd");
        assert_eq!(names(Some(1), Some(72)), "d");
        assert_eq!(names(Some(0), None), "abcd");
    }
}
