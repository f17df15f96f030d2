//! Guards of tasks and steps.

use crate::wire::wire;

wire! {
    /// One guard: an input that must (not) be among values, or a CEL expression.
    pub struct WhenExpression {
        /// The value to look for.
        pub input: String,
        /// `in` or `notin`.
        pub operator: String,
        /// The values to look among.
        pub values: Vec<String>,
        /// A CEL expression; stands alone.
        pub cel: String,
    }
}

/// Values of `WhenExpression::operator`.
pub mod operator {
    /// The input is among the values.
    pub const IN: &str = "in";
    /// The input is not among the values.
    pub const NOT_IN: &str = "notin";
}
