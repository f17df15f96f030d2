//! Puts values in the place of references in pipeline tasks: params, matrix, guards, references, display names.
//!
//! A table is applied in one sweep; what it does not know stays as it is, for a later pass.

use tekton_contract::var::Table;
use tekton_types::substitute::{Accepts, Substitute, params};
use tekton_types::v1::PipelineTask;

/// Replaces results (pass P4): params, matrix, guards, task reference, display name, sub-paths of workspaces.
pub fn results(task: &mut PipelineTask, table: &Table) {
    params(&mut task.params, table, Accepts::Objects);
    matrix(task, table, Accepts::Arrays);
    task.when.substitute(table);
    reference(task, table, Accepts::Objects);
    table.apply_to(&mut task.display_name);
    for workspace in &mut task.workspaces {
        table.apply_to(&mut workspace.sub_path);
    }
}

/// Replaces the state of other tasks in a finally task (pass P5): params, guards, task reference, display name.
pub fn task_state(task: &mut PipelineTask, table: &Table) {
    params(&mut task.params, table, Accepts::Strings);
    task.when.substitute(table);
    reference(task, table, Accepts::Strings);
    table.apply_to(&mut task.display_name);
}

/// Replaces params, contexts or workspaces of the pipeline in one of its tasks (passes P1 to P3), except in its
/// inline task spec. The display name of a matrixed task is left for each of its runs.
pub fn pipeline(task: &mut PipelineTask, table: &Table) {
    params(&mut task.params, table, Accepts::Objects);
    if crate::matrix::is_matrixed(task) {
        matrix(task, table, Accepts::Arrays);
    } else {
        table.apply_to(&mut task.display_name);
    }
    for workspace in &mut task.workspaces {
        table.apply_to(&mut workspace.sub_path);
    }
    task.when.substitute(table);
    reference(task, table, Accepts::Objects);
    table.apply_to(&mut task.on_error);
}

fn matrix(task: &mut PipelineTask, table: &Table, accepts: Accepts) {
    if let Some(matrix) = &mut task.matrix {
        params(&mut matrix.params, table, accepts);
        for entry in &mut matrix.include {
            params(&mut entry.params, table, Accepts::Strings);
        }
    }
}

fn reference(task: &mut PipelineTask, table: &Table, accepts: Accepts) {
    if let Some(reference) = &mut task.task_ref {
        params(&mut reference.params, table, accepts);
        table.apply_to(&mut reference.name);
    }
}
