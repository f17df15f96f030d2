//! Fan-out of a pipeline task: how many runs it stands for. The arithmetic is [`Matrix`](tekton_types::v1::Matrix)'s.

use tekton_types::v1::{Param, PipelineTask};

/// True when the task has a matrix with params or include entries.
pub fn is_matrixed(task: &PipelineTask) -> bool {
    task.matrix.as_ref().is_some_and(|matrix| matrix.has_params() || matrix.has_include())
}

/// How many runs `task` stands for: 1 without a matrix, else what its matrix is counted to have.
pub fn runs_of(task: &PipelineTask) -> usize {
    match &task.matrix {
        Some(matrix) if is_matrixed(task) => usize::try_from(matrix.count_combinations()).unwrap_or(usize::MAX),
        _ => 1,
    }
}

/// The params of each run of `task`, in the order of the runs: its own, then those of one combination.
///
/// A task without a matrix has one run with its own params.
pub fn params_of_runs(task: &PipelineTask) -> Vec<Vec<Param>> {
    match &task.matrix {
        Some(matrix) if is_matrixed(task) => matrix
            .fan_out()
            .into_iter()
            .map(|combination| task.params.iter().cloned().chain(combination).collect())
            .collect(),
        _ => vec![task.params.clone()],
    }
}
