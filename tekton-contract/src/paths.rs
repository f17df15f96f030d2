//! Absolute paths inside a pod that both sides rely on.

/// Root of workspaces, and the default working directory.
pub const WORKSPACE: &str = "/workspace";
/// Root of everything of Tekton.
pub const TEKTON: &str = "/tekton";
/// Files of task results.
pub const RESULTS: &str = "/tekton/results";
/// `HOME` of a step, unless it sets another.
pub const HOME: &str = "/tekton/home";
/// Credentials as the entrypoint writes them.
pub const CREDS: &str = "/tekton/creds";
/// Secrets as they are mounted, one directory each.
pub const CREDS_SECRETS: &str = "/tekton/creds-secrets";
/// Links to the status directories of the steps.
pub const STEPS: &str = "/tekton/steps";
/// Scripts of the steps.
pub const SCRIPTS: &str = "/tekton/scripts";
/// Artifacts of the task.
pub const ARTIFACTS: &str = "/tekton/artifacts";
/// Artifacts of the task, as JSON.
pub const ARTIFACTS_PROVENANCE: &str = "/tekton/artifacts/provenance.json";
/// Directory of the entrypoint binary.
pub const BIN: &str = "/tekton/bin";
/// The entrypoint binary in a step.
pub const ENTRYPOINT: &str = "/tekton/bin/entrypoint";
/// The entrypoint binary in its image.
pub const ENTRYPOINT_IMAGE_BINARY: &str = "/ko-app/entrypoint";
/// One directory a step with what it hands over.
pub const RUN: &str = "/tekton/run";
/// The termination message of every step.
pub const TERMINATION: &str = "/tekton/termination";
/// The downward API volume.
pub const DOWNWARD: &str = "/tekton/downward";
/// Not empty once the sidecars are ready.
pub const DOWNWARD_READY: &str = "/tekton/downward/ready";
/// Not empty once the step is to be cancelled.
pub const DOWNWARD_CANCEL: &str = "/tekton/downward/cancel";
/// Scripts that drive breakpoints.
pub const DEBUG_SCRIPTS: &str = "/tekton/debug/scripts";
/// What breakpoint scripts know about their step.
pub const DEBUG_INFO: &str = "/tekton/debug/info";
/// Socket of the SPIFFE workload API.
pub const SPIFFE_SOCKET_DIR: &str = "/spiffe-workload-api";
/// Address of the SPIRE agent that the entrypoint talks to.
pub const SPIRE_SOCKET: &str = "unix:///spiffe-workload-api/spire-agent.sock";

/// Sub-directory of a step's metadata directory with its results.
pub const STEP_RESULTS_DIR: &str = "results";
/// Sub-directory of a step's metadata directory with its artifacts.
pub const STEP_ARTIFACTS_DIR: &str = "artifacts";
/// File name of artifacts, of a step and of a task.
pub const PROVENANCE_FILE: &str = "provenance.json";
/// File in a step's metadata directory with the exit code of its command.
pub const EXIT_CODE_FILE: &str = "exitCode";
/// Variable that the artifacts path of a step is known by.
pub const STEP_ARTIFACT_PATH_PATTERN: &str = "step.artifacts.path";

/// `/tekton/run/<step>`: the volume of one step.
pub fn run_dir(step: usize) -> String {
    format!("{RUN}/{step}")
}

/// `/tekton/run/<step>/out`: present once the step has ended.
pub fn post_file(step: usize) -> String {
    format!("{RUN}/{step}/out")
}

/// `/tekton/run/<step>/status`: metadata of one step.
pub fn step_metadata_dir(step: usize) -> String {
    format!("{RUN}/{step}/status")
}

/// A path without `.`, `..`, doubled or trailing slashes, by its text alone, as Go's `filepath.Clean` gives it.
///
/// ```
/// assert_eq!(tekton_contract::paths::clean("/a//b/../c/"), "/a/c");
/// ```
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_text() {
        for (path, cleaned) in [
            ("", "."),
            ("/a//b/./c/..", "/a/b"),
            ("a/./b", "a/b"),
            ("../x/./", "../x"),
            ("/..", "/"),
            ("..", ".."),
            ("a/../..", ".."),
            ("a/", "a"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }
}
