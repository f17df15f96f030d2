//! Steps and sidecars as Kubernetes containers.

use crate::script::Scripted;
use k8s_openapi::api::core::v1::{Container, ResourceRequirements};
use tekton_types::v1::{Sidecar, Step};

/// `None` for an empty list, which is how Kubernetes leaves it out.
pub(crate) fn list<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// `None` for an empty text.
pub(crate) fn text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn resources(resources: ResourceRequirements) -> Option<ResourceRequirements> {
    (resources != ResourceRequirements::default()).then_some(resources)
}

/// The container of a step, still without its prefix, and its script.
pub fn step(step: Step) -> Scripted {
    Scripted {
        container: Container {
            name: step.name,
            image: text(step.image),
            command: list(step.command),
            args: list(step.args),
            working_dir: text(step.working_dir),
            env_from: list(step.env_from),
            env: list(step.env),
            resources: resources(step.compute_resources),
            volume_mounts: list(step.volume_mounts),
            volume_devices: list(step.volume_devices),
            image_pull_policy: text(step.image_pull_policy),
            security_context: step.security_context,
            ..Container::default()
        },
        script: step.script,
    }
}

/// The container of a sidecar, still without its prefix, and its script.
pub fn sidecar(sidecar: Sidecar) -> Scripted {
    Scripted {
        container: Container {
            name: sidecar.name,
            image: text(sidecar.image),
            command: list(sidecar.command),
            args: list(sidecar.args),
            working_dir: text(sidecar.working_dir),
            ports: list(sidecar.ports),
            env_from: list(sidecar.env_from),
            env: list(sidecar.env),
            resources: resources(sidecar.compute_resources),
            volume_mounts: list(sidecar.volume_mounts),
            volume_devices: list(sidecar.volume_devices),
            liveness_probe: sidecar.liveness_probe,
            readiness_probe: sidecar.readiness_probe,
            startup_probe: sidecar.startup_probe,
            lifecycle: sidecar.lifecycle,
            termination_message_path: text(sidecar.termination_message_path),
            termination_message_policy: text(sidecar.termination_message_policy),
            image_pull_policy: text(sidecar.image_pull_policy),
            security_context: sidecar.security_context,
            stdin: sidecar.stdin.then_some(true),
            stdin_once: sidecar.stdin_once.then_some(true),
            tty: sidecar.tty.then_some(true),
            restart_policy: sidecar.restart_policy,
            ..Container::default()
        },
        script: sidecar.script,
    }
}
