//! Runs a command in a process group of its own, with every signal forwarded.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
};

use tekton_contract::{var::extract::go_quote, volumes};

use super::{Cause, Copies, Limits, RunError, tee};
use crate::{
    fs,
    sys::{self, SignalSet, Start},
};

impl From<Cause> for RunError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Cancelled => Self::Cancelled,
            Cause::TimedOut => Self::TimedOut,
        }
    }
}

/// Runs a command to its end. An empty command succeeds.
pub(crate) fn run(command: &[String], copies: Copies<'_>, limits: &mut Limits) -> Result<(), RunError> {
    let Some((name, args)) = command.split_first() else { return Ok(()) };
    // What came before is not for the command.
    sys::meaningless_signals().discard();
    let all = SignalSet::all();
    // They stay blocked: what is left to do after the command is short, and a breakpoint unblocks them.
    all.block();
    let signals = all.descriptor().map_err(|error| RunError::Failed(format!("signalfd: {}", fs::reason(&error))));
    sys::expect_children();
    signals.and_then(|signals| {
        let outcome = run_blocked(name, args, copies, limits, &signals);
        // What came until now belonged to the command.
        while sys::next_signal(&signals).is_some() {}
        outcome
    })
}

fn run_blocked(
    name: &str,
    args: &[String],
    copies: Copies<'_>,
    limits: &mut Limits,
    signals: &OwnedFd,
) -> Result<(), RunError> {
    let open = |path: &str| (!path.is_empty()).then(|| tee::open(path).map(|file| (path.to_owned(), file))).transpose();
    let output_file = open(copies.output).map_err(RunError::Failed)?;
    let error_file = open(copies.error).map_err(RunError::Failed)?;
    let path = look_up(name).map_err(RunError::Failed)?;
    if let Some(cause) = limits.check() {
        return Err(cause.into());
    }

    let system = |what: &str, error: &io::Error| RunError::Failed(format!("{what}: {}", fs::reason(error)));
    let group = Arc::new(AtomicI32::new(0));
    let done = Arc::new(Mutex::new(Vec::new()));
    let copies = output_file.is_some() || error_file.is_some();
    let alarm = copies.then(sys::pipe).transpose().map_err(|error| system("pipe", &error))?;
    let (alarm_read, alarm_write) = alarm.unzip();
    let mut streams = Vec::new();
    let mut pipe_for = |stream, file: Option<(String, File)>| -> Result<Option<OwnedFd>, RunError> {
        let Some(file) = file else { return Ok(None) };
        let (read, write) = sys::pipe().map_err(|error| system("pipe", &error))?;
        streams.push((stream, read, file));
        Ok(Some(write))
    };
    let output = pipe_for(tee::Stream::Output, output_file)?;
    let error = pipe_for(tee::Stream::Error, error_file)?;

    let process = start(&path, name, args, output.as_ref(), error.as_ref())
        .map_err(|error| RunError::Failed(format!("fork/exec {path}: {}", fs::reason(&error))))?;
    // What is ours of the pipes would keep them from ending.
    drop((output, error));
    group.store(process, Ordering::Relaxed);
    let mut copying = streams.len();
    for (stream, read, file) in streams {
        let group = Arc::clone(&group);
        let alarm = alarm_write.as_ref().map(OwnedFd::try_clone).transpose().map_err(|error| system("dup", &error))?;
        tee::start(stream, read, file, move || group.load(Ordering::Relaxed), Arc::clone(&done), alarm)
            .map_err(|error| system("clone", &error))?;
    }
    drop(alarm_write);

    let mut status = None;
    let mut copy_error = None;
    loop {
        while let Some(signal) = sys::next_signal(signals) {
            // The one is about the command, and Go keeps the other to itself.
            if ![libc::SIGCHLD, libc::SIGPROF].contains(&signal) {
                sys::kill(-process, signal);
            }
        }
        if status.is_none() {
            status = sys::reap(process);
        }
        for outcome in done.lock().expect("nobody panics while holding the list").drain(..) {
            copying -= 1;
            copy_error = copy_error.or(outcome);
        }
        if status.is_some() && copying == 0 {
            break;
        }
        let fired_before = limits.cause.is_some();
        if limits.check().is_some() && !fired_before && status.is_none() {
            sys::kill(process, libc::SIGKILL);
        }
        let rest = limits.rest();
        let inotify = limits.watch();
        let alarm = alarm_read.as_ref().filter(|_| copying > 0);
        sys::poll(&[Some(signals), inotify, alarm], rest);
        if let Some(inotify) = inotify {
            sys::drain(inotify);
        }
    }
    conclude(status.unwrap_or_default(), copy_error, limits.cause)
}

/// What the end of a command means. A command that succeeded has, whatever came after it.
fn conclude(status: i32, copy_error: Option<String>, cause: Option<Cause>) -> Result<(), RunError> {
    let outcome = if libc::WIFSIGNALED(status) {
        Err(RunError::Exit(-1))
    } else if libc::WEXITSTATUS(status) != 0 {
        Err(RunError::Exit(libc::WEXITSTATUS(status).into()))
    } else {
        copy_error.map_or(Ok(()), |text| Err(RunError::Failed(text)))
    };
    match (outcome, cause) {
        (Err(_), Some(cause)) => Err(cause.into()),
        (outcome, _) => outcome,
    }
}

fn start(
    path: &str,
    name: &str,
    args: &[String],
    output: Option<&OwnedFd>,
    error: Option<&OwnedFd>,
) -> io::Result<i32> {
    let c_string = |text: &str| CString::new(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
    let args = std::iter::once(name).chain(args.iter().map(String::as_str)).map(c_string);
    let args = args.collect::<io::Result<Vec<_>>>()?;
    let program = c_string(path)?;
    let null = File::open("/dev/null")?;
    let (own_output, own_error) = (io::stdout(), io::stderr());
    let start = Start {
        program: &program,
        args: &args,
        descriptors: [
            null.as_fd(),
            output.map_or(own_output.as_fd(), |end| end.as_fd()),
            error.map_or(own_error.as_fd(), |end| end.as_fd()),
        ],
    };
    let variable = |name: &str| std::env::var_os(name).unwrap_or_default();
    if variable(volumes::ENV_RESOURCE_NAME).is_empty() && variable(volumes::ENV_HERMETIC) == "1" {
        start.spawn_isolated()
    } else {
        start.spawn()
    }
}

/// The path of a program: as it is when it has a slash, else what `PATH` has.
fn look_up(name: &str) -> Result<String, String> {
    let quoted = go_quote(name);
    match name {
        "" => return Err("exec: no command".to_owned()),
        "/" => return Err(format!("exec: {quoted}: is a directory")),
        name if name.contains('/') => return Ok(name.to_owned()),
        _ => {}
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = path.to_string_lossy();
    let directories = path.split(':').filter(|_| !path.is_empty());
    for directory in directories {
        let relative = !directory.starts_with('/');
        let found = fs::join(&[if directory.is_empty() { "." } else { directory }, name]);
        let runnable = std::fs::metadata(&found).is_ok_and(|file| !file.is_dir())
            && CString::new(found.as_str()).is_ok_and(|path| sys::executable(&path));
        if runnable && relative {
            return Err(format!("exec: {quoted}: cannot run executable found relative to current directory"));
        }
        if runnable {
            return Ok(found);
        }
    }
    Err(format!("exec: {quoted}: executable file not found in $PATH"))
}
