//! Steps, step templates and sidecars; what is deprecated is handled in [`super::deprecations`].

use crate::{v1, v1beta1};

impl From<v1beta1::Step> for v1::Step {
    fn from(old: v1beta1::Step) -> Self {
        Self {
            name: old.name,
            display_name: old.display_name,
            image: old.image,
            command: old.command,
            args: old.args,
            working_dir: old.working_dir,
            env_from: old.env_from,
            env: old.env,
            volume_mounts: old.volume_mounts,
            volume_devices: old.volume_devices,
            image_pull_policy: old.image_pull_policy,
            security_context: old.security_context,
            script: old.script,
            timeout: old.timeout,
            workspaces: old.workspaces,
            on_error: old.on_error,
            stdout_config: old.stdout_config,
            stderr_config: old.stderr_config,
            r#ref: old.r#ref,
            params: old.params,
            results: old.results,
            when: old.when,
            compute_resources: old.resources,
        }
    }
}

impl From<v1::Step> for v1beta1::Step {
    fn from(new: v1::Step) -> Self {
        Self {
            name: new.name,
            display_name: new.display_name,
            image: new.image,
            command: new.command,
            args: new.args,
            working_dir: new.working_dir,
            env_from: new.env_from,
            env: new.env,
            volume_mounts: new.volume_mounts,
            volume_devices: new.volume_devices,
            image_pull_policy: new.image_pull_policy,
            security_context: new.security_context,
            script: new.script,
            timeout: new.timeout,
            workspaces: new.workspaces,
            on_error: new.on_error,
            stdout_config: new.stdout_config,
            stderr_config: new.stderr_config,
            r#ref: new.r#ref,
            params: new.params,
            results: new.results,
            when: new.when,
            resources: new.compute_resources,
            ..Self::default()
        }
    }
}

impl From<v1beta1::StepTemplate> for v1::StepTemplate {
    fn from(old: v1beta1::StepTemplate) -> Self {
        Self {
            image: old.image,
            command: old.command,
            args: old.args,
            working_dir: old.working_dir,
            env_from: old.env_from,
            env: old.env,
            volume_mounts: old.volume_mounts,
            volume_devices: old.volume_devices,
            image_pull_policy: old.image_pull_policy,
            security_context: old.security_context,
            compute_resources: old.resources,
        }
    }
}

impl From<v1::StepTemplate> for v1beta1::StepTemplate {
    fn from(new: v1::StepTemplate) -> Self {
        Self {
            image: new.image,
            command: new.command,
            args: new.args,
            working_dir: new.working_dir,
            env_from: new.env_from,
            env: new.env,
            volume_mounts: new.volume_mounts,
            volume_devices: new.volume_devices,
            image_pull_policy: new.image_pull_policy,
            security_context: new.security_context,
            resources: new.compute_resources,
            ..Self::default()
        }
    }
}

impl From<v1beta1::Sidecar> for v1::Sidecar {
    fn from(old: v1beta1::Sidecar) -> Self {
        Self {
            name: old.name,
            image: old.image,
            command: old.command,
            args: old.args,
            working_dir: old.working_dir,
            ports: old.ports,
            env_from: old.env_from,
            env: old.env,
            volume_mounts: old.volume_mounts,
            volume_devices: old.volume_devices,
            liveness_probe: old.liveness_probe,
            readiness_probe: old.readiness_probe,
            startup_probe: old.startup_probe,
            lifecycle: old.lifecycle,
            termination_message_path: old.termination_message_path,
            termination_message_policy: old.termination_message_policy,
            image_pull_policy: old.image_pull_policy,
            security_context: old.security_context,
            stdin: old.stdin,
            stdin_once: old.stdin_once,
            tty: old.tty,
            script: old.script,
            workspaces: old.workspaces,
            restart_policy: old.restart_policy,
            compute_resources: old.resources,
        }
    }
}

impl From<v1::Sidecar> for v1beta1::Sidecar {
    fn from(new: v1::Sidecar) -> Self {
        Self {
            name: new.name,
            image: new.image,
            command: new.command,
            args: new.args,
            working_dir: new.working_dir,
            ports: new.ports,
            env_from: new.env_from,
            env: new.env,
            volume_mounts: new.volume_mounts,
            volume_devices: new.volume_devices,
            liveness_probe: new.liveness_probe,
            readiness_probe: new.readiness_probe,
            startup_probe: new.startup_probe,
            lifecycle: new.lifecycle,
            termination_message_path: new.termination_message_path,
            termination_message_policy: new.termination_message_policy,
            image_pull_policy: new.image_pull_policy,
            security_context: new.security_context,
            stdin: new.stdin,
            stdin_once: new.stdin_once,
            tty: new.tty,
            script: new.script,
            workspaces: new.workspaces,
            restart_policy: new.restart_policy,
            resources: new.compute_resources,
        }
    }
}
