//! Git credentials with ssh keys: `.ssh` and, for single repositories, `.gitconfig`.

use std::{fmt::Write as _, io::Write as _};

use tekton_contract::paths;

use crate::{
    fs::{self, PathError},
    sys,
};

const DEFAULT_PORT: &str = "22";

#[derive(Debug)]
struct Key {
    secret: String,
    private: Vec<u8>,
    known_hosts: Vec<u8>,
}

/// Keys by url, in the order in which urls came.
#[derive(Debug, Default)]
pub(super) struct Ssh(Vec<(String, Vec<Key>)>);

impl Ssh {
    pub(super) fn add(&mut self, value: &str) -> Result<(), String> {
        let (secret, url) = super::secret_and_url(value)?;
        let private = super::secret_file(secret, "ssh-privatekey").map_err(|error| error.to_string())?;
        let known_hosts = super::secret_file(secret, "known_hosts").unwrap_or_default();
        let key = Key { secret: secret.to_owned(), private, known_hosts };
        match self.0.iter_mut().find(|(known, _)| known == url) {
            Some((_, keys)) => keys.push(key),
            None => self.0.push((url.to_owned(), vec![key])),
        }
        Ok(())
    }

    pub(super) fn write(&self) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let directory = format!("{}/.ssh", paths::CREDS);
        fs::make_all(&directory, 0o777).map_err(|error| error.to_string())?;
        let addresses: Vec<_> = self.0.iter().map(|(url, keys)| (Address::parse(url), keys)).collect();
        // Keys for a whole host come first.
        let (hosts, repositories): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|(address, _)| address.path.is_none());

        let mut config = String::new();
        let mut known_hosts: Vec<&[u8]> = Vec::new();
        let mut rewrites = String::new();
        for (address, keys) in hosts.into_iter().chain(repositories) {
            let Address { host, port, path } = address;
            let alias = if let Some(path) = path {
                let alias = format!("{host}--{}", path.replace('/', "--"));
                let port = if port == DEFAULT_PORT { String::new() } else { format!(":{port}") };
                write!(
                    rewrites,
                    "[url \"git@{alias}:{path}.git\"]\n\tinsteadOf = git@{host}:{path}.git\n\
                     [url \"ssh://{alias}/{path}.git\"]\n\tinsteadOf = ssh://{host}{port}/{path}.git\n"
                )
                .expect("writing to a String can not fail");
                alias
            } else {
                host.to_owned()
            };
            write!(config, "Host {alias}\n    HostName {host}\n    Port {port}\n")
                .expect("writing to a String can not fail");
            for key in keys {
                let file = fs::join(&[&directory, &format!("id_{}", key.secret)]);
                super::write_private(&file, &key.private)?;
                writeln!(config, "    IdentityFile {file}").expect("writing to a String can not fail");
                if !key.known_hosts.is_empty() {
                    known_hosts.push(&key.known_hosts);
                }
            }
        }
        super::write_private(&format!("{directory}/config"), config.as_bytes())?;
        if !known_hosts.is_empty() {
            super::write_private(&format!("{directory}/known_hosts"), &known_hosts.join(&b'\n'))?;
        }
        if !rewrites.is_empty() {
            let path = format!("{}/.gitconfig", paths::CREDS);
            sys::with_mode(std::fs::OpenOptions::new().append(true).create(true), 0o600)
                .open(&path)
                .and_then(|mut file| file.write_all(rewrites.as_bytes()))
                .map_err(|error| PathError::new("open", &path, error).to_string())?;
        }
        Ok(())
    }
}

/// The parts of `host[:port][/path]`; the path without its first slash, which makes it one even with nothing behind.
struct Address<'a> {
    host: &'a str,
    port: &'a str,
    path: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn parse(url: &'a str) -> Self {
        let (address, path) = url.split_once('/').map_or((url, None), |(address, path)| (address, Some(path)));
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if host.starts_with('[') && host.ends_with(']') => (&host[1..host.len() - 1], port),
            Some((host, port)) if !host.contains([':', '[', ']']) => (host, port),
            _ => (address, DEFAULT_PORT),
        };
        Self { host, port, path }
    }
}
