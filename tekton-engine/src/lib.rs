//! Decides the life of PipelineRuns, TaskRuns and CustomRuns as a pure function.
