//! Tables of replacements, and the passes that apply them: each pass owns a set of prefixes and leaves the rest.

pub mod pipeline;
mod pipeline_params;
pub mod task;
