//! Starts the local cluster of one command.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use tekton_local::images::KnownImages;
use tekton_local::node::NodeOptions;
use tekton_local::runtime::RuntimeChoice;
use tekton_local::store::DiskError;
use tekton_local::{Installation, InstallationError, InstallationOptions};

use crate::args::{NodeArguments, RuntimeName};

/// The subcommand that removes the containers of a killed run.
pub(crate) const REAP: &str = "reap-containers";

/// The node that the command line asks for, with its files in `data`.
///
/// Errors: a file of images that cannot be read.
pub(crate) fn node(arguments: &NodeArguments, data: &Path) -> Result<NodeOptions, String> {
    let mut images = KnownImages::default();
    for path in &arguments.image_config {
        let named = |error: &dyn std::fmt::Display| format!("--image-config {}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        images.extend(KnownImages::parse(&text).map_err(|error| named(&error))?);
    }
    let runtime = match arguments.runtime {
        RuntimeName::Auto => RuntimeChoice::Auto,
        RuntimeName::Host => RuntimeChoice::Host,
        RuntimeName::Engine => RuntimeChoice::Engine,
    };
    // Past runs have what their steps were given.
    let hidden = crate::history::default_dir().into_iter().collect();
    // A program that has been replaced since its start has none: then the next run removes what a killed one left.
    let reaper = std::env::current_exe().ok().map(|program| vec![program.into(), REAP.into()]);
    let allow_privileged = arguments.allow_privileged;
    Ok(NodeOptions { images: Arc::new(images), runtime, allow_privileged, reaper, hidden, ..NodeOptions::new(data) })
}

/// What the runtime means for how near a run is to one on a cluster, on one line.
pub(crate) fn fidelity(runtime: &str, auto: bool) -> &'static str {
    match (runtime, auto) {
        ("engine", _) => "runtime engine: each step runs in its image; a Pod has a network of its own",
        (_, true) => {
            "runtime host, as no container engine answers: images are ignored, steps find this machine's tools; all Pods share its network"
        }
        _ => "runtime host: images are ignored, steps find this machine's tools; all Pods share its network",
    }
}

/// Starts API server, node and controller.
///
/// Errors: a setting is not allowed, or this machine cannot run steps, with what to do about it.
pub(crate) async fn start(options: InstallationOptions) -> Result<Installation, String> {
    Installation::start(options).await.map_err(|error| match error {
        InstallationError::Disk(error @ DiskError::InUse { .. }) => {
            format!("{error}; end it, or name another directory with --data-dir")
        }
        other => chain(other),
    })
}

/// An error with all that caused it, on one line.
pub(crate) fn chain(error: impl Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
