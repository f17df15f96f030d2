//! PipelineRun and its status.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::{self, RESOURCES};
use super::{ConvertError, pipeline};
use crate::v1beta1::PipelineResourceBinding;
use crate::{v1, v1beta1};

impl TryFrom<v1beta1::PipelineRun> for v1::PipelineRun {
    type Error = ConvertError;

    fn try_from(old: v1beta1::PipelineRun) -> Result<Self, ConvertError> {
        let mut metadata = old.metadata;
        if !old.spec.resources.is_empty() {
            annotations::write(&mut metadata, RESOURCES, &old.spec.resources)?;
        }
        let status = status_to_v1(old.status, &mut metadata)?;
        let spec = spec_to_v1(old.spec, &mut metadata)?;
        Ok(Self { metadata, spec, status })
    }
}

impl TryFrom<v1::PipelineRun> for v1beta1::PipelineRun {
    type Error = ConvertError;

    fn try_from(new: v1::PipelineRun) -> Result<Self, ConvertError> {
        let mut metadata = new.metadata;
        let resources: Option<Vec<PipelineResourceBinding>> = annotations::take(&mut metadata, RESOURCES)?;
        let status = status_from_v1(new.status, &mut metadata)?;
        let mut spec = spec_from_v1(new.spec, &mut metadata)?;
        spec.resources = resources.unwrap_or_default();
        Ok(Self { metadata, spec, status })
    }
}

fn spec_to_v1(old: v1beta1::PipelineRunSpec, metadata: &mut ObjectMeta) -> Result<v1::PipelineRunSpec, ConvertError> {
    // The older field wins over the newer one.
    let timeouts = match old.timeout {
        Some(timeout) => Some(v1::TimeoutFields { pipeline: Some(timeout), ..v1::TimeoutFields::default() }),
        None => old.timeouts,
    };
    Ok(v1::PipelineRunSpec {
        pipeline_ref: old.pipeline_ref.map(Into::into),
        pipeline_spec: old.pipeline_spec.map(|spec| pipeline::spec_to_v1(spec, metadata)).transpose()?,
        params: old.params,
        status: old.status,
        timeouts,
        task_run_template: v1::PipelineTaskRunTemplate {
            pod_template: old.pod_template,
            service_account_name: old.service_account_name,
        },
        workspaces: old.workspaces,
        task_run_specs: old.task_run_specs.into_iter().map(Into::into).collect(),
        // Upstream loses it, too.
        managed_by: None,
    })
}

fn spec_from_v1(new: v1::PipelineRunSpec, metadata: &mut ObjectMeta) -> Result<v1beta1::PipelineRunSpec, ConvertError> {
    Ok(v1beta1::PipelineRunSpec {
        pipeline_ref: new.pipeline_ref.map(Into::into),
        pipeline_spec: new.pipeline_spec.map(|spec| pipeline::spec_from_v1(spec, metadata)).transpose()?,
        resources: Vec::new(),
        params: new.params,
        service_account_name: new.task_run_template.service_account_name,
        status: new.status,
        timeouts: new.timeouts,
        timeout: None,
        pod_template: new.task_run_template.pod_template,
        workspaces: new.workspaces,
        task_run_specs: new.task_run_specs.into_iter().map(Into::into).collect(),
        managed_by: None,
    })
}

impl From<v1beta1::PipelineTaskRunSpec> for v1::PipelineTaskRunSpec {
    fn from(old: v1beta1::PipelineTaskRunSpec) -> Self {
        Self {
            pipeline_task_name: old.pipeline_task_name,
            service_account_name: old.task_service_account_name,
            pod_template: old.task_pod_template,
            step_specs: old.step_overrides.into_iter().map(Into::into).collect(),
            sidecar_specs: old.sidecar_overrides.into_iter().map(Into::into).collect(),
            metadata: old.metadata,
            compute_resources: old.compute_resources,
            timeout: old.timeout,
        }
    }
}

impl From<v1::PipelineTaskRunSpec> for v1beta1::PipelineTaskRunSpec {
    fn from(new: v1::PipelineTaskRunSpec) -> Self {
        // Upstream takes the labels for the annotations here; clients see that.
        let metadata = new
            .metadata
            .map(|metadata| v1::PipelineTaskMetadata { annotations: metadata.labels.clone(), labels: metadata.labels });
        Self {
            pipeline_task_name: new.pipeline_task_name,
            task_service_account_name: new.service_account_name,
            task_pod_template: new.pod_template,
            step_overrides: new.step_specs.into_iter().map(Into::into).collect(),
            sidecar_overrides: new.sidecar_specs.into_iter().map(Into::into).collect(),
            metadata,
            compute_resources: new.compute_resources,
            timeout: new.timeout,
        }
    }
}

fn status_to_v1(
    old: v1beta1::PipelineRunStatus,
    metadata: &mut ObjectMeta,
) -> Result<v1::PipelineRunStatus, ConvertError> {
    Ok(v1::PipelineRunStatus {
        observed_generation: old.observed_generation,
        conditions: old.conditions,
        annotations: old.annotations,
        start_time: old.start_time,
        completion_time: old.completion_time,
        results: old.pipeline_results,
        pipeline_spec: old.pipeline_spec.map(|spec| pipeline::spec_to_v1(spec, metadata)).transpose()?,
        skipped_tasks: old.skipped_tasks,
        child_references: old.child_references,
        finally_start_time: old.finally_start_time,
        provenance: old.provenance.map(Into::into),
        span_context: BTreeMap::new(),
    })
}

fn status_from_v1(
    new: v1::PipelineRunStatus,
    metadata: &mut ObjectMeta,
) -> Result<v1beta1::PipelineRunStatus, ConvertError> {
    Ok(v1beta1::PipelineRunStatus {
        observed_generation: new.observed_generation,
        conditions: new.conditions,
        annotations: new.annotations,
        start_time: new.start_time,
        completion_time: new.completion_time,
        pipeline_results: new.results,
        pipeline_spec: new.pipeline_spec.map(|spec| pipeline::spec_from_v1(spec, metadata)).transpose()?,
        skipped_tasks: new.skipped_tasks,
        child_references: new.child_references,
        finally_start_time: new.finally_start_time,
        provenance: new.provenance.map(Into::into),
        ..v1beta1::PipelineRunStatus::default()
    })
}
