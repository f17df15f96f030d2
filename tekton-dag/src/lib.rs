//! From a pipeline and the state of its children: what to start, skip, cancel and finish, and the pipeline condition.

pub mod graph;

pub mod edges;

pub mod matrix;

pub mod draw;

pub use k8s_openapi;
