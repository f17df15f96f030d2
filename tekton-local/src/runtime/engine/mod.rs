//! Runs containers through a container engine, Docker or Podman, over its API: real images, and one network and IPC
//! namespace for each pod.
//!
//! A pod's namespaces are held by a small container of the entrypoint's own program, made when its first container starts.
//! Containers of the images that Tekton adds to pods run on the host runtime: they need nothing but volumes.

mod create;
mod image;
mod process;
mod reaper;
mod sandbox;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bollard::models::ResourcesUlimits;
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures::future::BoxFuture;
use tekton_controller::ImageConfigs;
use tokio::sync::Mutex;

pub use reaper::{reap, remove_owned};

use super::host::HostRuntime;
use super::{ContainerSpec, Runtime, StartError, Started};

/// Seconds that the engine may take for an answer.
const ANSWER: u64 = 120;
/// The label of every container made here; its value says which process made it.
const OWNER: &str = "tekton.local/owner";
/// The label with the UID of the pod.
const POD: &str = "tekton.local/pod";

/// The engine runtime.
pub struct EngineRuntime {
    engine: Docker,
    host: HostRuntime,
    owner: String,
    socket: String,
    /// Podman gives a container that joins a network its own host name; Docker gives it that of the network's container,
    /// and refuses another.
    names_hosts: bool,
    /// Whether pods may have what reaches beyond their containers.
    allow_privileged: bool,
    /// Removes the containers when this process has been killed.
    reaper: OnceLock<reaper::Reaper>,
    /// The limits of open files and processes, where the engine may not give its own.
    limits: OnceLock<Vec<ResourcesUlimits>>,
    /// The containers that hold the namespaces of pods, by the UID of the pod.
    sandboxes: Mutex<BTreeMap<String, sandbox::Sandbox>>,
}

impl std::fmt::Debug for EngineRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineRuntime").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// Where engines listen: what `DOCKER_HOST` or `CONTAINER_HOST` says, else the usual sockets.
pub fn sockets() -> Vec<String> {
    let named = ["DOCKER_HOST", "CONTAINER_HOST"].iter().find_map(|name| std::env::var(name).ok());
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return vec![named];
    }
    let mut all = vec!["/var/run/docker.sock".to_owned()];
    if let Ok(dir) = std::env::var("XDG_RUNTIME_DIR") {
        all.extend([format!("{dir}/docker.sock"), format!("{dir}/podman/podman.sock")]);
    }
    all.push("/run/podman/podman.sock".to_owned());
    all.into_iter().filter(|path| Path::new(path).exists()).map(|path| format!("unix://{path}")).collect()
}

/// Whether a container engine answers on one of the [`sockets`].
pub async fn answers() -> bool {
    for socket in sockets() {
        if EngineRuntime::connect_to(&socket).await.is_ok() {
            return true;
        }
    }
    false
}

impl EngineRuntime {
    /// Connects to the first engine of [`sockets`] that answers; `host` runs what Tekton adds to pods.
    ///
    /// Errors: no engine answers, with the places that were tried.
    pub async fn connect(host: HostRuntime) -> Result<Self, StartError> {
        let sockets = sockets();
        let mut tried = Vec::new();
        for socket in &sockets {
            match Self::connect_to(socket).await {
                Ok(engine) => {
                    let parts = engine.version().await.ok().and_then(|version| version.components);
                    let podman = |name: &str| name.to_ascii_lowercase().contains("podman");
                    return Ok(Self {
                        engine,
                        names_hosts: parts.into_iter().flatten().any(|part| podman(&part.name)),
                        host,
                        owner: process::owner(std::process::id()),
                        socket: socket.clone(),
                        allow_privileged: false,
                        reaper: OnceLock::new(),
                        limits: OnceLock::new(),
                        sandboxes: Mutex::default(),
                    });
                }
                Err(error) => tried.push(format!("{socket}: {error}")),
            }
        }
        Err(StartError::NotPermitted(if tried.is_empty() {
            "no container engine was found: start Docker or `podman system service`, or name its socket in DOCKER_HOST"
                .to_owned()
        } else {
            format!("no container engine answers ({})", tried.join("; "))
        }))
    }

    /// Whether pods may be privileged or have capabilities that reach beyond their containers.
    #[must_use]
    pub fn allow_privileged(self, allow_privileged: bool) -> Self {
        Self { allow_privileged, ..self }
    }

    /// Starts a process that removes this runtime's containers when the present one has been killed: `command` with the
    /// socket and the owner behind it, which is to call [`reap`]. Without one they are removed when the next runtime
    /// starts.
    ///
    /// Errors: the command can't be started.
    pub fn watch_over(&self, command: &[std::ffi::OsString]) -> std::io::Result<()> {
        let reaper = reaper::Reaper::start(command, &self.socket, &self.owner)?;
        // One that watches already goes on.
        drop(self.reaper.set(reaper));
        Ok(())
    }

    async fn connect_to(socket: &str) -> Result<Docker, bollard::errors::Error> {
        let Some(path) = socket.strip_prefix("unix://") else {
            return Err(bollard::errors::Error::UnsupportedURISchemeError { uri: socket.to_owned() });
        };
        let engine = Docker::connect_with_unix(path, ANSWER, API_DEFAULT_VERSION)?;
        engine.negotiate_version().await
    }

    /// Removes containers whose makers have gone without doing so.
    async fn sweep(&self) {
        let filters = [("label".to_owned(), vec![OWNER.to_owned()])].into();
        let options = ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
        // An engine that has no list just now is asked again at the next start.
        for container in self.engine.list_containers(Some(options)).await.unwrap_or_default() {
            let owner = container.labels.as_ref().and_then(|labels| labels.get(OWNER));
            if owner.is_some_and(|owner| !process::lives(owner))
                && let Some(id) = container.id
            {
                remove(&self.engine, &id).await;
            }
        }
    }

    /// Starts a container. An engine that is inside a container itself may not give the limits that it wants to: then
    /// containers get low ones.
    async fn try_out(&self) -> Result<(), StartError> {
        let trial = ContainerSpec { pod: "check".to_owned(), pod_uid: "check".to_owned(), ..ContainerSpec::default() };
        let mut outcome = self.sandbox(&trial).await;
        if outcome.as_ref().is_err_and(|error| error.to_string().contains("rlimit")) {
            // Set here and nowhere else, once.
            drop(self.limits.set(create::low_limits()));
            outcome = self.sandbox(&trial).await;
        }
        self.release("check").await;
        outcome.map(drop)
    }

    async fn launch(&self, spec: ContainerSpec) -> Result<Started, StartError> {
        if crate::images::is_own(&spec.image) {
            return self.host.start(spec).await;
        }
        if !self.allow_privileged {
            create::refuse_privileges(&spec.privileges)?;
        }
        let image = image::ready(&self.engine, &spec.image, spec.pull, spec.login.as_ref()).await?;
        let sandbox = self.sandbox(&spec).await?;
        let body = create::body(&spec, &image, &sandbox.id, self)?;
        process::start(&self.engine, body, &spec, image, sandbox.address).await
    }
}

impl Runtime for EngineRuntime {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(async {
            self.host.check().await?;
            self.sweep().await;
            sandbox::image(&self.engine).await?;
            self.try_out().await
        })
    }

    fn image_configs(&self, client: &kube::Client) -> Arc<dyn ImageConfigs> {
        Arc::new(image::Configs::new(self.engine.clone(), client.clone()))
    }

    fn release<'a>(&'a self, pod_uid: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(sandbox) = self.sandboxes.lock().await.remove(pod_uid) {
                remove(&self.engine, &sandbox.id).await;
            }
        })
    }

    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<Started, StartError>> {
        Box::pin(self.launch(spec))
    }
}

/// Removes a container, running or not; one that has gone is no error.
async fn remove(engine: &Docker, id: &str) {
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    drop(engine.remove_container(id, Some(options)).await);
}

/// A refusal of the engine as the reason why a container is not created.
#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn broken(error: bollard::errors::Error) -> StartError {
    StartError::Create(text(&error))
}

/// What the engine says, without the client's own words.
fn text(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        bollard::errors::Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}
