//! Declared and never used.

use std::collections::HashSet;

use tekton_types::v1::{PipelineSpec, TaskSpec};

use super::warning;
use crate::diagnostic::Diagnostic;

/// Warns of parameters and workspaces of a task that nothing in it refers to.
pub(super) fn task(spec: &TaskSpec, path: &str, found: &mut Vec<Diagnostic>) {
    let mut rest = spec.clone();
    rest.params.clear();
    let Ok(mut text) = serde_json::to_string(&rest) else { return };
    // Defaults may refer to other parameters.
    if let Ok(params) = serde_json::to_string(&spec.params) {
        text.push_str(&params);
    }
    let used = names_after(&text, "params");
    for param in spec.params.iter().filter(|p| !used.contains(p.name.as_str())) {
        found.push(unused("unused-param", "parameter", &param.name, format!("{path}.params[{}]", param.name)));
    }
    let used = names_after(&text, "workspaces");
    for workspace in &spec.workspaces {
        let mount = format!("/workspace/{}", workspace.name);
        let mounts = text.matches(&mount).count();
        let by_step = spec
            .steps
            .iter()
            .flat_map(|s| &s.workspaces)
            .chain(spec.sidecars.iter().flat_map(|s| &s.workspaces))
            .any(|w| w.name == workspace.name);
        let by_path = !workspace.mount_path.is_empty() || mounts > 0;
        if !used.contains(workspace.name.as_str()) && !by_step && !by_path {
            let path = format!("{path}.workspaces[{}]", workspace.name);
            found.push(unused("unused-workspace", "workspace", &workspace.name, path));
        }
    }
}

/// Warns of parameters and workspaces of a pipeline that no task gets.
pub(super) fn pipeline(spec: &PipelineSpec, path: &str, found: &mut Vec<Diagnostic>) {
    let Ok(text) = serde_json::to_string(&spec) else { return };
    let used = names_after(&text, "params");
    for param in spec.params.iter().filter(|p| !used.contains(p.name.as_str())) {
        found.push(unused("unused-param", "parameter", &param.name, format!("{path}.params[{}]", param.name)));
    }
    let bound: HashSet<&str> = spec
        .tasks
        .iter()
        .chain(&spec.r#finally)
        .flat_map(|t| &t.workspaces)
        .map(|w| if w.workspace.is_empty() { w.name.as_str() } else { w.workspace.as_str() })
        .collect();
    let used = names_after(&text, "workspaces");
    for workspace in &spec.workspaces {
        let name = workspace.name.as_str();
        if !bound.contains(name) && !used.contains(name) {
            found.push(unused("unused-workspace", "workspace", name, format!("{path}.workspaces[{name}]")));
        }
    }
}

fn unused(code: &'static str, what: &str, name: &str, path: String) -> Diagnostic {
    warning(code, format!("{what} {name:?} is never used"), path)
}

/// The names in `$(scope.name…)`, `$(scope["name"])` and `$(scope['name'])` of a JSON text; a name with dots also
/// counts as its first part.
fn names_after<'t>(text: &'t str, scope: &str) -> HashSet<&'t str> {
    let mut names = HashSet::new();
    for (at, opening) in text.match_indices("$(") {
        let Some(rest) = text[at + opening.len()..].strip_prefix(scope) else { continue };
        if let Some(rest) = rest.strip_prefix('.') {
            let end = rest.find([')', '[', '"']).unwrap_or(rest.len());
            names.insert(&rest[..end]);
            names.extend(rest[..end].split('.').next());
        } else if let Some(rest) = rest.strip_prefix("['") {
            names.extend(rest.split('\'').next());
        } else if let Some(rest) = rest.strip_prefix("[\\\"") {
            names.extend(rest.split("\\\"").next());
        }
    }
    names
}
