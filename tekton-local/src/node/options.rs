//! How a node behaves, and why one does not start.

use crate::images::KnownImages;
use crate::runtime::{RuntimeChoice, StartError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// How a node behaves.
#[derive(Clone)]
pub struct NodeOptions {
    /// The node's name, written into the pods that it runs.
    pub name: String,
    /// Where volumes, claims and logs are kept. It is made when it is missing.
    pub data_dir: PathBuf,
    /// Whether `data_dir` goes when the node ends, however it ends.
    pub ephemeral: bool,
    /// How containers run.
    pub runtime: RuntimeChoice,
    /// Whether pods may mount any directory of the host.
    pub allow_host_path: bool,
    /// Whether pods of the engine runtime may be privileged or have capabilities that reach beyond their containers.
    pub allow_privileged: bool,
    /// A command that removes containers of the engine runtime when this process has been killed; it gets the engine's
    /// socket and the name of the containers' owner, for [`crate::runtime::engine::reap`].
    pub reaper: Option<Vec<std::ffi::OsString>>,
    /// Directories of the host that pods may mount although `allow_host_path` is not set.
    pub allowed_host_paths: Vec<PathBuf>,
    /// Files and directories of the host that no container may see, such as a kubeconfig; `data_dir` is always hidden.
    pub hidden: Vec<PathBuf>,
    /// What the host runtime knows of images.
    pub images: Arc<KnownImages>,
}

impl NodeOptions {
    /// A node named `tekton-local` that keeps its files in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            name: "tekton-local".to_owned(),
            data_dir: data_dir.into(),
            ephemeral: false,
            runtime: RuntimeChoice::Host,
            allow_host_path: false,
            allow_privileged: false,
            reaper: None,
            allowed_host_paths: Vec::new(),
            hidden: Vec::new(),
            images: Arc::default(),
        }
    }
}

impl std::fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeOptions")
            .field("name", &self.name)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The data directory can't be used.
    #[error("failed to prepare the node's directory {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The runtime does not work on this machine.
    #[error("failed to run a container: {0}")]
    Runtime(#[source] StartError),
}
