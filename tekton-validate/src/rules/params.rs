//! Declared and given parameters, apart from where they are used.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tekton_types::v1::{Param, ParamSpec, ParamValue, param_type};

use crate::errors::{Errors, FieldError};
use crate::gates::Gates;
use crate::names::{is_object_name, is_variable_name};
use crate::text::{list, map_of_lists};
use crate::vars::Names;

/// The strings of a value.
pub(crate) fn strings(value: &ParamValue) -> Vec<&str> {
    match value {
        ParamValue::String(s) => vec![s],
        ParamValue::Array(a) => a.iter().map(String::as_str).collect(),
        ParamValue::Object(o) => o.values().map(String::as_str).collect(),
    }
}

/// Names of declared parameters by type.
#[derive(Debug, Default)]
pub(crate) struct ByType<'a> {
    pub(crate) all: Names<'a>,
    pub(crate) arrays: Names<'a>,
    pub(crate) objects: Vec<&'a ParamSpec>,
    pub(crate) plain: BTreeSet<&'a str>,
}

/// Sorts declarations by type; anything that is neither array nor object counts as a string.
pub(crate) fn by_type<'a>(specs: impl IntoIterator<Item = &'a ParamSpec>) -> ByType<'a> {
    let mut sorted = ByType::default();
    for spec in specs {
        let name = spec.name.as_str();
        sorted.all.insert(name);
        match spec.type_.as_str() {
            param_type::OBJECT => sorted.objects.push(spec),
            param_type::ARRAY => {
                sorted.arrays.insert(name);
                sorted.plain.insert(name);
            }
            _ => {
                sorted.plain.insert(name);
            }
        }
    }
    sorted
}

/// Given parameters: names unique, ignoring case.
pub(crate) fn validate_given(params: &[Param]) -> Errors {
    no_duplicate_names(params.iter().map(|p| p.name.as_str()), false)
}

/// An error for each name that comes again, ignoring case; reported by index or by key.
pub(crate) fn no_duplicate_names<'a>(names: impl Iterator<Item = &'a str>, by_index: bool) -> Errors {
    let mut errors = Errors::none();
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name.to_lowercase()) {
            let error = Errors::from(FieldError::multiple_one_of(&["name"]));
            errors.also(if by_index { error.via_index(index) } else { error.via_key(name) });
        }
    }
    errors
}

/// An error for each given parameter whose name came before.
pub(crate) fn unique(params: &[Param]) -> Errors {
    let mut errors = Errors::none();
    let mut seen = HashSet::new();
    for (index, param) in params.iter().enumerate() {
        if !seen.insert(param.name.as_str()) {
            errors.push(FieldError::new(
                format!("parameter names must be unique, the parameter \"{}\" is also defined at", param.name),
                &[&format!("[{index}].name")],
            ));
        }
    }
    errors
}

/// Types of declared parameters and of their defaults.
pub(crate) fn types<'a>(specs: impl IntoIterator<Item = &'a ParamSpec>) -> Errors {
    let mut errors = Errors::none();
    for spec in specs {
        errors.also(type_of(spec));
    }
    errors
}

fn type_of(spec: &ParamSpec) -> Errors {
    if !param_type::ALL.contains(&spec.type_.as_str()) {
        return FieldError::invalid_value(&spec.type_, &format!("{}.type", spec.name)).into();
    }
    if let Some(default) = &spec.default
        && default.type_name() != spec.type_
    {
        return FieldError::new(
            format!("\"{}\" type does not match default value's type: \"{}\"", spec.type_, default.type_name()),
            &[&format!("{}.type", spec.name), &format!("{}.default.type", spec.name)],
        )
        .into();
    }
    let invalid: Vec<&str> =
        spec.properties.iter().filter(|(_, p)| p.type_ != param_type::STRING).map(|(k, _)| k.as_str()).collect();
    if invalid.is_empty() {
        return Errors::none();
    }
    FieldError::new(
        format!("The value type specified for these keys {} is invalid", list(invalid)),
        &[&format!("{}.properties", spec.name)],
    )
    .into()
}

/// Declared names are unique.
pub(crate) fn no_duplicates<'a>(specs: impl IntoIterator<Item = &'a ParamSpec>) -> Errors {
    let mut errors = Errors::none();
    for name in repeated(specs.into_iter().map(|s| s.name.as_str())) {
        errors.also(
            Errors::from(FieldError::new("parameter appears more than once", &[""])).via_field_key("params", name),
        );
    }
    errors
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut seen = HashSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

/// Enums: gate, type, duplicates, default.
pub(crate) fn enums<'a>(gates: &Gates<'_>, specs: impl IntoIterator<Item = &'a ParamSpec>) -> Errors {
    let mut errors = Errors::none();
    for spec in specs {
        if spec.enum_.is_empty() {
            continue;
        }
        let mut add = |message: String| {
            errors.also(Errors::from(FieldError::new(message, &[""])).via_key(&spec.name));
        };
        if !gates.param_enum {
            add("feature flag `enable-param-enum` should be set to true to use Enum".to_owned());
        }
        if spec.type_ != param_type::STRING {
            add("enum can only be set with string type param".to_owned());
        }
        for value in repeated(spec.enum_.iter().map(String::as_str)) {
            add(format!("parameter enum value {value} appears more than once"));
        }
        if let Some(ParamValue::String(default)) = &spec.default
            && !default.is_empty()
            && !spec.enum_.contains(default)
        {
            add(format!("param default value {default} not in the enum list"));
        }
    }
    errors
}

/// Formats of declared names and of object keys.
pub(crate) fn name_formats(sorted: &ByType<'_>) -> Errors {
    let mut errors = Errors::none();
    let invalid: Vec<&str> = sorted.plain.iter().copied().filter(|name| !is_variable_name(name)).collect();
    if !invalid.is_empty() {
        errors.push(
            FieldError::new(
                format!("The format of following array and string variable names is invalid: {}", list(invalid)),
                &["params"],
            )
            .details(
                "String/Array Names: \nMust only contain alphanumeric characters, hyphens (-), underscores (_), and dots (.)\nMust begin with a letter or an underscore (_)",
            ),
        );
    }
    let mut invalid: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for spec in &sorted.objects {
        if !is_object_name(&spec.name) {
            invalid.insert(&spec.name, Vec::new());
        }
        for key in spec.properties.keys().filter(|key| !is_object_name(key)) {
            invalid.entry(&spec.name).or_default().push(key);
        }
    }
    if !invalid.is_empty() {
        errors.push(
            FieldError::new(
                format!("Object param name and key name format is invalid: {}", map_of_lists(invalid)),
                &["params"],
            )
            .details(
                "Object Names: \nMust only contain alphanumeric characters, hyphens (-), underscores (_) \nMust begin with a letter or an underscore (_)",
            ),
        );
    }
    errors
}

/// Object parameters declare their keys.
pub(crate) fn objects_have_properties<'a>(specs: impl IntoIterator<Item = &'a ParamSpec>) -> Errors {
    let mut errors = Errors::none();
    for spec in specs {
        if spec.type_ == param_type::OBJECT && !spec.properties.is_given() {
            errors.push(FieldError::missing(&[&format!("{}.properties", spec.name)]));
        }
    }
    errors
}

/// Whether a value looks like `$(params…`.
pub(crate) fn is_param_ref(text: &str) -> bool {
    text.starts_with("$(params")
}
