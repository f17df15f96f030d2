//! A container of the engine: its streams, its end, signals to it and commands in it.

use std::sync::Arc;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, KillContainerOptions, ResizeContainerTTYOptions,
    WaitContainerOptions,
};
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::sync::OnceCell;

use super::super::{Container, ContainerSpec, ExecSpec, Executed, Exit, Output, Resize, StartError, Started};
use super::image::Image;
use super::{broken, remove, text};

/// How much of a stream is held before its reader has to take it.
const BUFFER: usize = 64 * 1024;
/// The exit code when the engine does not know it.
const UNKNOWN: i32 = 255;

/// Makes a container and starts it.
pub(super) async fn start(
    engine: &Docker,
    body: ContainerCreateBody,
    spec: &ContainerSpec,
    image: Image,
    address: String,
) -> Result<Started, StartError> {
    let id = engine.create_container(None::<CreateContainerOptions>, body).await.map_err(broken)?.id;
    let attach = AttachContainerOptions {
        stdin: spec.stdin,
        stdout: true,
        stderr: true,
        stream: true,
        ..AttachContainerOptions::default()
    };
    let attached = engine.attach_container(&id, Some(attach)).await;
    let started = match attached {
        Ok(attached) => engine.start_container(&id, None).await.map(|()| attached),
        Err(error) => Err(error),
    };
    match started {
        Ok(AttachContainerResults { output, input }) => {
            let (stdout, stderr) = split(output);
            let terminal = spec.tty.then(|| resize_container(engine.clone(), id.clone()));
            let container = EngineContainer { engine: engine.clone(), id, image, address, exit: OnceCell::new() };
            Ok(Started { container: Arc::new(container), stdout, stderr, stdin: spec.stdin.then_some(input), terminal })
        }
        Err(error) => {
            remove(engine, &id).await;
            Err(refusal(spec, &error))
        }
    }
}

/// A program that is not there or cannot run is an end of the container, as for a kubelet; all else keeps it waiting.
fn refusal(spec: &ContainerSpec, error: &Error) -> StartError {
    let text = text(error);
    let program = spec.command.first().map(String::as_str).unwrap_or_default();
    let of_program = ["executable file", "no such file or directory", "permission denied", "exec format error"];
    if of_program.iter().any(|sign| text.contains(sign)) && (text.contains("exec") || text.contains(program)) {
        StartError::Start(text)
    } else {
        StartError::Create(text)
    }
}

/// Parts the one stream of the engine into output and errors.
fn split(mut output: impl Stream<Item = Result<LogOutput, Error>> + Send + Unpin + 'static) -> (Output, Output) {
    let (mut out, stdout) = tokio::io::duplex(BUFFER);
    let (mut err, stderr) = tokio::io::duplex(BUFFER);
    tokio::spawn(async move {
        while let Some(Ok(part)) = output.next().await {
            // A reader that has gone wants no more.
            drop(match part {
                LogOutput::StdErr { message } => err.write_all(&message).await,
                LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                    out.write_all(&message).await
                }
            });
        }
    });
    (Box::pin(stdout), Box::pin(stderr))
}

struct EngineContainer {
    engine: Docker,
    id: String,
    image: Image,
    address: String,
    exit: OnceCell<Exit>,
}

impl EngineContainer {
    async fn end(&self) -> Exit {
        let mut ends = std::pin::pin!(self.engine.wait_container(&self.id, None::<WaitContainerOptions>));
        let told = match ends.next().await {
            Some(Ok(end)) => i32::try_from(end.status_code).ok(),
            // The client has an error for each code but zero.
            Some(Err(Error::DockerContainerWaitError { code, .. })) => i32::try_from(code).ok(),
            _ => None,
        };
        let state = self.engine.inspect_container(&self.id, None).await.ok().and_then(|container| container.state);
        let seen = state.as_ref().and_then(|state| i32::try_from(state.exit_code?).ok());
        let code = told.or(seen).unwrap_or(UNKNOWN);
        let out_of_memory = state.and_then(|state| state.oom_killed) == Some(true);
        remove(&self.engine, &self.id).await;
        Exit { code, signal: (code > 128 && code < 160).then_some(code - 128), out_of_memory }
    }

    async fn run_inside(&self, spec: ExecSpec) -> Result<Executed, StartError> {
        let options = CreateExecOptions {
            cmd: Some(spec.argv),
            attach_stdin: Some(spec.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(spec.tty),
            ..CreateExecOptions::default()
        };
        let id = self.engine.create_exec(&self.id, options).await.map_err(broken)?.id;
        let start = StartExecOptions { tty: spec.tty, ..StartExecOptions::default() };
        let StartExecResults::Attached { output, input } =
            self.engine.start_exec(&id, Some(start)).await.map_err(broken)?
        else {
            return Err(StartError::Create("the engine did not attach to the command".to_owned()));
        };
        let (ended, end) = tokio::sync::watch::channel(false);
        let (stdout, stderr) = split(Box::pin(output.chain(futures::stream::once(async move {
            ended.send_replace(true);
            Ok(LogOutput::StdOut { message: bytes::Bytes::new() })
        }))));
        let terminal = spec.tty.then(|| resize(self.engine.clone(), id.clone()));
        let process = EngineExec { engine: self.engine.clone(), id, end };
        Ok(Executed { process: Arc::new(process), stdout, stderr, stdin: spec.stdin.then_some(input), terminal })
    }
}

/// Sets rows and columns of a container's terminal; one that has ended has none.
fn resize_container(engine: Docker, id: String) -> Resize {
    Box::new(move |rows, columns| {
        let (engine, id) = (engine.clone(), id.clone());
        tokio::spawn(async move {
            let size = ResizeContainerTTYOptions { h: i32::from(rows), w: i32::from(columns) };
            drop(engine.resize_container_tty(&id, size).await);
        });
    })
}

/// Sets rows and columns of a command's terminal; one that has ended has none.
fn resize(engine: Docker, id: String) -> Resize {
    Box::new(move |rows, columns| {
        let (engine, id) = (engine.clone(), id.clone());
        tokio::spawn(async move {
            let size = ResizeExecOptions { height: rows, width: columns };
            drop(engine.resize_exec(&id, size).await);
        });
    })
}

impl Container for EngineContainer {
    fn id(&self) -> String {
        format!("engine://{}", self.id)
    }

    fn image_id(&self) -> Option<String> {
        Some(self.image.id.clone())
    }

    fn address(&self) -> String {
        self.address.clone()
    }

    fn wait(&self) -> BoxFuture<'_, Exit> {
        Box::pin(async { *self.exit.get_or_init(|| self.end()).await })
    }

    fn signal(&self, signal: i32) {
        if !self.exit.initialized() {
            let (engine, id) = (self.engine.clone(), self.id.clone());
            tokio::spawn(async move {
                let options = KillContainerOptions { signal: signal.to_string() };
                // One that has ended is no error.
                drop(engine.kill_container(&id, Some(options)).await);
            });
        }
    }

    fn exec(&self, spec: ExecSpec) -> BoxFuture<'_, Result<Executed, StartError>> {
        Box::pin(self.run_inside(spec))
    }
}

/// A command inside a container.
struct EngineExec {
    engine: Docker,
    id: String,
    end: tokio::sync::watch::Receiver<bool>,
}

impl Container for EngineExec {
    fn id(&self) -> String {
        format!("engine://{}", self.id)
    }

    fn wait(&self) -> BoxFuture<'_, Exit> {
        Box::pin(async {
            // The sender goes with the stream, which ends with the command.
            let mut end = self.end.clone();
            drop(end.wait_for(|ended| *ended).await);
            let found = self.engine.inspect_exec(&self.id).await.ok().and_then(|exec| exec.exit_code);
            let code = found.and_then(|code| i32::try_from(code).ok()).unwrap_or(UNKNOWN);
            Exit { code, signal: None, out_of_memory: false }
        })
    }

    /// Engines cannot signal a command; it ends with its container.
    fn signal(&self, _signal: i32) {}

    fn exec(&self, _spec: ExecSpec) -> BoxFuture<'_, Result<Executed, StartError>> {
        let refusal = StartError::Create("a command has no commands of its own".to_owned());
        Box::pin(std::future::ready(Err(refusal)))
    }
}

/// A process as the owner of containers: its number and when it started, so that another with its number is another.
pub(super) fn owner(process: u32) -> String {
    format!("{process}-{}", started(process).unwrap_or_default())
}

/// Whether an owner still runs.
pub(super) fn lives(owner: &str) -> bool {
    owner
        .split_once('-')
        .is_some_and(|(process, time)| process.parse().ok().and_then(started).is_some_and(|started| started == time))
}

/// When a process started, in the kernel's ticks.
fn started(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in brackets, may hold anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(19).map(str::to_owned)
}
