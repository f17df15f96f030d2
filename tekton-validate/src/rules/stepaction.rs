//! StepActions.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_types::v1::{ParamSpec, ParamValue};
use tekton_types::v1beta1::StepActionSpec;

use crate::errors::{Errors, FieldError};
use crate::gates::Gates;
use crate::rules::params::{self, by_type};
use crate::rules::step_fields::{Texts, declared};
use crate::rules::{container, metadata, results};
use crate::text::quote;
use crate::vars::{Names, expressions, extract, unknown};

/// A StepAction; at v1alpha1 defaults may refer to each other.
pub(crate) fn validate(gates: &Gates<'_>, metadata: &ObjectMeta, spec: &StepActionSpec, is_alpha: bool) -> Errors {
    let mut errors = metadata::validate(metadata).via_field("metadata");
    errors.also(validate_spec(gates, spec, is_alpha).via_field("spec"));
    errors
}

/// What a StepAction does.
pub(crate) fn validate_spec(gates: &Gates<'_>, spec: &StepActionSpec, is_alpha: bool) -> Errors {
    let mut errors = Errors::none();
    if spec.image.is_empty() {
        errors.push(FieldError::missing(&["Image"]));
    }
    if !spec.script.is_empty() {
        if !spec.command.is_empty() {
            errors.push(FieldError::new("script cannot be used with command", &["script"]));
        }
        errors.also(container::windows_script(gates, &spec.script));
        if extract(&spec.script, "params").map_or(true, |names| !names.is_empty()) {
            errors.push(FieldError::new("param substitution in scripts is not allowed.", &["script"]));
        }
    }
    let sorted = by_type(&spec.params);
    errors.also(declared(spec, &sorted));
    errors.also(params::objects_have_properties(&spec.params));
    errors.also(params::types(&spec.params).via_field("params"));
    errors.also(params::no_duplicates(&spec.params));
    errors.also(params::name_formats(&sorted));
    errors.also(spec.arrays(&sorted.arrays));
    if is_alpha {
        errors.also(default_references(&spec.params, &sorted.all));
    }
    let names: Names<'_> = spec.results.iter().map(|r| r.name.as_str()).collect();
    errors.also(unknown(&spec.script, "step.results", &names).via_field("script"));
    errors.also(unknown(&spec.script, "results", &names).via_field("script"));
    errors.also(results::validate_step_results(&spec.results).via_field("results"));
    errors.also(volume_mounts(spec, &sorted.all).via_field("volumeMounts"));
    errors
}

/// The name of a mount is one reference to a parameter.
fn volume_mounts(spec: &StepActionSpec, names: &Names<'_>) -> Errors {
    let mut errors = Errors::none();
    for (index, mount) in spec.volume_mounts.iter().enumerate() {
        if expressions(&mount.name, "params") != [mount.name.as_str()] {
            errors.also(
                Errors::from(
                    FieldError::invalid_value(&mount.name, "name")
                        .details("expect the Name to be a single param reference"),
                )
                .via_index(index),
            );
            return errors;
        }
        errors.also(unknown(&mount.name, "params", names).via_index(index));
    }
    errors
}

/// Defaults refer to parameters that exist, and not in a circle.
fn default_references(specs: &[ParamSpec], names: &Names<'_>) -> Errors {
    let mut errors = Errors::none();
    let mut resolved: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for spec in specs {
        let text = match &spec.default {
            Some(ParamValue::String(text)) => text.as_str(),
            _ => "",
        };
        let needs: Vec<&str> = expressions(text, "params")
            .into_iter()
            .map(|e| {
                let name = e.strip_prefix("$(params.").unwrap_or(e);
                name.strip_suffix(')').unwrap_or(name)
            })
            .collect();
        if needs.is_empty() {
            resolved.insert(&spec.name);
            continue;
        }
        let undefined: Vec<&str> = needs.iter().copied().filter(|n| !names.contains(n)).collect();
        for need in &undefined {
            errors.push(FieldError::new(
                format!(
                    "param {} default value references param {} which is not defined",
                    quote(&spec.name),
                    quote(need)
                ),
                &["params"],
            ));
        }
        if undefined.is_empty() {
            waiting.insert(&spec.name, needs);
        }
    }
    loop {
        let ready: Vec<&str> = waiting
            .iter()
            .filter(|(_, needs)| needs.iter().all(|n| resolved.contains(n)))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            break;
        }
        for name in ready {
            waiting.remove(name);
            resolved.insert(name);
        }
    }
    for name in waiting.keys() {
        errors.push(FieldError::new(
            format!("param {} default value has a circular dependency", quote(name)),
            &["params"],
        ));
    }
    errors
}
