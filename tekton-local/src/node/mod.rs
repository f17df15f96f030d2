//! The node: runs the pods that it sees through a [`kube::Client`] and writes their status, as a kubelet does.
//!
//! It knows nothing of the server behind the client. Pods that no node has yet are bound to this one.

mod binaries;
mod env;
mod events;
mod expand;
mod fields;
mod health;
mod janitor;
mod logs;
mod probe;
mod serve;
mod slot;
mod start;
mod status;
mod volumes;
mod worker;

pub(crate) use binaries::ENTRYPOINT;
pub use logs::{LogRange, Logs};

use crate::images::KnownImages;
use crate::runtime::engine::EngineRuntime;
use crate::runtime::host::{HostRuntime, cgroup};
use crate::runtime::{Runtime, RuntimeChoice, StartError};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::runtime::watcher;
use kube::{Api, Client};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use tekton_controller::ImageConfigs;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

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
        let (recorder, recording) = events::Recorder::start(client.clone(), name.clone());
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
        let (stop, stopped) = watch::channel(false);
        let (runtime, client) = (ctx.runtime.clone(), ctx.client.clone());
        let (evictions, asked) = mpsc::unbounded_channel();
        let tasks = vec![
            tokio::spawn(pods(ctx.clone(), stopped.clone(), asked)),
            tokio::spawn(claims(ctx, stopped)),
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

/// The name of what a node makes outside its data directory.
pub(crate) fn own_name(data_dir: &std::path::Path) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    data_dir.hash(&mut hasher);
    format!("tekton-{:016x}", hasher.finish())
}

/// A path without links, whether or not its last part is there yet.
fn real(path: &std::path::Path) -> PathBuf {
    let resolved = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(std::fs::canonicalize(parent.unwrap_or(std::path::Path::new("."))).ok()?.join(path.file_name()?))
    };
    std::fs::canonicalize(path).ok().or_else(resolved).unwrap_or_else(|| path.to_owned())
}

/// Removes a directory tree, whatever the modes of its directories.
async fn remove(dir: PathBuf) {
    let removal = tokio::task::spawn_blocking(move || {
        if std::fs::remove_dir_all(&dir).is_err() && dir.exists() {
            open_up(&dir);
            // What still can't be removed belongs to somebody else.
            drop(std::fs::remove_dir_all(&dir));
        }
    });
    drop(removal.await);
}

fn open_up(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    drop(std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)));
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// What the node holds of a pod that runs.
struct Running {
    updates: watch::Sender<Option<Arc<Pod>>>,
    events: mpsc::UnboundedSender<worker::Event>,
    task: JoinHandle<()>,
}

type Workers = BTreeMap<String, Running>;

/// The scheduler whose part this node takes.
const SCHEDULER: &str = "default-scheduler";

/// Watches pods and keeps a worker for each that is this node's.
async fn pods(
    ctx: Arc<Context>,
    mut stopped: watch::Receiver<bool>,
    mut evictions: mpsc::UnboundedReceiver<(String, String)>,
) {
    let mut workers = Workers::new();
    let mut events = pin!(watcher(Api::<Pod>::all(ctx.client.clone()), watcher::Config::default()));
    let mut listed: Option<Vec<String>> = None;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            Some((uid, message)) = evictions.recv() => {
                if let Some(running) = workers.get(&uid) {
                    // A worker that has ended has nothing left to evict.
                    drop(running.events.send(worker::Event::Evicted { message }));
                }
                continue;
            }
            _ = stopped.changed() => break,
        };
        match event {
            None => break,
            // The watcher tries again by itself.
            Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            Some(Ok(watcher::Event::Init)) => listed = Some(Vec::new()),
            Some(Ok(watcher::Event::InitApply(pod))) => {
                listed.get_or_insert_default().push(pod.metadata.uid.clone().unwrap_or_default());
                apply(&ctx, &mut workers, pod);
            }
            Some(Ok(watcher::Event::InitDone)) => {
                if let Some(listed) = listed.take() {
                    let gone: Vec<String> = workers.keys().filter(|uid| !listed.contains(uid)).cloned().collect();
                    for uid in &gone {
                        forget(&mut workers, uid);
                    }
                }
            }
            Some(Ok(watcher::Event::Apply(pod))) => apply(&ctx, &mut workers, pod),
            Some(Ok(watcher::Event::Delete(pod))) => {
                forget(&mut workers, pod.metadata.uid.as_deref().unwrap_or_default());
            }
        }
    }
    let ending: Vec<JoinHandle<()>> = workers
        .into_values()
        .map(|running| {
            drop(running.updates);
            running.task
        })
        .collect();
    for task in ending {
        // A worker that panicked has ended too.
        drop(task.await);
    }
}

fn apply(ctx: &Arc<Context>, workers: &mut Workers, pod: Pod) {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    if let Some(running) = workers.get(&uid) {
        running.updates.send_replace(Some(Arc::new(pod)));
        return;
    }
    let spec = pod.spec.as_ref();
    let node = spec.and_then(|s| s.node_name.as_deref()).filter(|n| !n.is_empty());
    let gated = spec.and_then(|s| s.scheduling_gates.as_ref()).is_some_and(|gates| !gates.is_empty());
    // A pod that asks for another scheduler waits for that one.
    let scheduler = spec.and_then(|s| s.scheduler_name.as_deref()).unwrap_or(SCHEDULER);
    if node.is_some_and(|node| node != ctx.node)
        || gated
        || (node.is_none() && scheduler != SCHEDULER)
        || (node.is_none() && pod.metadata.deletion_timestamp.is_some())
    {
        return;
    }
    let pod = Arc::new(pod);
    let (updates, receiver) = watch::channel(Some(pod.clone()));
    let (events, heard) = mpsc::unbounded_channel();
    let task = tokio::spawn(worker::Worker::new(ctx.clone(), pod, receiver, (events.clone(), heard)).run());
    workers.retain(|_, running| !running.task.is_finished());
    workers.insert(uid, Running { updates, events, task });
}

fn forget(workers: &mut Workers, uid: &str) {
    if let Some(running) = workers.get(uid) {
        running.updates.send_replace(None);
    }
}

/// Binds claims as they come, and removes the directories and volumes of those that have gone.
async fn claims(ctx: Arc<Context>, mut stopped: watch::Receiver<bool>) {
    let mut events = pin!(watcher(Api::<PersistentVolumeClaim>::all(ctx.client.clone()), watcher::Config::default()));
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = stopped.changed() => return,
        };
        match event {
            None => return,
            Some(Ok(watcher::Event::Delete(claim))) => volumes::claims::release(&ctx, &claim).await,
            Some(Ok(watcher::Event::Apply(claim) | watcher::Event::InitApply(claim))) => {
                // A claim that can't be bound now is bound by the first pod that uses it, or that pod says why not.
                if volumes::claims::provisioned(&ctx, &claim).await {
                    drop(volumes::claims::ensure(&ctx, &claim).await);
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
        }
    }
}
