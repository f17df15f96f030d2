//! What the step template contributes to the fields that rules look at.

use std::borrow::Cow;

use tekton_types::v1::{Step, StepTemplate};

/// The steps as they run: those without a StepAction start from the template.
pub(crate) fn merged<'a>(template: Option<&StepTemplate>, steps: &'a [Step]) -> Cow<'a, [Step]> {
    let Some(template) = template else { return Cow::Borrowed(steps) };
    Cow::Owned(
        steps.iter().map(|step| if step.r#ref.is_some() { step.clone() } else { merge(template, step) }).collect(),
    )
}

fn merge(template: &StepTemplate, step: &Step) -> Step {
    let mut merged = step.clone();
    inherit(&mut merged.image, &template.image);
    inherit(&mut merged.working_dir, &template.working_dir);
    inherit(&mut merged.image_pull_policy, &template.image_pull_policy);
    if merged.command.is_empty() {
        merged.command.clone_from(&template.command);
    }
    if merged.args.is_empty() {
        merged.args.clone_from(&template.args);
    }
    if merged.env_from.is_empty() {
        merged.env_from.clone_from(&template.env_from);
    }
    merged.env = merge_list(&template.env, &step.env, |e| e.name.clone());
    for mount in &mut merged.volume_mounts {
        let Some(base) = template.volume_mounts.iter().find(|base| base.mount_path == mount.mount_path) else {
            continue;
        };
        if mount.sub_path.as_deref().unwrap_or_default().is_empty() {
            mount.sub_path.clone_from(&base.sub_path);
        }
    }
    merged.volume_mounts = merge_list(&template.volume_mounts, &merged.volume_mounts, |m| m.mount_path.clone());
    merged.volume_devices = merge_list(&template.volume_devices, &step.volume_devices, |d| d.device_path.clone());
    merged
}

fn inherit(own: &mut String, template: &str) {
    if own.is_empty() {
        template.clone_into(own);
    }
}

/// Lists with a merge key: the step's element replaces the template's of the same key, the template's others come
/// as far to the front as the order of the two lists allows.
fn merge_list<T: Clone>(template: &[T], own: &[T], key: impl Fn(&T) -> String) -> Vec<T> {
    if template.is_empty() {
        return own.to_vec();
    }
    let order: Vec<String> = template.iter().map(&key).collect();
    let position = |item: &T| order.iter().position(|k| *k == key(item));
    let own_keys: Vec<String> = own.iter().map(&key).collect();
    let mut others = template.iter().filter(|t| !own_keys.contains(&key(t))).peekable();
    let mut own = own.iter().peekable();
    let mut merged = Vec::new();
    loop {
        let take_own = match (own.peek(), others.peek()) {
            (None, None) => return merged,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(left), Some(right)) => {
                matches!((position(left), position(right)), (Some(l), Some(r)) if l < r)
            }
        };
        merged.extend(if take_own { own.next().cloned() } else { others.next().cloned() });
    }
}
