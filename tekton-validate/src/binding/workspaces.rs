//! Workspaces: bound, declared, and not required where they may be missing.

use std::collections::HashSet;

use tekton_types::v1::{PipelineSpec, PipelineWorkspaceDeclaration, WorkspaceBinding, WorkspaceDeclaration};

use super::{ResolvedTask, Result, fail};
use crate::diagnostic::{field_error, from_errors};
use crate::rules::workspace;
use crate::text::quote;

/// Workspaces that the pipeline requires are bound by the run.
pub fn pipeline_workspaces(pipeline: &PipelineSpec, bindings: &[WorkspaceBinding]) -> Result {
    let bound: HashSet<&str> = bindings.iter().map(|b| b.name.as_str()).collect();
    match pipeline.workspaces.iter().find(|w| !w.optional && !bound.contains(w.name.as_str())) {
        Some(missing) => {
            fail(format!("pipeline requires workspace with name {} be provided by pipelinerun", quote(&missing.name)))
        }
        None => Ok(()),
    }
}

/// Volumes of a TaskRun fit the workspaces of its task, both ways.
pub fn task_workspaces(declared: &[WorkspaceDeclaration], bindings: &[WorkspaceBinding]) -> Result {
    for binding in bindings {
        let found = from_errors(workspace::validate(binding));
        if !found.is_empty() {
            return fail(format!("binding {} is invalid: {}", quote(&binding.name), field_error(&found)));
        }
    }
    let bound: HashSet<&str> = bindings.iter().map(|b| b.name.as_str()).collect();
    if let Some(missing) = declared.iter().find(|d| !d.optional && !bound.contains(d.name.as_str())) {
        return fail(format!("declared workspace {} is required but has not been bound", quote(&missing.name)));
    }
    let known: HashSet<&str> = declared.iter().map(|d| d.name.as_str()).collect();
    match bindings.iter().find(|b| !known.contains(b.name.as_str())) {
        Some(extra) => fail(format!("workspace binding {} does not match any declared workspace", quote(&extra.name))),
        None => Ok(()),
    }
}

/// At most one claim is bound, as the affinity assistant needs it.
pub fn one_persistent_volume_claim(bindings: &[WorkspaceBinding]) -> Result {
    let mut claims: HashSet<&str> = HashSet::new();
    for binding in bindings {
        if let Some(claim) = &binding.persistent_volume_claim {
            claims.insert(&claim.claim_name);
        }
        if binding.volume_claim_template.is_some() {
            claims.insert(&binding.name);
        }
    }
    if claims.len() > 1 {
        return fail("more than one PersistentVolumeClaim is bound".to_owned());
    }
    Ok(())
}

/// Workspaces that may be left out go only to tasks that can do without.
pub fn optional_workspaces(declared: &[PipelineWorkspaceDeclaration], tasks: &[ResolvedTask<'_>]) -> Result {
    let optional: HashSet<&str> = declared.iter().filter(|w| w.optional).map(|w| w.name.as_str()).collect();
    for resolved in tasks {
        let Some(spec) = resolved.spec else { continue };
        for binding in resolved.task.workspaces.iter().filter(|b| optional.contains(b.workspace.as_str())) {
            if spec.workspaces.iter().any(|w| w.name == binding.name && !w.optional) {
                return fail(format!(
                    "pipeline workspace {} is marked optional but pipeline task {} requires it be provided",
                    quote(&binding.workspace),
                    quote(&resolved.task.name)
                ));
            }
        }
    }
    Ok(())
}
