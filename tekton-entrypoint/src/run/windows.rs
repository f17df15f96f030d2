//! Runs a command as upstream does on Windows: no process group, no signals, no copies of its output.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use tekton_contract::var::extract::go_quote;

use super::{Cause, Copies, Limits, RunError};
use crate::{
    fs::{join, reason},
    sys,
};

/// What programs are called behind their names where `PATHEXT` does not say.
const EXTENSIONS: &str = ".com;.exe;.bat;.cmd";
const NOT_FOUND: &str = "executable file not found in %PATH%";
const RELATIVE: &str = "cannot run executable found relative to current directory";

/// Runs a command to its end. An empty command succeeds.
pub(crate) fn run(command: &[String], copies: Copies<'_>, limits: &mut Limits) -> Result<(), RunError> {
    let failed = |text: &str| Err(RunError::Failed(text.to_owned()));
    if !copies.output.is_empty() || !copies.error.is_empty() {
        return failed("step.StdoutPath and step.StderrPath not supported on Windows");
    }
    let Some((name, args)) = command.split_first() else { return Ok(()) };
    let path = match look_up(name) {
        Ok(path) => path,
        Err(text) => return failed(&format!("exec: {}: {text}", go_quote(name))),
    };
    // That the step was ended is no reason of its own here: it failed.
    let ended = |cause| match cause {
        Cause::Cancelled => "context canceled",
        Cause::TimedOut => "context deadline exceeded",
    };
    if let Some(cause) = limits.check() {
        return failed(ended(cause));
    }
    let mut process = Command::new(&path)
        .args(args)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| RunError::Failed(format!("fork/exec {path}: {}", reason(&error))))?;
    let status = loop {
        match process.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => return failed(&format!("wait: {}", reason(&error))),
        }
        let fired_before = limits.cause.is_some();
        if limits.check().is_some() && !fired_before {
            // What has ended by itself can not be killed any more, and need not be.
            let _ = process.kill();
        }
        sys::await_end(&process, limits.rest());
    };
    match (status.code().map_or(1, i32::cast_unsigned), limits.cause) {
        (0, None) => Ok(()),
        (0, Some(cause)) => failed(ended(cause)),
        (code, _) => Err(RunError::Exit(code.into())),
    }
}

/// The path of a program: below the directories of `PATH` where it is a bare name, with what `PATHEXT` has behind it.
fn look_up(name: &str) -> Result<String, &'static str> {
    let extensions = env::var("PATHEXT").ok().filter(|list| !list.is_empty());
    let extensions = extensions.as_deref().unwrap_or(EXTENSIONS).to_lowercase();
    let extensions: Vec<&str> = extensions.split(';').filter(|extension| !extension.is_empty()).collect();
    if name.contains([':', '\\', '/']) {
        return with_extension(name, &extensions).ok_or(NOT_FOUND);
    }
    let here = if env::var_os("NoDefaultCurrentDirectoryInExePath").is_none() {
        with_extension(&join(&[".", name]), &extensions)
    } else {
        None
    };
    let path = env::var("PATH").unwrap_or_default();
    let found = path
        .split(';')
        .map(|directory| directory.trim_matches('"'))
        .filter(|directory| !directory.is_empty())
        .find_map(|directory| with_extension(&join(&[directory, name]), &extensions));
    match (here, found) {
        (None, None) => Err(NOT_FOUND),
        (Some(here), Some(found)) if !is_same(&here, &found) => Err(RELATIVE),
        (_, Some(found)) if Path::new(&found).is_absolute() => Ok(found),
        (Some(_), None) | (_, Some(_)) => Err(RELATIVE),
    }
}

fn is_same(left: &str, right: &str) -> bool {
    fs::canonicalize(left).is_ok_and(|left| fs::canonicalize(right).is_ok_and(|right| left == right))
}

/// The file of this name, or of this name with one of the extensions.
fn with_extension(name: &str, extensions: &[&str]) -> Option<String> {
    let is_file = |path: &str| fs::metadata(path).is_ok_and(|found| !found.is_dir());
    let has_extension = name.rfind('.').is_some_and(|dot| name.rfind([':', '\\', '/']).is_none_or(|slash| slash < dot));
    if has_extension && is_file(name) {
        return Some(name.to_owned());
    }
    extensions.iter().map(|extension| format!("{name}{extension}")).find(|path| is_file(path))
}
