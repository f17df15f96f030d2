//! An embedded Kubernetes: API server and node in one process, so that pipelines run on a bare machine.

pub mod runtime;
