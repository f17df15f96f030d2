//! The fields of steps and StepActions in which variables are checked, each with its name in error paths.

use k8s_openapi::api::core::v1::{EnvVar, VolumeMount};
use tekton_types::v1::{ParamSpec, Step};
use tekton_types::v1beta1::StepActionSpec;

use crate::errors::Errors;
use crate::gates::Version;
use crate::rules::params::{ByType, by_type, objects_have_properties};
use crate::vars::{Names, isolated, may_refer, prohibited, prohibited_as_whole, unknown, unknown_with_detail};

/// Checks of a text: (text, prefix, names).
type Check = fn(&str, &str, &Names<'_>) -> Errors;

/// How names of fields are spelt in error paths, which differs from check to check.
#[derive(Clone, Copy)]
struct Spelling {
    mount: &'static str,
    mount_path: &'static str,
    sub_path: &'static str,
}

const UNKNOWN: Spelling = Spelling { mount: "volumeMount", mount_path: "MountPath", sub_path: "SubPath" };
const PROHIBITED: Spelling = Spelling { mount: "volumeMount", mount_path: "mountPath", sub_path: "subPath" };

/// A container whose texts are checked.
pub(crate) trait Texts {
    /// Whether any text may hold a variable; a quick look that spares the rest.
    fn may_refer(&self) -> bool;

    /// No unknown names.
    fn unknown(&self, version: Version, prefix: &str, names: &Names<'_>) -> Errors;

    /// No arrays outside command and args, and there alone.
    fn arrays(&self, names: &Names<'_>) -> Errors;

    /// No whole objects.
    fn whole_objects(&self, names: &Names<'_>) -> Errors;
}

fn list(values: &[String], field: &str, mut check: impl FnMut(&str) -> Errors) -> Errors {
    let mut errors = Errors::none();
    for (index, value) in values.iter().enumerate() {
        errors.also(check(value).via_field_index(field, index));
    }
    errors
}

fn env(values: &[EnvVar], mut check: impl FnMut(&str) -> Errors) -> Errors {
    let mut errors = Errors::none();
    for var in values {
        errors.also(check(var.value.as_deref().unwrap_or_default()).via_field_key("env", &var.name));
    }
    errors
}

fn mounts(values: &[VolumeMount], spelling: Spelling, check: impl Fn(&str) -> Errors) -> Errors {
    let mut errors = Errors::none();
    for (index, mount) in values.iter().enumerate() {
        errors.also(check(&mount.name).via_field("name").via_field_index(spelling.mount, index));
        errors.also(check(&mount.mount_path).via_field(spelling.mount_path).via_field_index(spelling.mount, index));
        errors.also(
            check(mount.sub_path.as_deref().unwrap_or_default())
                .via_field(spelling.sub_path)
                .via_field_index(spelling.mount, index),
        );
    }
    errors
}

fn mounts_refer(values: &[VolumeMount]) -> bool {
    values
        .iter()
        .any(|m| may_refer(&m.name) || may_refer(&m.mount_path) || m.sub_path.as_deref().is_some_and(may_refer))
}

fn common_refer(command: &[String], args: &[String], env: &[EnvVar], mounts: &[VolumeMount]) -> bool {
    command.iter().chain(args).any(|t| may_refer(t))
        || env.iter().any(|e| e.value.as_deref().is_some_and(may_refer))
        || mounts_refer(mounts)
}

fn step_texts(step: &Step, plain: Check, listed: Check, prefix: &str, names: &Names<'_>, s: Spelling) -> Errors {
    let mut errors = plain(&step.name, prefix, names).via_field("name");
    errors.also(plain(&step.image, prefix, names).via_field("image"));
    errors.also(plain(&step.working_dir, prefix, names).via_field("workingDir"));
    errors.also(plain(&step.script, prefix, names).via_field("script"));
    errors.also(list(&step.command, "command", |t| listed(t, prefix, names)));
    errors.also(list(&step.args, "args", |t| listed(t, prefix, names)));
    errors.also(env(&step.env, |t| plain(t, prefix, names)));
    errors.also(mounts(&step.volume_mounts, s, |t| plain(t, prefix, names)));
    errors
}

impl Texts for Step {
    fn may_refer(&self) -> bool {
        may_refer(&self.script)
            || may_refer(&self.name)
            || may_refer(&self.image)
            || may_refer(&self.working_dir)
            || may_refer(&self.on_error)
            || common_refer(&self.command, &self.args, &self.env, &self.volume_mounts)
    }

    fn unknown(&self, version: Version, prefix: &str, names: &Names<'_>) -> Errors {
        let mut errors = step_texts(self, unknown, unknown, prefix, names, UNKNOWN);
        if version == Version::V1beta1 {
            // At v1beta1 errors in scripts name the variable.
            errors.0.retain(|e| e.paths != ["script"]);
            errors.also(unknown_with_detail(&self.script, prefix, names).via_field("script"));
        }
        errors.also(unknown(&self.on_error, prefix, names).via_field("onError"));
        errors
    }

    fn arrays(&self, names: &Names<'_>) -> Errors {
        step_texts(self, prohibited, isolated, "params", names, PROHIBITED)
    }

    fn whole_objects(&self, names: &Names<'_>) -> Errors {
        step_texts(self, prohibited_as_whole, prohibited_as_whole, "params", names, PROHIBITED)
    }
}

fn action_texts(action: &StepActionSpec, plain: Check, listed: Check, prefix: &str, names: &Names<'_>) -> Errors {
    let mut errors = plain(&action.image, prefix, names).via_field("image");
    errors.also(plain(&action.script, prefix, names).via_field("script"));
    errors.also(list(&action.command, "command", |t| listed(t, prefix, names)));
    errors.also(list(&action.args, "args", |t| listed(t, prefix, names)));
    errors.also(env(&action.env, |t| plain(t, prefix, names)));
    for (index, mount) in action.volume_mounts.iter().enumerate() {
        errors.also(plain(&mount.name, prefix, names).via_field_index("volumeMounts", index));
    }
    errors
}

impl Texts for StepActionSpec {
    fn may_refer(&self) -> bool {
        may_refer(&self.script)
            || may_refer(&self.image)
            || common_refer(&self.command, &self.args, &self.env, &self.volume_mounts)
    }

    fn unknown(&self, _: Version, prefix: &str, names: &Names<'_>) -> Errors {
        action_texts(self, unknown, unknown, prefix, names)
    }

    fn arrays(&self, names: &Names<'_>) -> Errors {
        action_texts(self, prohibited, isolated, "params", names)
    }

    fn whole_objects(&self, names: &Names<'_>) -> Errors {
        action_texts(self, prohibited_as_whole, prohibited_as_whole, "params", names)
    }
}

/// Parameters that one container refers to are declared, objects by their keys only.
pub(crate) fn declared<T: Texts>(container: &T, sorted: &ByType<'_>) -> Errors {
    if !container.may_refer() {
        return Errors::none();
    }
    let mut errors = container.unknown(Version::V1, "params", &sorted.all);
    let mut objects = Names::new();
    for spec in &sorted.objects {
        objects.insert(&spec.name);
        let keys: Names<'_> = spec.properties.keys().map(String::as_str).collect();
        errors.also(container.unknown(Version::V1, &format!("params\\.{}", spec.name), &keys));
    }
    errors.also(container.whole_objects(&objects));
    errors
}

/// Parameters that steps refer to are declared.
pub(crate) fn usage_of_declared<'a, I>(version: Version, steps: &[Step], specs: I) -> Errors
where
    I: IntoIterator<Item = &'a ParamSpec> + Clone,
{
    let mut errors = usage_in_steps(version, steps, &by_type(specs.clone()));
    errors.also(objects_have_properties(specs));
    errors
}

/// The part of [`usage_of_declared`] that looks at the steps.
pub(crate) fn usage_in_steps(version: Version, steps: &[Step], sorted: &ByType<'_>) -> Errors {
    let mut errors = Errors::none();
    for (index, step) in steps.iter().enumerate() {
        if step.may_refer() {
            errors.also(step.unknown(version, "params", &sorted.all).via_field_index("steps", index));
        }
    }
    let mut objects = Names::new();
    for spec in &sorted.objects {
        objects.insert(&spec.name);
        let keys: Names<'_> = spec.properties.keys().map(String::as_str).collect();
        let prefix = format!("params\\.{}", spec.name);
        for (index, step) in steps.iter().enumerate() {
            if step.may_refer() {
                errors.also(step.unknown(version, &prefix, &keys).via_field_index("steps", index));
            }
        }
    }
    errors.also(in_growing_steps(steps, |step| step.whole_objects(&objects)));
    errors
}

/// Arrays are used only where arrays may be.
pub(crate) fn array_usage(steps: &[Step], arrays: &Names<'_>) -> Errors {
    in_growing_steps(steps, |step| step.arrays(arrays))
}

/// Checks each step; as upstream does, the errors of earlier steps get the index of each later one in front.
fn in_growing_steps(steps: &[Step], check: impl Fn(&Step) -> Errors) -> Errors {
    let mut errors = Errors::none();
    for (index, step) in steps.iter().enumerate() {
        if step.may_refer() {
            errors.also(check(step));
        }
        errors = errors.via_field_index("steps", index);
    }
    errors
}
