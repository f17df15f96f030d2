//! Declared and produced results.

use super::{ParamValue, Properties};
use crate::wire::wire;

/// The value of a result has the shape of a parameter's value.
pub type ResultValue = ParamValue;

wire! {
    /// A declared result of a task.
    pub struct TaskResult {
        /// Name of the result.
        pub always name: String,
        /// One of [`super::param_type`]; `string` when defaulted.
        #[serde(rename = "type")]
        pub type_: String,
        /// Keys of an object result.
        pub properties: Properties,
        /// What it is.
        pub description: String,
        /// A step result that becomes the task's result.
        pub value: Option<ResultValue>,
    }
}

wire! {
    /// A declared result of a step.
    pub struct StepResult {
        /// Name of the result.
        pub always name: String,
        /// One of [`super::param_type`]; `string` when defaulted.
        #[serde(rename = "type")]
        pub type_: String,
        /// Keys of an object result.
        pub properties: Properties,
        /// What it is.
        pub description: String,
    }
}

wire! {
    /// A result that a TaskRun produced.
    pub struct TaskRunResult {
        /// Name of the result.
        pub always name: String,
        /// Its type.
        #[serde(rename = "type")]
        pub type_: String,
        /// Its value.
        pub always value: ResultValue,
    }
}

/// A result that a step produced.
pub type TaskRunStepResult = TaskRunResult;
