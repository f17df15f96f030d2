//! `tekton list|describe|logs|delete|prune`: the runs of a data directory, through its server if one is running.

mod describe;
mod list;
mod logs;
mod prune;
pub(crate) mod record;
mod select;
mod text;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use tekton_local::store::DiskError;
use tekton_local::{LocalCluster, Options, history};

pub(crate) use describe::describe;
pub(crate) use list::list;
pub(crate) use logs::logs;
pub(crate) use prune::{delete, prune};

/// The kubeconfig that a server leaves in its data directory while it runs.
const SERVER: &str = "server.kubeconfig";
/// How long a command waits for another one that has the directory open.
const PATIENCE: Duration = Duration::from_secs(5);

/// The data directory of a server's kubeconfig.
pub(crate) fn server_file(dir: &Path) -> PathBuf {
    dir.join(SERVER)
}

/// Where runs are kept when nobody says: `tekton` in the state directory of this user.
///
/// Errors: the environment does not say where that is.
pub(crate) fn default_dir() -> Result<PathBuf, String> {
    let dir = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    dir("XDG_STATE_HOME")
        .or_else(|| Some(dir("HOME")?.join(".local/state")))
        .map(|state| state.join("tekton"))
        .ok_or_else(|| "neither XDG_STATE_HOME nor HOME is set; name a directory with --data-dir".to_owned())
}

/// An open data directory.
pub(crate) struct History {
    client: kube::Client,
    /// Set when this process itself has the directory open.
    local: Option<(LocalCluster, PathBuf)>,
}

impl History {
    /// Opens the data directory, or reaches the server that has it open.
    ///
    /// Errors: there is none, or somebody else has it open and serves nothing.
    pub(crate) async fn open(given: Option<&Path>) -> Result<Self, String> {
        let dir = match given {
            Some(dir) => dir.to_owned(),
            None => default_dir()?,
        };
        let client = |local: &LocalCluster| local.client();
        match open_at_rest(&dir).await? {
            Some(local) => {
                history::serve_logs(&local, &dir);
                Ok(Self { client: client(&local), local: Some((local, dir)) })
            }
            None => Ok(Self { client: reach(&server_file(&dir)).await?, local: None }),
        }
    }

    /// A client of the API server over the directory.
    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Closes the directory, after everything that was deleted has gone with all that it owned.
    pub(crate) async fn close(self) {
        if let Some((local, dir)) = self.local {
            history::sweep(&local.api().store, &dir);
            local.stop().await;
        }
    }
}

/// Opens a directory in this process; nothing when a server has it.
async fn open_at_rest(dir: &Path) -> Result<Option<LocalCluster>, String> {
    let began = Instant::now();
    loop {
        match LocalCluster::open(dir, Options { at_rest: true, ..Options::default() }) {
            Ok(local) => return Ok(Some(local)),
            Err(DiskError::InUse { .. }) if server_file(dir).exists() => return Ok(None),
            // A run that has just ended is being filed.
            Err(DiskError::InUse { .. }) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error @ DiskError::InUse { .. }) => {
                return Err(format!("{error}; wait until it has ended, or name another directory with --data-dir"));
            }
            Err(error) => return Err(crate::cluster::chain(error)),
        }
    }
}

async fn reach(file: &Path) -> Result<kube::Client, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| told(&error))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| told(&error))?;
    kube::Client::try_from(config).map_err(|error| told(&error))
}
