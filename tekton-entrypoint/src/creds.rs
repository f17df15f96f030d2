//! Credentials: from mounted secrets to the files that git, ssh and registry clients read.

mod docker;
mod git;
mod ssh;
mod url;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
};

use tekton_contract::{argv::Credential, json, paths, var::extract::go_quote};

use crate::{
    fs::{self, PathError},
    log, sys,
};

/// All credentials of a command line.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    docker: docker::Docker,
    git: git::Git,
    ssh: ssh::Ssh,
}

impl Credentials {
    /// Takes in one flag; those with a url read their secret now.
    pub(crate) fn add(&mut self, credential: &Credential) -> Result<(), String> {
        match credential {
            Credential::BasicDocker(value) => self.docker.add_basic(value),
            Credential::DockerConfig(secret) => {
                self.docker.configs.push(secret.clone());
                Ok(())
            }
            Credential::DockerCfg(secret) => {
                self.docker.cfgs.push(secret.clone());
                Ok(())
            }
            Credential::BasicGit(value) => self.git.add(value),
            Credential::SshGit(value) => self.ssh.add(value),
        }
    }

    /// Writes everything below the credentials directory; errors are reported and nothing more.
    pub(crate) fn write(&self) {
        let report = |outcome: Result<(), String>| {
            if let Err(error) = outcome {
                log::line(&format!("Error initializing credentials: {error}"));
            }
        };
        report(self.docker.write());
        report(self.git.write().and_then(|()| self.ssh.write()));
    }
}

/// The two parts of `secret=url`.
fn secret_and_url(value: &str) -> Result<(&str, &str), String> {
    match value.split('=').collect::<Vec<_>>()[..] {
        [secret, url] => Ok((secret, url)),
        _ => Err(format!("expect entries of the form secret=url, got: {value}")),
    }
}

/// A file of a mounted secret.
fn secret_file(secret: &str, name: &str) -> Result<Vec<u8>, PathError> {
    fs::read(&fs::join(&[&format!("{}/{secret}", paths::CREDS_SECRETS), name]))
}

/// A file of a mounted secret, as text.
fn secret_text(secret: &str, name: &str) -> Result<String, String> {
    secret_file(secret, name).map(|content| json::text(&content)).map_err(|error| error.to_string())
}

fn write_private(path: &str, content: &[u8]) -> Result<(), String> {
    fs::write(path, content, 0o600).map(drop).map_err(|error| error.to_string())
}

/// What is copied to the home directory.
const COPIED: [&str; 4] = [".docker", ".gitconfig", ".git-credentials", ".ssh"];

/// Copies credentials to where the user's programs look for them.
pub(crate) fn copy_to_home() {
    if !std::fs::metadata(paths::CREDS).is_ok_and(|found| found.is_dir()) {
        return;
    }
    let Some(home) = std::env::var_os(sys::HOME).filter(|home| !home.is_empty()) else {
        let text = go_quote(&format!("error getting the user's home directory: {} is not defined", sys::HOME_NAME));
        log::line(&format!("non-fatal error copying credentials: {text}"));
        return;
    };
    let home = home.to_string_lossy();
    for name in COPIED {
        if let Err(error) = copy(&fs::join(&[paths::CREDS, name]), &fs::join(&[&home, name])) {
            log::line(&format!(
                "warning: unsuccessful cred copy: {} from {} to {}: {error}",
                go_quote(name),
                go_quote(paths::CREDS),
                go_quote(&home)
            ));
        }
    }
}

fn copy(source: &str, target: &str) -> Result<(), String> {
    let failed = |what: &str, operation: &'static str, path: &str, error: io::Error| {
        Err(format!("{what}: {}", PathError::new(operation, path, error)))
    };
    let found = match std::fs::symlink_metadata(source) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return failed("unable to read source file info", "lstat", source, error),
    };
    let mut from = match File::open(source) {
        Ok(from) => from,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return failed("unable to open source", "open", source, error),
    };
    if found.is_dir() {
        fs::make_all(target, 0o700).map_err(|error| format!("unable to create destination directory: {error}"))?;
        let unreadable = |error| format!("unable to read subdirectories of source: {}", fs::reason(&error));
        for entry in std::fs::read_dir(source).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let name = name.to_string_lossy();
            copy(&fs::join(&[source, &name]), &fs::join(&[target, &name]))?;
        }
        return Ok(());
    }
    let to = sys::with_mode(OpenOptions::new().read(true).write(true).create(true).truncate(true), 0o600).open(target);
    let mut to = match to {
        Ok(to) => to,
        Err(error) => return failed("unable to open destination", "open", target, error),
    };
    match io::copy(&mut from, &mut to).and_then(|_| to.flush()) {
        Ok(()) => Ok(()),
        Err(error) => failed("error copying from source to destination", "read", source, error),
    }
}
