//! Images of the engine: there or fetched, what they run, and Kubernetes' reasons when they can't be had.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptions;
use futures::StreamExt;
use futures::future::BoxFuture;
use tekton_controller::{ImageConfigs, ImageQuery, Keyring, Login};
use tekton_podgen::image::{ImageConfig, ImageMetadata, Reference, command, platform};

use super::super::{Pull, StartError};
use super::text;

/// What a container needs to know of its image.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    /// By digest where it came from a registry, else by content.
    pub(super) id: String,
    /// The user that it names; empty for root.
    pub(super) user: String,
}

/// Sees to it that the image is there.
///
/// Errors: `InvalidImageName`, `ErrImageNeverPull` or `ErrImagePull`.
pub(super) async fn ready(
    engine: &Docker,
    image: &str,
    pull: Pull,
    login: Option<&Login>,
) -> Result<Image, StartError> {
    let refused = |reason, message| Err(StartError::Image { reason, message });
    if Reference::parse(image).is_err() {
        return refused(
            "InvalidImageName",
            format!(
                "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": invalid reference format"
            ),
        );
    }
    let there = inspect(engine, image).await?;
    let inspected = match (there, pull) {
        (Some(found), Pull::IfNotPresent | Pull::Never) => found,
        (None, Pull::Never) => {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            return refused("ErrImageNeverPull", message);
        }
        (there, _) => {
            if let Err(error) = fetch(engine, image, login).await {
                let hint = if there.is_some() {
                    "; the engine has this image: imagePullPolicy IfNotPresent would use it"
                } else {
                    ""
                };
                let message = format!("failed to pull image \"{image}\": {}{hint}", text(&error));
                return refused("ErrImagePull", message);
            }
            match inspect(engine, image).await? {
                Some(found) => found,
                None => return refused("ErrImagePull", format!("image \"{image}\" is not there after it was pulled")),
            }
        }
    };
    let user = inspected.config.as_ref().and_then(|config| config.user.clone()).unwrap_or_default();
    let digest = inspected.repo_digests.as_ref().and_then(|digests| digests.first().cloned());
    Ok(Image { id: digest.or(inspected.id).unwrap_or_default(), user })
}

async fn inspect(engine: &Docker, image: &str) -> Result<Option<ImageInspect>, StartError> {
    match engine.inspect_image(image).await {
        Ok(found) => Ok(Some(found)),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(super::broken(error)),
    }
}

async fn fetch(engine: &Docker, image: &str, login: Option<&Login>) -> Result<(), Error> {
    // Without a tag the engine would fetch every tag of the repository.
    let name = Reference::parse(image).map_or_else(|_| image.to_owned(), |reference| reference.name());
    let name = name.strip_prefix("index.").map_or(name.clone(), str::to_owned);
    let options = CreateImageOptions { from_image: Some(name), ..CreateImageOptions::default() };
    let mut progress =
        std::pin::pin!(engine.create_image(Some(options), None, login.map(|login| credentials(login, image))));
    while let Some(step) = progress.next().await {
        step?;
    }
    Ok(())
}

fn credentials(login: &Login, image: &str) -> DockerCredentials {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let registry = Reference::parse(image).ok().and_then(|found| Some(found.repository.split_once('/')?.0.to_owned()));
    DockerCredentials {
        username: given(&login.username),
        password: given(&login.password),
        identitytoken: given(&login.identity_token),
        registrytoken: given(&login.registry_token),
        serveraddress: registry,
        ..DockerCredentials::default()
    }
}

/// What images run, by the engine.
pub(super) struct Configs {
    engine: Docker,
    client: kube::Client,
}

impl Configs {
    pub(super) fn new(engine: Docker, client: kube::Client) -> Self {
        Self { engine, client }
    }

    /// The login of the run for the registry of the image, asked for only where the image is not here yet.
    async fn login(&self, query: ImageQuery<'_>) -> Result<Option<Login>, String> {
        let Ok(reference) = Reference::parse(query.image) else { return Ok(None) };
        let keyring =
            Keyring::gather(&self.client, query.namespace, Some(query.service_account), query.pull_secrets).await;
        Ok(keyring.map_err(|error| error.to_string())?.login(&reference.repository).cloned())
    }
}

impl ImageConfigs for Configs {
    fn find<'a>(&'a self, query: ImageQuery<'a>) -> BoxFuture<'a, Result<ImageMetadata, String>> {
        Box::pin(async move {
            let text = |error: StartError| error.to_string();
            let image = query.image;
            let found = if let Some(found) = inspect(&self.engine, image).await.map_err(text)? {
                found
            } else {
                let login = self.login(query).await?;
                ready(&self.engine, image, Pull::IfNotPresent, login.as_ref()).await.map_err(text)?;
                let found = inspect(&self.engine, image).await.map_err(text)?;
                found.ok_or_else(|| format!("image {image} has gone"))?
            };
            Ok(metadata(found, query.has_args))
        })
    }
}

fn metadata(found: ImageInspect, has_args: bool) -> ImageMetadata {
    let inner = found.config.unwrap_or_default();
    let config = ImageConfig {
        os: found.os.unwrap_or_default(),
        architecture: found.architecture.unwrap_or_default(),
        entrypoint: inner.entrypoint.unwrap_or_default(),
        cmd: inner.cmd.unwrap_or_default(),
    };
    let digest = found.repo_digests.iter().flatten().find_map(|name| Some(name.split_once('@')?.1.to_owned()));
    ImageMetadata {
        digest: digest.unwrap_or_default(),
        commands: BTreeMap::from([(platform(&config), command(&config, has_args))]),
    }
}
