//! How fast each run goes: how long until the next try after failures, when its status was last written, and what was
//! last told of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tekton_engine::{Event, ObjectKey};

/// First delay after a pass that could not be completed; it doubles with each further failure.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// Longest delay between two tries.
const LAST_RETRY: Duration = Duration::from_mins(1);

/// What has to be remembered of a run between two passes, and may be forgotten at a restart.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    runs: Mutex<HashMap<ObjectKey, Past>>,
}

#[derive(Debug, Default)]
struct Past {
    failures: u32,
    written: Option<Instant>,
    told: Vec<u64>,
}

impl Pace {
    fn runs(&self) -> MutexGuard<'_, HashMap<ObjectKey, Past>> {
        self.runs.lock().expect("no thread panics while it holds the runs")
    }

    /// A pass failed: how long to wait until the next.
    pub(crate) fn failed(&self, key: ObjectKey) -> Duration {
        let mut runs = self.runs();
        let past = runs.entry(key).or_default();
        past.failures += 1;
        FIRST_RETRY.saturating_mul(1 << (past.failures - 1).min(16)).min(LAST_RETRY)
    }

    /// A pass succeeded: the next failure is the first again.
    pub(crate) fn succeeded(&self, key: &ObjectKey) {
        if let Some(past) = self.runs().get_mut(key) {
            past.failures = 0;
        }
    }

    /// The status was written.
    pub(crate) fn wrote(&self, key: &ObjectKey, now: Instant) {
        self.runs().entry(key.clone()).or_default().written = Some(now);
    }

    /// What is left of `wait` since the status was last written; `None` when nothing is.
    pub(crate) fn left(&self, key: &ObjectKey, wait: Duration, now: Instant) -> Option<Duration> {
        let written = self.runs().get(key)?.written?;
        (written + wait).checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Which of the events of a pass are news: a run that waits for something is told to wait by each pass.
    pub(crate) fn news(&self, key: &ObjectKey, events: Vec<Event>) -> Vec<Event> {
        if events.is_empty() {
            return events;
        }
        let hashes: Vec<u64> = events.iter().map(hash).collect();
        let mut runs = self.runs();
        let told = &mut runs.entry(key.clone()).or_default().told;
        let news = events.into_iter().zip(&hashes).filter(|(_, hash)| !told.contains(hash)).map(|(event, _)| event);
        let news = news.collect();
        *told = hashes;
        news
    }

    /// The run is gone.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.runs().remove(key);
    }
}

fn hash(Event { type_, reason, message }: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    (type_, reason, message).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use tekton_engine::Kind;

    use super::*;

    #[test]
    fn delays_double_until_a_pass_succeeds() {
        let (pace, key) = (Pace::default(), ObjectKey::new(Kind::TaskRun, "ns", "t"));
        assert_eq!(pace.failed(key.clone()), FIRST_RETRY);
        assert_eq!(pace.failed(key.clone()), FIRST_RETRY * 2);
        pace.succeeded(&key);
        assert_eq!(pace.failed(key.clone()), FIRST_RETRY);
        for _ in 0..40 {
            assert!(pace.failed(key.clone()) <= LAST_RETRY);
        }
    }

    #[test]
    fn what_each_pass_says_again_is_told_once() {
        let (pace, key) = (Pace::default(), ObjectKey::new(Kind::TaskRun, "ns", "t"));
        let event = |reason: &str| Event { type_: "Normal", reason: reason.to_owned(), message: String::new() };
        assert_eq!(pace.news(&key, vec![event("Started")]), [event("Started")]);
        assert_eq!(pace.news(&key, vec![event("Started")]), []);
        assert_eq!(pace.news(&key, Vec::new()), []);
        assert_eq!(pace.news(&key, vec![event("Started"), event("Running")]), [event("Running")]);
        assert_eq!(pace.news(&key, vec![event("ToBeRetried")]), [event("ToBeRetried")]);
        assert_eq!(pace.news(&key, vec![event("Running")]), [event("Running")], "a second attempt is news");
    }

    #[test]
    fn a_write_may_wait_only_as_long_after_the_last_as_it_is_told() {
        let (pace, key) = (Pace::default(), ObjectKey::new(Kind::TaskRun, "ns", "t"));
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(pace.left(&key, second, now), None, "what was never written is written");
        pace.wrote(&key, now);
        assert_eq!(pace.left(&key, second, now + second / 4), Some(second * 3 / 4));
        assert_eq!(pace.left(&key, second, now + second), None);
        pace.forget(&key);
        assert_eq!(pace.left(&key, second, now), None);
    }
}
