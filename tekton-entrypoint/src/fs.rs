//! Files and directories with the steps, modes and error texts of Go's `os` package.

#[cfg(any(windows, test))]
mod windows;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
};

#[cfg(unix)]
pub(crate) use tekton_contract::paths::clean;
#[cfg(windows)]
pub(crate) use windows::{clean, dir};

use crate::sys;

/// What went wrong with which path; prints as Go's `PathError`.
#[derive(Debug)]
pub(crate) struct PathError {
    /// What was tried, as the text says it.
    pub(crate) operation: &'static str,
    path: String,
    pub(crate) cause: io::Error,
}

impl PathError {
    pub(crate) fn new(operation: &'static str, path: &str, cause: io::Error) -> Self {
        Self { operation, path: path.to_owned(), cause }
    }

    pub(crate) fn not_found(&self) -> bool {
        self.cause.kind() == io::ErrorKind::NotFound
    }
}

impl std::fmt::Display for PathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.operation, self.path, reason(&self.cause))
    }
}

/// The text of an error of the system, in Go's spelling: the C library's in lower case, that of Windows as it is.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    if cfg!(windows) { text.to_owned() } else { text.to_ascii_lowercase() }
}

/// Reads a whole file.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, PathError> {
    let mut file = File::open(path).map_err(|error| PathError::new("open", path, error))?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(|error| PathError::new("read", path, error))?;
    Ok(content)
}

/// Reads the beginning of a file: all of it unless it is longer than `limit`, which a device may be without an end.
pub(crate) fn read_at_most(path: &str, limit: u64) -> Result<Vec<u8>, PathError> {
    let file = File::open(path).map_err(|error| PathError::new("open", path, error))?;
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content).map_err(|error| PathError::new("read", path, error))?;
    Ok(content)
}

/// Creates or truncates a file and writes it.
pub(crate) fn write(path: &str, content: &[u8], mode: u32) -> Result<File, PathError> {
    let mut file = sys::with_mode(OpenOptions::new().write(true).create(true).truncate(true), mode)
        .open(path)
        .map_err(|error| PathError::new("open", path, error))?;
    file.write_all(content).map_err(|error| PathError::new("write", path, error))?;
    Ok(file)
}

/// Makes a directory and what is above it.
pub(crate) fn make_all(path: &str, mode: u32) -> Result<(), PathError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(PathError::new("mkdir", path, io::ErrorKind::NotADirectory.into())),
        Err(_) => {}
    }
    let above = path.trim_end_matches(sys::SEPARATORS).rfind(sys::SEPARATORS).map_or("", |at| &path[..at]);
    if !above.is_empty() {
        make_all(above, mode)?;
    }
    match sys::directory_with_mode(&mut DirBuilder::new(), mode).create(path) {
        Ok(()) => Ok(()),
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) => Ok(()),
        Err(error) => Err(PathError::new("mkdir", path, error)),
    }
}

/// Joins the parts that are not empty, and cleans the outcome; nothing gives nothing.
pub(crate) fn join(parts: &[&str]) -> String {
    let given: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if given.is_empty() { String::new() } else { clean(&given.join("/")) }
}

/// The directory of a path; `.` when it has none.
#[cfg(unix)]
pub(crate) fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| &path[..=at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn paths_are_joined_and_cut_by_their_text() {
        assert_eq!(join(&["", "results"]), "results");
        assert_eq!(dir("/a/b"), "/a");
        assert_eq!(dir("b"), ".");
    }
}
