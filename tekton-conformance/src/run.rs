//! Runs the cases of a suite on all cores and collects what failed.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::Case;

/// Stack of a worker: recorded inputs nest deeply on purpose.
const STACK_BYTES: usize = 256 << 20;

/// How many cases of a suite may run at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// One case on each core.
    EachCore,
    /// So many at a time: one for suites that start processes and measure time, many for those that mostly wait.
    Count(usize),
}

/// Ties a suite to a layer.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Name of the suite, as its file is called.
    pub suite: &'static str,
    /// Computes our answer and compares; the error lists the differences.
    pub check: fn(&Case) -> Result<(), String>,
    /// How many cases may run at a time.
    pub workers: Workers,
}

impl Binding {
    /// A binding whose cases are pure computations.
    pub const fn pure(suite: &'static str, check: fn(&Case) -> Result<(), String>) -> Self {
        Self { suite, check, workers: Workers::EachCore }
    }

    /// A binding whose cases start processes or servers and so run one after the other.
    pub const fn serial(suite: &'static str, check: fn(&Case) -> Result<(), String>) -> Self {
        Self { suite, check, workers: Workers::Count(1) }
    }

    /// A binding whose cases mostly wait, so that `count` of them run at a time whatever the number of cores.
    pub const fn waiting(suite: &'static str, check: fn(&Case) -> Result<(), String>, count: usize) -> Self {
        Self { suite, check, workers: Workers::Count(count) }
    }
}

/// A case that did not pass.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The case's id.
    pub id: String,
    /// Where its recording came from.
    pub source: String,
    /// The differences, one a line.
    pub differences: String,
}

/// What came of one suite.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Cases that passed.
    pub passed: usize,
    /// Cases that ran.
    pub total: usize,
    /// Those that did not pass, in the order of the file.
    pub failures: Vec<Failure>,
}

/// Runs every case through the binding; a panic counts as a failure.
pub fn run_suite(binding: &Binding, cases: &[Case]) -> Report {
    let workers = match binding.workers {
        Workers::EachCore => thread::available_parallelism().map_or(1, usize::from),
        Workers::Count(count) => count,
    };
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || {
                    while let Some((index, case)) = claim(&next, cases) {
                        if let Err(differences) = run_case(binding, case) {
                            let failure = Failure { id: case.id.clone(), source: case.source.clone(), differences };
                            failures.lock().expect("no worker panics while it holds the list").push((index, failure));
                        }
                    }
                })
                .expect("the system can start a thread");
        }
    });
    let mut failures = failures.into_inner().expect("no worker panics while it holds the list");
    failures.sort_by_key(|(index, _)| *index);
    Report {
        passed: cases.len() - failures.len(),
        total: cases.len(),
        failures: failures.into_iter().map(|(_, failure)| failure).collect(),
    }
}

fn claim<'a>(next: &AtomicUsize, cases: &'a [Case]) -> Option<(usize, &'a Case)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    cases.get(index).map(|case| (index, case))
}

fn run_case(binding: &Binding, case: &Case) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(|| (binding.check)(case))).unwrap_or_else(|cause| {
        let text = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("with no text");
        Err(format!("panicked: {text}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_its_case_alone() {
        let binding = Binding::pure("demo", |case| {
            assert!(case.input != json!(1), "one is not wanted");
            Ok(())
        });
        let cases: Vec<_> = (0..3).map(|n| Case::new("demo", json!(n), json!(null))).collect();
        let report = run_suite(&binding, &cases);
        assert_eq!((report.passed, report.total), (2, 3));
        assert_eq!(report.failures[0].differences, "panicked: one is not wanted");
    }
}
