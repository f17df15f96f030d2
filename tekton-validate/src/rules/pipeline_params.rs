//! Parameters of a pipeline where its tasks refer to them.

use tekton_types::v1::{Matrix, Param, ParamSpec, ParamValue, PipelineTask};

use crate::errors::Errors;
use crate::gates::Gates;
use crate::rules::params::{self, by_type};
use crate::rules::when;
use crate::vars::{Names, is_isolated_whole, isolated, may_refer, prohibited, prohibited_as_whole, unknown};

/// Declared parameters of a pipeline.
#[derive(Debug)]
pub(crate) struct Declared<'a> {
    pub(crate) all: Names<'a>,
    pub(crate) arrays: Names<'a>,
    objects: Names<'a>,
    /// Prefix of references to an object's keys, and the keys.
    keys: Vec<(String, Names<'a>)>,
}

impl<'a> Declared<'a> {
    pub(crate) fn new(specs: impl IntoIterator<Item = &'a ParamSpec>) -> Self {
        let sorted = by_type(specs);
        // An object without keys counts as nothing here.
        let objects: Vec<_> = sorted.objects.iter().filter(|o| !o.properties.is_empty()).collect();
        Self {
            objects: objects.iter().map(|o| o.name.as_str()).collect(),
            keys: objects
                .iter()
                .map(|o| (format!("params\\.{}", o.name), o.properties.keys().map(String::as_str).collect()))
                .collect(),
            all: sorted.all,
            arrays: sorted.arrays,
        }
    }
}

fn object_text(text: &str, declared: &Declared<'_>) -> Errors {
    let mut errors = Errors::none();
    for (prefix, keys) in &declared.keys {
        errors.also(unknown(text, prefix, keys));
    }
    errors.also(prohibited_as_whole(text, "params", &declared.objects));
    errors
}

/// A text that takes strings and keys of objects.
pub(crate) fn string_text(text: &str, declared: &Declared<'_>) -> Errors {
    if !may_refer(text) {
        return Errors::none();
    }
    let mut errors = unknown(text, "params", &declared.all);
    errors.also(object_text(text, declared));
    errors.also(prohibited(text, "params", &declared.arrays));
    errors
}

/// A text that takes a whole array too, if alone.
pub(crate) fn array_text(text: &str, declared: &Declared<'_>) -> Errors {
    if !may_refer(text) {
        return Errors::none();
    }
    let mut errors = unknown(text, "params", &declared.all);
    errors.also(object_text(text, declared));
    errors.also(isolated(text, "params", &declared.arrays));
    errors
}

/// Parameters, matrices and guards of the tasks refer to what is declared; each task gives a parameter once.
pub(crate) fn usage<'a>(tasks: &[PipelineTask], specs: impl IntoIterator<Item = &'a ParamSpec>) -> Errors {
    let declared = Declared::new(specs);
    let mut errors = Errors::none();
    for (index, task) in tasks.iter().enumerate() {
        errors.also(given_params(&task.params, &declared).via_index(index));
        if let Some(matrix) = &task.matrix {
            errors.also(matrix_params(matrix, &declared).via_index(index));
        }
        errors.also(when::parameters(&task.when, &declared).via_index(index));
    }
    for (index, task) in tasks.iter().enumerate() {
        errors.also(params::unique(&task.params).via_field("params").via_index(index));
    }
    errors
}

fn given_params(given: &[Param], declared: &Declared<'_>) -> Errors {
    let mut errors = params::unique(given).via_field("params");
    for param in given {
        match &param.value {
            ParamValue::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    let found = array_text(value, declared);
                    errors.also(found.via_field_index("value", index).via_field_key("params", &param.name));
                }
            }
            ParamValue::Object(values) => {
                for (key, value) in values {
                    let found = string_text(value, declared);
                    errors.also(found.via_field_key("properties", key).via_field_key("params", &param.name));
                }
            }
            ParamValue::String(text) if is_isolated_whole(text, "params") => {
                errors.also(unknown(text, "params", &declared.all).via_field_key("params", &param.name));
            }
            ParamValue::String(text) => {
                errors.also(string_text(text, declared).via_field_key("params", &param.name));
            }
        }
    }
    errors
}

fn matrix_params(matrix: &Matrix, declared: &Declared<'_>) -> Errors {
    let mut errors = Errors::none();
    for include in &matrix.include {
        for (index, param) in include.params.iter().enumerate() {
            let text = param.value.as_string().unwrap_or_default();
            let found = string_text(text, declared).via_field_index("", index);
            errors.also(found.via_field("matrix.include.params"));
        }
    }
    for param in &matrix.params {
        for (index, value) in param.value.as_array().unwrap_or_default().iter().enumerate() {
            let found = array_text(value, declared).via_field_index("value", index);
            errors.also(found.via_field_key("matrix.params", &param.name));
        }
    }
    errors
}

/// Declarations of a pipeline, told where its tasks stand.
pub(crate) fn declarations(gates: &Gates<'_>, tasks: &[PipelineTask], specs: &[ParamSpec]) -> Errors {
    let mut errors = params::types(specs).via_field("params");
    errors.also(params::no_duplicates(specs));
    errors.also(params::enums(gates, specs).via_field("params"));
    for (index, task) in tasks.iter().enumerate() {
        errors.also(params::unique(&task.params).via_field("params").via_index(index));
    }
    errors
}
