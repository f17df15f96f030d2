//! The embedded Kubernetes as its clients see it: one program, a module for each side.

mod access;
mod cluster;
mod engine;
mod informer;
mod kubelet;
mod node;
mod restart;
mod streams;
mod tekton_kinds;
mod webhooks;
mod workloads;
