//! What a Pod is built from, and why it may not be built.

use crate::credentials::KnownHostsMissing;
use crate::facts::{Facts, Need};
use crate::image::ReferenceError;
use crate::order::OrderError;
use crate::suffix::Suffixes;
use crate::volumes::DuplicateVolume;
use tekton_types::config::Config;
use tekton_types::v1::{TaskRun, TaskSpec};
use thiserror::Error;

/// What a Pod is built from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The TaskRun. Its name, metadata and retries decide the name of the Pod.
    pub task_run: &'a TaskRun,
    /// The task to run, with every substitution done and workspaces mounted.
    pub task_spec: &'a TaskSpec,
    /// What was fetched so far.
    pub facts: &'a Facts,
}

/// How Pods are built, the same for all TaskRuns.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Feature flags and defaults.
    pub config: &'a Config,
    /// Images of Tekton's own containers.
    pub images: &'a Images,
    /// Version of the controller, for the release annotation.
    pub release: &'a str,
    /// Where suffixes of script files come from; `None` derives them from the uid of the TaskRun.
    pub suffixes: Option<Suffixes>,
    /// Whether the transformers run (default resources, LimitRanges, affinity assistant).
    pub transform: bool,
}

/// Images of the containers that Tekton adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// Carries the entrypoint.
    pub entrypoint: String,
    /// Prints results.
    pub sidecar_log_results: String,
    /// Does nothing; takes the place of sidecars that are to stop.
    pub nop: String,
    /// A shell, for writing scripts.
    pub shell: String,
    /// A shell on Windows.
    pub shell_windows: String,
    /// Creates working directories.
    pub working_dir_init: String,
}

/// A Pod that cannot be built (yet).
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A fact is unknown; `needs` lists all that are.
    #[error("{0:?} is not known yet")]
    Needs(Need),
    /// A fact could not be fetched.
    #[error("{0}")]
    Fetch(String),
    /// An SSH secret lacks `known_hosts`.
    #[error(transparent)]
    KnownHosts(#[from] KnownHostsMissing),
    /// A step's image is no image reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The steps cannot be put in order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Two volumes share a name.
    #[error(transparent)]
    Volumes(#[from] DuplicateVolume),
}
