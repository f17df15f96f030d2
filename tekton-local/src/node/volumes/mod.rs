//! The volumes of a pod: directories of the node, and which of them a container sees where.

mod atomic;
pub(super) mod claims;
mod content;
mod subpath;
mod tokens;
pub(super) mod usage;

use super::Context;
use crate::runtime::Mount;
use atomic::Files;
use k8s_openapi::api::core::v1::{Container, Pod, Volume};
use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// One prepared volume.
#[derive(Debug)]
struct Prepared {
    path: PathBuf,
    is_file: bool,
    read_only: bool,
    files: Option<Files>,
}

/// The prepared volumes of a pod, by name.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    volumes: BTreeMap<String, Prepared>,
    tokens: tokens::Tokens,
}

static GENERATION: AtomicU64 = AtomicU64::new(1);

impl Volumes {
    /// Makes every volume of the pod that is not there yet. Errors: a text for `FailedMount`.
    pub(super) async fn prepare(&mut self, ctx: &Context, pod: &Pod) -> Result<(), String> {
        let Some(spec) = &pod.spec else { return Ok(()) };
        for volume in spec.volumes.iter().flatten() {
            if !self.volumes.contains_key(&volume.name) {
                let prepared = make(ctx, pod, volume, &mut self.tokens)
                    .await
                    .map_err(|error| format!("MountVolume.SetUp failed for volume \"{}\" : {error}", volume.name))?;
                self.volumes.insert(volume.name.clone(), prepared);
            }
        }
        Ok(())
    }

    /// Brings volumes that show API objects up to date; `objects` asks for ConfigMaps and Secrets too.
    pub(super) async fn refresh(&mut self, ctx: &Context, pod: &Pod, objects: bool) {
        let Some(spec) = &pod.spec else { return };
        for volume in spec.volumes.iter().flatten() {
            let downward = volume.downward_api.is_some()
                || volume.projected.iter().flat_map(|p| p.sources.iter().flatten()).any(|s| s.downward_api.is_some());
            let Some(prepared) =
                self.volumes.get_mut(&volume.name).filter(|p| p.files.is_some() && (objects || downward))
            else {
                continue;
            };
            // An object that has gone, or can't be read now, leaves the files as they are.
            if let Ok(Some(files)) = content::of(ctx, pod, volume, &mut self.tokens).await
                && prepared.files.as_ref() != Some(&files)
                && atomic::write(&prepared.path, &files, fs_group(pod), GENERATION.fetch_add(1, Ordering::Relaxed))
                    .is_ok()
            {
                prepared.files = Some(files);
            }
        }
    }

    /// Whether any volume shows ConfigMaps or Secrets, which may change.
    pub(super) fn follow_objects(pod: &Pod) -> bool {
        let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
        volumes.into_iter().any(|v| v.config_map.is_some() || v.secret.is_some() || v.projected.is_some())
    }

    /// What a container sees of the volumes. Errors: a text for `CreateContainerConfigError`.
    pub(super) fn mounts(&self, container: &Container, env: &[(String, String)]) -> Result<Vec<Mount>, String> {
        let mut mounts = Vec::new();
        for wanted in container.volume_mounts.iter().flatten() {
            let Some(volume) = self.volumes.get(&wanted.name) else {
                return Err(format!("volume \"{}\" of volumeMount \"{}\" not found", wanted.name, wanted.mount_path));
            };
            let sub_path = match wanted.sub_path_expr.as_deref().filter(|e| !e.is_empty()) {
                Some(expression) => super::expand::expand(expression, |name| super::expand::in_env(env, name)),
                None => wanted.sub_path.clone().unwrap_or_default(),
            };
            let sub_path = sub_path.trim_matches('/').to_owned();
            let mut is_file = volume.is_file;
            if !sub_path.is_empty() {
                is_file = subpath::prepare(&volume.path, &sub_path).map_err(|error| {
                    format!(
                        "failed to prepare subPath for volumeMount \"{}\" of container \"{}\": {error}",
                        wanted.name, container.name
                    )
                })?;
            }
            let target = format!("/{}", wanted.mount_path.trim_matches('/'));
            if target.split('/').any(|part| part == "..") || target == "/" {
                return Err(format!("mountPath \"{}\" is not allowed", wanted.mount_path));
            }
            mounts.push(Mount {
                source: volume.path.clone(),
                sub_path,
                target,
                read_only: wanted.read_only == Some(true) || volume.read_only || volume.files.is_some(),
                is_file,
            });
        }
        // A mount below another comes after it, whatever the order in the pod.
        mounts.sort_by_key(|mount| mount.target.matches('/').count());
        for index in 0..mounts.len() {
            let parent =
                mounts[..index].iter().rev().find(|m| mounts[index].target.starts_with(&format!("{}/", m.target)));
            if let Some(parent) = parent {
                let inside = mounts[index].target[parent.target.len() + 1..].to_owned();
                let inside = if parent.sub_path.is_empty() { inside } else { format!("{}/{inside}", parent.sub_path) };
                // A mount point that can't be made shows when the mount fails.
                drop(subpath::mount_point(&parent.source, &inside, mounts[index].is_file));
            }
        }
        Ok(mounts)
    }
}

fn fs_group(pod: &Pod) -> Option<u32> {
    let group = pod.spec.as_ref()?.security_context.as_ref()?.fs_group?;
    u32::try_from(group).ok()
}

/// Gives a directory to the pod's `fsGroup`, and with it what is made in it from then on.
fn share(dir: &Path, pod: &Pod) {
    // Only root may give files to any group; the directory is open to all anyway.
    if let Some(group) = fs_group(pod)
        && std::os::unix::fs::chown(dir, None, Some(group)).is_ok()
    {
        // Without it the group owns what is there, and not what comes.
        drop(std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o2777)));
    }
}

async fn make(ctx: &Context, pod: &Pod, volume: &Volume, tokens: &mut tokens::Tokens) -> Result<Prepared, String> {
    let mut own = ctx.pod_dir(pod).join("volumes").join(&volume.name);
    let text = |error: std::io::Error| error.to_string();
    if let Some(files) = content::of(ctx, pod, volume, tokens).await? {
        std::fs::create_dir_all(&own).map_err(text)?;
        atomic::write(&own, &files, fs_group(pod), GENERATION.fetch_add(1, Ordering::Relaxed)).map_err(text)?;
        return Ok(Prepared { path: own, is_file: false, read_only: false, files: Some(files) });
    }
    if volume.empty_dir.is_some() || volume.ephemeral.is_some() {
        if volume.empty_dir.as_ref().is_some_and(|dir| dir.medium.as_deref() == Some("Memory"))
            && ctx.prepare_memory().map_err(text)?
        {
            own = ctx.memory.join(pod.metadata.uid.as_deref().unwrap_or("unknown")).join(&volume.name);
        }
        std::fs::create_dir_all(&own).map_err(text)?;
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o777)).map_err(text)?;
        share(&own, pod);
        return Ok(Prepared { path: own, is_file: false, read_only: false, files: None });
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let (path, read_only) = claims::directory(ctx, pod, &claim.claim_name).await?;
        share(&path, pod);
        let read_only = read_only || claim.read_only == Some(true);
        return Ok(Prepared { path, is_file: false, read_only, files: None });
    }
    if let Some(host) = &volume.host_path {
        let path = PathBuf::from(&host.path);
        if !ctx.allows_host_path(&path) {
            return Err(not_allowed(&host.path));
        }
        match host.type_.as_deref() {
            Some("DirectoryOrCreate") => std::fs::create_dir_all(&path).map_err(text)?,
            Some("FileOrCreate") => {
                drop(std::fs::OpenOptions::new().append(true).create(true).open(&path).map_err(text)?);
            }
            _ => {}
        }
        let kind = std::fs::metadata(&path);
        if let Some(wanted) = unmet(host.type_.as_deref().unwrap_or_default(), kind.as_ref().ok()) {
            return Err(format!("hostPath type check failed: {} is not a {wanted}", host.path));
        }
        let kind = kind.map_err(|error| format!("hostPath type check failed: {}: {error}", host.path))?;
        return Ok(Prepared { path, is_file: !kind.is_dir(), read_only: false, files: None });
    }
    Err(format!("volumes of kind {} are not supported by the local node", kind_of(volume)))
}

/// The field that says what a volume is, such as `csi`.
fn kind_of(volume: &Volume) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(volume) else { return String::new() };
    fields.into_iter().map(|(field, _)| field).find(|field| field != "name").unwrap_or_default()
}

/// The kind of file that a `hostPath` asks for, when it is another one.
fn unmet(wanted: &str, found: Option<&std::fs::Metadata>) -> Option<&'static str> {
    let is = |test: fn(&std::fs::FileType) -> bool| found.is_some_and(|found| test(&found.file_type()));
    let (met, name) = match wanted {
        "Directory" => (is(std::fs::FileType::is_dir), "directory"),
        "File" => (is(std::fs::FileType::is_file), "file"),
        "Socket" => (is(std::fs::FileType::is_socket), "socket file"),
        "CharDevice" => (is(std::fs::FileType::is_char_device), "character device"),
        "BlockDevice" => (is(std::fs::FileType::is_block_device), "block device"),
        _ => (true, ""),
    };
    (!met).then_some(name)
}

fn not_allowed(path: &str) -> String {
    format!("hostPath \"{path}\" is not allowed on this node")
}
