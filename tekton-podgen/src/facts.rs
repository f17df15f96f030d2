//! What building a Pod needs to know from outside: asked for as [`Need`], handed in as [`Facts`].

use crate::image::ImageMetadata;
use k8s_openapi::api::core::v1::{LimitRange, Secret, ServiceAccount};
use std::collections::BTreeMap;

/// Something to fetch before the Pod can be built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// A ServiceAccount of the TaskRun's namespace.
    ServiceAccount(String),
    /// A Secret of the TaskRun's namespace.
    Secret(String),
    /// Digest and commands of an image, for a step that sets no command.
    Image(ImageLookup),
    /// Version of the Kubernetes API server.
    ServerVersion,
    /// LimitRanges of the TaskRun's namespace.
    LimitRanges,
}

/// A look-up in an image registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageLookup {
    /// The reference as the step gives it.
    pub image: String,
    /// Whether the step has arguments, which then take the place of the image's `CMD`.
    pub has_args: bool,
}

/// What is known about one thing that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<T> {
    /// It is there.
    Known(T),
    /// The server answered that there is none.
    Missing,
    /// It could not be fetched, and why.
    Denied(String),
}

/// Version of the Kubernetes API server as it reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerVersion {
    /// Major version.
    pub major: String,
    /// Minor version; providers append `+`.
    pub minor: String,
}

impl ServerVersion {
    /// Whether init containers may restart always, which makes them sidecars (Kubernetes 1.29).
    pub fn has_native_sidecars(&self) -> bool {
        let major: i64 = self.major.parse().unwrap_or(0);
        let minor: i64 = self.minor.strip_suffix('+').unwrap_or(&self.minor).parse().unwrap_or(0);
        major > 1 || (major == 1 && minor >= 29)
    }
}

/// The facts that were fetched so far. All belong to the namespace of the TaskRun.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// ServiceAccounts by name.
    pub service_accounts: BTreeMap<String, Fact<ServiceAccount>>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Fact<Secret>>,
    /// Images by the reference as the steps give it.
    pub images: BTreeMap<String, Fact<ImageMetadata>>,
    /// Version of the API server.
    pub server_version: Option<Fact<ServerVersion>>,
    /// LimitRanges of the namespace.
    pub limit_ranges: Option<Fact<Vec<LimitRange>>>,
}
