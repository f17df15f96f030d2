//! Merges the step template and the run's overrides into steps, with the semantics of a strategic merge patch:
//! what a step sets wins, maps merge by key, keyed lists merge by their key, other lists are replaced.

use k8s_openapi::api::core::v1::{
    EnvVar, EnvVarSource, ResourceRequirements, SecurityContext, VolumeDevice, VolumeMount,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use tekton_types::v1::{Sidecar, Step, StepTemplate, TaskRunSidecarSpec, TaskRunStepSpec, TaskSpec};

/// The steps of a task with its step template applied. Steps that still refer to a StepAction are left alone.
pub fn steps_with_template(task: &TaskSpec) -> Vec<Step> {
    let mut steps = task.steps.clone();
    if let Some(template) = &task.step_template {
        for step in steps.iter_mut().filter(|step| step.r#ref.is_none()) {
            merge_template(step, template);
        }
    }
    steps
}

fn merge_template(step: &mut Step, template: &StepTemplate) {
    let StepTemplate {
        image,
        command,
        args,
        working_dir,
        env_from,
        env,
        compute_resources,
        volume_mounts,
        volume_devices,
        image_pull_policy,
        security_context,
    } = template;
    inherit_text(&mut step.image, image);
    inherit_list(&mut step.command, command);
    inherit_list(&mut step.args, args);
    inherit_text(&mut step.working_dir, working_dir);
    inherit_list(&mut step.env_from, env_from);
    inherit_text(&mut step.image_pull_policy, image_pull_policy);
    step.env = merge_env(env, std::mem::take(&mut step.env));
    step.volume_mounts =
        merge_keyed(volume_mounts, std::mem::take(&mut step.volume_mounts), |mount| &mount.mount_path, overlay_mount);
    step.volume_devices = merge_keyed(
        volume_devices,
        std::mem::take(&mut step.volume_devices),
        |device| &device.device_path,
        |device: &mut VolumeDevice, over| device.name = over.name,
    );
    step.compute_resources = merge_resources(compute_resources, &step.compute_resources);
    step.security_context = merge_security(security_context.as_ref(), step.security_context.take());
}

/// Applies the run's overrides of the resources of steps.
pub fn override_steps(steps: &mut [Step], overrides: &[TaskRunStepSpec]) {
    for step in steps {
        if let Some(over) = overrides.iter().rfind(|over| over.name == step.name) {
            step.compute_resources = merge_resources(&step.compute_resources, &over.compute_resources);
        }
    }
}

/// Applies the run's overrides of the resources of sidecars.
pub fn override_sidecars(sidecars: &mut [Sidecar], overrides: &[TaskRunSidecarSpec]) {
    for sidecar in sidecars {
        if let Some(over) = overrides.iter().rfind(|over| over.name == sidecar.name) {
            sidecar.compute_resources = merge_resources(&sidecar.compute_resources, &over.compute_resources);
        }
    }
}

fn inherit_text(value: &mut String, template: &str) {
    if value.is_empty() {
        template.clone_into(value);
    }
}

fn inherit_list<T: Clone>(value: &mut Vec<T>, template: &[T]) {
    if value.is_empty() {
        template.clone_into(value);
    }
}

/// `over` merged onto `base`.
fn merge_resources(base: &ResourceRequirements, over: &ResourceRequirements) -> ResourceRequirements {
    let merge_map = |base: &Option<BTreeMap<_, _>>, over: &Option<BTreeMap<_, _>>| {
        let mut merged = base.clone().unwrap_or_default();
        for (name, quantity) in over.iter().flatten() {
            merged.insert(String::clone(name), Clone::clone(quantity));
        }
        (!merged.is_empty()).then_some(merged)
    };
    ResourceRequirements {
        limits: merge_map(&base.limits, &over.limits),
        requests: merge_map(&base.requests, &over.requests),
        claims: over.claims.clone().filter(|claims| !claims.is_empty()).or_else(|| base.claims.clone()),
    }
}

fn merge_env(template: &[EnvVar], env: Vec<EnvVar>) -> Vec<EnvVar> {
    if template.is_empty() {
        return env;
    }
    if env.is_empty() {
        return template.to_vec();
    }
    let own = env.clone();
    let mut merged = merge_keyed(template, env, |env| &env.name, overlay_env);
    // A variable has a value or a source; where the merge brought both together, the step's own is taken as it is.
    for variable in &mut merged {
        let conflict = variable.value_from.is_some() && variable.value.as_ref().is_some_and(|value| !value.is_empty());
        if conflict && let Some(mine) = own.iter().rfind(|mine| mine.name == variable.name) {
            *variable = mine.clone();
        }
    }
    merged
}

fn overlay_env(base: &mut EnvVar, over: EnvVar) {
    let EnvVar { name: _, value, value_from } = over;
    if value.as_ref().is_some_and(|value| !value.is_empty()) {
        base.value = value;
    }
    base.value_from = merge_structure::<EnvVarSource>(base.value_from.as_ref(), value_from);
}

fn overlay_mount(base: &mut VolumeMount, over: VolumeMount) {
    let VolumeMount {
        bind_mount_options,
        mount_path: _,
        mount_propagation,
        name,
        read_only,
        recursive_read_only,
        sub_path,
        sub_path_expr,
    } = over;
    base.name = name;
    overlay_option(&mut base.bind_mount_options, bind_mount_options);
    overlay_option(&mut base.mount_propagation, mount_propagation);
    overlay_option(&mut base.recursive_read_only, recursive_read_only);
    if read_only == Some(true) {
        base.read_only = read_only;
    }
    for (base, over) in [(&mut base.sub_path, sub_path), (&mut base.sub_path_expr, sub_path_expr)] {
        if over.as_ref().is_some_and(|text| !text.is_empty()) {
            *base = over;
        }
    }
}

fn overlay_option<T>(base: &mut Option<T>, over: Option<T>) {
    if over.is_some() {
        *base = over;
    }
}

fn merge_security(template: Option<&SecurityContext>, own: Option<SecurityContext>) -> Option<SecurityContext> {
    merge_structure(template, own)
}

/// Merges two API structures field by field; the second wins, lists in them are replaced.
fn merge_structure<T: Serialize + DeserializeOwned + Clone>(base: Option<&T>, over: Option<T>) -> Option<T> {
    let (Some(base), Some(over)) = (base, &over) else {
        return over.or_else(|| base.cloned());
    };
    let as_value = |structure: &T| serde_json::to_value(structure).expect("API structures are representable in JSON");
    let mut merged = as_value(base);
    merge_value(&mut merged, as_value(over));
    Some(serde_json::from_value(merged).expect("merging keeps the shape of the structure"))
}

fn merge_value(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge_value(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// Merges two lists whose elements have a key. Elements of `own` keep their order; those only in `template` stand
/// before the first of `own` that follows them in `template`, or at the end.
fn merge_keyed<T: Clone>(
    template: &[T],
    own: Vec<T>,
    key: impl Fn(&T) -> &String,
    overlay: impl Fn(&mut T, T),
) -> Vec<T> {
    if template.is_empty() || own.is_empty() {
        return if own.is_empty() { template.to_vec() } else { own };
    }
    let position: BTreeMap<&String, usize> =
        template.iter().enumerate().rev().map(|(index, element)| (key(element), index)).collect();
    let mut merged: Vec<T> = Vec::with_capacity(template.len() + own.len());
    let mut mine: BTreeMap<String, usize> = BTreeMap::new();
    for element in own {
        let name = key(&element).clone();
        if let Some(index) = mine.get(&name) {
            overlay(&mut merged[*index], element);
            continue;
        }
        mine.insert(name.clone(), merged.len());
        if let Some(index) = position.get(&name) {
            let mut base = template[*index].clone();
            overlay(&mut base, element);
            merged.push(base);
        } else {
            merged.push(element);
        }
    }
    let mut inherited = template.iter().filter(|element| !mine.contains_key(key(element))).peekable();
    let mut result = Vec::with_capacity(merged.len() + template.len());
    for element in merged {
        if let Some(limit) = position.get(key(&element)) {
            while let Some(before) = inherited.next_if(|other| position[key(other)] < *limit) {
                result.push(before.clone());
            }
        }
        result.push(element);
    }
    result.extend(inherited.cloned());
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str, value: &str) -> EnvVar {
        EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
    }

    #[test]
    fn variables_of_a_step_win_over_those_of_the_template() {
        let merged = merge_env(
            &[env("A", "template"), env("B", "template"), env("C", "template")],
            vec![env("D", "step"), env("B", "step")],
        );
        let shown: Vec<_> =
            merged.iter().map(|e| format!("{}={}", e.name, e.value.as_deref().unwrap_or_default())).collect();
        assert_eq!(shown, ["D=step", "A=template", "B=step", "C=template"]);
    }

    #[test]
    fn security_contexts_merge_field_by_field() {
        let template =
            SecurityContext { run_as_user: Some(1), run_as_non_root: Some(true), ..SecurityContext::default() };
        let own = SecurityContext { run_as_user: Some(2), ..SecurityContext::default() };
        let merged = merge_security(Some(&template), Some(own)).expect("both are set");
        assert_eq!(merged.run_as_user, Some(2));
        assert_eq!(merged.run_as_non_root, Some(true));
    }
}
