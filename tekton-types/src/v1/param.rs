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
        pub properties: BTreeMap<String, PropertySpec>,
        /// Value used when none is given.
        pub default: Option<ParamValue>,
        /// The only values that are allowed (strings only).
        #[serde(rename = "enum")]
        pub enum_: Vec<String>,
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
