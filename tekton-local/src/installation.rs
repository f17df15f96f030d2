//! Tekton on an embedded cluster: API server, node and controller in this process, and their orderly end.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PostParams};
use tekton_controller::ControllerError;
use tekton_types::config::{Config, ConfigError};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::api::Admission;
use crate::node::{Node, NodeError, NodeHandle, NodeOptions};
use crate::server::Kubeconfigs;
use crate::store::DiskError;
use crate::{LocalCluster, Options, Serving, TektonAdmission};

/// The namespace of Tekton's ConfigMaps.
const SYSTEM_NAMESPACE: &str = "tekton-pipelines";

/// What an installation is started with.
#[derive(Debug, Clone)]
pub struct InstallationOptions {
    /// Namespaces that exist from the start, besides `default`, Tekton's own and those of Kubernetes.
    pub namespaces: Vec<String>,
    /// The node.
    pub node: NodeOptions,
    /// Whether objects are kept in the node's directory too, and those that are there already are served.
    pub persistent: bool,
    /// Tekton's configuration: the data of its ConfigMaps by their names, such as `feature-flags`.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// The value of annotation `pipeline.tekton.dev/release` of Pods.
    pub release: String,
    /// How others reach the API server; `None` when only this process does.
    pub serve: Option<ServeOptions>,
    /// Whether the [custom tasks](crate::custom_tasks) that are known here run; `false` leaves them to other controllers.
    pub custom_tasks: bool,
}

/// How kubectl and other clients reach an installation.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// A loopback address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Files that are kubeconfigs, whole and readable by their owner only, from before the node starts until the
    /// installation has stopped. No container sees them.
    pub kubeconfigs: Vec<PathBuf>,
}

impl InstallationOptions {
    /// An installation with upstream's defaults on this node.
    pub fn new(node: NodeOptions) -> Self {
        Self {
            namespaces: Vec::new(),
            node,
            persistent: false,
            config_maps: BTreeMap::new(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            serve: None,
            custom_tasks: true,
        }
    }
}

/// Why an installation did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallationError {
    /// A value of a ConfigMap is not allowed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// This machine cannot run steps; the text says what to do about it.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The directory of objects cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The address is not loopback or cannot be bound.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// A kubeconfig cannot be written.
    #[error("failed to write {path}")]
    Kubeconfig {
        /// Its file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The API server refused a ConfigMap.
    #[error("failed to write Tekton's configuration")]
    ConfigMaps(#[from] kube::Error),
}

/// A running cluster with Tekton on it, and the controller of the [custom tasks](crate::custom_tasks) that run here.
#[derive(Debug)]
pub struct Installation {
    local: LocalCluster,
    node: NodeHandle,
    controller: JoinHandle<Result<(), ControllerError>>,
    /// The controller of custom tasks; it ends when this is dropped.
    custom_tasks: JoinSet<()>,
    stop_controller: oneshot::Sender<()>,
    served: Option<(Serving, Kubeconfigs)>,
}

impl Installation {
    /// Starts everything.
    ///
    /// Errors: a setting is not allowed, the API server cannot be served, or this machine cannot run steps, with what to
    /// do about it.
    pub async fn start(options: InstallationOptions) -> Result<Self, InstallationError> {
        let config = Config::from_config_maps(options.config_maps.iter().map(|(name, data)| (name.as_str(), data)))?;
        let mut namespaces = options.namespaces;
        namespaces.push(SYSTEM_NAMESPACE.to_owned());
        let admission: Vec<Arc<dyn Admission>> = vec![Arc::new(TektonAdmission::new(config))];
        let local = Options { namespaces, admission, ..Options::default() };
        let local = if options.persistent {
            LocalCluster::open(&options.node.data_dir, local)?
        } else {
            LocalCluster::start(local)
        };
        configure(&local.client(), options.config_maps).await?;
        let mut node = options.node;
        let served = match options.serve {
            Some(options) => {
                node.hidden.extend(options.kubeconfigs.iter().cloned());
                Some(serve(&local, options).await?)
            }
            None => None,
        };
        let node = Node::start(local.client(), node).await?;
        local.set_logs(node.logs());
        let (stop_controller, stopped) = oneshot::channel::<()>();
        let mut settings = tekton_controller::Options {
            images: node.image_configs(),
            eager_status: true,
            ..tekton_controller::Options::default()
        };
        settings.cluster.images = crate::images();
        settings.cluster.release = options.release;
        let controller = tokio::spawn(tekton_controller::run(local.client(), settings, async {
            // A dropped sender means the same as a sent word.
            let _ = stopped.await;
        }));
        let mut custom_tasks = JoinSet::new();
        if options.custom_tasks {
            custom_tasks.spawn(crate::custom_tasks::run(local.client()));
        }
        Ok(Self { local, node, controller, custom_tasks, stop_controller, served })
    }

    /// A client of the API server, with no socket between.
    pub fn client(&self) -> kube::Client {
        self.local.client()
    }

    /// The API server and its fronts.
    pub fn local(&self) -> &LocalCluster {
        &self.local
    }

    /// Where the API server listens, if it was to.
    pub fn serving(&self) -> Option<&Serving> {
        self.served.as_ref().map(|(serving, _)| serving)
    }

    /// The node that runs the Pods.
    pub fn node(&self) -> &NodeHandle {
        &self.node
    }

    /// Ends the controllers, every process of every Pod, and the API server, in this order.
    pub async fn stop(mut self) {
        drop(self.stop_controller);
        // A controller that panicked has ended too.
        let _ = self.controller.await;
        self.custom_tasks.shutdown().await;
        self.node.shutdown().await;
        self.local.stop().await;
    }
}

async fn serve(local: &LocalCluster, options: ServeOptions) -> Result<(Serving, Kubeconfigs), InstallationError> {
    let ServeOptions { address, kubeconfigs } = options;
    let serving = local.serve(address).await.map_err(|source| InstallationError::Listen { address, source })?;
    let files = Kubeconfigs::write(kubeconfigs, &serving.kubeconfig)
        .map_err(|(path, source)| InstallationError::Kubeconfig { path, source })?;
    Ok((serving, files))
}

/// Creates Tekton's ConfigMaps, which the controller reads at its start.
async fn configure(client: &kube::Client, maps: BTreeMap<String, BTreeMap<String, String>>) -> kube::Result<()> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    for (name, data) in maps {
        let map = ConfigMap {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            data: Some(data),
            ..ConfigMap::default()
        };
        match api.create(&PostParams::default(), &map).await {
            // Kept from an earlier time; what is asked for now counts.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                drop(api.replace(&name, &PostParams::default(), &map).await?);
            }
            created => drop(created?),
        }
    }
    Ok(())
}
