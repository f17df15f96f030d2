//! What the node asks of a container runtime: start a container, wait for it, signal it, run a command in it.

pub mod engine;
pub mod host;

use futures::future::BoxFuture;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tekton_controller::{ImageConfigs, Login, NoImages};
use tokio::io::{AsyncRead, AsyncWrite};

/// The address of Pods that share the network of this machine.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// The annotation of a Pod that names the runtime of its containers: `host` or `engine`.
pub const RUNTIME_ANNOTATION: &str = "tekton.local/runtime";

/// A byte stream of a container's process.
pub type Output = Pin<Box<dyn AsyncRead + Send>>;

/// A byte stream to a container's process.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Everything a runtime needs to start one container of a Pod.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the fields of Kubernetes, which do not depend on each other")]
pub struct ContainerSpec {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod; the host name inside the container.
    pub pod: String,
    /// UID of the Pod.
    pub pod_uid: String,
    /// Name of the container.
    pub name: String,
    /// The image as written; runtimes without images ignore it.
    pub image: String,
    /// When the image is fetched.
    pub pull: Pull,
    /// The login for the image's registry; runtimes without images ignore it.
    pub login: Option<Login>,
    /// The program to run, with its first arguments; empty for what the image runs. Variables are expanded already.
    pub command: Vec<String>,
    /// Further arguments; they take the place of those that the image has.
    pub args: Vec<String>,
    /// The whole environment, in order; the last of a name wins.
    pub env: Vec<(String, String)>,
    /// Whether the process has a standard input that clients can attach to; else it is empty.
    pub stdin: bool,
    /// Whether the process has a terminal, which is its standard input, output and error.
    pub tty: bool,
    /// Working directory, made when it is missing.
    pub working_dir: String,
    /// Volumes and files to bind, in the order they are to be mounted.
    pub mounts: Vec<Mount>,
    /// `runAsUser`; the runtime's default when absent.
    pub user: Option<u32>,
    /// `runAsGroup`; the runtime's default when absent.
    pub group: Option<u32>,
    /// Supplemental groups, `fsGroup` included.
    pub groups: Vec<u32>,
    /// `readOnlyRootFilesystem`.
    pub read_only_root: bool,
    /// `allowPrivilegeEscalation: false`.
    pub no_new_privileges: bool,
    /// `runAsNonRoot`: a process of user 0 is refused.
    pub non_root: bool,
    /// What it may do beyond, or less than, a usual container. Runtimes that can give nothing of it ignore it.
    pub privileges: Privileges,
    /// The limit of processor time, in billionths of a processor.
    pub cpu_limit: Option<i64>,
    /// The limit of memory, in bytes.
    pub memory_limit: Option<i64>,
    /// Directories of the host that must not be visible inside.
    pub hidden: Vec<PathBuf>,
}

/// The parts of a container's `securityContext` that concern the kernel's guards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privileges {
    /// `privileged`.
    pub privileged: bool,
    /// `capabilities.add`, without `CAP_`.
    pub add: Vec<String>,
    /// `capabilities.drop`, without `CAP_`.
    pub drop: Vec<String>,
    /// `seccompProfile`.
    pub seccomp: Profile,
    /// `appArmorProfile`.
    pub apparmor: Profile,
}

/// A profile of seccomp or AppArmor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Profile {
    /// The runtime's own.
    #[default]
    RuntimeDefault,
    /// None.
    Unconfined,
    /// The one of this name on the node.
    Localhost(String),
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pull {
    /// Before each start.
    Always,
    /// When it is not there.
    #[default]
    IfNotPresent,
    /// Not at all.
    Never,
}

/// One file or directory of the host to show inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The host's directory or file.
    pub source: PathBuf,
    /// A relative path below `source`, resolved without leaving it; empty for `source` itself.
    pub sub_path: String,
    /// The absolute path inside the container.
    pub target: String,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Whether this is a file, so that its mount point is a file too.
    pub is_file: bool,
}

/// How a container's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Exit code as a container runtime reports it: 128 + n for a process that died of signal n.
    pub code: i32,
    /// The signal that ended the process.
    pub signal: Option<i32>,
    /// Whether the kernel ended it because its memory was used up.
    pub out_of_memory: bool,
}

/// Why a container could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The specification can't be carried out by this runtime (reason `CreateContainerError`).
    #[error("{0}")]
    Create(String),
    /// The specification contradicts itself or the image (reason `CreateContainerConfigError`).
    #[error("{0}")]
    Config(String),
    /// The image can't be had.
    #[error("{message}")]
    Image {
        /// Kubernetes' reason: `ErrImagePull`, `ErrImageNeverPull` or `InvalidImageName`.
        reason: &'static str,
        /// What the user is told.
        message: String,
    },
    /// The process could not be executed (reason `StartError`, exit code 128).
    #[error("{0}")]
    Start(String),
    /// The machine does not permit what the runtime needs.
    #[error("{0}")]
    NotPermitted(String),
}

/// A command to run inside a started container.
#[derive(Debug, Clone, Default)]
pub struct ExecSpec {
    /// Command and arguments.
    pub argv: Vec<String>,
    /// Whether the command reads a standard input.
    pub stdin: bool,
    /// Whether the command has a terminal, which is its standard input, output and error.
    pub tty: bool,
}

/// A container that has started.
pub struct Started {
    /// The container.
    pub container: Arc<dyn Container>,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// Its standard input, when asked for.
    pub stdin: Option<Input>,
    /// Sets the rows and columns of its terminal, when it has one.
    pub terminal: Option<Resize>,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started").field("id", &self.container.id()).finish_non_exhaustive()
    }
}

/// Sets the rows and columns of a terminal.
pub type Resize = Box<dyn Fn(u16, u16) + Send + Sync>;

/// A command that was started inside a container.
pub struct Executed {
    /// The process; `wait` gives its exit.
    pub process: Arc<dyn Container>,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// Its standard input, when asked for.
    pub stdin: Option<Input>,
    /// Sets the rows and columns of its terminal, when it has one.
    pub terminal: Option<Resize>,
}

impl std::fmt::Debug for Executed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executed").finish_non_exhaustive()
    }
}

/// A running (or ended) container.
pub trait Container: Send + Sync {
    /// The container's id with its runtime's scheme, such as `host://1f0c…`.
    fn id(&self) -> String;
    /// The image that it runs, by its digest or content; `None` for a runtime without images.
    fn image_id(&self) -> Option<String> {
        None
    }
    /// What an Event says of the image when the container has started.
    fn image_event(&self, image: &str) -> String {
        format!("Container image \"{image}\" already present on machine")
    }
    /// The address at which the servers of its Pod listen.
    fn address(&self) -> String {
        LOOPBACK.to_owned()
    }
    /// Waits for the end of the container's first process. May be called more than once.
    fn wait(&self) -> BoxFuture<'_, Exit>;
    /// Sends a signal to the container's first process; a process that has ended is no error.
    fn signal(&self, signal: i32);
    /// Runs a command inside the container.
    fn exec(&self, spec: ExecSpec) -> BoxFuture<'_, Result<Executed, StartError>>;
}

/// A way to run containers.
pub trait Runtime: Send + Sync + 'static {
    /// The runtime's name, as users write it.
    fn name(&self) -> &'static str;
    /// Checks that this machine can run containers in this way.
    fn check(&self) -> BoxFuture<'_, Result<(), StartError>>;
    /// Finds out what an image runs when a container has no command; `client` reads pull secrets.
    fn image_configs(&self, _client: &kube::Client) -> Arc<dyn ImageConfigs> {
        Arc::new(NoImages)
    }
    /// Lets go of what containers of a Pod shared, when the last of them has ended.
    fn release<'a>(&'a self, _pod_uid: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
    /// Starts a container.
    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<Started, StartError>>;
}

/// Which runtime a node has.
#[derive(Clone, Default)]
pub enum RuntimeChoice {
    /// A container engine when one answers, else the host runtime.
    Auto,
    /// The [host runtime](host).
    #[default]
    Host,
    /// The [engine runtime](engine).
    Engine,
    /// This one.
    Given(Arc<dyn Runtime>),
}

impl std::fmt::Debug for RuntimeChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "Auto",
            Self::Host => "Host",
            Self::Engine => "Engine",
            Self::Given(_) => "Given",
        })
    }
}
