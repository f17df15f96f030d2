//! Tables of parameters: every spelling of every value, defaults first.

use std::collections::BTreeMap;
use tekton_contract::var::Table;
use tekton_contract::var::extract::{self, go_quote};
use tekton_types::v1::{Param, ParamSpec, ParamValue};

const REFERENCE: &str = "$(params.";

/// Replacements by key, before they become a [`Table`]: objects are merged key by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) strings: BTreeMap<String, String>,
    pub(super) arrays: BTreeMap<String, Vec<String>>,
    pub(super) objects: BTreeMap<String, BTreeMap<String, String>>,
}

/// The spellings of a parameter; the last is that of v1beta1.
pub(super) fn spellings(name: &str) -> [String; 4] {
    [
        format!("params.{name}"),
        format!("params[{}]", go_quote(name)),
        format!("params['{name}']"),
        format!("inputs.params.{name}"),
    ]
}

impl Values {
    pub(super) fn set(&mut self, name: &str, value: &ParamValue) {
        for spelling in spellings(name) {
            match value {
                ParamValue::String(text) => {
                    self.strings.insert(spelling, text.clone());
                }
                ParamValue::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        self.strings.insert(format!("{spelling}[{index}]"), item.clone());
                    }
                    self.arrays.insert(spelling, items.clone());
                }
                ParamValue::Object(entries) => {
                    let entries = entries.iter().map(|(key, value)| (key.clone(), value.clone()));
                    self.objects.insert(spelling, entries.collect());
                }
            }
        }
        if let ParamValue::Object(entries) = value {
            for (key, value) in entries {
                self.strings.insert(format!("params.{name}.{key}"), value.clone());
            }
        }
    }

    /// Takes over the values of another table; objects keep keys that the other does not set.
    pub(super) fn extend(&mut self, other: Self) {
        self.strings.extend(other.strings);
        self.arrays.extend(other.arrays);
        for (key, entries) in other.objects {
            self.objects.entry(key).or_default().extend(entries);
        }
    }

    pub(super) fn into_table(self) -> Table {
        let mut table = Table::new();
        for (key, value) in self.strings {
            table.set(key, value);
        }
        for (key, values) in self.arrays {
            table.set_array(key, values);
        }
        for (key, entries) in self.objects {
            table.set_object(key, entries);
        }
        table
    }
}

/// The values of defaults. A default that refers to other parameters sees their defaults, not the run's values; of
/// several references in it the last that is known is the one replaced.
pub(super) fn default_values(declared: &[ParamSpec]) -> Values {
    let mut values = Values::default();
    let mut referring = Vec::new();
    for spec in declared {
        match &spec.default {
            Some(ParamValue::String(text)) if text.contains(REFERENCE) => {
                referring.push((&spec.name, text));
            }
            Some(value) => values.set(&spec.name, value),
            None => {}
        }
    }
    for (name, text) in referring {
        for reference in references(text) {
            let value = spellings(reference.name).iter().find_map(|spelling| values.strings.get(spelling)).cloned();
            if let Some(value) = value {
                let resolved = text.replace(reference.text, &value);
                values.set(name, &ParamValue::String(resolved));
            }
        }
    }
    values
}

/// A reference to a parameter within a text.
pub(super) struct Reference<'a> {
    /// The whole reference.
    pub(super) text: &'a str,
    /// The name in it, when it is written with a dot.
    pub(super) name: &'a str,
}

pub(super) fn references(text: &str) -> Vec<Reference<'_>> {
    extract::expressions(text, "params")
        .into_iter()
        .map(|text| {
            let name = text.strip_prefix(REFERENCE).unwrap_or(text);
            Reference { text, name: name.strip_suffix(')').unwrap_or(name) }
        })
        .collect()
}

pub(super) fn given_values(params: &[Param]) -> Values {
    let mut values = Values::default();
    for param in params {
        values.set(&param.name, &param.value);
    }
    values
}

/// The table of what a task declares.
pub fn declared(specs: &[ParamSpec]) -> Table {
    default_values(specs).into_table()
}

/// The table of what a run gives.
pub fn given(params: &[Param]) -> Table {
    given_values(params).into_table()
}

/// The table of a run's parameters over the defaults that its task declares.
pub fn params(declared: &[ParamSpec], given: &[Param]) -> Table {
    let mut values = default_values(declared);
    values.extend(given_values(given));
    values.into_table()
}
