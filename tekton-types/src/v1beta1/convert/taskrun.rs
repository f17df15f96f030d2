//! TaskRun and its status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::{self, CLOUD_EVENTS, RESOURCES, RESOURCES_RESULT, RESOURCES_STATUS};
use super::{ConvertError, task};
use crate::v1beta1::{CloudEventDelivery, PipelineResourceResult, TaskResources, TaskRunResources};
use crate::{v1, v1beta1};

impl TryFrom<v1beta1::TaskRun> for v1::TaskRun {
    type Error = ConvertError;

    fn try_from(old: v1beta1::TaskRun) -> Result<Self, ConvertError> {
        let mut metadata = old.metadata;
        if let Some(resources) = &old.spec.resources {
            annotations::write(&mut metadata, RESOURCES, resources)?;
        }
        if !old.status.cloud_events.is_empty() {
            annotations::write(&mut metadata, CLOUD_EVENTS, &old.status.cloud_events)?;
        }
        if !old.status.resources_result.is_empty() {
            annotations::write(&mut metadata, RESOURCES_RESULT, &old.status.resources_result)?;
        }
        if let Some(resources) = old.status.task_spec.as_ref().and_then(|spec| spec.resources.as_ref()) {
            annotations::write(&mut metadata, RESOURCES_STATUS, resources)?;
        }
        let status = status_to_v1(old.status, &mut metadata)?;
        let spec = spec_to_v1(old.spec, &mut metadata)?;
        Ok(Self { metadata, spec, status })
    }
}

impl TryFrom<v1::TaskRun> for v1beta1::TaskRun {
    type Error = ConvertError;

    fn try_from(new: v1::TaskRun) -> Result<Self, ConvertError> {
        let mut metadata = new.metadata;
        let resources: Option<TaskRunResources> = annotations::take(&mut metadata, RESOURCES)?;
        let cloud_events: Option<Vec<CloudEventDelivery>> = annotations::take(&mut metadata, CLOUD_EVENTS)?;
        let resources_result: Option<Vec<PipelineResourceResult>> = annotations::take(&mut metadata, RESOURCES_RESULT)?;
        let mut status = status_from_v1(new.status, &mut metadata)?;
        status.cloud_events = cloud_events.unwrap_or_default();
        status.resources_result = resources_result.unwrap_or_default();
        let declared: Option<TaskResources> = annotations::take(&mut metadata, RESOURCES_STATUS)?;
        if let Some(declared) = declared.filter(|r| !r.inputs.is_empty() || !r.outputs.is_empty()) {
            status.task_spec.get_or_insert_default().resources = Some(declared);
        }
        let mut spec = spec_from_v1(new.spec, &mut metadata)?;
        spec.resources = resources.filter(|r| !r.inputs.is_empty() || !r.outputs.is_empty());
        Ok(Self { metadata, spec, status })
    }
}

fn spec_to_v1(old: v1beta1::TaskRunSpec, metadata: &mut ObjectMeta) -> Result<v1::TaskRunSpec, ConvertError> {
    let name = metadata.name.clone().unwrap_or_default();
    Ok(v1::TaskRunSpec {
        debug: old.debug,
        params: old.params,
        service_account_name: old.service_account_name,
        task_ref: old.task_ref.map(Into::into),
        task_spec: old.task_spec.map(|spec| task::spec_to_v1(spec, metadata, &name)).transpose()?,
        status: old.status,
        status_message: old.status_message,
        retries: old.retries,
        timeout: old.timeout,
        pod_template: old.pod_template,
        workspaces: old.workspaces,
        step_specs: old.step_overrides.into_iter().map(Into::into).collect(),
        sidecar_specs: old.sidecar_overrides.into_iter().map(Into::into).collect(),
        compute_resources: old.compute_resources,
        // Upstream loses it, too.
        managed_by: None,
    })
}

fn spec_from_v1(new: v1::TaskRunSpec, metadata: &mut ObjectMeta) -> Result<v1beta1::TaskRunSpec, ConvertError> {
    let name = metadata.name.clone().unwrap_or_default();
    Ok(v1beta1::TaskRunSpec {
        debug: new.debug,
        params: new.params,
        resources: None,
        service_account_name: new.service_account_name,
        task_ref: new.task_ref.map(Into::into),
        task_spec: new.task_spec.map(|spec| task::spec_from_v1(spec, metadata, &name)).transpose()?,
        status: new.status,
        status_message: new.status_message,
        retries: new.retries,
        timeout: new.timeout,
        pod_template: new.pod_template,
        workspaces: new.workspaces,
        step_overrides: new.step_specs.into_iter().map(Into::into).collect(),
        sidecar_overrides: new.sidecar_specs.into_iter().map(Into::into).collect(),
        compute_resources: new.compute_resources,
        managed_by: None,
    })
}

fn status_to_v1(old: v1beta1::TaskRunStatus, metadata: &mut ObjectMeta) -> Result<v1::TaskRunStatus, ConvertError> {
    let name = metadata.name.clone().unwrap_or_default();
    let mut retries_status = Vec::with_capacity(old.retries_status.len());
    for retry in old.retries_status {
        retries_status.push(status_to_v1(retry, metadata)?);
    }
    Ok(v1::TaskRunStatus {
        observed_generation: old.observed_generation,
        conditions: old.conditions,
        annotations: old.annotations,
        pod_name: old.pod_name,
        start_time: old.start_time,
        completion_time: old.completion_time,
        steps: old.steps.into_iter().map(Into::into).collect(),
        retries_status,
        results: old.task_results,
        artifacts: None,
        sidecars: old.sidecars,
        task_spec: old.task_spec.map(|spec| task::spec_to_v1(spec, metadata, &name)).transpose()?,
        provenance: old.provenance.map(Into::into),
        span_context: std::collections::BTreeMap::new(),
    })
}

fn status_from_v1(new: v1::TaskRunStatus, metadata: &mut ObjectMeta) -> Result<v1beta1::TaskRunStatus, ConvertError> {
    let name = metadata.name.clone().unwrap_or_default();
    let mut retries_status = Vec::with_capacity(new.retries_status.len());
    for retry in new.retries_status {
        retries_status.push(status_from_v1(retry, metadata)?);
    }
    Ok(v1beta1::TaskRunStatus {
        observed_generation: new.observed_generation,
        conditions: new.conditions,
        annotations: new.annotations,
        pod_name: new.pod_name,
        start_time: new.start_time,
        completion_time: new.completion_time,
        steps: new.steps.into_iter().map(Into::into).collect(),
        retries_status,
        task_results: new.results,
        sidecars: new.sidecars,
        task_spec: new.task_spec.map(|spec| task::spec_from_v1(spec, metadata, &name)).transpose()?,
        provenance: new.provenance.map(Into::into),
        ..v1beta1::TaskRunStatus::default()
    })
}

impl From<v1beta1::StepState> for v1::StepState {
    fn from(old: v1beta1::StepState) -> Self {
        let termination_reason = old.terminated.as_ref().and_then(|t| t.reason.clone()).unwrap_or_default();
        Self {
            waiting: old.waiting,
            running: old.running,
            terminated: old.terminated,
            name: old.name,
            container: old.container,
            image_id: old.image_id,
            results: old.results,
            provenance: old.provenance.map(Into::into),
            termination_reason,
            inputs: artifacts(old.inputs),
            outputs: artifacts(old.outputs),
        }
    }
}

impl From<v1::StepState> for v1beta1::StepState {
    fn from(new: v1::StepState) -> Self {
        Self {
            waiting: new.waiting,
            running: new.running,
            terminated: new.terminated,
            name: new.name,
            container: new.container,
            image_id: new.image_id,
            results: new.results,
            provenance: new.provenance.map(Into::into),
            inputs: artifacts(new.inputs),
            outputs: artifacts(new.outputs),
        }
    }
}

/// Conversion loses whether an artifact is what the build was for.
fn artifacts(artifacts: Vec<v1::Artifact>) -> Vec<v1::Artifact> {
    artifacts.into_iter().map(|artifact| v1::Artifact { build_output: false, ..artifact }).collect()
}

impl From<v1beta1::Provenance> for v1::Provenance {
    fn from(old: v1beta1::Provenance) -> Self {
        let v1beta1::Provenance { config_source: _, ref_source, feature_flags } = old;
        Self { ref_source, feature_flags }
    }
}

impl From<v1::Provenance> for v1beta1::Provenance {
    fn from(new: v1::Provenance) -> Self {
        let v1::Provenance { ref_source, feature_flags } = new;
        Self { config_source: None, ref_source, feature_flags }
    }
}

macro_rules! overrides {
    ($($old:ident, $new:ident;)*) => {$(
        impl From<v1beta1::$old> for v1::$new {
            fn from(old: v1beta1::$old) -> Self {
                Self { name: old.name, compute_resources: old.resources }
            }
        }

        impl From<v1::$new> for v1beta1::$old {
            fn from(new: v1::$new) -> Self {
                Self { name: new.name, resources: new.compute_resources }
            }
        }
    )*};
}
overrides! {
    TaskRunStepOverride, TaskRunStepSpec;
    TaskRunSidecarOverride, TaskRunSidecarSpec;
}
