//! Timeouts of a pipeline run: which there are, and whether the time given has passed them.

use jiff::Timestamp;
use tekton_types::duration::GoDuration;
use tekton_types::v1::{PipelineRun, TimeoutFields};

/// The timeouts of a run and when they began. A timeout of zero never ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// When the run started.
    pub start_time: Option<Timestamp>,
    /// When the first finally task started.
    pub finally_start_time: Option<Timestamp>,
    /// Time for the whole run.
    pub pipeline: Option<GoDuration>,
    /// Time for the tasks, from the start of the run.
    pub tasks: Option<GoDuration>,
    /// Time for the finally tasks, from their start.
    pub r#finally: Option<GoDuration>,
    /// The time; `None` when there is no clock and nothing times out.
    pub now: Option<Timestamp>,
}

impl Deadlines {
    /// The deadlines of `run`, where a run without a pipeline timeout gets `default`.
    pub fn of(run: &PipelineRun, default: GoDuration, now: Timestamp) -> Self {
        let timeouts = run.spec.timeouts.as_ref();
        Self {
            start_time: run.status.start_time.as_ref().map(|time| time.0),
            finally_start_time: run.status.finally_start_time.as_ref().map(|time| time.0),
            pipeline: Some(timeouts.and_then(|t| t.pipeline).unwrap_or(default)),
            tasks: timeouts.and_then(tasks_timeout),
            r#finally: timeouts.and_then(finally_timeout),
            now: Some(now),
        }
    }

    /// The run has lasted longer than it may.
    pub fn pipeline_passed(&self) -> bool {
        self.passed(self.start_time, self.pipeline)
    }

    /// The run has lasted at least twice as long as it may.
    pub fn pipeline_long_passed(&self) -> bool {
        let (Some(start), Some(timeout), Some(now)) = (self.start_time, self.pipeline, self.now) else { return false };
        self.pipeline_passed() && elapsed(start, now) >= i128::from(timeout.nanos()) * 2
    }

    /// The moment at which [`Deadlines::pipeline_long_passed`] becomes true.
    pub fn pipeline_long_passes(&self) -> Option<Timestamp> {
        let timeout = self.pipeline.filter(|timeout| !timeout.is_zero())?.to_signed();
        self.start_time?.checked_add(timeout).ok()?.checked_add(timeout).ok()
    }

    /// The tasks have lasted longer than they may.
    pub fn tasks_passed(&self) -> bool {
        self.passed(self.start_time, self.tasks)
    }

    /// The finally tasks have lasted longer than they may.
    pub fn finally_passed(&self) -> bool {
        self.passed(self.finally_start_time, self.r#finally)
    }

    /// The earliest moment at which one of the timeouts that are running has passed.
    pub fn next(&self) -> Option<Timestamp> {
        let tasks = if self.finally_start_time.is_none() { self.tasks } else { None };
        [
            (self.start_time, self.pipeline, self.pipeline_passed()),
            (self.start_time, tasks, self.tasks_passed()),
            (self.finally_start_time, self.r#finally, self.finally_passed()),
        ]
        .into_iter()
        .filter_map(|(start, timeout, passed)| {
            let timeout = timeout.filter(|timeout| !timeout.is_zero() && !passed)?;
            start?.checked_add(timeout.to_signed()).ok()
        })
        .min()
    }

    fn passed(&self, start: Option<Timestamp>, timeout: Option<GoDuration>) -> bool {
        match (start, timeout, self.now) {
            (Some(start), Some(timeout), Some(now)) if !timeout.is_zero() => {
                elapsed(start, now) > i128::from(timeout.nanos())
            }
            _ => false,
        }
    }
}

/// Time for the tasks: as given, or what finally leaves of the pipeline's time when both are limited.
pub fn tasks_timeout(timeouts: &TimeoutFields) -> Option<GoDuration> {
    timeouts.tasks.or_else(|| rest(timeouts.pipeline, timeouts.r#finally))
}

/// Time for the finally tasks: as given, or what the tasks leave of the pipeline's time when both are limited.
pub fn finally_timeout(timeouts: &TimeoutFields) -> Option<GoDuration> {
    timeouts.r#finally.or_else(|| rest(timeouts.pipeline, timeouts.tasks))
}

fn rest(whole: Option<GoDuration>, part: Option<GoDuration>) -> Option<GoDuration> {
    let (whole, part) = (whole?, part?);
    (!whole.is_zero() && !part.is_zero()).then(|| whole - part)
}

fn elapsed(start: Timestamp, now: Timestamp) -> i128 {
    now.as_nanosecond() - start.as_nanosecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(elapsed: i64, timeout: i64) -> bool {
        let start = Timestamp::UNIX_EPOCH;
        let now = start + GoDuration::from_secs(elapsed).to_signed();
        let pipeline = Some(GoDuration::from_secs(timeout));
        Deadlines { start_time: Some(start), pipeline, now: Some(now), ..Deadlines::default() }.pipeline_passed()
    }

    #[test]
    fn a_timeout_passes_after_its_last_moment_and_zero_never_does() {
        assert!(!check(60, 60));
        assert!(check(61, 60));
        assert!(!check(61, 0));
    }

    #[test]
    fn what_one_part_leaves_is_the_time_of_the_other() {
        let hour = Some(GoDuration::from_mins(60));
        let timeouts = TimeoutFields { pipeline: hour, tasks: Some(GoDuration::from_mins(45)), r#finally: None };
        assert_eq!(finally_timeout(&timeouts), Some(GoDuration::from_mins(15)));
        let timeouts = TimeoutFields { pipeline: Some(GoDuration::ZERO), ..timeouts };
        assert_eq!(finally_timeout(&timeouts), None);
    }
}
