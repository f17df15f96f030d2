//! The node: runs the pods that it sees through a [`kube::Client`] and writes their status, as a kubelet does.
//!
//! It knows nothing of the server behind the client. Pods that no node has yet are bound to this one.

mod binaries;
mod env;
mod events;
mod expand;
mod fields;
mod files;
mod follow;
mod health;
mod janitor;
mod logs;
mod options;
mod probe;
mod serve;
mod slot;
mod start;
mod status;
mod volumes;
mod worker;

pub(crate) use binaries::ENTRYPOINT;
pub(crate) use files::own_name;
pub use logs::{LogRange, Logs};
pub use options::{NodeError, NodeOptions};

use crate::images::KnownImages;
use crate::runtime::engine::EngineRuntime;
use crate::runtime::host::{HostRuntime, cgroup};
use crate::runtime::{Runtime, RuntimeChoice, StartError};
use files::{real, remove};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use tekton_controller::ImageConfigs;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What all workers of a node share.
struct Context {
    client: Client,
    node: String,
    data_dir: PathBuf,
    runtime: Arc<dyn Runtime>,
    logs: Arc<Logs>,
    allow_host_path: bool,
    allowed_host_paths: Vec<PathBuf>,
    /// What no container may see of the host.
    hidden: Vec<PathBuf>,
    /// Where volumes in memory are.
    memory: PathBuf,
    /// The claims that one pod has for itself.
    claims: volumes::claims::Exclusive,
    recorder: events::Recorder,
}

impl Context {
    fn allows_host_path(&self, path: &std::path::Path) -> bool {
        self.allow_host_path || self.allowed_host_paths.iter().any(|allowed| allowed == path)
    }

    /// Makes the directory of volumes in memory. Gives whether this machine has memory for files.
    fn prepare_memory(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        if !self.memory.parent().is_some_and(std::path::Path::is_dir) {
            return Ok(false);
        }
        match std::fs::DirBuilder::new().mode(0o700).create(&self.memory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = std::fs::symlink_metadata(&self.memory)?;
                let ours = found.is_dir() && found.uid() == crate::runtime::host::sys::effective_ids().0;
                if ours { Ok(true) } else { Err(error) }
            }
            made => made.map(|()| true),
        }
    }

    fn pod_dir(&self, pod: &Pod) -> PathBuf {
        self.data_dir.join("pods").join(pod.metadata.uid.as_deref().unwrap_or("unknown"))
    }
}

/// A node that can be started.
#[derive(Debug)]
pub struct Node;

/// A running node. Dropping it ends the node at once.
pub struct NodeHandle {
    logs: Arc<Logs>,
    runtime: Arc<dyn Runtime>,
    client: Client,
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    data_dir: PathBuf,
    memory: PathBuf,
    janitor: Option<janitor::Janitor>,
    evictions: mpsc::UnboundedSender<(String, String)>,
}

impl std::fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHandle").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts a node: checks that containers can run, then runs the pods that the client shows.
    ///
    /// Errors: the data directory can't be made, or the machine does not permit what the runtime needs; the text of
    /// the latter says what to change.
    pub async fn start(client: Client, options: NodeOptions) -> Result<NodeHandle, NodeError> {
        let NodeOptions {
            name,
            data_dir,
            ephemeral,
            runtime,
            allow_host_path,
            allow_privileged,
            reaper,
            allowed_host_paths,
            hidden,
            images,
        } = options;
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |source| NodeError::Directory { path, source }
        };
        let data_dir = real(&data_dir);
        let memory = PathBuf::from("/dev/shm").join(own_name(&data_dir));
        // What removes the directories is there before they are, so that nothing is left however soon this process ends.
        let mut janitor = None;
        if ephemeral {
            let outside = cgroup::directories(&data_dir);
            let all = [&data_dir, &memory].into_iter().chain(&outside);
            janitor = Some(janitor::Janitor::watch(all).map_err(failed(&data_dir))?);
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&data_dir).map_err(failed(&data_dir))?;
        let data_dir = std::fs::canonicalize(&data_dir).map_err(failed(&data_dir))?;
        let (runtime, checked) = match choose(runtime, &data_dir, images, allow_privileged, reaper.as_deref()).await {
            Ok(runtime) => {
                let checked = runtime.check().await;
                (Some(runtime), checked)
            }
            Err(error) => (None, Err(error)),
        };
        let (Some(runtime), Ok(())) = (runtime, &checked) else {
            if ephemeral {
                remove(data_dir).await;
            }
            return Err(NodeError::Runtime(checked.expect_err("a runtime that is there failed its check")));
        };
        let logs = Arc::new(Logs::new(data_dir.join("pods")));
        let (stop, stopped) = watch::channel(false);
        let (recorder, recording) = events::Recorder::start(client.clone(), name.clone(), stopped.clone());
        let ctx = Arc::new(Context {
            client,
            node: name,
            logs: logs.clone(),
            allow_host_path,
            allowed_host_paths,
            hidden: std::iter::once(data_dir.clone()).chain(hidden.iter().map(|path| real(path))).collect(),
            data_dir: data_dir.clone(),
            runtime,
            memory: memory.clone(),
            claims: volumes::claims::Exclusive::default(),
            recorder,
        });
        let (runtime, client) = (ctx.runtime.clone(), ctx.client.clone());
        let (evictions, asked) = mpsc::unbounded_channel();
        let tasks = vec![
            tokio::spawn(follow::pods(ctx.clone(), stopped.clone(), asked)),
            tokio::spawn(follow::claims(ctx, stopped)),
            recording,
        ];
        Ok(NodeHandle { logs, runtime, client, tasks, stop, data_dir, memory, janitor, evictions })
    }
}

impl NodeHandle {
    /// The logs of the pods of this node.
    pub fn logs(&self) -> Arc<Logs> {
        self.logs.clone()
    }

    /// The name of the runtime that runs the containers.
    pub fn runtime(&self) -> &'static str {
        self.runtime.name()
    }

    /// Finds out what an image runs when a container has no command.
    pub fn image_configs(&self) -> Arc<dyn ImageConfigs> {
        self.runtime.image_configs(&self.client)
    }

    /// Evicts a pod, by its UID, as a kubelet does that runs short of something: the pod fails with this message.
    pub fn evict(&self, uid: impl Into<String>, message: impl Into<String>) {
        // A node that has ended has no pods.
        drop(self.evictions.send((uid.into(), message.into())));
    }

    /// Ends every container at once and waits until nothing is left.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has ended too.
            drop(task.await);
        }
        remove(self.memory.clone()).await;
        if let Some(janitor) = self.janitor.take() {
            remove(self.data_dir.clone()).await;
            janitor.dismiss();
        }
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The runtime that was asked for.
async fn choose(
    choice: RuntimeChoice,
    data_dir: &std::path::Path,
    images: Arc<KnownImages>,
    allow_privileged: bool,
    reaper: Option<&[std::ffi::OsString]>,
) -> Result<Arc<dyn Runtime>, StartError> {
    let host = || host_runtime(data_dir, images.clone()).map_err(|error| StartError::Create(error.to_string()));
    let engine = |engine: EngineRuntime| {
        if let Some(command) = reaper {
            engine
                .watch_over(command)
                .map_err(|error| StartError::Create(format!("failed to start {command:?}: {error}")))?;
        }
        Ok::<_, StartError>(Arc::new(engine.allow_privileged(allow_privileged)))
    };
    Ok(match choice {
        RuntimeChoice::Given(runtime) => runtime,
        RuntimeChoice::Engine => engine(EngineRuntime::connect(host()?).await?)?,
        RuntimeChoice::Auto => match EngineRuntime::connect(host()?).await {
            Ok(found) => engine(found)?,
            Err(_) => Arc::new(host()?),
        },
        RuntimeChoice::Host => Arc::new(host()?),
    })
}

/// The host runtime of a data directory, with Tekton's programs installed in it.
fn host_runtime(data_dir: &std::path::Path, images: Arc<KnownImages>) -> io::Result<HostRuntime> {
    let programs = data_dir.join("ko-app");
    binaries::install(&programs)?;
    Ok(HostRuntime::new(data_dir.join("staging"), Some(programs))?.with_images(images))
}
