//! Copies a stream of a command to our own and to a file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::{fs, sys};

/// What pipes hold where the system lets us: half of what an ordinary process may ask for. Their first 64 KiB would
/// make the copy wait for its readers and writers several times as often.
const PIPE_BYTES: i32 = 512 << 10;
const BUFFER_BYTES: usize = 256 << 10;
/// How much is moved at a time: all that a pipe holds.
const MOVE_BYTES: usize = 512 << 10;
/// Output that follows other output within this time, in pieces smaller than [`SMALL`], is let pile up for as long.
/// Each piece has its price in system calls, and a command that prints in a hurry would pay it for every few lines.
const PAUSE: Duration = Duration::from_micros(100);
const SMALL: usize = 64 << 10;

/// Which of our streams is copied.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Output,
    Error,
}

/// Opens the file of a stream: created or appended to, never truncated.
pub(crate) fn open(path: &str) -> Result<File, String> {
    fs::make_all(&fs::dir(path), 0o777).map_err(|error| format!("error creating parent directory: {error}"))?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .open(path)
        .map_err(|error| format!("error opening {path}: {}", fs::PathError::new("open", path, error)))
}

/// Copies until the stream ends, on a thread of its own. The outcome goes to `done`; `alarm` is closed after it,
/// so that a poll sees the end.
pub(crate) fn start(
    stream: Stream,
    from: OwnedFd,
    (path, file): (String, File),
    group: impl Fn() -> i32 + Send + 'static,
    done: Arc<Mutex<Vec<Option<String>>>>,
    alarm: Option<OwnedFd>,
) -> io::Result<()> {
    sys::grow_pipe(from.as_fd(), PIPE_BYTES);
    thread::Builder::new().stack_size(64 << 10).spawn(move || {
        let outcome = copy(stream, &from, (&path, file), &group);
        // A command that writes on finds nobody who reads.
        drop(from);
        done.lock().expect("nobody panics while holding the list").push(outcome);
        drop(alarm);
    })?;
    Ok(())
}

fn copy(stream: Stream, from: &OwnedFd, (path, mut file): (&str, File), group: &impl Fn() -> i32) -> Option<String> {
    let (output, error) = (io::stdout(), io::stderr());
    let (own, own_path) = match stream {
        Stream::Output => (output.as_fd(), "/dev/stdout"),
        Stream::Error => (error.as_fd(), "/dev/stderr"),
    };
    let own_error = |error: &io::Error| Some(broken(own_path, error, group));
    let read_error = |error: &io::Error| Some(format!("read |0: {}", fs::reason(error)));
    sys::grow_pipe(own, PIPE_BYTES);
    // Who reads a pipe keeps its writers out until all is copied. What the command wrote is therefore moved, which
    // copies nothing, to a pipe that is ours alone, and read there.
    let (mut moved, inlet) = match sys::pipe() {
        Ok((outlet, inlet)) => (File::from(outlet), inlet),
        Err(error) => return Some(format!("pipe: {}", fs::reason(&error))),
    };
    sys::grow_pipe(inlet.as_fd(), PIPE_BYTES);
    let mut buffer = vec![0; BUFFER_BYTES];
    // From pipe to pipe the kernel copies without us.
    let mut own_is_pipe = true;
    let mut ended_at: Option<Instant> = None;
    loop {
        let piece = match persist(own, || sys::splice(from.as_fd(), inlet.as_fd(), MOVE_BYTES)) {
            Ok(0) => return None,
            Ok(bytes) => bytes,
            Err(error) => return read_error(&error),
        };
        let mut left = piece;
        // How much of what is left has reached our own stream already.
        let mut ahead = 0;
        while left > 0 {
            if own_is_pipe && ahead == 0 {
                match persist(own, || sys::tee(moved.as_fd(), own, left)) {
                    Ok(copied) => ahead = copied,
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return own_error(&error),
                    Err(_) => own_is_pipe = false,
                }
            }
            let limit = buffer.len().min(if ahead > 0 { ahead } else { left });
            let read = match persist(own, || moved.read(&mut buffer[..limit])) {
                Ok(read) => read,
                Err(error) => return read_error(&error),
            };
            if ahead == 0
                && let Err(error) = write_all(own, &buffer[..read])
            {
                return own_error(&error);
            }
            if let Err(error) = file.write_all(&buffer[..read]) {
                return Some(broken(path, &error, group));
            }
            ahead = ahead.saturating_sub(read);
            left -= read;
        }
        if piece < SMALL && ended_at.is_some_and(|before| before.elapsed() < PAUSE) {
            thread::sleep(PAUSE);
        }
        ended_at = Some(Instant::now());
    }
}

/// Calls again what a signal interrupted, or what our own stream has no room for now.
fn persist(own: BorrowedFd<'_>, mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sys::await_writable(own),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[persist(to, || sys::write(to, bytes))?..];
    }
    Ok(())
}

/// What was read can not be written. Upstream forwards every signal, and so that of its own write.
fn broken(path: &str, error: &io::Error, group: &impl Fn() -> i32) -> String {
    let signal = match error.kind() {
        io::ErrorKind::BrokenPipe => Some(libc::SIGPIPE),
        io::ErrorKind::FileTooLarge => Some(libc::SIGXFSZ),
        _ => None,
    };
    if let Some(signal) = signal {
        sys::kill(-group(), signal);
    }
    format!("write {path}: {}", fs::reason(error))
}
