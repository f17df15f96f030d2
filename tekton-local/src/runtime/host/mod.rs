//! Runs containers as processes in namespaces of their own over the host's root; images are ignored.
//!
//! Each container has a fresh root: the host's top-level directories, read-only, and `/tmp`, `/dev`, `/proc`, `/run`,
//! `/workspace` and `/tekton` of its own. The network is the host's. All of it lives in a mount namespace and ends
//! with the container's first process, which dies with this process.

pub(crate) mod cgroup;
mod child;
mod plan;
mod refusal;
mod spawn;
pub(crate) mod sys;
mod terminal;
#[cfg(test)]
mod tests;
mod userland;

use super::{Container, ContainerSpec, ExecSpec, Executed, Exit, Input, Output, Resize, Runtime, StartError, Started};
use crate::images::{self, KnownImages, Userland};
use futures::future::BoxFuture;
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tekton_controller::ImageConfigs;
use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::{OnceCell, oneshot};

/// The `PATH` of a container that sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The home of a container that sets none: a writable directory of its own, or Tekton's volume of that name.
const HOME: &str = "/tekton/home";

/// The terminal of a process that has one and is told of no other.
const TERM: (&str, &str) = ("TERM", "xterm");

/// The host runtime.
#[derive(Debug)]
pub struct HostRuntime {
    base: plan::Base,
    spawner: std::sync::mpsc::Sender<spawn::Request>,
    count: AtomicU64,
    images: Arc<KnownImages>,
    shells: userland::Shells,
    path: String,
    cgroups: Option<cgroup::Cgroups>,
}

impl HostRuntime {
    /// Makes the runtime. `staging` is a directory of its own in the node's; `ko_app` is shown as `/ko-app`.
    pub fn new(staging: PathBuf, ko_app: Option<PathBuf>) -> io::Result<Self> {
        std::fs::create_dir_all(&staging)?;
        let cgroups = staging.parent().and_then(cgroup::Cgroups::of);
        let base = plan::Base { staging, ko_app, full_maps: sys::effective_ids().0 == 0, frozen: plan::frozen() };
        Ok(Self {
            base,
            spawner: spawn::start()?,
            count: AtomicU64::new(0),
            images: Arc::default(),
            shells: userland::Shells::find(DEFAULT_PATH),
            path: search_path(),
            cgroups,
        })
    }

    /// What a container runs that names no command, when its image is known by its name.
    fn entrypoint(&self, spec: &ContainerSpec) -> Result<Vec<String>, StartError> {
        if let Some(program) = images::program(&spec.image) {
            return Ok(std::iter::once(program).chain(spec.args.iter().cloned()).collect());
        }
        let refused = |text: String| StartError::Create(format!("container \"{}\": {text}", spec.name));
        let mut argv = self.images.runs(&spec.image, !spec.args.is_empty()).map_err(refused)?;
        argv.extend(spec.args.iter().cloned());
        if argv.is_empty() {
            return Err(refused(format!("image {} names no command, and neither does the container", spec.image)));
        }
        Ok(argv)
    }

    /// The same runtime, which knows of images what `images` says.
    #[must_use]
    pub fn with_images(self, images: Arc<KnownImages>) -> Self {
        Self { images, ..self }
    }

    async fn launch(&self, mut spec: ContainerSpec) -> Result<Started, StartError> {
        if spec.command.is_empty() {
            spec.command = self.entrypoint(&spec)?;
            spec.args.clear();
        }
        if spec.non_root && spec.user.unwrap_or(0) == 0 {
            return Err(StartError::Config(match spec.user {
                Some(_) => "container's runAsUser breaks non-root policy".to_owned(),
                None => "container has runAsNonRoot and image will run as root".to_owned(),
            }));
        }
        let own =
            [("PATH", self.path.as_str()), ("HOME", HOME)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        spec.env.splice(0..0, own);
        if spec.tty {
            spec.env.insert(0, (TERM.0.to_owned(), TERM.1.to_owned()));
        }
        if self.images.userland(&spec.image) == Userland::Busybox {
            spec.mounts.splice(0..0, self.shells.mounts().iter().cloned());
        }
        let plan = Arc::new(plan::plan(&self.base, &spec)?);
        let (streams, stdio) = streams(spec.stdin, spec.tty)?;
        let id = container_id(&spec, self.count.fetch_add(1, Ordering::Relaxed));
        let group = self.cgroups.as_ref().and_then(|groups| groups.make(&spec, id.trim_start_matches(SCHEME)));
        let group = group.map(Arc::new);
        let pidfd = launch(&self.spawner, plan.clone(), stdio, None, group.clone()).await?;
        let process = Process {
            id,
            pidfd,
            cgroup: group,
            exit: OnceCell::new(),
            env: plan.env.clone(),
            spec,
            full_maps: self.base.full_maps,
            spawner: self.spawner.clone(),
        };
        let Streams { stdout, stderr, stdin, terminal } = streams;
        Ok(Started { container: Arc::new(process), stdout, stderr, stdin, terminal })
    }
}

impl Runtime for HostRuntime {
    fn name(&self) -> &'static str {
        "host"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(async {
            let spec = ContainerSpec {
                name: "check".into(),
                pod: "check".into(),
                command: vec!["/bin/sh".into(), "-c".into(), "exit 0".into()],
                ..ContainerSpec::default()
            };
            let started = self.launch(spec).await?;
            match started.container.wait().await {
                Exit { code: 0, .. } => Ok(()),
                Exit { code, .. } => Err(StartError::Start(format!("a trial container ended with exit code {code}"))),
            }
        })
    }

    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<Started, StartError>> {
        Box::pin(self.launch(spec))
    }

    fn image_configs(&self, _client: &kube::Client) -> Arc<dyn ImageConfigs> {
        self.images.clone()
    }
}

/// A process made by this runtime: a container, or a command inside one.
struct Process {
    id: String,
    pidfd: Arc<AsyncFd<OwnedFd>>,
    /// The group that limits it, when it has limits.
    cgroup: Option<Arc<cgroup::Cgroup>>,
    exit: OnceCell<Exit>,
    env: Vec<std::ffi::CString>,
    spec: ContainerSpec,
    full_maps: bool,
    spawner: std::sync::mpsc::Sender<spawn::Request>,
}

impl Process {
    async fn reap(&self) -> Exit {
        let (code, signal) = loop {
            let Ok(mut ready) = self.pidfd.readable().await else { break (255, None) };
            match sys::pidfd_reap(self.pidfd.get_ref().as_fd()) {
                Ok(Some((libc::CLD_EXITED, code))) => break (code, None),
                Ok(Some((_, signal))) => break (128 + signal, Some(signal)),
                Ok(None) => ready.clear_ready(),
                Err(_) => break (255, None),
            }
        };
        let out_of_memory = self.cgroup.as_ref().is_some_and(|group| group.ran_out_of_memory());
        Exit { code, signal, out_of_memory }
    }

    async fn run_inside(&self, exec: ExecSpec) -> Result<Executed, StartError> {
        let spec = &self.spec;
        let search = spec.env.iter().rev().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
        let mut env = self.env.clone();
        if exec.tty && !spec.env.iter().any(|(name, _)| name == "TERM") {
            env.push(plan::c(format!("{}={}", TERM.0, TERM.1))?);
        }
        let plan = Arc::new(plan::Plan {
            ops: Vec::new(),
            slots: 0,
            user: spec.user.unwrap_or(0),
            group: spec.group.unwrap_or(0),
            groups: spec.groups.clone(),
            set_ids: self.full_maps,
            no_new_privileges: spec.no_new_privileges,
            working_dir: plan::c(if spec.working_dir.is_empty() { "/" } else { &spec.working_dir })?,
            programs: plan::programs(&exec.argv, search)?,
            argv: exec.argv.iter().map(plan::c).collect::<Result<_, _>>()?,
            env,
        });
        let (streams, theirs) = streams(exec.stdin, exec.tty)?;
        let pidfd = launch(&self.spawner, plan, theirs, Some(self.pidfd.clone()), self.cgroup.clone()).await?;
        let process = Process {
            id: self.id.clone(),
            pidfd,
            cgroup: None,
            exit: OnceCell::new(),
            env: self.env.clone(),
            spec: spec.clone(),
            full_maps: self.full_maps,
            spawner: self.spawner.clone(),
        };
        Ok(Executed {
            process: Arc::new(process),
            stdout: streams.stdout,
            stderr: streams.stderr,
            stdin: streams.stdin,
            terminal: streams.terminal,
        })
    }
}

impl Container for Process {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn image_event(&self, image: &str) -> String {
        format!("Container image \"{image}\" is not used: the host runtime runs this machine's programs")
    }

    fn wait(&self) -> BoxFuture<'_, Exit> {
        Box::pin(async { *self.exit.get_or_init(|| self.reap()).await })
    }

    fn signal(&self, signal: i32) {
        if !self.exit.initialized() {
            sys::pidfd_signal(self.pidfd.get_ref().as_fd(), signal);
        }
    }

    fn exec(&self, spec: ExecSpec) -> BoxFuture<'_, Result<Executed, StartError>> {
        Box::pin(self.run_inside(spec))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
    }
}

/// Has the process made and waits until its program runs.
async fn launch(
    spawner: &std::sync::mpsc::Sender<spawn::Request>,
    plan: Arc<plan::Plan>,
    stdio: [OwnedFd; 3],
    enter: Option<Arc<AsyncFd<OwnedFd>>>,
    cgroup: Option<Arc<cgroup::Cgroup>>,
) -> Result<Arc<AsyncFd<OwnedFd>>, StartError> {
    let enter = match &enter {
        Some(fd) => Some(Arc::new(fd.get_ref().try_clone().map_err(broken)?)),
        None => None,
    };
    let (reply, answer) = oneshot::channel();
    let request = spawn::Request { plan: plan.clone(), stdio, enter, cgroup, reply };
    spawner.send(request).map_err(|_| StartError::Create("the spawning thread has ended".into()))?;
    let made = answer
        .await
        .map_err(|_| StartError::Create("the spawning thread has ended".into()))?
        .map_err(|error| refusal::of_clone(&error))?;
    let mut errors = pipe::Receiver::from_owned_fd(made.errors).map_err(broken)?;
    let pidfd = Arc::new(sys::watch(made.pidfd).map_err(broken)?);
    let mut message = Vec::with_capacity(8);
    errors.read_to_end(&mut message).await.map_err(broken)?;
    drop(made.go);
    if let Some((stage, errno)) = message.split_first_chunk::<4>() {
        let errno = i32::from_ne_bytes(errno.try_into().unwrap_or([0; 4]));
        let error = refusal::of_stage(&plan, u32::from_ne_bytes(*stage), &io::Error::from_raw_os_error(errno));
        let process = pidfd.clone();
        tokio::spawn(async move {
            if process.readable().await.is_ok() {
                drop(sys::pidfd_reap(process.get_ref().as_fd()));
            }
        });
        return Err(error);
    }
    Ok(pidfd)
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn broken(error: io::Error) -> StartError {
    StartError::Create(format!("failed to make a container process: {error}"))
}

fn stream() -> Result<(Output, OwnedFd), StartError> {
    let (read, write) = sys::pipe().map_err(broken)?;
    Ok((Box::pin(pipe::Receiver::from_owned_fd(read).map_err(broken)?), write))
}

/// Our ends of the streams of a command.
struct Streams {
    stdout: Output,
    stderr: Output,
    stdin: Option<Input>,
    terminal: Option<Resize>,
}

/// Our ends of the streams of a process, and its own.
fn streams(stdin: bool, tty: bool) -> Result<(Streams, [OwnedFd; 3]), StartError> {
    if tty { terminal(stdin) } else { pipes(stdin) }
}

/// A pipe for each stream, and the command's ends of them.
fn pipes(stdin: bool) -> Result<(Streams, [OwnedFd; 3]), StartError> {
    let (stdout, stdout_child) = stream()?;
    let (stderr, stderr_child) = stream()?;
    let (stdin, stdin_child) = if stdin {
        let (read, write) = sys::pipe().map_err(broken)?;
        let sender = pipe::Sender::from_owned_fd(write).map_err(broken)?;
        (Some(Box::pin(sender) as _), read)
    } else {
        (None, dev_null()?)
    };
    Ok((Streams { stdout, stderr, stdin, terminal: None }, [stdin_child, stdout_child, stderr_child]))
}

/// A terminal for all streams, and the command's ends of it.
fn terminal(stdin: bool) -> Result<(Streams, [OwnedFd; 3]), StartError> {
    let (ours, theirs) = terminal::open().map_err(broken)?;
    let copies = [theirs.try_clone().map_err(broken)?, theirs.try_clone().map_err(broken)?, theirs];
    let size = ours.clone();
    let streams = Streams {
        stdout: Box::pin(ours.clone()),
        stderr: Box::pin(tokio::io::empty()),
        stdin: if stdin { Some(Box::pin(ours)) } else { None },
        terminal: Some(Box::new(move |rows, columns| size.resize(rows, columns))),
    };
    Ok((streams, copies))
}

fn dev_null() -> Result<OwnedFd, StartError> {
    Ok(std::fs::File::open("/dev/null").map_err(broken)?.into())
}

/// The search path of containers: this machine's, then the usual directories that it lacks.
fn search_path() -> String {
    let mut path = std::env::var("PATH").unwrap_or_default();
    for dir in DEFAULT_PATH.split(':') {
        if !path.split(':').any(|known| known == dir) {
            if !path.is_empty() {
                path.push(':');
            }
            path.push_str(dir);
        }
    }
    path
}

/// What ids of containers begin with.
const SCHEME: &str = "host://";

/// An id of 64 hexadecimal digits, as container runtimes have it.
fn container_id(spec: &ContainerSpec, number: u64) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut id = String::from(SCHEME);
    for part in 0..4u64 {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write(spec.pod_uid.as_bytes());
        hasher.write(spec.name.as_bytes());
        hasher.write_u64(number);
        hasher.write_u64(part);
        // Writing to a string does not fail.
        let _ = write!(id, "{:016x}", hasher.finish());
    }
    id
}
