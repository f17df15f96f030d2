//! The Tekton API model: every kind, parse and print, defaults, conversion, schemas, configuration.

mod wire;

pub mod v1;

pub mod v1alpha1;
pub mod v1beta1;

pub mod resolution;

pub mod pod;

pub mod yaml;

pub mod decode;
pub mod object;

pub mod condition;
pub mod duration;
pub mod quantity;
pub mod reason;

pub mod config;
pub mod defaults;

pub mod crd;

pub mod refs;

pub mod substitute;

pub use object::Object;

pub use k8s_openapi;
