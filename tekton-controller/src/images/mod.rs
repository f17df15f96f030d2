//! What images run when a step has no command: the question, and who can be asked.

mod keyring;
#[cfg(feature = "registry")]
mod registry;

use futures::future::BoxFuture;
use tekton_engine::ImageMetadata;

pub use keyring::{Keyring, KeyringError, Login};
#[cfg(feature = "registry")]
pub use registry::RegistryImages;

/// Which image is asked about, and whose credentials may be used.
#[derive(Debug, Clone, Copy)]
pub struct ImageQuery<'a> {
    /// The image reference as the step has it.
    pub image: &'a str,
    /// Whether the step has arguments, which take the place of the image's `CMD`.
    pub has_args: bool,
    /// The namespace of the run, in which pull secrets are looked for.
    pub namespace: &'a str,
    /// The service account whose pull secrets may be used; empty for `default`.
    pub service_account: &'a str,
    /// Names of further pull secrets.
    pub pull_secrets: &'a [String],
}

/// Finds out what an image runs when a step has no command.
///
/// A cluster's controller asks the image's registry (`RegistryImages`); an embedder may know better.
pub trait ImageConfigs: Send + Sync {
    /// The digest of an image and its command by platform.
    ///
    /// Errors: the image is unknown, or nobody can be asked. The text ends up in the TaskRun's condition.
    fn find<'a>(&'a self, query: ImageQuery<'a>) -> BoxFuture<'a, Result<ImageMetadata, String>>;
}

/// Knows no image: each step has to say its command or script.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoImages;

impl ImageConfigs for NoImages {
    fn find<'a>(&'a self, query: ImageQuery<'a>) -> BoxFuture<'a, Result<ImageMetadata, String>> {
        let image = query.image;
        let text =
            format!("the entrypoint of image {image} is not known here; give the step a `command` or a `script`");
        Box::pin(std::future::ready(Err(text)))
    }
}
