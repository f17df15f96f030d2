//! Matrix: the fan-out of a pipeline task.

use super::Param;
use crate::wire::wire;

wire! {
    /// Parameters whose combinations a pipeline task runs with.
    pub struct Matrix {
        /// Arrays that are multiplied out.
        pub params: Vec<Param>,
        /// Combinations to add or to complete.
        pub include: Vec<IncludeParams>,
    }
}

wire! {
    /// One explicit combination.
    pub struct IncludeParams {
        /// Name of the combination.
        pub name: String,
        /// Its parameters.
        pub params: Vec<Param>,
    }
}
