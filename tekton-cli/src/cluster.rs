//! The local cluster of one command: API server, node and controller in this process, and their orderly end.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PostParams};
use tekton_controller::Options as ControllerOptions;
use tekton_engine::ClusterFacts;
use tekton_local::node::{Node, NodeHandle, NodeOptions};
use tekton_local::store::DiskError;
use tekton_local::{LocalCluster, Options, TektonAdmission};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::settings::{self, ConfigMaps};

/// The namespace of Tekton's ConfigMaps.
const SYSTEM_NAMESPACE: &str = "tekton-pipelines";

/// A running local cluster.
pub(crate) struct Cluster {
    local: LocalCluster,
    node: NodeHandle,
    controller: JoinHandle<Result<(), tekton_controller::ControllerError>>,
    stop_controller: oneshot::Sender<()>,
}

/// What a cluster is started with.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// Volumes and logs are below it.
    pub(crate) data: &'a Path,
    /// Whether it stays when the cluster ends.
    pub(crate) keep: bool,
    /// Whether objects are kept in it too, and those that are there already are served.
    pub(crate) persistent: bool,
    /// A namespace that exists from the start.
    pub(crate) namespace: &'a str,
    /// Directories of this machine that Pods may mount.
    pub(crate) binds: Vec<PathBuf>,
    /// Tekton's configuration.
    pub(crate) config_maps: &'a ConfigMaps,
}

impl Cluster {
    /// Starts everything.
    ///
    /// Errors: a setting is not allowed, or this machine cannot run steps, with what to do about it.
    pub(crate) async fn start(start: Start<'_>) -> Result<Self, String> {
        let config = settings::config(start.config_maps)?;
        let options = Options {
            namespaces: vec![start.namespace.to_owned(), SYSTEM_NAMESPACE.to_owned()],
            admission: vec![Arc::new(TektonAdmission::new(config))],
            ..Options::default()
        };
        let local = if start.persistent {
            LocalCluster::open(start.data, options).map_err(|error| match error {
                DiskError::InUse { .. } => format!("{error}; end it, or name another directory with --data-dir"),
                other => chain(other),
            })?
        } else {
            LocalCluster::start(options)
        };
        configure(&local.client(), start.config_maps).await.map_err(chain)?;
        let options =
            NodeOptions { ephemeral: !start.keep, allowed_host_paths: start.binds, ..NodeOptions::new(start.data) };
        let node = Node::start(local.client(), options).await.map_err(chain)?;
        local.set_logs(node.logs());
        let (stop_controller, stopped) = oneshot::channel::<()>();
        let options = ControllerOptions {
            cluster: ClusterFacts {
                images: tekton_local::images(),
                release: env!("CARGO_PKG_VERSION").to_owned(),
                ..ClusterFacts::default()
            },
            ..ControllerOptions::default()
        };
        let controller = tokio::spawn(tekton_controller::run(local.client(), options, async {
            // A dropped sender means the same as a sent word.
            let _ = stopped.await;
        }));
        Ok(Self { local, node, controller, stop_controller })
    }

    /// A client of the API server, with no socket between.
    pub(crate) fn client(&self) -> kube::Client {
        self.local.client()
    }

    /// The API server and its fronts.
    pub(crate) fn local(&self) -> &LocalCluster {
        &self.local
    }

    /// Ends the controller, every process of every Pod, and the API server, in this order.
    pub(crate) async fn stop(self) {
        drop(self.stop_controller);
        // A controller that panicked has ended too.
        let _ = self.controller.await;
        self.node.shutdown().await;
        self.local.stop().await;
    }
}

/// Creates Tekton's ConfigMaps, which the controller reads at its start.
async fn configure(client: &kube::Client, maps: &ConfigMaps) -> kube::Result<()> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    for (name, data) in maps {
        let map = ConfigMap {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            data: Some(data.clone()),
            ..ConfigMap::default()
        };
        match api.create(&PostParams::default(), &map).await {
            // Kept from an earlier time; what is asked for now counts.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                drop(api.replace(name, &PostParams::default(), &map).await?);
            }
            created => drop(created?),
        }
    }
    Ok(())
}

/// An error with all that caused it, on one line.
pub(crate) fn chain(error: impl Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
