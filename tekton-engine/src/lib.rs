//! Decides the life of PipelineRuns, TaskRuns and CustomRuns as a pure function.
//!
//! A shell owns the clock and the client. It gives a [`Snapshot`] and an [`Env`] to [`Run::decide`], answers what the
//! [`Decision`] needs, applies its effects, and decides again until the decision is settled:
//!
//! ```text
//! loop { decide → fetch needs, apply effects → decide … } → write metadata and status → emit → come back at wake_at
//! ```
//!
//! The crate performs no I/O, reads no clock and logs nothing: the same inputs give the same decision.

mod backoff;
mod decision;
mod decode;
mod definition;
mod effect;
pub mod explain;
mod facts;
mod finish;
mod object;
mod owner;
mod pass;
mod pipelinerun;
mod pvc;
mod refs;
mod run;
pub mod scope;
mod span;
mod taskrun;
mod transition;
pub mod trusted;

pub use backoff::retry_after;
pub use decision::{Class, Decision, Fault, Metadata, Note};
pub use effect::{ApiFault, Effect, EffectKey, Outcome, PatchType, Purpose, Verb};
pub use facts::{Fact, Facts, Need, Value};
pub use k8s_openapi;
pub use object::{Kind, Object, ObjectKey, Stored};
pub use pipelinerun::part;
pub use run::{ClusterFacts, Env, Run, Snapshot};
pub use taskrun::lookup;
pub use tekton_podgen::image::ImageMetadata;
pub use tekton_podgen::{Images, ServerVersion};
pub use transition::{Event, Transition};
