//! The environment of a container.

use super::expand::{expand, in_env};
use super::{Context, fields};
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVarSource, Pod, Secret};
use kube::Api;

/// The environment, in order. Errors: a text for `CreateContainerConfigError`.
pub(super) async fn of(ctx: &Context, pod: &Pod, container: &Container) -> Result<Vec<(String, String)>, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let mut env = vec![("HOSTNAME".to_owned(), pod.metadata.name.clone().unwrap_or_default())];
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        if let Some(wanted) = &source.config_map_ref
            && let Some(map) = config_map(ctx, namespace, &wanted.name, wanted.optional).await?
        {
            env.extend(map.data.unwrap_or_default().into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
        if let Some(wanted) = &source.secret_ref
            && let Some(secret) = secret(ctx, namespace, &wanted.name, wanted.optional).await?
        {
            for (key, value) in secret.data.unwrap_or_default() {
                env.push((format!("{prefix}{key}"), String::from_utf8_lossy(&value.0).into_owned()));
            }
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            Some(source) => match value_from(ctx, pod, container, source).await? {
                Some(value) => value,
                None => continue,
            },
            None => expand(variable.value.as_deref().unwrap_or_default(), |name| in_env(&env, name)),
        };
        env.push((variable.name.clone(), value));
    }
    Ok(env)
}

async fn value_from(
    ctx: &Context,
    pod: &Pod,
    container: &Container,
    source: &EnvVarSource,
) -> Result<Option<String>, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    if let Some(wanted) = &source.field_ref {
        return fields::field(pod, &wanted.field_path, &ctx.node).map(Some);
    }
    if let Some(wanted) = &source.resource_field_ref {
        return fields::resource(pod, Some(container), wanted).map(Some);
    }
    if let Some(wanted) = &source.config_map_key_ref {
        let Some(map) = config_map(ctx, namespace, &wanted.name, wanted.optional).await? else { return Ok(None) };
        return match map.data.and_then(|mut data| data.remove(&wanted.key)) {
            Some(value) => Ok(Some(value)),
            None if wanted.optional == Some(true) => Ok(None),
            None => Err(format!("couldn't find key {} in ConfigMap {namespace}/{}", wanted.key, wanted.name)),
        };
    }
    if let Some(wanted) = &source.secret_key_ref {
        let Some(secret) = secret(ctx, namespace, &wanted.name, wanted.optional).await? else { return Ok(None) };
        return match secret.data.and_then(|mut data| data.remove(&wanted.key)) {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
            None if wanted.optional == Some(true) => Ok(None),
            None => Err(format!("couldn't find key {} in Secret {namespace}/{}", wanted.key, wanted.name)),
        };
    }
    Err("the source of an environment variable is not supported".to_owned())
}

/// A ConfigMap; `None` when it is optional and missing.
pub(super) async fn config_map(
    ctx: &Context,
    namespace: &str,
    name: &str,
    optional: Option<bool>,
) -> Result<Option<ConfigMap>, String> {
    let found = Api::<ConfigMap>::namespaced(ctx.client.clone(), namespace).get_opt(name).await;
    match found.map_err(|error| error.to_string())? {
        None if optional != Some(true) => Err(format!("configmap \"{name}\" not found")),
        found => Ok(found),
    }
}

/// A Secret; `None` when it is optional and missing.
pub(super) async fn secret(
    ctx: &Context,
    namespace: &str,
    name: &str,
    optional: Option<bool>,
) -> Result<Option<Secret>, String> {
    let found = Api::<Secret>::namespaced(ctx.client.clone(), namespace).get_opt(name).await;
    match found.map_err(|error| error.to_string())? {
        None if optional != Some(true) => Err(format!("secret \"{name}\" not found")),
        found => Ok(found),
    }
}
