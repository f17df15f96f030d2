//! The logs of containers: a file for each start of a container, lines with their time and stream.

use crate::api::Attachment;
use crate::runtime::Output;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncReadExt;
use tokio::sync::{broadcast, watch};

/// Lines longer than this are written in parts.
const MAX_LINE: usize = 16 * 1024;

/// How many chunks of output wait for a client that is attached; one that is slower misses the oldest.
const ATTACHED: usize = 1024;

/// How far a log has been written.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    bytes: u64,
    ended: bool,
}

/// The logs of all pods of a node.
pub struct Logs {
    root: PathBuf,
    live: Mutex<BTreeMap<PathBuf, watch::Receiver<Progress>>>,
    /// The containers that run, by the uid of the pod and their name.
    running: Mutex<BTreeMap<(String, String), Attachment>>,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs").field("root", &self.root).finish_non_exhaustive()
    }
}

/// What part of a log to read.
#[derive(Debug, Clone, Default)]
pub struct LogRange {
    /// Goes on until the container ends.
    pub follow: bool,
    /// The start of the container before the present one.
    pub previous: bool,
    /// Puts its time before each line.
    pub timestamps: bool,
    /// Leaves out lines before this time.
    pub since: Option<jiff::Timestamp>,
    /// Only so many lines from the end.
    pub tail_lines: Option<u64>,
    /// Ends after so many bytes.
    pub limit_bytes: Option<u64>,
}

impl Logs {
    /// The logs below a directory: that of a node is `pods` in its data directory. Without a running node, logs can be
    /// read and do not grow.
    pub fn new(root: PathBuf) -> Self {
        Self { root, live: Mutex::default(), running: Mutex::default() }
    }

    /// A container runs: commands may be run in it, and clients may attach to it.
    pub(super) fn runs(&self, uid: &str, container: &str, attachment: Attachment) {
        let key = (uid.to_owned(), container.to_owned());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(key, attachment);
    }

    /// A container runs no longer.
    pub(super) fn rests(&self, uid: &str, container: &str) {
        let key = (uid.to_owned(), container.to_owned());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    /// A container that runs.
    pub(super) fn running(&self, uid: &str, container: &str) -> Option<Attachment> {
        let key = (uid.to_owned(), container.to_owned());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn file(&self, uid: &str, container: &str, attempt: i32) -> PathBuf {
        self.root.join(uid).join("logs").join(container).join(format!("{attempt}.log"))
    }

    /// Starts the log of one start of a container.
    pub(super) fn start(self: &Arc<Self>, uid: &str, container: &str, attempt: i32) -> io::Result<LogFile> {
        let path = self.file(uid, container, attempt);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let file = File::options().append(true).create(true).open(&path)?;
        let (progress, receiver) = watch::channel(Progress { bytes: file.metadata()?.len(), ended: false });
        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), receiver);
        let output = broadcast::Sender::new(ATTACHED);
        Ok(LogFile { file: Arc::new(Mutex::new((file, progress))), output, path, logs: self.clone() })
    }

    /// The log of a container of the pod with this UID, as chunks of whole lines. Errors: no such log.
    pub fn read(&self, uid: &str, container: &str, range: LogRange) -> io::Result<BoxStream<'static, Vec<u8>>> {
        let dir = self.root.join(uid).join("logs").join(container);
        let mut attempts: Vec<i32> = std::fs::read_dir(&dir)?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".log")?.parse().ok())
            .collect();
        attempts.sort_unstable();
        let wanted = if range.previous { attempts.iter().rev().nth(1) } else { attempts.last() };
        let attempt = *wanted.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let path = self.file(uid, container, attempt);
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        let mut file = File::open(&path)?;
        if let Some(lines) = range.tail_lines {
            seek_tail(&mut file, lines, range.since)?;
        }
        let reader =
            Reader { file, rest: Vec::new(), left: range.limit_bytes, live: live.filter(|_| range.follow), range };
        Ok(stream::unfold(reader, |mut reader| async move { reader.next().await.map(|chunk| (chunk, reader)) }).boxed())
    }

    /// The end of a log as a termination message: at most 80 lines and 2048 bytes.
    pub(super) fn tail(&self, uid: &str, container: &str, attempt: i32) -> String {
        let Ok(content) = std::fs::read(self.file(uid, container, attempt)) else { return String::new() };
        let text: Vec<u8> =
            content.split_inclusive(|b| *b == b'\n').filter_map(Line::parse).fold(Vec::new(), |mut all, line| {
                line.print(false, &mut all);
                all
            });
        let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
        let last = lines[lines.len().saturating_sub(80)..].concat();
        String::from_utf8_lossy(&last[last.len().saturating_sub(2048)..]).into_owned()
    }
}

/// A log that is being written.
#[derive(Debug, Clone)]
pub(super) struct LogFile {
    file: Arc<Mutex<(File, watch::Sender<Progress>)>>,
    /// To those who are attached.
    output: broadcast::Sender<(&'static str, Bytes)>,
    path: PathBuf,
    logs: Arc<Logs>,
}

impl LogFile {
    /// Where clients that attach to the container hear what it writes.
    pub(super) fn output(&self) -> broadcast::Sender<(&'static str, Bytes)> {
        self.output.clone()
    }

    /// Copies a stream to the log until it ends.
    pub(super) async fn copy(self, stream: &'static str, mut from: Output) {
        let mut line: Vec<u8> = Vec::new();
        let mut chunk = vec![0; 8192];
        loop {
            let read = from.read(&mut chunk).await.unwrap_or(0);
            if read > 0 && self.output.receiver_count() > 0 {
                // Nobody may be attached any more.
                let _ = self.output.send((stream, Bytes::copy_from_slice(&chunk[..read])));
            }
            let mut out = Vec::with_capacity(read + 64);
            for byte in &chunk[..read] {
                if *byte == b'\n' {
                    entry(&mut out, stream, 'F', &line);
                    line.clear();
                } else {
                    line.push(*byte);
                    if line.len() >= MAX_LINE {
                        entry(&mut out, stream, 'P', &line);
                        line.clear();
                    }
                }
            }
            if read == 0 && !line.is_empty() {
                entry(&mut out, stream, 'P', &line);
            }
            if !out.is_empty() {
                self.append(&out);
            }
            if read == 0 {
                return;
            }
        }
    }

    fn append(&self, bytes: &[u8]) {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, progress) = &mut *guard;
        // A full disk loses log lines, not the run.
        if file.write_all(bytes).is_ok() {
            progress.send_modify(|p| p.bytes += bytes.len() as u64);
        }
    }

    /// Tells followers that nothing more comes.
    pub(super) fn end(&self) {
        self.logs.live.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
        self.file.lock().unwrap_or_else(PoisonError::into_inner).1.send_modify(|p| p.ended = true);
    }
}

fn entry(out: &mut Vec<u8>, stream: &str, tag: char, line: &[u8]) {
    let now = jiff::Timestamp::now();
    drop(write!(out, "{now:.9} {stream} {tag} "));
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// One entry of a log file.
struct Line<'a> {
    time: &'a str,
    whole: bool,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\n")?;
        let mut parts = line.splitn(4, |b| *b == b' ');
        let time = std::str::from_utf8(parts.next()?).ok()?;
        let _stream = parts.next()?;
        let whole = parts.next()? == b"F";
        Some(Self { time, whole, text: parts.next()? })
    }

    fn before(&self, since: jiff::Timestamp) -> bool {
        self.time.parse::<jiff::Timestamp>().is_ok_and(|time| time < since)
    }

    fn print(&self, timestamps: bool, out: &mut Vec<u8>) {
        if timestamps {
            out.extend_from_slice(self.time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(self.text);
        if self.whole {
            out.push(b'\n');
        }
    }
}

/// Places a file at the start of its last lines.
fn seek_tail(file: &mut File, lines: u64, since: Option<jiff::Timestamp>) -> io::Result<()> {
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    let entries: Vec<&[u8]> = content.split_inclusive(|b| *b == b'\n').collect();
    let mut from = entries.len();
    let mut left = lines;
    while from > 0 && left > 0 {
        let Some(line) = Line::parse(entries[from - 1]) else { break };
        if since.is_some_and(|since| line.before(since)) {
            break;
        }
        from -= 1;
        left -= 1;
    }
    let skipped: usize = entries[..from].iter().map(|e| e.len()).sum();
    file.seek(SeekFrom::Start(skipped as u64)).map(drop)
}

struct Reader {
    file: File,
    rest: Vec<u8>,
    left: Option<u64>,
    live: Option<watch::Receiver<Progress>>,
    range: LogRange,
}

impl Reader {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            let ended =
                self.live.as_mut().is_none_or(|live| live.borrow_and_update().ended || live.has_changed().is_err());
            let mut chunk = vec![0; 64 * 1024];
            let read = self.file.read(&mut chunk).ok()?;
            if read == 0 {
                if ended {
                    return None;
                }
                if let Some(live) = &mut self.live
                    && live.changed().await.is_err()
                {
                    self.live = None;
                }
                continue;
            }
            self.rest.extend_from_slice(&chunk[..read]);
            let out = self.take_lines();
            if !out.is_empty() {
                return Some(out);
            }
        }
    }

    fn take_lines(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let end = self.rest.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        for line in self.rest[..end].split_inclusive(|b| *b == b'\n').filter_map(Line::parse) {
            if self.range.since.is_none_or(|since| !line.before(since)) {
                line.print(self.range.timestamps, &mut out);
            }
        }
        self.rest.drain(..end);
        if let Some(left) = &mut self.left {
            out.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= out.len() as u64;
        }
        out
    }
}

/// Reads a termination message: at most the last 4096 bytes of its file.
pub(super) fn termination_message(path: &Path) -> String {
    const LIMIT: u64 = 4096;
    let Ok(mut file) = File::open(path) else { return String::new() };
    let size = file.metadata().map_or(0, |m| m.len());
    let mut content = Vec::new();
    if size > LIMIT && file.seek(SeekFrom::Start(size - LIMIT)).is_err() {
        return String::new();
    }
    match file.take(LIMIT).read_to_end(&mut content) {
        Ok(_) => String::from_utf8_lossy(&content).into_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(logs: &Logs, range: LogRange) -> String {
        let chunks: Vec<Vec<u8>> = logs.read("uid", "c", range).expect("a log").collect().await;
        String::from_utf8(chunks.concat()).expect("text")
    }

    #[tokio::test]
    async fn a_log_is_read_whole_in_part_and_while_it_grows() {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = Arc::new(Logs::new(dir.path().into()));
        let file = logs.start("uid", "c", 0).expect("a log");
        file.clone().copy("stdout", Box::pin(&b"one\ntwo\nthree"[..])).await;
        assert_eq!(read(&logs, LogRange::default()).await, "one\ntwo\nthree");
        assert_eq!(read(&logs, LogRange { tail_lines: Some(2), ..LogRange::default() }).await, "two\nthree");
        assert_eq!(read(&logs, LogRange { limit_bytes: Some(5), ..LogRange::default() }).await, "one\nt");
        let (follower, ()) = tokio::join!(read(&logs, LogRange { follow: true, ..LogRange::default() }), async {
            tokio::task::yield_now().await;
            file.clone().copy("stderr", Box::pin(&b"!\nmore\n"[..])).await;
            file.end();
        });
        assert_eq!(follower, "one\ntwo\nthree!\nmore\n");
        assert!(read(&logs, LogRange { timestamps: true, ..LogRange::default() }).await.contains("Z two\n"));
        assert_eq!(logs.tail("uid", "c", 0), "one\ntwo\nthree!\nmore\n");
    }
}
