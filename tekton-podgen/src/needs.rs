//! What building a Pod asks the world for, and how the answers about images are used.

use crate::credentials;
use crate::facts::{Fact, ImageLookup, Need};
use crate::image::{ImageMetadata, Reference};
use crate::input::{BuildError, Input, Options};
use crate::names;
use k8s_openapi::api::core::v1::{Container, EnvVar};
use std::collections::BTreeMap;
use tekton_types::v1::TaskSpec;

/// The facts that building this Pod needs and that are not known yet.
pub fn needs(input: &Input<'_>, options: &Options<'_>) -> Vec<Need> {
    let flags = &options.config.feature_flags;
    let mut needs = Vec::new();
    let facts = input.facts;
    if !flags.disable_creds_init {
        let account = credentials::account_name(&input.task_run.spec.service_account_name);
        match facts.service_accounts.get(account) {
            None => needs.push(Need::ServiceAccount(account.to_owned())),
            Some(Fact::Known(account)) => needs.extend(
                credentials::secrets_of(account)
                    .into_iter()
                    .filter(|secret| !facts.secrets.contains_key(*secret))
                    .map(|secret| Need::Secret(secret.to_owned())),
            ),
            Some(_) => {}
        }
    }
    needs.extend(
        image_lookups(input.task_spec)
            .into_iter()
            .filter(|lookup| !facts.images.contains_key(&lookup.image))
            .map(Need::Image),
    );
    if flags.enable_kubernetes_sidecar && facts.server_version.is_none() {
        needs.push(Need::ServerVersion);
    }
    if options.transform && facts.limit_ranges.is_none() {
        needs.push(Need::LimitRanges);
    }
    needs
}

/// Images whose commands are looked up: once for each reference, in the order of the steps. The first step that uses
/// a reference decides whether it counts as having arguments.
pub fn image_lookups(task: &TaskSpec) -> Vec<ImageLookup> {
    let template = task.step_template.as_ref();
    let mut lookups: Vec<ImageLookup> = Vec::new();
    for step in &task.steps {
        let commanded = !step.script.is_empty()
            || !step.command.is_empty()
            || template.is_some_and(|template| !template.command.is_empty());
        let image = match template {
            Some(template) if step.image.is_empty() => &template.image,
            _ => &step.image,
        };
        if commanded || lookups.iter().any(|lookup| lookup.image == *image) || Reference::parse(image).is_err() {
            continue;
        }
        let has_args = !step.args.is_empty() || template.is_some_and(|template| !template.args.is_empty());
        lookups.push(ImageLookup { image: image.clone(), has_args });
    }
    lookups
}

/// The value of a fact; `None` when it does not exist.
pub(crate) fn known<T>(fact: Option<&Fact<T>>, need: impl Fn() -> Need) -> Result<Option<&T>, BuildError> {
    match fact {
        Some(Fact::Known(value)) => Ok(Some(value)),
        Some(Fact::Missing) => Ok(None),
        Some(Fact::Denied(error)) => Err(BuildError::Fetch(error.clone())),
        None => Err(BuildError::Needs(need())),
    }
}

/// Gives steps without a command their image by digest, and the commands of all platforms in a variable.
pub fn resolve_entrypoints(
    steps: &mut [Container],
    images: &BTreeMap<String, Fact<ImageMetadata>>,
) -> Result<(), BuildError> {
    for step in steps {
        if step.command.as_ref().is_some_and(|command| !command.is_empty()) {
            continue;
        }
        let image = step.image.clone().unwrap_or_default();
        let reference = Reference::parse(&image)?;
        let has_args = step.args.as_ref().is_some_and(|args| !args.is_empty());
        let need = || Need::Image(ImageLookup { image: image.clone(), has_args });
        let metadata =
            known(images.get(&image), need)?.ok_or_else(|| BuildError::Fetch(format!("image {image:?} not found")))?;
        step.image = Some(reference.with_digest(&metadata.digest));
        step.env.get_or_insert_default().push(variable(names::PLATFORM_COMMANDS_VARIABLE, metadata.commands_json()));
    }
    Ok(())
}

pub(crate) fn variable(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}
