//! What a run kind is to a shell: one trait, so that one loop serves them all.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_types::config::Config;

use crate::decision::Decision;
use crate::facts::Facts;
use crate::object::Stored;

/// One run as it is stored, and what is known of the world around it.
#[derive(Debug)]
pub struct Snapshot<'a, R> {
    /// The run as the API server has it.
    pub run: &'a R,
    /// What is known.
    pub facts: &'a Facts,
}

/// Everything else that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Env<'a> {
    /// The time.
    pub now: Timestamp,
    /// The configuration of the installation.
    pub config: &'a Config,
    /// What does not change while the shell runs.
    pub cluster: &'a ClusterFacts,
}

/// What does not change while a shell runs.
#[derive(Debug, Clone, Default)]
pub struct ClusterFacts {
    /// The images that the engine puts into Pods.
    pub images: tekton_podgen::Images,
    /// Where random-looking names inside a Pod come from; `None` derives them from the uid of the run.
    pub suffixes: Option<tekton_podgen::suffix::Suffixes>,
    /// The value of annotation `pipeline.tekton.dev/release`.
    pub release: String,
}

/// A kind of run that the engine decides.
pub trait Run: Stored + Clone + Send + Sync + 'static {
    /// Its status.
    type Status: Clone + Default + PartialEq + Send + Sync;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Its metadata, to change.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
    /// Its status.
    fn status(&self) -> &Self::Status;
    /// Its status, to change.
    fn status_mut(&mut self) -> &mut Self::Status;
    /// Who decides about it: empty or `tekton.dev/pipeline` is us.
    fn managed_by(&self) -> &str;
    /// How long a shell may put off writing `after` over `before`; `None`, the default, when it must be written at once.
    ///
    /// What may wait is what any later pass finds out again, so a crash in between loses nothing. A Pod that starts
    /// makes news with each of its containers; a shell that waits writes the last of them alone.
    fn may_wait(_before: &Self::Status, _after: &Self::Status) -> Option<SignedDuration> {
        None
    }
    /// Decides what the run does next.
    fn decide(snapshot: &Snapshot<'_, Self>, env: &Env<'_>) -> Decision<Self::Status>;
}
