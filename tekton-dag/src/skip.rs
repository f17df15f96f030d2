//! Why a task is not run: one ordered list for tasks, one for finally tasks.

use tekton_types::reason;

/// Why a task is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// A task failed, so nothing new starts.
    Stopping,
    /// The run was cancelled with `CancelledRunFinally`.
    GracefullyCancelled,
    /// The run was stopped with `StoppedRunFinally`.
    GracefullyStopped,
    /// A guard does not hold.
    WhenExpressions,
    /// A task that it waits for was skipped, and not because of a guard.
    ParentTasks,
    /// A result that it uses was never made.
    MissingResults,
    /// The time for the whole run is over.
    PipelineTimedOut,
    /// The time for the tasks is over.
    TasksTimedOut,
    /// The time for the finally tasks is over.
    FinallyTimedOut,
    /// A matrix param has no elements.
    EmptyArrayInMatrixParams,
}

impl SkipReason {
    /// The reasons of tasks, in the order in which they are looked for.
    pub const OF_TASKS: [Self; 9] = [
        Self::Stopping,
        Self::GracefullyCancelled,
        Self::GracefullyStopped,
        Self::WhenExpressions,
        Self::ParentTasks,
        Self::MissingResults,
        Self::PipelineTimedOut,
        Self::TasksTimedOut,
        Self::EmptyArrayInMatrixParams,
    ];

    /// The reasons of finally tasks, in the order in which they are looked for.
    pub const OF_FINALLY: [Self; 5] = [
        Self::MissingResults,
        Self::WhenExpressions,
        Self::PipelineTimedOut,
        Self::FinallyTimedOut,
        Self::EmptyArrayInMatrixParams,
    ];

    /// The text that stands in `status.skippedTasks`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Stopping => reason::skip::STOPPING,
            Self::GracefullyCancelled => reason::skip::GRACEFULLY_CANCELLED,
            Self::GracefullyStopped => reason::skip::GRACEFULLY_STOPPED,
            Self::WhenExpressions => reason::skip::WHEN_EXPRESSIONS,
            Self::ParentTasks => reason::skip::PARENT_TASKS,
            Self::MissingResults => reason::skip::MISSING_RESULTS,
            Self::PipelineTimedOut => reason::skip::PIPELINE_TIMED_OUT,
            Self::TasksTimedOut => reason::skip::TASKS_TIMED_OUT,
            Self::FinallyTimedOut => reason::skip::FINALLY_TIMED_OUT,
            Self::EmptyArrayInMatrixParams => reason::skip::EMPTY_ARRAY_IN_MATRIX_PARAMS,
        }
    }

    /// True for the reasons that mean that a timeout came first.
    pub const fn is_timeout(self) -> bool {
        matches!(self, Self::PipelineTimedOut | Self::TasksTimedOut | Self::FinallyTimedOut)
    }
}
