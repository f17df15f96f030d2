//! Builds the Pod of a TaskRun, and reads a Pod back into step states, results and failure.

pub mod affinity;
pub mod build;
pub mod claim;
pub mod convert;
pub mod credentials;
pub mod facts;
pub mod image;
pub mod init;
mod json;
pub mod merge;
pub mod metadata;
pub mod names;
pub mod observe;
pub mod order;
pub mod patch;
pub mod quantity;
mod quote;
pub mod script;
pub mod security;
pub mod suffix;
pub mod transform;
mod volumes;
pub mod workspace;

pub use build::{BuildError, Images, Input, Options, build, needs};
pub use facts::{Fact, Facts, ImageLookup, Need, ServerVersion};
pub use k8s_openapi;
pub use observe::{Observation, Observed, observe};
