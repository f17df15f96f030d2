//! The contract's names as this crate uses them, and what only a Pod builder asks about them.

pub(crate) use tekton_contract::labels::{
    AFFINITY_ASSISTANT as AFFINITY_ASSISTANT_ANNOTATION, AFFINITY_ASSISTANT_COMPONENT as AFFINITY_ASSISTANT,
    APP_MANAGED_BY as MANAGED_BY_LABEL, CANCEL as CANCEL_ANNOTATION, CANCEL_VALUE, COMPONENT as COMPONENT_LABEL,
    EXECUTION_MODE as EXECUTION_MODE_ANNOTATION, EXECUTION_MODE_HERMETIC, INSTANCE as INSTANCE_LABEL, OS as OS_LABEL,
    PIPELINE_RUN as PIPELINE_RUN_LABEL, PIPELINE_TASK_ON_ERROR as PIPELINE_TASK_ON_ERROR_ANNOTATION,
    READY as READY_ANNOTATION, READY_VALUE, RELEASE as RELEASE_ANNOTATION, TASK_RUN as TASK_RUN_LABEL,
    TASK_RUN_UID as TASK_RUN_UID_LABEL,
};
pub(crate) use tekton_contract::names::restrict_length;
pub(crate) use tekton_contract::paths::{
    ARTIFACTS as ARTIFACTS_DIR, BIN as BIN_DIR, CREDS as CREDS_DIR, CREDS_SECRETS as CREDS_SECRETS_DIR,
    DEBUG_INFO as DEBUG_INFO_DIR, DEBUG_SCRIPTS as DEBUG_SCRIPTS_DIR, DOWNWARD as DOWNWARD_DIR, ENTRYPOINT,
    HOME as HOME_DIR, RESULTS as RESULTS_DIR, RUN as RUN_DIR, SCRIPTS as SCRIPTS_DIR, SPIFFE_SOCKET_DIR as SPIRE_DIR,
    STEPS as STEPS_DIR, WORKSPACE as WORKSPACE_DIR,
};
pub(crate) use tekton_contract::volumes::{
    CONTAINER_PLACE_SCRIPTS as PLACE_SCRIPTS, CONTAINER_PREPARE as PREPARE,
    CONTAINER_WORKING_DIR_INITIALIZER as WORKING_DIR_INITIALIZER, ENV_HERMETIC as HERMETIC_VARIABLE,
    ENV_PLATFORM_COMMANDS as PLATFORM_COMMANDS_VARIABLE, RESULTS_SIDECAR, RESULTS_SIDECAR_CONTAINER, SIDECAR_PREFIX,
    STEP_PREFIX, is_sidecar_container as is_sidecar, is_step_container as is_step, step_container,
};

/// Whether Tekton itself made the container.
pub(crate) fn is_internal(container: &str) -> bool {
    matches!(container, PREPARE | PLACE_SCRIPTS | WORKING_DIR_INITIALIZER | RESULTS_SIDECAR_CONTAINER)
}

/// A path without `.`, `..`, doubled or trailing slashes, as Go's `filepath.Clean` gives it.
pub(crate) fn clean_path(path: &str) -> String {
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
    fn paths_are_cleaned_as_go_does() {
        for (path, clean) in
            [("/a//b/../c/", "/a/c"), ("a/./b", "a/b"), ("", "."), ("/..", "/"), ("../x", "../x"), ("..", "..")]
        {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }
}
