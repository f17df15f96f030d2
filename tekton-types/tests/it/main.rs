//! What holds for any input and for real manifests.

mod manifests;
mod properties;
mod schemas;
