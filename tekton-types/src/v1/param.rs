//! Declared and given parameters.

use std::collections::BTreeMap;

use super::ParamValue;
use crate::wire::wire;

wire! {
    /// A declared parameter.
    pub struct ParamSpec {
        /// Name of the parameter.
        pub always name: String,
        /// One of [`param_type`]; `string` when defaulted.
        #[serde(rename = "type")]
        pub type_: String,
        /// What it is for.
        pub description: String,
        /// Keys of an object parameter.
        pub properties: Properties,
        /// Value used when none is given.
        pub default: Option<ParamValue>,
        /// The only values that are allowed (strings only).
        #[serde(rename = "enum")]
        pub enum_: Vec<String>,
    }
}

/// The keys of an object parameter or result. An empty map that is written down is told from none: it makes
/// the type an object.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(from = "BTreeMap<String, PropertySpec>", into = "BTreeMap<String, PropertySpec>")]
#[schemars(with = "BTreeMap<String, PropertySpec>")]
pub struct Properties {
    keys: BTreeMap<String, PropertySpec>,
    given: bool,
}

impl Properties {
    /// Whether properties were written down, be they none.
    pub fn is_given(&self) -> bool {
        self.given || !self.keys.is_empty()
    }
}

impl From<BTreeMap<String, PropertySpec>> for Properties {
    fn from(keys: BTreeMap<String, PropertySpec>) -> Self {
        Self { keys, given: true }
    }
}

impl From<Properties> for BTreeMap<String, PropertySpec> {
    fn from(properties: Properties) -> Self {
        properties.keys
    }
}

impl FromIterator<(String, PropertySpec)> for Properties {
    fn from_iter<I: IntoIterator<Item = (String, PropertySpec)>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect(), given: true }
    }
}

impl<'p> IntoIterator for &'p Properties {
    type Item = (&'p String, &'p PropertySpec);
    type IntoIter = std::collections::btree_map::Iter<'p, String, PropertySpec>;
    fn into_iter(self) -> Self::IntoIter {
        self.keys.iter()
    }
}

impl std::ops::Deref for Properties {
    type Target = BTreeMap<String, PropertySpec>;
    fn deref(&self) -> &Self::Target {
        &self.keys
    }
}

impl std::ops::DerefMut for Properties {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.keys
    }
}

impl crate::wire::Empty for Properties {
    fn is_empty_value(&self) -> bool {
        self.keys.is_empty()
    }
}

wire! {
    /// The type of one key of an object.
    pub struct PropertySpec {
        /// One of [`param_type`].
        #[serde(rename = "type")]
        pub type_: String,
    }
}

wire! {
    /// A given parameter.
    pub struct Param {
        /// Name of the parameter.
        pub always name: String,
        /// Its value.
        pub always value: ParamValue,
    }
}

/// Values of `type` of a parameter or a result.
pub mod param_type {
    /// A string.
    pub const STRING: &str = "string";
    /// An array of strings.
    pub const ARRAY: &str = "array";
    /// An object with string values.
    pub const OBJECT: &str = "object";
    /// All of them, in the order that error texts list them.
    pub const ALL: [&str; 3] = [STRING, ARRAY, OBJECT];
}
