//! The table of pass P1: params that the run gives, and defaults of the pipeline with their references resolved.

use std::collections::{BTreeMap, BTreeSet};

use tekton_contract::var::Table;
use tekton_dag::graph::quote;
use tekton_types::refs;
use tekton_types::v1::{Param, ParamSpec, ParamValue, param_type};

/// How many defaults may refer to each other in a chain.
const MAX_DEPTH: usize = 10;

/// The three spellings of a param: `params.x`, `params["x"]`, `params['x']`.
pub(super) fn spellings(name: &str) -> [String; 3] {
    [format!("params.{name}"), format!("params[{}]", quote(name)), format!("params['{name}']")]
}

/// The params that a run gives: strings, elements, whole arrays, members, whole objects.
pub(super) fn given(params: &[Param]) -> Table {
    let mut table = Table::new();
    for Param { name, value } in params {
        for key in spellings(name) {
            match value {
                ParamValue::String(text) => table.set(key, text.as_str()),
                ParamValue::Array(items) => set_array(&mut table, &key, items),
                ParamValue::Object(entries) => {
                    table.set_object(key, entries.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                }
            }
        }
        for (member, text) in value.as_object().into_iter().flatten() {
            table.set(format!("params.{name}.{member}"), text.as_str());
        }
    }
    table
}

/// The params that a run gives, and the defaults of those that it does not give.
///
/// Errors: a default refers to an undefined param, to itself, or through more than [`MAX_DEPTH`] others.
pub(super) fn table(declared: &[ParamSpec], given_params: &[Param]) -> Result<Table, String> {
    let mut table = given(given_params);
    let open = open_defaults(declared, &table);
    let mut resolving = BTreeSet::new();
    // Upstream begins anywhere, so which param an error names is its chance; here it is always the same one.
    let rotated = declared.iter().cycle().skip(1).take(declared.len());
    for key in rotated.flat_map(|spec| spellings(&spec.name)).filter(|key| open.contains_key(key.as_str())) {
        if table.string(&key).is_none() {
            resolve(&key, &open, &mut table, &mut resolving)?;
        }
    }
    let strings = table.clone();
    for (spec, items) in defaults(declared, param_type::ARRAY).filter_map(|(s, v)| Some((s, v.as_array()?))) {
        if given_params.iter().any(|p| p.name == spec.name && p.value.as_array().is_some()) {
            continue;
        }
        let items: Vec<String> = items.iter().map(|item| strings.apply(item).into_owned()).collect();
        for key in spellings(&spec.name) {
            set_array(&mut table, &key, &items);
        }
    }
    let strings = table.clone();
    for (spec, entries) in defaults(declared, param_type::OBJECT).filter_map(|(s, v)| Some((s, v.as_object()?))) {
        if given_params.iter().any(|p| p.name == spec.name && p.value.as_object().is_some()) {
            continue;
        }
        for key in spellings(&spec.name) {
            for (member, text) in entries {
                table.set(format!("{key}.{member}"), strings.apply(text).into_owned());
            }
            table.set_object(key, entries.iter().map(|(key, text)| (key.as_str(), strings.apply(text).into_owned())));
        }
    }
    Ok(table)
}

fn set_array(table: &mut Table, key: &str, items: &[String]) {
    for (index, item) in items.iter().enumerate() {
        table.set(format!("{key}[{index}]"), item.as_str());
    }
    table.set_array(key, items.iter().map(String::as_str));
}

fn defaults<'s>(declared: &'s [ParamSpec], type_: &'s str) -> impl Iterator<Item = (&'s ParamSpec, &'s ParamValue)> {
    declared
        .iter()
        .filter(move |spec| spec.type_ == type_ || spec.type_.is_empty() && type_ == param_type::STRING)
        .filter_map(|spec| Some((spec, spec.default.as_ref()?)))
}

/// Defaults of string params that the run does not give, by spelling.
fn open_defaults<'s>(declared: &'s [ParamSpec], given: &Table) -> BTreeMap<String, &'s str> {
    defaults(declared, param_type::STRING)
        .filter(|(spec, _)| !spellings(&spec.name).iter().any(|key| given.string(key).is_some()))
        .flat_map(|(spec, value)| {
            spellings(&spec.name).into_iter().map(|key| (key, value.as_string().unwrap_or_default()))
        })
        .collect()
}

/// Resolves one default and those that it refers to.
fn resolve<'o>(
    key: &str,
    open: &BTreeMap<String, &'o str>,
    table: &mut Table,
    resolving: &mut BTreeSet<String>,
) -> Result<(), String> {
    if resolving.contains(key) {
        return Err(format!("parameter resolution failed: circular dependency detected in param {}", quote(key)));
    }
    if resolving.len() > MAX_DEPTH {
        return Err(format!(
            "parameter resolution failed: maximum recursion depth ({MAX_DEPTH}) exceeded for param {}",
            quote(key)
        ));
    }
    let text: &'o str = open.get(key).copied().unwrap_or_default();
    let references: Vec<&str> = refs::expressions(text).filter(|name| name.starts_with("params.")).collect();
    resolving.insert(key.to_owned());
    for reference in &references {
        if table.string(reference).is_some() {
            continue;
        }
        if !open.contains_key(*reference) {
            return Err(format!(
                "parameter resolution failed: param {} references undefined param {}",
                quote(key),
                quote(reference)
            ));
        }
        resolve(reference, open, table, resolving)?;
    }
    resolving.remove(key);
    let resolved = if references.is_empty() { text.to_owned() } else { table.apply(text).into_owned() };
    table.set(key, resolved);
    Ok(())
}
