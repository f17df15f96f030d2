//! An embedded Kubernetes: API server and node in one process, so that pipelines run on a bare machine.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::api::{Api, ListParams, PostParams};
//! use tekton_local::{LocalCluster, Options};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts").block_on(async {
//! let cluster = LocalCluster::start(Options::default());
//! let api: Api<ConfigMap> = Api::default_namespaced(cluster.client());
//! let new = serde_json::from_value(serde_json::json!({"metadata": {"name": "hello"}, "data": {"to": "you"}}))?;
//! let made = api.create(&PostParams::default(), &new).await?;
//! assert!(made.metadata.uid.is_some());
//! assert_eq!(api.list(&ListParams::default().fields("metadata.name=hello")).await?.items.len(), 1);
//! cluster.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).expect("the example runs");
//! ```
//!
//! The four main types: [`LocalCluster`] is the cluster, [`Installation`] that cluster with a node and Tekton's controller on
//! it; [`api::Api`] is the API server, from request to
//! response, with no sockets; [`store::Store`] holds the objects, their revisions and the history that watches read.
//!
//! Objects are in memory, or in a directory that survives the process ([`LocalCluster::open`]). The owner of the cluster
//! may do everything, ServiceAccounts what their roles say. Webhooks are called on loopback; Deployments, ReplicaSets,
//! StatefulSets and Jobs have their controllers.
//!
//! What it is not: a cluster for production. There is one node, no network between pods, and no scheduler.
//! Read on in [`api`], which follows a request through the server.

pub mod api;
mod cluster;
pub mod convert;
pub mod custom_tasks;
mod gc;
pub mod history;
pub mod images;
mod installation;
mod kinds;
pub mod node;
pub mod patch;
pub mod resources;
pub mod runtime;
mod server;
mod service;
pub mod store;
mod tekton;
mod workloads;

pub use cluster::{LocalCluster, Options};
pub use images::images;
pub use installation::{Installation, InstallationError, InstallationOptions, ServeOptions};
pub use kinds::default_pod;
pub use server::Serving;
pub use service::ApiService;
pub use tekton::TektonAdmission;
pub use {http, k8s_openapi, kube, tekton_controller};
