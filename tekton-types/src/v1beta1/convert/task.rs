//! Task and its parts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::{self, RESOURCES};
use super::{ConvertError, deprecations, param_specs};
use crate::v1beta1::TaskResources;
use crate::{v1, v1beta1};

impl TryFrom<v1beta1::Task> for v1::Task {
    type Error = ConvertError;

    fn try_from(old: v1beta1::Task) -> Result<Self, ConvertError> {
        let mut metadata = old.metadata;
        if let Some(resources) = &old.spec.resources {
            annotations::write(&mut metadata, RESOURCES, resources)?;
        }
        let name = metadata.name.clone().unwrap_or_default();
        let spec = spec_to_v1(old.spec, &mut metadata, &name)?;
        Ok(Self { metadata, spec })
    }
}

impl TryFrom<v1::Task> for v1beta1::Task {
    type Error = ConvertError;

    fn try_from(new: v1::Task) -> Result<Self, ConvertError> {
        let mut metadata = new.metadata;
        let resources: Option<TaskResources> = annotations::take(&mut metadata, RESOURCES)?;
        let name = metadata.name.clone().unwrap_or_default();
        let mut spec = spec_from_v1(new.spec, &mut metadata, &name)?;
        spec.resources = resources.filter(|r| !r.inputs.is_empty() || !r.outputs.is_empty());
        Ok(Self { metadata, spec })
    }
}

/// The spec of the task `task` within an object with this metadata.
pub(super) fn spec_to_v1(
    old: v1beta1::TaskSpec,
    metadata: &mut ObjectMeta,
    task: &str,
) -> Result<v1::TaskSpec, ConvertError> {
    deprecations::write(metadata, &old, task)?;
    Ok(v1::TaskSpec {
        params: param_specs(old.params),
        display_name: old.display_name,
        description: old.description,
        steps: old.steps.into_iter().map(Into::into).collect(),
        volumes: old.volumes,
        step_template: old.step_template.map(Into::into),
        sidecars: old.sidecars.into_iter().map(Into::into).collect(),
        workspaces: old.workspaces,
        results: old.results,
    })
}

/// The spec of the task `task` within an object with this metadata.
pub(super) fn spec_from_v1(
    new: v1::TaskSpec,
    metadata: &mut ObjectMeta,
    task: &str,
) -> Result<v1beta1::TaskSpec, ConvertError> {
    let mut spec = v1beta1::TaskSpec {
        resources: None,
        params: param_specs(new.params),
        display_name: new.display_name,
        description: new.description,
        steps: new.steps.into_iter().map(Into::into).collect(),
        volumes: new.volumes,
        step_template: new.step_template.map(Into::into),
        sidecars: new.sidecars.into_iter().map(Into::into).collect(),
        workspaces: new.workspaces,
        results: new.results,
    };
    deprecations::restore(metadata, &mut spec, task)?;
    Ok(spec)
}

impl From<v1beta1::TaskRef> for v1::TaskRef {
    fn from(old: v1beta1::TaskRef) -> Self {
        let v1beta1::TaskRef { name, kind, api_version, bundle: _, resolver, params } = old;
        Self { name, kind, api_version, resolver, params }
    }
}

impl From<v1::TaskRef> for v1beta1::TaskRef {
    fn from(new: v1::TaskRef) -> Self {
        let v1::TaskRef { name, kind, api_version, resolver, params } = new;
        Self { name, kind, api_version, bundle: String::new(), resolver, params }
    }
}
