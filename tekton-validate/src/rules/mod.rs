//! The rules of admission, one file a part of the API.

pub(crate) mod container;
pub(crate) mod customrun;
pub(crate) mod graph;
pub(crate) mod matrix;
pub(crate) mod merge;
pub(crate) mod metadata;
pub(crate) mod params;
pub(crate) mod pipeline;
pub(crate) mod pipeline_params;
pub(crate) mod pipeline_results;
pub(crate) mod pipeline_task;
pub(crate) mod pipelinerun;
pub(crate) mod propagated;
pub(crate) mod reference;
pub(crate) mod resolution;
pub(crate) mod result_refs;
pub(crate) mod results;
pub(crate) mod status_refs;
pub(crate) mod step_fields;
pub(crate) mod stepaction;
pub(crate) mod task;
pub(crate) mod taskrun;
pub(crate) mod timeouts;
pub(crate) mod verification;
pub(crate) mod when;
pub(crate) mod workspace;
