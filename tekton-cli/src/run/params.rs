//! Params from the command line: `-p name=value` and `--param-file`.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;
use tekton_types::v1::{Param, ParamSpec, ParamValue};

/// Reads `-p` texts; what a param's declaration says decides how its text is read.
///
/// Errors: a text without `=`, or one that does not fit the declared type.
pub(crate) fn from_texts(texts: &[String], declared: &[ParamSpec]) -> Result<Vec<Param>, String> {
    let mut params: Vec<Param> = Vec::with_capacity(texts.len());
    for text in texts {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("-p {text}: expected NAME=VALUE"))?;
        let value = value_of(value, declared.iter().find(|spec| spec.name == name))
            .map_err(|why| format!("-p {text}: {why}"))?;
        set(&mut params, Param { name: name.to_owned(), value });
    }
    Ok(params)
}

/// Reads the mapping of a `--param-file`.
///
/// Errors: the document is not a mapping, or a value is neither a scalar, a list of scalars nor a mapping of scalars.
pub(crate) fn from_document(document: &Value) -> Result<Vec<Param>, String> {
    let Value::Object(map) = document else {
        return Err("expected a mapping from param names to values".to_owned());
    };
    map.iter()
        .map(|(name, value)| {
            let value = from_json(value).map_err(|why| format!("param {name}: {why}"))?;
            Ok(Param { name: name.clone(), value })
        })
        .collect()
}

/// Puts `param` in place of one of the same name, else at the end.
pub(crate) fn set(params: &mut Vec<Param>, param: Param) {
    match params.iter_mut().find(|old| old.name == param.name) {
        Some(old) => *old = param,
        None => params.push(param),
    }
}

fn value_of(text: &str, spec: Option<&ParamSpec>) -> Result<ParamValue, String> {
    let kind = spec.map(kind_of).unwrap_or_default();
    match kind {
        Kind::String => Ok(ParamValue::String(text.to_owned())),
        Kind::Array if text.starts_with('[') => match parse(text)? {
            value @ ParamValue::Array(_) => Ok(value),
            _ => Err("expected a JSON list of strings".to_owned()),
        },
        Kind::Array if text.is_empty() => Ok(ParamValue::Array(Vec::new())),
        Kind::Array => Ok(ParamValue::Array(text.split(',').map(str::to_owned).collect())),
        Kind::Object if text.starts_with('{') => match parse(text)? {
            value @ ParamValue::Object(_) => Ok(value),
            _ => Err("expected a JSON object of strings".to_owned()),
        },
        Kind::Object => text
            .split(',')
            .map(|pair| {
                let (key, value) = pair.split_once('=').ok_or("expected key=value,key=value or a JSON object")?;
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect::<Result<_, String>>()
            .map(ParamValue::Object),
    }
}

#[derive(Default, Clone, Copy)]
enum Kind {
    #[default]
    String,
    Array,
    Object,
}

/// The declared type, or what the default or the properties imply.
fn kind_of(spec: &ParamSpec) -> Kind {
    match (spec.type_.as_str(), &spec.default) {
        ("array", _) | ("", Some(ParamValue::Array(_))) => Kind::Array,
        ("object", _) | ("", Some(ParamValue::Object(_))) => Kind::Object,
        ("", None) if !spec.properties.is_empty() => Kind::Object,
        _ => Kind::String,
    }
}

fn parse(text: &str) -> Result<ParamValue, String> {
    from_json(&serde_json::from_str(text).map_err(|error| error.to_string())?)
}

fn from_json(value: &Value) -> Result<ParamValue, String> {
    Ok(match value {
        Value::Array(items) => ParamValue::Array(items.iter().map(scalar).collect::<Result<_, _>>()?),
        Value::Object(map) => ParamValue::Object(
            map.iter()
                .map(|(key, value)| Ok((key.clone(), scalar(value)?)))
                .collect::<Result<IndexMap<_, _>, String>>()?
                .into_iter()
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        ),
        value => ParamValue::String(scalar(value)?),
    })
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err("a value is a string, a list of strings or a mapping of strings".to_owned())
        }
    }
}
