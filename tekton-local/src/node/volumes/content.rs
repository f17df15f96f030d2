//! The files of volumes that come from API objects: configMap, secret, downwardAPI and projected.

use super::super::{Context, env, fields};
use super::atomic::{File, Files};
use super::tokens::Tokens;
use k8s_openapi::api::core::v1::{ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, Volume, VolumeProjection};

/// The files of a volume, or `None` for a volume of another kind. Errors: a text for `FailedMount`.
pub(super) async fn of(
    ctx: &Context,
    pod: &Pod,
    volume: &Volume,
    tokens: &mut Tokens,
) -> Result<Option<Files>, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let mut files = Files::new();
    if let Some(source) = &volume.config_map {
        if let Some(map) = env::config_map(ctx, namespace, &source.name, source.optional).await? {
            let optional = source.optional == Some(true);
            select(
                &mut files,
                data_of(map),
                source.items.as_deref(),
                mode(source.default_mode),
                optional,
                &source.name,
            )?;
        }
    } else if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        if let Some(secret) = env::secret(ctx, namespace, name, source.optional).await? {
            let optional = source.optional == Some(true);
            select(
                &mut files,
                secret_data(secret),
                source.items.as_deref(),
                mode(source.default_mode),
                optional,
                name,
            )?;
        }
    } else if let Some(source) = &volume.downward_api {
        downward(&mut files, ctx, pod, source.items.iter().flatten(), mode(source.default_mode))?;
    } else if let Some(source) = &volume.projected {
        for part in source.sources.iter().flatten() {
            projection(&mut files, ctx, pod, part, mode(source.default_mode), tokens).await?;
        }
    } else {
        return Ok(None);
    }
    Ok(Some(files))
}

async fn projection(
    files: &mut Files,
    ctx: &Context,
    pod: &Pod,
    part: &VolumeProjection,
    mode: u32,
    tokens: &mut Tokens,
) -> Result<(), String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    if let Some(source) = &part.config_map
        && let Some(map) = env::config_map(ctx, namespace, &source.name, source.optional).await?
    {
        select(files, data_of(map), source.items.as_deref(), mode, source.optional == Some(true), &source.name)?;
    }
    if let Some(source) = &part.secret
        && let Some(secret) = env::secret(ctx, namespace, &source.name, source.optional).await?
    {
        select(files, secret_data(secret), source.items.as_deref(), mode, source.optional == Some(true), &source.name)?;
    }
    if let Some(source) = &part.downward_api {
        downward(files, ctx, pod, source.items.iter().flatten(), mode)?;
    }
    if let Some(source) = &part.service_account_token {
        let token = tokens.get(ctx, pod, source).await?;
        files.insert(source.path.clone(), File { content: token.into_bytes(), mode });
    }
    Ok(())
}

fn downward<'a>(
    files: &mut Files,
    ctx: &Context,
    pod: &Pod,
    items: impl Iterator<Item = &'a DownwardAPIVolumeFile>,
    default: u32,
) -> Result<(), String> {
    for item in items {
        let value = match (&item.field_ref, &item.resource_field_ref) {
            (Some(wanted), _) => fields::field(pod, &wanted.field_path, &ctx.node)?,
            (None, Some(wanted)) => fields::resource(pod, None, wanted)?,
            (None, None) => continue,
        };
        let mode = item.mode.map_or(default, |m| mode(Some(m)));
        files.insert(item.path.clone(), File { content: value.into_bytes(), mode });
    }
    Ok(())
}

fn data_of(map: ConfigMap) -> Vec<(String, Vec<u8>)> {
    let text = map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
    text.chain(map.binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0))).collect()
}

fn secret_data(secret: Secret) -> Vec<(String, Vec<u8>)> {
    secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect()
}

fn select(
    files: &mut Files,
    data: Vec<(String, Vec<u8>)>,
    items: Option<&[KeyToPath]>,
    default: u32,
    optional: bool,
    name: &str,
) -> Result<(), String> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        files.extend(data.into_iter().map(|(key, content)| (key, File { content, mode: default })));
        return Ok(());
    };
    for item in items {
        match data.iter().find(|(key, _)| *key == item.key) {
            Some((_, content)) => {
                let mode = item.mode.map_or(default, |m| mode(Some(m)));
                files.insert(item.path.clone(), File { content: content.clone(), mode });
            }
            None if optional => {}
            None => return Err(format!("{name} references non-existent key: {}", item.key)),
        }
    }
    Ok(())
}

fn mode(mode: Option<i32>) -> u32 {
    mode.and_then(|m| u32::try_from(m).ok()).unwrap_or(0o644) & 0o777
}
