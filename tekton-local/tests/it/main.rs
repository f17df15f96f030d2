//! The embedded Kubernetes as its clients see it: one program, a module for each side.

mod cluster;
mod node;
mod restart;
mod tekton_kinds;
