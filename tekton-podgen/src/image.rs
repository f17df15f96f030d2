//! Image references and image configurations: what is looked up for a step without a command, and how the answer is used.

use std::collections::BTreeMap;
use thiserror::Error;

const DEFAULT_REGISTRY: &str = "index.docker.io";
const DOCKER_ALIAS: &str = "docker.io";

/// The repository part of an image reference, fully qualified (`index.docker.io/library/ubuntu`), and its tag or digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Registry and repository.
    pub repository: String,
    /// `:tag` or `@sha256:…`.
    pub identifier: String,
}

/// A text that is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("could not parse reference: {0}")]
pub struct ReferenceError(pub String);

impl Reference {
    /// Reads a reference; a missing registry is Docker Hub and a missing tag is `latest`.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let fail = || ReferenceError(text.to_owned());
        if let Some((base, digest)) = text.split_once('@') {
            let valid = digest
                .strip_prefix("sha256:")
                .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
            if !valid {
                return Err(fail());
            }
            let (repository, _) = split_tag(base).ok_or_else(fail)?;
            return Ok(Self { repository: qualify(repository).ok_or_else(fail)?, identifier: format!("@{digest}") });
        }
        let (repository, tag) = split_tag(text).ok_or_else(fail)?;
        Ok(Self {
            repository: qualify(repository).ok_or_else(fail)?,
            identifier: format!(":{}", tag.unwrap_or("latest")),
        })
    }

    /// The fully qualified reference.
    pub fn name(&self) -> String {
        format!("{}{}", self.repository, self.identifier)
    }

    /// The same repository by digest.
    pub fn with_digest(&self, digest: &str) -> String {
        format!("{}@{digest}", self.repository)
    }
}

fn split_tag(text: &str) -> Option<(&str, Option<&str>)> {
    match text.rsplit_once(':') {
        Some((base, tag)) if !tag.contains('/') => {
            let valid = !tag.is_empty()
                && tag.len() <= 128
                && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
            if tag.is_empty() { Some((base, None)) } else { valid.then_some((base, Some(tag))) }
        }
        _ => Some((text, None)),
    }
}

fn qualify(text: &str) -> Option<String> {
    let (registry, repository) = match text.split_once('/') {
        Some((first, rest)) if first.contains('.') || first.contains(':') || first == "localhost" => (first, rest),
        _ => ("", text),
    };
    let valid = (2..=255).contains(&repository.len())
        && repository
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'/'));
    if !valid || registry.bytes().any(|b| b.is_ascii_whitespace() || matches!(b, b'%' | b'?' | b'#' | b'@')) {
        return None;
    }
    let registry = match registry {
        "" | DOCKER_ALIAS => DEFAULT_REGISTRY,
        other => other,
    };
    if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        return Some(format!("{registry}/library/{repository}"));
    }
    Some(format!("{registry}/{repository}"))
}

/// What an image registry says about an image: its digest, and the command of each platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageMetadata {
    /// Digest of the image, or of the index when it has several platforms.
    pub digest: String,
    /// Command by platform (`linux/amd64`); `None` for a platform whose image sets none.
    pub commands: BTreeMap<String, Option<Vec<String>>>,
}

impl ImageMetadata {
    /// The commands as the entrypoint reads them from its environment: JSON with sorted keys, in Go's escaping.
    pub fn commands_json(&self) -> String {
        crate::json::go_string(&self.commands)
    }
}

/// The part of an image's configuration that decides its command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub architecture: String,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub cmd: Vec<String>,
}

/// The command of an image: its entrypoint, followed by its `CMD` when the step has no arguments of its own.
/// Without an entrypoint `CMD` stands in for it. `None` when the image sets neither.
pub fn command(config: &ImageConfig, has_args: bool) -> Option<Vec<String>> {
    let mut command = config.entrypoint.clone();
    if command.is_empty() || !has_args {
        command.extend(config.cmd.iter().cloned());
    }
    (!command.is_empty()).then_some(command)
}

/// The platform key of an image by its own configuration; the CPU variant is left out on purpose.
pub fn platform(config: &ImageConfig) -> String {
    if config.os.is_empty() {
        return "unknown".to_owned();
    }
    if config.architecture.is_empty() {
        return config.os.clone();
    }
    format!("{}/{}", config.os, config.architecture)
}

/// One image of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Platform of the entry, with its variant if it has one.
    pub platform: String,
    /// Digest of the image.
    pub digest: String,
    /// Configuration of the image.
    pub config: ImageConfig,
}

/// Two different images for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("duplicate unique image found for platform: {platform}: found {first} and {second}")]
pub struct DuplicatePlatform {
    platform: String,
    first: String,
    second: String,
}

/// The commands of an index, by platform. Entries for `unknown/unknown` (attestations) are skipped.
pub fn command_map(
    manifests: &[Manifest],
    has_args: bool,
) -> Result<BTreeMap<String, Option<Vec<String>>>, DuplicatePlatform> {
    let mut digests: BTreeMap<&str, &str> = BTreeMap::new();
    let mut commands = BTreeMap::new();
    for manifest in manifests {
        if manifest.platform == "unknown/unknown" {
            continue;
        }
        if let Some(first) = digests.insert(&manifest.platform, &manifest.digest)
            && first != manifest.digest
        {
            return Err(DuplicatePlatform {
                platform: manifest.platform.clone(),
                first: first.to_owned(),
                second: manifest.digest.clone(),
            });
        }
        commands.insert(manifest.platform.clone(), command(&manifest.config, has_args));
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_references_are_qualified_as_docker_does() {
        for (text, name) in [
            ("ubuntu", "index.docker.io/library/ubuntu:latest"),
            ("docker.io/ubuntu:22.04", "index.docker.io/library/ubuntu:22.04"),
            ("me/app", "index.docker.io/me/app:latest"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("gcr.io/a/b:c", "gcr.io/a/b:c"),
        ] {
            assert_eq!(Reference::parse(text).map(|r| r.name()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn a_bad_reference_is_named_in_the_error() {
        let error = Reference::parse("Img:$(params.x)").expect_err("not a reference");
        assert_eq!(error.to_string(), "could not parse reference: Img:$(params.x)");
    }
}
