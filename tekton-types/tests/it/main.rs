//! What holds for any input and for real manifests.

mod flags;
mod manifests;
mod properties;
mod schemas;
