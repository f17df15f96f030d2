//! Builds the Pod of a TaskRun, and reads a Pod back into step states, results and failure.
//!
//! ```
//! use tekton_podgen::k8s_openapi::api::core::v1::ServiceAccount;
//! use tekton_podgen::{Fact, Facts, Images, Input, Need, Options, build, needs};
//! use tekton_types::config::Config;
//! use tekton_types::v1::{Step, TaskRun, TaskSpec};
//!
//! let mut task_run = TaskRun::default();
//! task_run.metadata.name = Some("hello".into());
//! let step = Step { name: "greet".into(), image: "alpine".into(), script: "echo hi".into(), ..Step::default() };
//! let task_spec = TaskSpec { steps: vec![step], ..TaskSpec::default() };
//! let (config, images) = (Config::default(), Images::default());
//! let options = Options { config: &config, images: &images, release: "v0", suffixes: None, transform: false };
//!
//! // Ask what must be fetched, fetch it (here: an account without secrets), and build.
//! let mut facts = Facts::default();
//! let input = Input { task_run: &task_run, task_spec: &task_spec, facts: &facts };
//! assert_eq!(needs(&input, &options), [Need::ServiceAccount("default".into())]);
//! facts.service_accounts.insert("default".into(), Fact::Known(ServiceAccount::default()));
//! let pod = build(&Input { task_run: &task_run, task_spec: &task_spec, facts: &facts }, &options).unwrap();
//! assert_eq!(pod.metadata.name.as_deref(), Some("hello-pod"));
//! assert_eq!(pod.spec.unwrap().containers[0].name, "step-greet");
//! ```
//!
//! The main types are [`Input`] with its [`Facts`], [`Options`], and [`Observation`], whose inverse [`observe()`] is.
//! The crate calls no API, reads no clock, and knows no Pipeline; substitution is done before, by the engine.
//! Read [`mod@build`] for the order of the passes.

pub mod affinity;
pub mod build;
pub mod claim;
pub mod convert;
pub mod credentials;
pub mod diff;
pub mod facts;
pub mod image;
pub mod init;
pub mod input;
mod json;
pub mod merge;
pub mod metadata;
mod names;
pub mod needs;
pub mod observe;
pub mod order;
pub mod patch;
pub mod script;
pub mod security;
pub mod suffix;
pub mod transform;
mod volumes;
pub mod workspace;

pub use build::build;
pub use facts::{Fact, Facts, ImageLookup, Need, ServerVersion};
pub use input::{BuildError, Images, Input, Options};
pub use k8s_openapi;
pub use needs::needs;
pub use observe::{Observation, Observed, observe};
