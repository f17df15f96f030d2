//! Waits for files: by inotify, with a poll of one second behind it.
//!
//! Network file systems and swapped links do not report every change; the poll finds those.

use std::{ffi::CString, io};

use tekton_contract::var::extract::go_quote;

use crate::{
    fs,
    sys::{self, Watcher},
};

pub(crate) use crate::sys::POLL;

/// Why a wait ended without its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WaitError {
    /// The file with `.err` behind its name appeared.
    Skip,
    /// The path can not be looked at.
    Unreadable(String),
}

impl std::fmt::Display for WaitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skip => f.write_str("error file present, bail and skip the step"),
            Self::Unreadable(text) => f.write_str(text),
        }
    }
}

/// One file that is waited for. Everything that is needed while waiting is allocated when it is made.
pub(crate) struct Awaited {
    path: String,
    file: CString,
    error_file: CString,
    /// The directories above the file, the nearest first.
    above: Vec<CString>,
    content: bool,
    inotify: Option<Watcher>,
    watches_parent: bool,
}

impl Awaited {
    /// A file to wait for; with `content` it must not be empty either.
    pub(crate) fn new(path: &str, content: bool) -> Result<Self, WaitError> {
        let c_string = |text: String| {
            CString::new(text).map_err(|_| {
                WaitError::Unreadable(format!("waiting for {}: stat {path}: invalid argument", go_quote(path)))
            })
        };
        let mut above = Vec::new();
        let mut directory = path.to_owned();
        loop {
            let parent = fs::dir(&directory);
            let last = parent == directory || parent == "." || parent == "/";
            above.push(c_string(parent.clone())?);
            if last {
                break;
            }
            directory = parent;
        }
        Ok(Self {
            path: path.to_owned(),
            file: c_string(path.to_owned())?,
            error_file: c_string(format!("{path}.err"))?,
            above,
            content,
            inotify: None,
            watches_parent: false,
        })
    }

    /// Looks once: whether the file is there.
    pub(crate) fn check(&self) -> Result<bool, WaitError> {
        match sys::size(&self.file) {
            Ok(size) if !self.content || size > 0 => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let (path, reason) = (&self.path, fs::reason(&error));
                return Err(WaitError::Unreadable(format!("waiting for {}: stat {path}: {reason}", go_quote(path))));
            }
        }
        if sys::size(&self.error_file).is_ok() { Err(WaitError::Skip) } else { Ok(false) }
    }

    /// Watches the directory of the file, where there is one.
    #[cfg(unix)]
    pub(crate) fn watch_parent(&mut self) -> Option<&Watcher> {
        let parent = self.above.first()?;
        if self.inotify.is_none() && sys::size(parent).is_ok() {
            self.inotify = sys::inotify().ok();
        }
        let inotify = self.inotify.as_ref()?;
        self.watches_parent = self.watches_parent || sys::watch(inotify, parent, self.content);
        Some(inotify)
    }

    /// Watches the directory of the file, or the nearest that there is.
    pub(crate) fn watch(&mut self) -> Option<&Watcher> {
        if self.inotify.is_none() {
            self.inotify = sys::inotify().ok();
        }
        let inotify = self.inotify.as_ref()?;
        if !self.watches_parent {
            for (distance, directory) in self.above.iter().enumerate() {
                if sys::watch(inotify, directory, self.content) {
                    self.watches_parent = distance == 0;
                    break;
                }
            }
        }
        Some(inotify)
    }

    /// Waits until the file is there.
    pub(crate) fn wait(&mut self) -> Result<(), WaitError> {
        if self.check()? {
            return Ok(());
        }
        loop {
            self.watch();
            // What changed before the watch was set is found by this look, what changes after it by the watch.
            if self.check()? {
                return Ok(());
            }
            let inotify = self.inotify.as_ref();
            sys::poll(&[inotify], Some(POLL));
            if let Some(inotify) = inotify {
                sys::drain(inotify);
            }
        }
    }
}

/// Waits for a file; an empty path is there already.
pub(crate) fn wait_for(path: &str, content: bool) -> Result<(), WaitError> {
    if path.is_empty() {
        return Ok(());
    }
    let mut awaited = Awaited::new(path, content)?;
    let outcome = awaited.wait();
    if let Some(inotify) = awaited.inotify.take() {
        // Closing it makes the kernel wait until nothing looks at it, for milliseconds; the end of the program is a
        // better time for that than the start of the command.
        std::mem::forget(inotify);
    }
    outcome
}
