//! The patch types over JSON values: JSON patch, merge patch, strategic merge patch, and the field sets of server-side apply.

pub mod apply;
pub mod json;
pub mod merge;
pub mod set;
pub mod shape;
pub mod strategic;
