//! Objects of every kind and the verdict on one of them.

use serde_json::Value;
use tekton_types::config::Config;
use tekton_types::{resolution, v1, v1alpha1, v1beta1};

use crate::diagnostic::{Diagnostic, from_errors};
use crate::errors::Errors;
use crate::gates::{Gates, Version};
use crate::rules::{customrun, pipeline, pipelinerun, resolution as requests, stepaction, task, taskrun, verification};

/// An object of any kind that admission knows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Object {
    /// `tekton.dev/v1` Task.
    Task(Box<v1::Task>),
    /// `tekton.dev/v1` TaskRun.
    TaskRun(Box<v1::TaskRun>),
    /// `tekton.dev/v1` Pipeline.
    Pipeline(Box<v1::Pipeline>),
    /// `tekton.dev/v1` PipelineRun.
    PipelineRun(Box<v1::PipelineRun>),
    /// `tekton.dev/v1beta1` StepAction.
    StepAction(Box<v1beta1::StepAction>),
    /// `tekton.dev/v1alpha1` StepAction.
    StepActionAlpha(Box<v1alpha1::StepAction>),
    /// `tekton.dev/v1beta1` CustomRun.
    CustomRun(Box<v1beta1::CustomRun>),
    /// `tekton.dev/v1alpha1` VerificationPolicy.
    VerificationPolicy(Box<v1alpha1::VerificationPolicy>),
    /// `resolution.tekton.dev/v1beta1` ResolutionRequest.
    ResolutionRequest(Box<resolution::v1beta1::ResolutionRequest>),
    /// `resolution.tekton.dev/v1alpha1` ResolutionRequest.
    ResolutionRequestAlpha(Box<resolution::v1alpha1::ResolutionRequest>),
}

/// What is being done with the object.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// Nothing: the object is looked at as it is.
    #[default]
    None,
    /// It is created.
    Create,
    /// It replaces an older state of itself.
    Update {
        /// The older state.
        old: Option<&'a Object>,
    },
    /// It is deleted.
    Delete,
}

/// The verdict of admission: all errors, merged and sorted; none means the object is admitted.
pub fn validate(object: &Object, config: &Config, operation: Operation<'_>) -> Vec<Diagnostic> {
    from_errors(errors(object, config, operation))
}

fn errors(object: &Object, config: &Config, operation: Operation<'_>) -> Errors {
    let gates = &Gates::new(config, Version::V1);
    let old = match operation {
        Operation::Update { old } => old,
        _ => None,
    };
    match object {
        Object::Task(object) => task::validate(gates, object),
        Object::TaskRun(object) => {
            let old = match old {
                Some(Object::TaskRun(old)) => Some(&**old),
                _ => None,
            };
            taskrun::validate(gates, object, old)
        }
        Object::Pipeline(object) => pipeline::validate(gates, object),
        Object::PipelineRun(object) => {
            let old = match old {
                Some(Object::PipelineRun(old)) => Some(&**old),
                _ => None,
            };
            pipelinerun::validate(gates, object, old)
        }
        Object::StepAction(object) => stepaction::validate(gates, &object.metadata, &object.spec, false),
        Object::StepActionAlpha(object) => stepaction::validate(gates, &object.metadata, &object.spec, true),
        Object::CustomRun(object) => customrun::validate(object),
        Object::VerificationPolicy(object) => verification::validate(object),
        Object::ResolutionRequest(object) => requests::validate(object.metadata.labels.as_ref()),
        Object::ResolutionRequestAlpha(object) => requests::validate(object.metadata.labels.as_ref()),
    }
}

impl Object {
    /// Reads an object by its `apiVersion` and `kind`.
    ///
    /// Errors: no such kind here, or a value of the wrong type.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<Box<T>, String> {
            T::deserialize(value).map(Box::new).map_err(|e| e.to_string())
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default();
        match (text("apiVersion"), text("kind")) {
            ("tekton.dev/v1", "Task") => read(value).map(Self::Task),
            ("tekton.dev/v1", "TaskRun") => read(value).map(Self::TaskRun),
            ("tekton.dev/v1", "Pipeline") => read(value).map(Self::Pipeline),
            ("tekton.dev/v1", "PipelineRun") => read(value).map(Self::PipelineRun),
            ("tekton.dev/v1beta1", "StepAction") => read(value).map(Self::StepAction),
            ("tekton.dev/v1alpha1", "StepAction") => read(value).map(Self::StepActionAlpha),
            ("tekton.dev/v1beta1", "CustomRun") => read(value).map(Self::CustomRun),
            ("tekton.dev/v1alpha1", "VerificationPolicy") => read(value).map(Self::VerificationPolicy),
            ("resolution.tekton.dev/v1beta1", "ResolutionRequest") => read(value).map(Self::ResolutionRequest),
            ("resolution.tekton.dev/v1alpha1", "ResolutionRequest") => read(value).map(Self::ResolutionRequestAlpha),
            (api_version, kind) => Err(format!("no kind \"{kind}\" is known in \"{api_version}\"")),
        }
    }
}
