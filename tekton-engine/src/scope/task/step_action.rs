//! Parameters of a StepAction: what the step gives, defaults that may refer to each other, and step results.

use super::params::{Values, default_values, given_values, references, spellings};
use std::collections::BTreeMap;
use tekton_contract::var::extract::go_quote;
use tekton_types::substitute::Substitute;
use tekton_types::v1::{Param, ParamSpec, ParamValue, Step, TaskRun, TaskSpec};
use thiserror::Error;

/// Parameters that cannot be brought together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StepActionFault {
    /// A default refers to a parameter that is not declared.
    #[error("parameter {} references non-existent parameter {}", go_quote(.param), go_quote(.reference))]
    NonExistent {
        /// The parameter with the default.
        param: String,
        /// What it refers to.
        reference: String,
    },
    /// Defaults refer to each other in a circle.
    #[error("circular dependency detected in parameter references")]
    Circular,
    /// A value has another type than the default.
    #[error("invalid parameter substitution: {0}. Please check the types of the default value and the passed value")]
    Types(String),
    /// A value refers to a step, but not to a result of it.
    #[error("{0}")]
    Expression(String),
}

/// Fills the parameters into the body of a StepAction (`step`). `given` are those of the step that refers to it, and
/// `declared` those of the StepAction.
pub fn apply_step_action(
    step: &mut Step,
    task: &TaskSpec,
    run: &TaskRun,
    given: &[Param],
    declared: &[ParamSpec],
) -> Result<(), StepActionFault> {
    let mut given = given.to_vec();
    given.substitute(&super::params(&task.params, &run.spec.params));
    let mut values = default_values(declared);
    let resolved = resolve(&given, declared)?;
    values.extend(given_values(&resolved));
    values.strings.extend(step_results(step, &given, declared)?);
    if let Some(key) = values.strings.keys().find(|key| values.arrays.contains_key(*key)) {
        return Err(StepActionFault::Types(name_of(key).to_owned()));
    }
    super::substitute_step(step, &values.into_table());
    Ok(())
}

/// The value of each declared parameter: the given one, or the default with its references resolved.
fn resolve(given: &[Param], declared: &[ParamSpec]) -> Result<Vec<Param>, StepActionFault> {
    let mut resolved: Vec<Param> = Vec::with_capacity(declared.len());
    let mut waiting: Vec<(&ParamSpec, &str)> = Vec::new();
    for spec in declared {
        let value = given.iter().rfind(|param| param.name == spec.name).map(|param| &param.value);
        match (value, &spec.default) {
            (None, Some(ParamValue::String(text))) if text.contains("$(params.") => waiting.push((spec, text)),
            (Some(value), _) | (None, Some(value)) => {
                resolved.push(Param { name: spec.name.clone(), value: value.clone() });
            }
            (None, None) => {}
        }
    }
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|(spec, text)| match resolve_text(text, &resolved) {
            Ok(value) => {
                resolved.push(Param { name: spec.name.clone(), value: ParamValue::String(value) });
                false
            }
            Err(_) => true,
        });
        if waiting.len() == before {
            return Err(stuck(&waiting, &resolved, declared));
        }
    }
    Ok(resolved)
}

/// The text with all references replaced, or the first reference that has no value yet.
fn resolve_text<'t>(text: &'t str, resolved: &[Param]) -> Result<String, &'t str> {
    let mut value = text.to_owned();
    for reference in references(text) {
        let known = resolved.iter().find(|param| param.name == reference.name).ok_or(reference.name)?;
        let replacement = known.value.as_string().unwrap_or_default();
        value = value.replace(&format!("$(params.{})", reference.name), replacement);
    }
    Ok(value)
}

fn stuck(waiting: &[(&ParamSpec, &str)], resolved: &[Param], declared: &[ParamSpec]) -> StepActionFault {
    for (spec, text) in waiting {
        let Err(reference) = resolve_text(text, resolved) else { continue };
        if !declared.iter().any(|known| known.name == reference) {
            return StepActionFault::NonExistent { param: spec.name.clone(), reference: reference.to_owned() };
        }
    }
    StepActionFault::Circular
}

/// Parameters whose value is a step result are replaced by references to that result, which the entrypoint resolves.
fn step_results(
    step: &Step,
    given: &[Param],
    declared: &[ParamSpec],
) -> Result<BTreeMap<String, String>, StepActionFault> {
    let mut values = Values::default();
    for param in given {
        let Some(text) = param.value.as_string().filter(|text| text.starts_with("$(steps.")) else {
            continue;
        };
        let (source, result) = step_result(text)?;
        for spec in declared.iter().filter(|spec| spec.name == param.name) {
            match spec.type_.as_str() {
                "object" => {
                    for key in spec.properties.keys() {
                        let reference = format!("$(steps.{source}.results.{result}.{key})");
                        values.strings.insert(format!("params.{}.{key}", spec.name), reference);
                    }
                }
                "array" => {
                    for spelling in spellings(&spec.name) {
                        let reference = format!("$(steps.{source}.results.{result}[*])");
                        values.strings.insert(format!("{spelling}[*]"), reference);
                    }
                    for (key, index) in index_usages(step, &spec.name) {
                        values.strings.insert(key, format!("$(steps.{source}.results.{result}[{index}])"));
                    }
                }
                _ => values.set(&spec.name, &param.value),
            }
        }
    }
    Ok(values.strings)
}

/// Step and result of `$(steps.<step>.results.<result>)`, with an index or a key behind it.
fn step_result(text: &str) -> Result<(&str, &str), StepActionFault> {
    const STEP: [&str; 2] =
        ["steps.<stepName>.results.<resultName>", "steps.<stepName>.results.<objectResultName>.<individualAttribute>"];
    const TASK: [&str; 2] =
        ["tasks.<taskName>.results.<resultName>", "tasks.<taskName>.results.<objectResultName>.<individualAttribute>"];
    let forms = |forms: &[&str]| {
        let listed: Vec<String> =
            forms.iter().enumerate().map(|(index, form)| format!("{}). {form:?}", index + 1)).collect();
        StepActionFault::Expression(format!("must be one of the form {}", listed.join("; ")))
    };
    let inner = text.strip_prefix("$(").unwrap_or(text);
    let inner = inner.strip_suffix(')').unwrap_or(inner);
    let parts: Vec<&str> = inner.split('.').collect();
    match parts.as_slice() {
        ["steps", step, "results", result] => Ok((step, without_index(result))),
        ["steps", step, "results", result, _] => Ok((step, result)),
        ["steps", _, "results", _, ..] => Err(forms(&[TASK, STEP].concat())),
        _ => Err(forms(&STEP)),
    }
}

/// The name of a result without the index or star behind it.
fn without_index(result: &str) -> &str {
    let is_index = |inner: &str| {
        let inner = inner.trim_start_matches(|digit: char| digit.is_ascii_digit());
        inner.strip_prefix('*').unwrap_or(inner) == "]"
    };
    result.split_once('[').filter(|(_, inner)| is_index(inner)).map_or(result, |(name, _)| name)
}

/// Uses of elements of a list in command, arguments and environment: key and index.
fn index_usages(step: &Step, name: &str) -> Vec<(String, String)> {
    let texts = step
        .command
        .iter()
        .chain(&step.args)
        .map(String::as_str)
        .chain(step.env.iter().filter_map(|env| env.value.as_deref()));
    let [dotted, double, single, _] = spellings(name);
    let mut usages = Vec::new();
    for text in texts {
        for spelling in [&dotted, &double, &single] {
            let open = format!("$({spelling}[");
            let mut rest = text;
            while let Some(start) = rest.find(&open) {
                rest = &rest[start + open.len()..];
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let tail = rest[digits..].strip_prefix('*').unwrap_or(&rest[digits..]);
                if digits > 0 && tail.starts_with("])") {
                    let inner = &rest[..rest.len() - tail.len()];
                    usages.push((format!("{spelling}[{inner}]"), rest[..digits].to_owned()));
                }
            }
        }
    }
    usages
}

/// The name of a parameter in a key, when it is made of letters, digits and `_`; else the key.
fn name_of(key: &str) -> &str {
    let word = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let dotted = key.strip_prefix("inputs.params.").or_else(|| key.strip_prefix("params."));
    if let Some(name) = dotted.filter(|name| word(name)) {
        return name;
    }
    for (open, close) in [("params[\"", "\"]"), ("params['", "']")] {
        let name = key.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(name) = name.filter(|name| !name.is_empty() && !name.contains(&close[..1])) {
            return name;
        }
    }
    key
}
