//! The Tekton API model: every kind, parse and print, defaults, conversion, schemas, configuration.
//!
//! ```
//! use tekton_types::config::Config;
//! use tekton_types::decode::Mode;
//! use tekton_types::{Object, yaml};
//!
//! let text = "
//! apiVersion: tekton.dev/v1
//! kind: TaskRun
//! metadata: {name: hello}
//! spec:
//!   taskSpec:
//!     steps:
//!     - image: busybox
//!       script: echo hello
//! ";
//! let documents = yaml::parse(text).expect("YAML");
//! let mut object = Object::decode(&documents[0], Mode::Strict).expect("a TaskRun");
//! object.set_defaults(&Config::default(), true);
//! let Object::TaskRun(run) = object else { unreachable!() };
//! assert_eq!(run.spec.timeout.unwrap().to_string(), "1h0m0s");
//! ```
//!
//! # Main types
//!
//! - The kinds: [`v1::Task`], [`v1::TaskRun`], [`v1::Pipeline`], [`v1::PipelineRun`] and those of [`v1beta1`],
//!   [`v1alpha1`] and [`resolution`]. They read and write exactly the JSON of the Go types and work with `kube`.
//! - [`Object`]: a document of a manifest, whatever its kind; [`yaml`] and [`decode`] tell every problem with its
//!   path and place.
//! - [`config::Config`]: what the ConfigMaps of an installation set.
//!
//! # What it does not do
//!
//! It checks no rules (`tekton-validate` does), knows nothing of pods and of what runs next, does no I/O and
//! reads no clock.
//!
//! # Where to read on
//!
//! [`defaults`] fills in what was left open, [`v1beta1::convert`] converts between versions,
//! [`migrate`] rewrites manifests as text, [`substitute`] and
//! [`refs`] know which fields hold `$(…)`, [`crd`] makes the CustomResourceDefinitions,
//! [`schema`] the JSON Schemas for editors.

mod kubernetes;
mod wire;

pub mod v1;

pub mod v1alpha1;
pub mod v1beta1;

pub mod resolution;

pub mod pod;

pub mod yaml;

pub mod canonical;
pub mod decode;
pub mod object;

pub mod condition;
pub mod duration;
pub mod quantity;
pub mod reason;

pub mod config;
pub mod defaults;

pub mod crd;
pub mod schema;

pub mod migrate;

pub mod refs;

pub mod substitute;

pub mod suggest;

pub use object::Object;

pub use k8s_openapi;
