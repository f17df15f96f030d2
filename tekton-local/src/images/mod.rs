//! Images by name alone: those that Tekton adds to Pods, and what well-known ones run, for a runtime that reads none.

mod known;
mod table;

use tekton_podgen::Images;

pub use known::{ImageFileError, KnownImages, Userland};

/// What the names of images begin with that the node itself stands for.
const OWN: &str = "tekton.local/";

/// The images that a controller of a local cluster is started with.
pub fn images() -> Images {
    let own = |name: &str| format!("{OWN}{name}");
    Images {
        entrypoint: own("entrypoint"),
        sidecar_log_results: own("sidecarlogresults"),
        nop: own("nop"),
        shell: own("shell"),
        shell_windows: own("shell"),
        working_dir_init: own("workingdirinit"),
    }
}

/// The programs of Tekton's own images, in `/ko-app`.
pub(crate) const PROGRAMS: &[&str] = &["entrypoint", "nop", "workingdirinit", "sidecarlogresults"];

/// The program that an image of Tekton runs when a container names none: `…/nop-0d43…:v1` runs `/ko-app/nop`.
pub(crate) fn program(image: &str) -> Option<String> {
    let last = image.rsplit('/').next().unwrap_or(image);
    let end = last.find([':', '@']).unwrap_or(last.len());
    let name = &last[..end];
    PROGRAMS
        .iter()
        .find(|known| name == **known || name.strip_prefix(**known).is_some_and(|r| r.starts_with('-')))
        .map(|known| format!("/ko-app/{known}"))
}

/// Whether an image is one that the node itself stands for.
pub(crate) fn is_own(image: &str) -> bool {
    image.starts_with(OWN)
}
