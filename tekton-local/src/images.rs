//! The images of the containers that Tekton adds, under names that the node knows without pulling anything.

use tekton_podgen::Images;

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
