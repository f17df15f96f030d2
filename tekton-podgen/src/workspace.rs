//! Workspaces of a TaskRun: volumes for its bindings, and mounts for its steps and sidecars.

use crate::names;
use k8s_openapi::api::core::v1::{Volume, VolumeMount};
use std::collections::{BTreeMap, BTreeSet};
use tekton_contract::names::workspace_volume;
use tekton_contract::paths;
use tekton_contract::var::extract;
use tekton_types::v1::{
    ParamValue, Sidecar, Step, StepTemplate, TaskSpec, WorkspaceBinding, WorkspaceDeclaration, WorkspaceUsage,
};

/// Where a declared workspace is mounted: its own path, or below the workspace folder by its name.
pub fn mount_path(declaration: &WorkspaceDeclaration) -> String {
    if declaration.mount_path.is_empty() {
        paths::clean(&format!("{}/{}", names::WORKSPACE_DIR, declaration.name))
    } else {
        declaration.mount_path.clone()
    }
}

/// A volume for each bound workspace, by the workspace's name. Bindings to one claim share a volume; a binding
/// without a source has none.
pub fn volumes(bindings: &[WorkspaceBinding]) -> BTreeMap<String, Volume> {
    let mut volumes: BTreeMap<String, Volume> = BTreeMap::new();
    let mut claims: BTreeMap<&str, Volume> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for binding in bindings {
        let mut name = workspace_volume(&binding.name);
        while !used.insert(name.clone()) {
            name = workspace_volume(&format!("{name}$"));
        }
        let volume = if let Some(claim) = &binding.persistent_volume_claim {
            claims
                .entry(&claim.claim_name)
                .or_insert_with(|| Volume { name, persistent_volume_claim: Some(claim.clone()), ..Volume::default() })
                .clone()
        } else {
            match source(binding) {
                Some(source) => Volume { name, ..source },
                None => continue,
            }
        };
        volumes.insert(binding.name.clone(), volume);
    }
    volumes
}

fn source(binding: &WorkspaceBinding) -> Option<Volume> {
    let mut volume = Volume::default();
    if binding.empty_dir.is_some() {
        volume.empty_dir.clone_from(&binding.empty_dir);
    } else if binding.config_map.is_some() {
        volume.config_map.clone_from(&binding.config_map);
    } else if binding.secret.is_some() {
        volume.secret.clone_from(&binding.secret);
    } else if binding.projected.is_some() {
        volume.projected.clone_from(&binding.projected);
    } else if binding.csi.is_some() {
        volume.csi.clone_from(&binding.csi);
    } else {
        return None;
    }
    Some(volume)
}

/// Mounts the bound workspaces. A workspace that some step or sidecar asks for by name is mounted only where it is
/// asked for; any other goes to all steps and sidecars. Bound workspaces that are not declared are declared.
pub fn apply(task: &mut TaskSpec, bindings: &[WorkspaceBinding], volumes: &BTreeMap<String, Volume>) {
    if bindings.is_empty() {
        return;
    }
    let usages = task
        .steps
        .iter()
        .flat_map(|step| &step.workspaces)
        .chain(task.sidecars.iter().flat_map(|sidecar| &sidecar.workspaces));
    let isolated: BTreeSet<String> = usages.map(|usage| usage.name.clone()).collect();
    task.step_template.get_or_insert_default();
    let mut added = BTreeSet::new();
    for binding in bindings {
        if !task.workspaces.iter().any(|known| known.name == binding.name) {
            task.workspaces
                .push(WorkspaceDeclaration { name: binding.name.clone(), ..WorkspaceDeclaration::default() });
        }
        let Some(declaration) = task.workspaces.iter().find(|known| known.name == binding.name) else {
            continue;
        };
        let volume = volumes.get(&binding.name).cloned().unwrap_or_default();
        let mount = VolumeMount {
            name: volume.name.clone(),
            mount_path: mount_path(declaration),
            sub_path: (!binding.sub_path.is_empty()).then(|| binding.sub_path.clone()),
            read_only: declaration.read_only.then_some(true),
            ..VolumeMount::default()
        };
        if isolated.contains(&binding.name) {
            mount_isolated(task, &binding.name, &mount);
        } else {
            mount_shared(task, &mount);
        }
        if added.insert(volume.name.clone()) {
            task.volumes.push(volume);
        }
    }
}

fn mount_shared(task: &mut TaskSpec, mount: &VolumeMount) {
    let template: &mut StepTemplate = task.step_template.get_or_insert_default();
    template.volume_mounts.push(mount.clone());
    for sidecar in &mut task.sidecars {
        mount_in_sidecar(sidecar, mount);
    }
}

/// Mounts a volume in a sidecar that has nothing else at the path.
pub fn mount_in_sidecar(sidecar: &mut Sidecar, mount: &VolumeMount) {
    let taken = sidecar.volume_mounts.iter().any(|own| own.mount_path == mount.mount_path);
    if !taken {
        sidecar.volume_mounts.push(mount.clone());
    }
}

fn mount_isolated(task: &mut TaskSpec, workspace: &str, mount: &VolumeMount) {
    let steps = task.steps.iter_mut().map(|step| (&step.workspaces, &mut step.volume_mounts));
    let sidecars = task.sidecars.iter_mut().map(|sidecar| (&sidecar.workspaces, &mut sidecar.volume_mounts));
    for (usages, mounts) in steps.chain(sidecars) {
        let Some(usage) = usages.iter().find(|usage: &&WorkspaceUsage| usage.name == workspace) else {
            continue;
        };
        let mut mount = mount.clone();
        if !usage.mount_path.is_empty() {
            mount.mount_path.clone_from(&usage.mount_path);
        }
        mounts.push(mount);
    }
}

/// Workspaces that the variables of a task refer to.
///
/// Errors: a reference that cannot be read.
pub fn used(task: &TaskSpec) -> Result<BTreeSet<String>, String> {
    let mut texts = Vec::new();
    for step in &task.steps {
        step_texts(step, &mut texts);
    }
    for sidecar in &task.sidecars {
        texts.push(sidecar.script.as_str());
        texts.extend(sidecar.args.iter().map(String::as_str));
        texts.extend(sidecar.command.iter().map(String::as_str));
        texts.push(&sidecar.working_dir);
        texts.extend(sidecar.env.iter().filter_map(|env| env.value.as_deref()));
    }
    if let Some(template) = &task.step_template {
        texts.extend(template.args.iter().map(String::as_str));
        texts.extend(template.command.iter().map(String::as_str));
        texts.push(&template.working_dir);
        texts.extend(template.env.iter().filter_map(|env| env.value.as_deref()));
    }
    let mut used = BTreeSet::new();
    for text in texts {
        let variables = extract::variables(text, "workspaces");
        if !variables.error.is_empty() {
            return Err(format!("Error while extracting workspace: {}", variables.error));
        }
        used.extend(variables.names);
    }
    Ok(used)
}

fn step_texts<'a>(step: &'a Step, texts: &mut Vec<&'a str>) {
    texts.push(&step.script);
    texts.extend(step.args.iter().map(String::as_str));
    texts.extend(step.command.iter().map(String::as_str));
    texts.push(&step.working_dir);
    texts.extend(step.env.iter().filter_map(|env| env.value.as_deref()));
    for param in &step.params {
        match &param.value {
            ParamValue::String(text) => texts.push(text),
            ParamValue::Array(items) => texts.extend(items.iter().map(String::as_str)),
            ParamValue::Object(entries) => texts.extend(entries.values().map(String::as_str)),
        }
    }
}
