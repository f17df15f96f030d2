//! Every text of a task in which an element of an array parameter may be referred to.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, Volume, VolumeMount};
use tekton_types::v1::{Step, TaskSpec};

/// Calls `see` with each text.
pub(crate) fn visit<'a>(task: &'a TaskSpec, see: &mut impl FnMut(&'a str)) {
    for step in &task.steps {
        let Step { script, name, image, image_pull_policy, working_dir, .. } = step;
        for text in [script, name, image, image_pull_policy, working_dir] {
            see(text);
        }
        step.command.iter().chain(&step.args).for_each(|text| see(text));
        environment(&step.env, &step.env_from, see);
        mounts(&step.volume_mounts, see);
    }
    if let Some(template) = &task.step_template {
        for text in [&template.image, &template.image_pull_policy, &template.working_dir] {
            see(text);
        }
        template.command.iter().chain(&template.args).for_each(|text| see(text));
        environment(&template.env, &template.env_from, see);
        mounts(&template.volume_mounts, see);
    }
    task.volumes.iter().for_each(|v| volume(v, see));
    task.workspaces.iter().for_each(|w| see(&w.mount_path));
    for sidecar in &task.sidecars {
        for text in [&sidecar.script, &sidecar.name, &sidecar.image, &sidecar.image_pull_policy, &sidecar.working_dir] {
            see(text);
        }
        sidecar.command.iter().chain(&sidecar.args).for_each(|text| see(text));
        environment(&sidecar.env, &sidecar.env_from, see);
        mounts(&sidecar.volume_mounts, see);
    }
}

fn environment<'a>(env: &'a [EnvVar], sources: &'a [EnvFromSource], see: &mut impl FnMut(&'a str)) {
    for var in env {
        var.value.iter().for_each(|v| see(v));
        let Some(source) = &var.value_from else { continue };
        if let Some(secret) = &source.secret_key_ref {
            see(&secret.name);
            see(&secret.key);
        }
        if let Some(config_map) = &source.config_map_key_ref {
            see(&config_map.name);
            see(&config_map.key);
        }
    }
    for source in sources {
        source.prefix.iter().for_each(|p| see(p));
        source.config_map_ref.iter().for_each(|r| see(&r.name));
        source.secret_ref.iter().for_each(|r| see(&r.name));
    }
}

fn mounts<'a>(mounts: &'a [VolumeMount], see: &mut impl FnMut(&'a str)) {
    for mount in mounts {
        see(&mount.name);
        see(&mount.mount_path);
        mount.sub_path.iter().for_each(|p| see(p));
    }
}

fn volume<'a>(volume: &'a Volume, see: &mut impl FnMut(&'a str)) {
    see(&volume.name);
    if let Some(config_map) = &volume.config_map {
        see(&config_map.name);
        for item in config_map.items.iter().flatten() {
            see(&item.key);
            see(&item.path);
        }
    }
    if let Some(secret) = &volume.secret {
        secret.secret_name.iter().for_each(|n| see(n));
        for item in secret.items.iter().flatten() {
            see(&item.key);
            see(&item.path);
        }
    }
    volume.persistent_volume_claim.iter().for_each(|c| see(&c.claim_name));
    for source in volume.projected.iter().flat_map(|p| p.sources.iter().flatten()) {
        source.config_map.iter().for_each(|c| see(&c.name));
        source.secret.iter().for_each(|s| see(&s.name));
        source.service_account_token.iter().for_each(|t| t.audience.iter().for_each(|a| see(a)));
    }
    if let Some(csi) = &volume.csi {
        csi.node_publish_secret_ref.iter().for_each(|r| see(&r.name));
        csi.volume_attributes.iter().flatten().for_each(|(_, value)| see(value));
    }
}
