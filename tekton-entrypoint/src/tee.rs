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
        let outcome = copy(stream, from, (&path, file), &group);
        done.lock().expect("nobody panics while holding the list").push(outcome);
        drop(alarm);
    })?;
    Ok(())
}

fn copy(stream: Stream, from: OwnedFd, (path, mut file): (&str, File), group: &impl Fn() -> i32) -> Option<String> {
    let (output, error) = (io::stdout(), io::stderr());
    let (own, own_path) = match stream {
        Stream::Output => (output.as_fd(), "/dev/stdout"),
        Stream::Error => (error.as_fd(), "/dev/stderr"),
    };
    sys::grow_pipe(own, PIPE_BYTES);
    let mut buffer = vec![0; BUFFER_BYTES];
    // From pipe to pipe the kernel copies without us.
    let mut between_pipes = true;
    let mut reader = File::from(from);
    let mut ended_at: Option<Instant> = None;
    loop {
        let mut ahead = 0;
        if between_pipes {
            match tee_ahead(&reader, own) {
                Ok(0) => return None,
                Ok(copied) => ahead = copied,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Some(broken(own_path, &error, group));
                }
                Err(_) => between_pipes = false,
            }
        }
        let mut piece = 0;
        loop {
            let limit = if ahead > 0 { ahead.min(buffer.len()) } else { buffer.len() };
            let read = match reader.read(&mut buffer[..limit]) {
                Ok(0) => return None,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Some(format!("read |0: {}", fs::reason(&error))),
            };
            if ahead == 0
                && let Err(error) = write_all(own, &buffer[..read])
            {
                return Some(broken(own_path, &error, group));
            }
            if let Err(error) = file.write_all(&buffer[..read]) {
                return Some(format!("write {path}: {}", fs::reason(&error)));
            }
            piece += read;
            ahead = ahead.saturating_sub(read);
            if ahead == 0 {
                break;
            }
        }
        if piece < SMALL && ended_at.is_some_and(|before| before.elapsed() < PAUSE) {
            thread::sleep(PAUSE);
        }
        ended_at = Some(Instant::now());
    }
}

/// Copies what the pipe holds to our own pipe; how much that was.
fn tee_ahead(from: &File, own: BorrowedFd<'_>) -> io::Result<usize> {
    loop {
        match sys::tee(from.as_fd(), own, BUFFER_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sys::await_writable(own),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sys::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sys::await_writable(to),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Nobody reads our stream any more. Upstream forwards every signal, and so the SIGPIPE of its own write.
fn broken(path: &str, error: &io::Error, group: &impl Fn() -> i32) -> String {
    if error.kind() == io::ErrorKind::BrokenPipe {
        sys::kill(-group(), libc::SIGPIPE);
    }
    format!("write {path}: {}", fs::reason(error))
}
