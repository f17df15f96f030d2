//! The local cluster of one command: API server, node and controller in this process, and their orderly end.

use std::path::Path;

use tekton_controller::Options as ControllerOptions;
use tekton_engine::ClusterFacts;
use tekton_local::node::{Node, NodeHandle, NodeOptions};
use tekton_local::{LocalCluster, Options, TektonAdmission};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running local cluster.
pub(crate) struct Cluster {
    local: LocalCluster,
    node: NodeHandle,
    controller: JoinHandle<Result<(), tekton_controller::ControllerError>>,
    stop_controller: oneshot::Sender<()>,
}

impl Cluster {
    /// Starts everything; volumes and logs are kept below `data`.
    ///
    /// Errors: this machine cannot run steps, with what to do about it.
    pub(crate) async fn start(data: &Path, namespace: &str, host_path: bool) -> Result<Self, String> {
        let local = LocalCluster::start(Options {
            namespaces: vec![namespace.to_owned(), "tekton-pipelines".to_owned()],
            admission: vec![std::sync::Arc::new(TektonAdmission::default())],
        });
        let options = NodeOptions { data_dir: data.to_owned(), allow_host_path: host_path, ..NodeOptions::default() };
        let node = Node::start(local.client(), options).await.map_err(|error| error.to_string())?;
        local.set_logs(node.logs());
        let (stop_controller, stopped) = oneshot::channel::<()>();
        let options = ControllerOptions {
            cluster: ClusterFacts { images: tekton_local::images(), release: env!("CARGO_PKG_VERSION").to_owned() },
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
