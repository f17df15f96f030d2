//! What images run, from a table of well-known ones and a file of the user's.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::Deserialize;
use tekton_controller::{ImageConfigs, ImageQuery};
use tekton_podgen::image::{ImageConfig, ImageMetadata, Reference, command, platform};

use super::table::TABLE;

/// The family of an image's basic programs: it decides which shell `sh` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Userland {
    /// Those of the machine.
    #[default]
    Gnu,
    /// One program for all, with a shell that is `ash` and knows `[[` and `==`, as in images made from Alpine.
    Busybox,
}

/// What an image runs when a container says nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Known {
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    #[serde(default)]
    userland: Option<Userland>,
}

/// Why a file of images can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageFileError {
    /// The text is not a map from images to `entrypoint`, `cmd` and `userland`.
    #[error("expected a map from images to `entrypoint`, `cmd` and `userland`: {0}")]
    Shape(String),
    /// A key is no image reference.
    #[error("{0:?} is not an image")]
    Reference(String),
}

/// Images by their names: what each runs, and of which userland it is.
///
/// The well-known ones are built in. A name of the user's goes before them: with tag or digest for that image alone, else
/// for all of the repository; without a registry for that repository in any registry.
#[derive(Debug, Clone, Default)]
pub struct KnownImages {
    given: BTreeMap<String, Known>,
}

impl KnownImages {
    /// The well-known images and those of a YAML text such as `{tools/build: {entrypoint: [build], cmd: [--help]}}`.
    ///
    /// Errors: the text has another shape, or a key is no image.
    pub fn parse(text: &str) -> Result<Self, ImageFileError> {
        let documents = tekton_types::yaml::parse(text).map_err(|error| ImageFileError::Shape(error.message))?;
        let mut given = BTreeMap::new();
        for document in documents.iter().map(tekton_types::yaml::Document::to_json).filter(|json| !json.is_null()) {
            let map: BTreeMap<String, Known> =
                serde_json::from_value(document).map_err(|error| ImageFileError::Shape(error.to_string()))?;
            given.extend(map);
        }
        match given.keys().find(|name| Reference::parse(name).is_err()) {
            Some(name) => Err(ImageFileError::Reference(name.clone())),
            None => Ok(Self { given }),
        }
    }

    /// Takes in what another has of the user's; it goes before what is here.
    pub fn extend(&mut self, other: Self) {
        self.given.extend(other.given);
    }

    fn get(&self, image: &str) -> Option<Known> {
        let reference = Reference::parse(image).ok()?;
        let bare = bare(&reference);
        let tagged = format!("{}{}", bare, reference.identifier);
        let names = [image, &reference.name(), &reference.repository, &tagged, bare];
        let given = names.iter().find_map(|name| self.given.get(*name).cloned());
        given.or_else(|| {
            let row = TABLE.iter().find(|row| row.0 == bare)?;
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            Some(Known { entrypoint: owned(row.1), cmd: owned(row.2), userland: Some(row.3) })
        })
    }

    /// The userland of an image: as said, else by its name and tag.
    pub fn userland(&self, image: &str) -> Userland {
        let tag = image.rsplit_once('@').map_or(image, |(name, _)| name);
        let alpine = tag.rsplit(['/', ':']).take(2).any(|part| part.contains("alpine"));
        let known = self.get(image).and_then(|known| known.userland);
        if alpine { Userland::Busybox } else { known.unwrap_or_default() }
    }
}

/// The repository without its registry and without Docker Hub's `library/`.
fn bare(reference: &Reference) -> &str {
    let path = reference.repository.split_once('/').map_or(reference.repository.as_str(), |(_, path)| path);
    path.strip_prefix("library/").unwrap_or(path)
}

impl ImageConfigs for KnownImages {
    fn find<'a>(&'a self, query: ImageQuery<'a>) -> BoxFuture<'a, Result<ImageMetadata, String>> {
        Box::pin(std::future::ready(self.metadata(query.image, query.has_args)))
    }
}

impl KnownImages {
    fn known(&self, image: &str) -> Result<Known, String> {
        self.get(image).ok_or_else(|| {
            format!(
                "the entrypoint of image {image} is not known: the host runtime does not read images; give the step or \
                 sidecar a `command` (or a `script`), or say what the image runs in a file of --image-config"
            )
        })
    }

    /// What a container of the image runs that names no command: its `ENTRYPOINT`, and its `CMD` unless the container has
    /// arguments, which take the place of that.
    ///
    /// Errors: nothing is known of the image, with what to do about it.
    pub(crate) fn runs(&self, image: &str, has_args: bool) -> Result<Vec<String>, String> {
        let known = self.known(image)?;
        let cmd = if has_args { Vec::new() } else { known.cmd };
        Ok(known.entrypoint.into_iter().chain(cmd).collect())
    }

    /// What a step of the image runs that names no command. Unlike for other containers, its arguments follow the `CMD` of
    /// an image without `ENTRYPOINT`.
    ///
    /// Errors: nothing is known of the image, with what to do about it.
    pub fn metadata(&self, image: &str, has_args: bool) -> Result<ImageMetadata, String> {
        let known = self.known(image)?;
        let config = ImageConfig {
            os: "linux".to_owned(),
            architecture: architecture().to_owned(),
            entrypoint: known.entrypoint,
            cmd: known.cmd,
        };
        let digest = Reference::parse(image).ok().and_then(|r| r.identifier.strip_prefix('@').map(str::to_owned));
        Ok(ImageMetadata {
            digest: digest.unwrap_or_default(),
            commands: BTreeMap::from([(platform(&config), command(&config, has_args))]),
        })
    }
}

/// The machine's architecture as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(images: &KnownImages, image: &str, has_args: bool, expected: Option<&[&str]>) {
        let found = images.metadata(image, has_args).ok().and_then(|m| m.commands.into_values().next()).flatten();
        let expected = expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(found, expected, "{image}");
    }

    #[test]
    fn an_image_is_known_in_any_registry_and_at_any_tag() {
        let images = KnownImages::default();
        for name in ["busybox", "busybox:1.36", "docker.io/library/busybox", "mirror.example/busybox"] {
            check(&images, name, false, Some(&["sh"]));
        }
        check(&images, "example.com/team/busybox", false, None);
        check(&images, "alpine/git:v2", true, Some(&["git"]));
        check(&images, "alpine/git:v2", false, Some(&["git", "--help"]));
    }

    #[test]
    fn arguments_of_a_container_take_the_place_of_what_the_image_runs_by_default() {
        let images = KnownImages::default();
        assert_eq!(images.runs("busybox", false).expect("it is known"), ["sh"]);
        assert_eq!(images.runs("busybox", true).expect("it is known"), [""; 0]);
        assert_eq!(images.runs("alpine/git", true).expect("it is known"), ["git"]);
    }

    #[test]
    fn the_users_word_goes_before_the_table() {
        let text = "busybox: {cmd: [ls]}\nexample.com/tool:v2: {entrypoint: [tool], userland: busybox}\n";
        let images = KnownImages::parse(text).expect("the text is a map of images");
        check(&images, "mirror.example/busybox", false, Some(&["ls"]));
        check(&images, "example.com/tool:v2", true, Some(&["tool"]));
        check(&images, "example.com/tool:v3", true, None);
        assert_eq!(images.userland("example.com/tool:v2"), Userland::Busybox);
        assert!(KnownImages::parse("tool: [a]").is_err());
        assert!(KnownImages::parse("'No Image': {}").is_err());
    }

    #[test]
    fn images_made_from_alpine_have_its_userland() {
        let images = KnownImages::default();
        for (image, userland) in [
            ("alpine", Userland::Busybox),
            ("node:lts-alpine3.20", Userland::Busybox),
            ("node@sha256:0000000000000000000000000000000000000000000000000000000000000000", Userland::Gnu),
            ("ghcr.io/x/alpine-git", Userland::Busybox),
            ("ubuntu", Userland::Gnu),
            ("example.com/unknown", Userland::Gnu),
        ] {
            assert_eq!(images.userland(image), userland, "{image}");
        }
    }
}
