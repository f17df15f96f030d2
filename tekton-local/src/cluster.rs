//! The embedded cluster: the API server with what every cluster has, and the fronts to it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Admission, Api, PodLogs};
use crate::service::ApiService;
use crate::store::{DiskError, Store};

/// What a cluster is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Namespaces that exist from the start, besides `default` and those of Kubernetes.
    pub namespaces: Vec<String>,
    /// Admission hooks, in the order in which they are called.
    pub admission: Vec<Arc<dyn Admission>>,
    /// Serves what is stored and starts nothing: of all controllers only the garbage collector runs.
    pub at_rest: bool,
}

/// A running cluster. It ends when it is dropped or [stopped](LocalCluster::stop).
#[derive(Debug)]
pub struct LocalCluster {
    api: Arc<Api>,
    controllers: Vec<tokio::task::JoinHandle<()>>,
}

impl LocalCluster {
    /// Starts a cluster within the current tokio runtime. Its objects are in memory, and end with it.
    pub fn start(options: Options) -> Self {
        Self::with_store(Store::default(), options)
    }

    /// Starts a cluster whose objects are kept in a directory: what was acknowledged is there again after a restart,
    /// however the process ended.
    ///
    /// Errors: another process has the directory open, or it cannot be read.
    pub fn open(dir: &Path, options: Options) -> Result<Self, DiskError> {
        Ok(Self::with_store(Store::open(dir)?, options))
    }

    fn with_store(store: Store, options: Options) -> Self {
        let api = Arc::new(Api::new(store));
        crate::kinds::resume(&api);
        for hook in options.admission {
            api.add_admission(hook);
        }
        let standard = ["default", "kube-system", "kube-public", "kube-node-lease"].map(str::to_owned);
        for namespace in standard.into_iter().chain(options.namespaces) {
            furnish(&api, &namespace);
        }
        api.ensure(
            "storage.k8s.io/storageclasses",
            json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "provisioner": "tekton.local/directory", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
            }),
        );
        for crd in tekton_types::crd::crds() {
            crate::kinds::define(&api, serde_json::to_value(crd).expect("a definition is plain data"));
        }
        crate::kinds::bootstrap(&api, !options.at_rest);
        let client = kube::Client::new(ApiService::new(Arc::clone(&api)), "default");
        let mut controllers = vec![tokio::spawn(crate::gc::run(Arc::clone(&api), api.closing()))];
        if !options.at_rest {
            controllers.push(tokio::spawn(crate::workloads::run(Arc::clone(&api), client, api.closing())));
        }
        Self { api, controllers }
    }

    /// A client that talks to the cluster with no socket between.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(ApiService::new(Arc::clone(&self.api)), "default")
    }

    /// Serves the cluster over HTTPS with a bearer token, on a loopback address; port 0 takes a free one.
    ///
    /// Errors: the address is not loopback or cannot be bound.
    pub async fn serve(&self, address: std::net::SocketAddr) -> std::io::Result<crate::Serving> {
        crate::server::serve(Arc::clone(&self.api), address).await
    }

    /// The API server.
    pub fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// Names who serves the logs of pods.
    pub fn set_logs(&self, logs: Arc<dyn PodLogs>) {
        self.api.set_logs(logs);
    }

    /// Ends every watch and the controllers, and waits for them.
    pub async fn stop(mut self) {
        self.api.close();
        for controller in self.controllers.drain(..) {
            // Controllers end by themselves; one that panicked has ended too.
            let _ = controller.await;
        }
        self.api.store.close();
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.api.close();
        for controller in &self.controllers {
            controller.abort();
        }
        self.api.store.close();
    }
}

/// Makes a namespace with its ServiceAccount.
fn furnish(api: &Api, name: &str) {
    let namespace: Value = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    });
    if api.ensure("/namespaces", namespace).is_some() {
        crate::kinds::furnish(api, name);
    }
}
