//! The workspaces that a PipelineRun hands to its children.

use tekton_contract::var::Table;
use tekton_dag::child::{ChildKind, ResolvedTask};
use tekton_dag::graph::quote;
use tekton_podgen::affinity::{self, Behavior};
use tekton_podgen::claim;
use tekton_types::v1::{PipelineRun, WorkspaceBinding, WorkspacePipelineTaskBinding};

use crate::pass::Stop;

/// The bindings of a child, and the name of the run's workspace with a claim that it uses last.
#[derive(Debug, Default)]
pub(super) struct Handed {
    pub(super) bindings: Vec<WorkspaceBinding>,
    pub(super) claim_workspace: String,
}

/// The workspaces of a child of this task.
///
/// Errors: the run does not bind a workspace that the task cannot do without.
pub(super) fn of_child(run: &PipelineRun, task: &ResolvedTask<'_>, behavior: Behavior) -> Result<Handed, Stop> {
    let mut wanted: Vec<WorkspacePipelineTaskBinding> = task.pipeline_task.workspaces.clone();
    if task.kind() != ChildKind::Pipeline
        && let Some(embedded) = &task.pipeline_task.task_spec
    {
        // An embedded task need not be given the workspaces that its steps mention.
        for name in tekton_podgen::workspace::used(&embedded.task_spec).map_err(Stop::permanent)? {
            if !wanted.iter().any(|binding| binding.name == name) {
                wanted.push(WorkspacePipelineTaskBinding { name, ..WorkspacePipelineTaskBinding::default() });
            }
        }
    }
    let mut handed = Handed::default();
    for want in &wanted {
        let source = if want.workspace.is_empty() { &want.name } else { &want.workspace };
        let Some(binding) = run.spec.workspaces.iter().rfind(|binding| binding.name == *source) else {
            let optional = task.kind() == ChildKind::Pipeline
                || task.task_spec.as_ref().is_some_and(|spec| {
                    spec.workspaces.iter().any(|declared| declared.name == want.name && declared.optional)
                });
            if optional {
                continue;
            }
            return Err(Stop::permanent(format!(
                "expected workspace {} to be provided by pipelinerun for pipeline task {}",
                quote(source),
                quote(task.name())
            )));
        };
        if binding.persistent_volume_claim.is_some() || binding.volume_claim_template.is_some() {
            handed.claim_workspace.clone_from(source);
        }
        handed.bindings.push(bind(run, binding, want, behavior));
    }
    if task.kind() != ChildKind::Pipeline {
        let table = contexts(run);
        for binding in &mut handed.bindings {
            table.apply_to(&mut binding.sub_path);
        }
    }
    Ok(handed)
}

pub(super) fn bind(
    run: &PipelineRun,
    binding: &WorkspaceBinding,
    want: &WorkspacePipelineTaskBinding,
    behavior: Behavior,
) -> WorkspaceBinding {
    let sub_path = joined(&binding.sub_path, &want.sub_path);
    if binding.volume_claim_template.is_none() {
        return WorkspaceBinding { name: want.name.clone(), sub_path, ..binding.clone() };
    }
    let claim = claim::claim_name(binding, run.metadata.uid.as_deref().unwrap_or_default());
    let claim = match behavior {
        Behavior::PerWorkspace | Behavior::Disabled => claim,
        Behavior::PerPipelineRun | Behavior::PerPipelineRunWithIsolation => {
            affinity::claim_of_stateful_set(&claim, "", run.metadata.name.as_deref().unwrap_or_default())
        }
    };
    claim::binding(want.name.clone(), sub_path, claim)
}

/// Two sub-paths, one below the other, without the dots that a path may hold.
fn joined(above: &str, below: &str) -> String {
    if above.is_empty() || below.is_empty() {
        return format!("{above}{below}");
    }
    let rooted = above.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in above.split('/').chain(below.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    match (rooted, path.is_empty()) {
        (true, _) => format!("/{path}"),
        (false, true) => ".".to_owned(),
        (false, false) => path,
    }
}

/// The variables of the run, for sub-paths.
fn contexts(run: &PipelineRun) -> Table {
    let mut table = Table::new();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let pipeline = run.spec.pipeline_ref.as_ref().map(|reference| reference.name.clone()).unwrap_or_default();
    table.set("context.pipelineRun.name", text(&run.metadata.name));
    table.set("context.pipeline.name", pipeline);
    table.set("context.pipelineRun.namespace", text(&run.metadata.namespace));
    table.set("context.pipelineRun.uid", text(&run.metadata.uid));
    table
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn sub_paths_are_joined_and_cleaned() {
        assert_eq!(joined("", "b"), "b");
        assert_eq!(joined("a", ""), "a");
        assert_eq!(joined("a/", "./b"), "a/b");
        assert_eq!(joined("a", "../b"), "b");
        assert_eq!(joined("/a", "../../b"), "/b");
    }
}
