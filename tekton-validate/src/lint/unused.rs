//! Declared and never used.

use std::collections::HashSet;

use tekton_types::v1::{PipelineSpec, TaskSpec};

use super::{Found, warning};

/// Warns of parameters and workspaces of a task that nothing in it refers to.
pub(super) fn task(spec: &TaskSpec, path: &str, found: &mut Vec<Found>) {
    let mut rest = spec.clone();
    rest.params.clear();
    let Ok(mut text) = serde_json::to_string(&rest) else { return };
    // Defaults may refer to other parameters.
    if let Ok(params) = serde_json::to_string(&spec.params) {
        text.push_str(&params);
    }
    let mut used = names_after(&text, "params");
    used.extend(names_after(&text, "inputs.params"));
    for param in spec.params.iter().filter(|p| !used.contains(p.name.as_str())) {
        found.push(unused_param(&param.name, path));
    }
    let used = names_after(&text, "results");
    for result in spec.results.iter().filter(|r| r.value.is_none() && !used.contains(r.name.as_str())) {
        if text.contains(&format!("/tekton/results/{}", result.name)) {
            continue;
        }
        let message = format!("result {:?} is never written", result.name);
        let help = format!("write it to `$(results.{}.path)`, or take the declaration away", result.name);
        let path = format!("{path}.results[{}]", result.name);
        found.push(warning("unused-result", message, path).with_help(help).into());
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
            found.push(unused_workspace(&workspace.name, path));
        }
    }
}

/// Warns of parameters and workspaces of a pipeline that no task gets.
pub(super) fn pipeline(spec: &PipelineSpec, path: &str, found: &mut Vec<Found>) {
    let Ok(text) = serde_json::to_string(&spec) else { return };
    let used = names_after(&text, "params");
    for param in spec.params.iter().filter(|p| !used.contains(p.name.as_str())) {
        found.push(unused_param(&param.name, path));
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
            found.push(unused_workspace(name, path));
        }
    }
}

fn unused_param(name: &str, path: &str) -> Found {
    let help = format!("use it as `$(params.{name})`, or take the declaration away");
    unused("unused-param", "parameter", name, &help, format!("{path}.params[{name}]"))
}

fn unused_workspace(name: &str, path: &str) -> Found {
    let help = "use it, or take the declaration away: every run must bind it";
    unused("unused-workspace", "workspace", name, help, format!("{path}.workspaces[{name}]"))
}

fn unused(code: &'static str, what: &str, name: &str, help: &str, path: String) -> Found {
    warning(code, format!("{what} {name:?} is never used"), path).with_help(help).into()
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
