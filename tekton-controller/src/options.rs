//! What a controller is told at its start.

use std::fmt;
use std::sync::Arc;

use tekton_engine::ClusterFacts;

use crate::Election;
use crate::images::{ImageConfigs, NoImages};

/// What a controller is told at its start. [`Default`] serves the whole cluster with upstream's defaults.
#[derive(Clone)]
pub struct Options {
    /// Serve this namespace alone; `None` for all.
    pub namespace: Option<String>,
    /// The namespace that holds Tekton's ConfigMaps.
    pub system_namespace: String,
    /// Images and release that go into Pods.
    pub cluster: ClusterFacts,
    /// Finds out what an image runs when a step has no command.
    pub images: Arc<dyn ImageConfigs>,
    /// How many runs of a kind are reconciled at the same time; 0 for no bound.
    pub concurrency: u16,
    /// Write each news of a Pod at once. Else what says no more than how far a Pod is waits up to some seconds for the
    /// next news, which spares a cluster's API server most of the writes.
    pub eager_status: bool,
    /// How to agree with other controllers on the one that decides; `None` when there is no other.
    pub election: Option<Election>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            system_namespace: "tekton-pipelines".to_owned(),
            cluster: ClusterFacts::default(),
            images: Arc::new(NoImages),
            concurrency: 32,
            eager_status: false,
            election: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, system_namespace, cluster, images: _, concurrency, eager_status, election } = self;
        f.debug_struct("Options")
            .field("namespace", namespace)
            .field("system_namespace", system_namespace)
            .field("cluster", cluster)
            .field("concurrency", concurrency)
            .field("eager_status", eager_status)
            .field("election", election)
            .finish_non_exhaustive()
    }
}
