//! Parameters: given, of the right type, with all keys, among the allowed values.

use std::collections::{BTreeMap, HashMap, HashSet};

use tekton_types::refs::{looks_like_result_ref, value_expressions};
use tekton_types::v1::{Matrix, Param, ParamSpec, ParamValue, PipelineSpec, PipelineTask, param_type};

use super::{BindingError, Result, fail};
use crate::text::{list, map_of_lists};

/// Parameters of a PipelineRun have the types that the pipeline declares.
pub fn param_types_matching(pipeline: &PipelineSpec, given: &[Param]) -> Result {
    let types: HashMap<&str, &str> = pipeline.params.iter().map(|p| (p.name.as_str(), p.type_.as_str())).collect();
    let wrong: Vec<&str> = given
        .iter()
        .filter(|p| types.get(p.name.as_str()).is_some_and(|t| *t != p.value.type_name()))
        .map(|p| p.name.as_str())
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    fail(format!("parameters have inconsistent types : {}", list(wrong)))
}

/// Parameters without a default are given.
pub fn required_parameters_provided(declared: &[ParamSpec], given: &[Param]) -> Result {
    let given: HashSet<&str> = given.iter().map(|p| p.name.as_str()).collect();
    let missing: Vec<&str> = declared
        .iter()
        .filter(|p| p.default.is_none() && !given.contains(p.name.as_str()))
        .map(|p| p.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!("pipelineRun missing parameters: {}", list(missing)))
}

/// Object parameters of a PipelineRun have all keys that the pipeline declares.
pub fn object_param_required_keys(declared: &[ParamSpec], given: &[Param]) -> Result {
    let missing = missing_keys(declared, given);
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!("pipelineRun missing object keys for parameters: {}", map_of_lists(missing)))
}

/// Parameters of a task, by a reference to it, fit its declarations.
pub fn resolved_task(name: &str, declared: &[ParamSpec], given: &[Param], matrix: Option<&Matrix>) -> Result {
    let matrix: Vec<&Param> =
        matrix.iter().flat_map(|m| m.params.iter().chain(m.include.iter().flat_map(|i| &i.params))).collect();
    task_params(declared, given, &matrix)
        .map_err(|e| BindingError(format!("invalid input params for task {name}: {e}")))
}

/// Parameters fit declarations: none missing, types right, objects complete.
pub fn task_params(declared: &[ParamSpec], given: &[Param], matrix: &[&Param]) -> Result {
    let names: HashSet<&str> = given.iter().chain(matrix.iter().copied()).map(|p| p.name.as_str()).collect();
    let missing: Vec<&str> = declared
        .iter()
        .filter(|p| p.default.is_none() && !names.contains(p.name.as_str()))
        .map(|p| p.name.as_str())
        .collect();
    if !missing.is_empty() {
        return fail(format!("missing values for these params which have no default values: {}", list(missing)));
    }
    let types: HashMap<&str, &str> = declared.iter().map(|p| (p.name.as_str(), p.type_.as_str())).collect();
    let mut wrong: Vec<&str> = Vec::new();
    for param in given {
        let Some(wanted) = types.get(param.name.as_str()) else { continue };
        let may_become = matches!(&param.value, ParamValue::String(_))
            && matches!(*wanted, param_type::ARRAY | param_type::OBJECT)
            && !value_expressions(&param.value).is_empty();
        if !may_become && param.value.type_name() != *wanted {
            wrong.push(&param.name);
        }
    }
    for param in matrix {
        if types.get(param.name.as_str()).is_some_and(|wanted| *wanted != param_type::STRING) {
            wrong.push(&param.name);
        }
    }
    if !wrong.is_empty() {
        return fail(format!("param types don't match the user-specified type: {}", list(wrong)));
    }
    let missing = missing_keys(declared, given);
    if !missing.is_empty() {
        return fail(format!(
            "missing keys for these params which are required in ParamSpec's properties {}",
            map_of_lists(missing)
        ));
    }
    Ok(())
}

/// Keys that object parameters lack, by parameter; one that nobody gives at all is not told here.
fn missing_keys<'a>(declared: &'a [ParamSpec], given: &'a [Param]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut provided: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for (name, value) in declared
        .iter()
        .filter(|p| p.type_ == param_type::OBJECT)
        .filter_map(|p| p.default.as_ref().map(|d| (&p.name, d)))
        .chain(given.iter().map(|p| (&p.name, &p.value)))
    {
        if let ParamValue::Object(entries) = value
            && !entries.is_empty()
        {
            provided.entry(name).or_default().extend(entries.keys().map(String::as_str));
        }
    }
    let needed = declared
        .iter()
        .filter(|p| p.type_ == param_type::OBJECT)
        .map(|p| (p.name.as_str(), p.properties.keys().map(String::as_str).collect::<Vec<_>>()));
    missing_of(needed, &provided)
}

pub(super) fn missing_of<'a>(
    needed: impl Iterator<Item = (&'a str, Vec<&'a str>)>,
    provided: &BTreeMap<&'a str, HashSet<&'a str>>,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, keys) in needed {
        let Some(have) = provided.get(name) else { continue };
        let lacking: Vec<&str> = keys.into_iter().filter(|key| !have.contains(key)).collect();
        if !lacking.is_empty() {
            missing.entry(name).or_default().extend(lacking);
        }
    }
    missing
}

/// Strings are among the values that their declaration lists.
pub fn enum_param(given: &[Param], declared: &[ParamSpec]) -> Result {
    let enums: HashMap<&str, &[String]> =
        declared.iter().filter(|p| !p.enum_.is_empty()).map(|p| (p.name.as_str(), p.enum_.as_slice())).collect();
    for param in given {
        let ParamValue::String(value) = &param.value else { continue };
        if !value.is_empty() && enums.get(param.name.as_str()).is_some_and(|allowed| !allowed.contains(value)) {
            return fail(format!("param `{}` value: {value} is not in the enum list", param.name));
        }
    }
    Ok(())
}

/// A step gives its StepAction the parameters that it needs, and no others.
pub fn step_action_parameters(given: &[Param], declared: &[ParamSpec]) -> Result {
    let known: HashSet<&str> = declared.iter().map(|p| p.name.as_str()).collect();
    let extra: Vec<&str> = given.iter().map(|p| p.name.as_str()).filter(|name| !known.contains(name)).collect();
    if !extra.is_empty() {
        return fail(format!("extra params passed by Step to StepAction: {}", list(extra)));
    }
    let given: HashSet<&str> = given.iter().map(|p| p.name.as_str()).collect();
    let missing: Vec<&str> = declared
        .iter()
        .filter(|p| p.default.is_none() && !given.contains(p.name.as_str()))
        .map(|p| p.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!("non-existent params in Step: {}", list(missing)))
}

/// Matrix parameters are arrays and included parameters strings, once everything was put in.
pub fn matrix_param_types(tasks: &[&PipelineTask]) -> Result {
    for task in tasks {
        let Some(matrix) = &task.matrix else { continue };
        let wrong = |kind: &str, param: &Param| {
            fail(format!(
                "parameters of type {kind} only are allowed, but param \"{}\" has type \"{}\" in pipelineTask \"{}\"",
                param.name,
                param.value.type_name(),
                task.name
            ))
        };
        for param in matrix.include.iter().flat_map(|i| &i.params) {
            if !matches!(param.value, ParamValue::String(_)) {
                return wrong(param_type::STRING, param);
            }
        }
        for param in &matrix.params {
            let from_results = value_expressions(&param.value).into_iter().any(looks_like_result_ref);
            if !matches!(param.value, ParamValue::Array(_)) && !from_results {
                return wrong(param_type::ARRAY, param);
            }
        }
    }
    Ok(())
}
