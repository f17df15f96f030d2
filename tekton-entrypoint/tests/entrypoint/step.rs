//! A step in a directory of its own.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tekton-entrypoint");

/// How long anything that has to happen may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(1);

/// The directory of one step, with what its Pod would mount.
pub(crate) struct Step(TempDir);

impl Step {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a scratch directory can be made"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The arguments with which a controller starts a step; flags of the test go between them and the command.
    fn arguments(&self, flags: &[&str], script: &str) -> Vec<String> {
        let mut arguments = Vec::new();
        for (flag, file) in
            [("-post_file", "out"), ("-termination_path", "termination"), ("-step_metadata_dir", "status")]
        {
            arguments.extend([flag.to_owned(), self.path(file).display().to_string()]);
        }
        arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
        arguments.extend(["-entrypoint", "/bin/sh", "--", "-c", script].map(str::to_owned));
        arguments
    }

    /// The command that runs a shell script as a step.
    pub(crate) fn command(&self, flags: &[&str], script: &str) -> Command {
        self.with_environment(BINARY, &self.arguments(flags, script))
    }

    /// The same in a user namespace of its own, after a shell script that prepares it. `None` where this machine
    /// gives none.
    pub(crate) fn command_in_namespace(&self, prepare: &str, flags: &[&str], script: &str) -> Option<Command> {
        let unshare = ["--user", "--map-root-user", "--mount", "sh", "-c"];
        let check = self.with_environment("unshare", &[&unshare[..], &[prepare]].concat()).output();
        if !check.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no user namespace in which {prepare:?} works");
            return None;
        }
        let run = format!("{prepare}\nexec \"$0\" \"$@\"");
        let mut command = self.with_environment("unshare", &[&unshare[..], &[&run, BINARY]].concat());
        command.args(self.arguments(flags, script));
        Some(command)
    }

    pub(crate) fn with_environment(&self, program: &str, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", self.0.path()).env("TZ", "UTC");
        command.current_dir(self.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.args(args);
        command
    }

    /// Waits until the step waits: it has made its directories, and sleeps.
    pub(crate) fn settle(&self, child: &Child) {
        await_that("the step is asleep", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
            self.path("status/artifacts").exists() && stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        });
    }
}

pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not in time");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn create(path: &Path) {
    fs::write(path, "").unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().expect("kill can be run");
    assert!(sent.success(), "{name} could not be sent");
}
