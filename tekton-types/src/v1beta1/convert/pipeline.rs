//! Pipeline and its parts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::{self, RESOURCES};
use super::{ConvertError, param_specs, task};
use crate::v1beta1::PipelineDeclaredResource;
use crate::{v1, v1beta1};

impl TryFrom<v1beta1::Pipeline> for v1::Pipeline {
    type Error = ConvertError;

    fn try_from(old: v1beta1::Pipeline) -> Result<Self, ConvertError> {
        let mut metadata = old.metadata;
        if !old.spec.resources.is_empty() {
            annotations::write(&mut metadata, RESOURCES, &old.spec.resources)?;
        }
        let spec = spec_to_v1(old.spec, &mut metadata)?;
        Ok(Self { metadata, spec })
    }
}

impl TryFrom<v1::Pipeline> for v1beta1::Pipeline {
    type Error = ConvertError;

    fn try_from(new: v1::Pipeline) -> Result<Self, ConvertError> {
        let mut metadata = new.metadata;
        let resources: Option<Vec<PipelineDeclaredResource>> = annotations::take(&mut metadata, RESOURCES)?;
        let mut spec = spec_from_v1(new.spec, &mut metadata)?;
        spec.resources = resources.unwrap_or_default();
        Ok(Self { metadata, spec })
    }
}

pub(super) fn spec_to_v1(
    old: v1beta1::PipelineSpec,
    metadata: &mut ObjectMeta,
) -> Result<v1::PipelineSpec, ConvertError> {
    let mut convert = |tasks: Vec<v1beta1::PipelineTask>| -> Result<Vec<_>, ConvertError> {
        tasks.into_iter().map(|task| task_to_v1(task, metadata)).collect()
    };
    Ok(v1::PipelineSpec {
        tasks: convert(old.tasks)?,
        r#finally: convert(old.r#finally)?,
        display_name: old.display_name,
        description: old.description,
        params: param_specs(old.params),
        workspaces: old.workspaces,
        results: old.results,
    })
}

pub(super) fn spec_from_v1(
    new: v1::PipelineSpec,
    metadata: &mut ObjectMeta,
) -> Result<v1beta1::PipelineSpec, ConvertError> {
    let mut convert = |tasks: Vec<v1::PipelineTask>| -> Result<Vec<_>, ConvertError> {
        tasks.into_iter().map(|task| task_from_v1(task, metadata)).collect()
    };
    Ok(v1beta1::PipelineSpec {
        tasks: convert(new.tasks)?,
        r#finally: convert(new.r#finally)?,
        resources: Vec::new(),
        display_name: new.display_name,
        description: new.description,
        params: param_specs(new.params),
        workspaces: new.workspaces,
        results: new.results,
    })
}

fn task_to_v1(old: v1beta1::PipelineTask, metadata: &mut ObjectMeta) -> Result<v1::PipelineTask, ConvertError> {
    let task_spec = match old.task_spec {
        Some(embedded) => Some(v1::EmbeddedTask {
            task_spec: task::spec_to_v1(embedded.task_spec, metadata, &old.name)?,
            api_version: embedded.api_version,
            kind: embedded.kind,
            spec: embedded.spec,
            metadata: embedded.metadata,
        }),
        None => None,
    };
    Ok(v1::PipelineTask {
        name: old.name,
        display_name: old.display_name,
        description: old.description,
        task_ref: old.task_ref.map(Into::into),
        task_spec,
        when: old.when,
        retries: old.retries,
        run_after: old.run_after,
        params: old.params,
        matrix: old.matrix.filter(|matrix| matrix.has_params() || matrix.has_include()),
        workspaces: old.workspaces,
        timeout: old.timeout,
        // Upstream loses pipelines in pipelines on the way.
        pipeline_ref: None,
        pipeline_spec: None,
        on_error: old.on_error,
    })
}

fn task_from_v1(new: v1::PipelineTask, metadata: &mut ObjectMeta) -> Result<v1beta1::PipelineTask, ConvertError> {
    let task_spec = match new.task_spec {
        Some(embedded) => Some(v1beta1::EmbeddedTask {
            task_spec: task::spec_from_v1(embedded.task_spec, metadata, &new.name)?,
            api_version: embedded.api_version,
            kind: embedded.kind,
            spec: embedded.spec,
            metadata: embedded.metadata,
        }),
        None => None,
    };
    Ok(v1beta1::PipelineTask {
        name: new.name,
        display_name: new.display_name,
        description: new.description,
        task_ref: new.task_ref.map(Into::into),
        task_spec,
        when: new.when,
        retries: new.retries,
        run_after: new.run_after,
        resources: None,
        params: new.params,
        matrix: new.matrix.filter(|matrix| matrix.has_params() || matrix.has_include()),
        workspaces: new.workspaces,
        timeout: new.timeout,
        pipeline_ref: None,
        pipeline_spec: None,
        on_error: new.on_error,
    })
}

impl From<v1beta1::PipelineRef> for v1::PipelineRef {
    fn from(old: v1beta1::PipelineRef) -> Self {
        let v1beta1::PipelineRef { name, api_version, bundle: _, resolver, params } = old;
        Self { name, api_version, resolver, params }
    }
}

impl From<v1::PipelineRef> for v1beta1::PipelineRef {
    fn from(new: v1::PipelineRef) -> Self {
        let v1::PipelineRef { name, api_version, resolver, params } = new;
        Self { name, api_version, bundle: String::new(), resolver, params }
    }
}
