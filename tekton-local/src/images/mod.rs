//! Images by name alone: those that Tekton adds to Pods, and what well-known ones run, for a runtime that reads none.

mod known;
mod table;

use tekton_podgen::Images;

pub use known::{ImageFileError, KnownImages, Userland};

/// The images that a controller of a local cluster is started with.
pub fn images() -> Images {
    let own = |name: &str| format!("tekton.local/{name}");
    Images {
        entrypoint: own("entrypoint"),
        sidecar_log_results: own("sidecarlogresults"),
        nop: own("nop"),
        shell: own("shell"),
        shell_windows: own("shell"),
        working_dir_init: own("workingdirinit"),
    }
}
