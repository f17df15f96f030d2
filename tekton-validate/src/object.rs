//! Objects of every kind and the verdict on one of them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use tekton_types::config::Config;
use tekton_types::{resolution, v1, v1alpha1, v1beta1};

use crate::beta::{self, Leftovers, Shape};
use crate::diagnostic::{Diagnostic, from_errors};
use crate::errors::Errors;
use crate::gates::{Gates, Version};
use crate::presence::{EmptyParams, empty_params};
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
    /// `tekton.dev/v1alpha1` Run, the former CustomRun.
    Run(Box<v1beta1::CustomRun>),
    /// An object read from its wire form, with what its type cannot hold. [`Object::inner`] is the object.
    Read(Box<Read>),
}

/// An object with what its type cannot hold: its version, fields that are gone, lists given empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    object: Object,
    version: Version,
    leftovers: Leftovers,
    empty_params: Vec<EmptyParams>,
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
    let Object::Read(read) = object else { return errors_of(object, &Gates::new(config, Version::V1), operation) };
    let gates = Gates::new(config, read.version);
    if read.version == Version::V1beta1
        && matches!(operation, Operation::Delete)
        && matches!(read.object, Object::PipelineRun(_))
    {
        return Errors::none();
    }
    let mut errors = errors_of(&read.object, &gates, operation);
    errors.also(read.leftovers.always.clone());
    if matches!(operation, Operation::Create) {
        errors.also(read.leftovers.on_create.clone());
    }
    for reference in &read.empty_params {
        reference.correct(&gates, &mut errors);
    }
    errors
}

fn errors_of(object: &Object, gates: &Gates<'_>, operation: Operation<'_>) -> Errors {
    let old = match operation {
        Operation::Update { old } => old.map(Object::inner),
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
        Object::CustomRun(object) => customrun::validate(object, customrun::CUSTOM_RUN),
        Object::Run(object) => customrun::validate(object, customrun::RUN),
        Object::VerificationPolicy(object) => verification::validate(object),
        Object::ResolutionRequest(object) => requests::validate(object.metadata.labels.as_ref()),
        Object::ResolutionRequestAlpha(object) => requests::validate(object.metadata.labels.as_ref()),
        Object::Read(read) => errors_of(&read.object, gates, operation),
    }
}

impl Object {
    /// The object without what was noted on reading; at v1 when it was read at v1beta1.
    pub fn inner(&self) -> &Object {
        match self {
            Self::Read(read) => &read.object,
            other => other,
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Task(o) => &o.metadata,
            Self::TaskRun(o) => &o.metadata,
            Self::Pipeline(o) => &o.metadata,
            Self::PipelineRun(o) => &o.metadata,
            Self::StepAction(o) => &o.metadata,
            Self::StepActionAlpha(o) => &o.metadata,
            Self::CustomRun(o) | Self::Run(o) => &o.metadata,
            Self::VerificationPolicy(o) => &o.metadata,
            Self::ResolutionRequest(o) => &o.metadata,
            Self::ResolutionRequestAlpha(o) => &o.metadata,
            Self::Read(read) => read.object.metadata(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Task(_) => "Task",
            Self::TaskRun(_) => "TaskRun",
            Self::Pipeline(_) => "Pipeline",
            Self::PipelineRun(_) => "PipelineRun",
            Self::StepAction(_) | Self::StepActionAlpha(_) => "StepAction",
            Self::CustomRun(_) => "CustomRun",
            Self::Run(_) => "Run",
            Self::VerificationPolicy(_) => "VerificationPolicy",
            Self::ResolutionRequest(_) | Self::ResolutionRequestAlpha(_) => "ResolutionRequest",
            Self::Read(read) => read.object.kind(),
        }
    }

    /// Reads an object by its `apiVersion` and `kind`, passing over unknown fields.
    ///
    /// Errors: no such kind here, or a value of the wrong type.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        let text = |key: &str| value[key].as_str().unwrap_or_default();
        let object = match (text("apiVersion"), text("kind")) {
            ("tekton.dev/v1", "Task") => read(value).map(Self::Task),
            ("tekton.dev/v1", "TaskRun") => read(value).map(Self::TaskRun),
            ("tekton.dev/v1", "Pipeline") => read(value).map(Self::Pipeline),
            ("tekton.dev/v1", "PipelineRun") => read(value).map(Self::PipelineRun),
            ("tekton.dev/v1beta1", "Task" | "TaskRun" | "Pipeline" | "PipelineRun") => return Self::from_beta(value),
            ("tekton.dev/v1beta1", "StepAction") => read(value).map(Self::StepAction),
            ("tekton.dev/v1alpha1", "StepAction") => read(value).map(Self::StepActionAlpha),
            ("tekton.dev/v1beta1", "CustomRun") => read(value).map(Self::CustomRun),
            ("tekton.dev/v1alpha1", "Run") => return Self::from_run(value),
            ("tekton.dev/v1alpha1", "VerificationPolicy") => read(value).map(Self::VerificationPolicy),
            ("resolution.tekton.dev/v1beta1", "ResolutionRequest") => read(value).map(Self::ResolutionRequest),
            ("resolution.tekton.dev/v1alpha1", "ResolutionRequest") => read(value).map(Self::ResolutionRequestAlpha),
            (api_version, kind) => Err(format!("no kind \"{kind}\" is known in \"{api_version}\"")),
        }?;
        let empty_params = empty_params(value);
        if empty_params.is_empty() {
            return Ok(object);
        }
        let leftovers = Leftovers::default();
        Ok(Self::Read(Box::new(Read { object, version: Version::V1, leftovers, empty_params })))
    }

    fn from_beta(value: &Value) -> Result<Self, String> {
        let mut value = value.clone();
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        let shape = match kind.as_str() {
            "Task" => Shape::TaskSpec,
            "TaskRun" => Shape::TaskRunSpec,
            "Pipeline" => Shape::PipelineSpec,
            _ => Shape::PipelineRunSpec,
        };
        let leftovers = beta::adapt(shape, &mut value["spec"], "spec");
        value["apiVersion"] = "tekton.dev/v1".into();
        let object = match kind.as_str() {
            "Task" => read(&value).map(Self::Task),
            "TaskRun" => read(&value).map(Self::TaskRun),
            "Pipeline" => read(&value).map(Self::Pipeline),
            _ => read(&value).map(Self::PipelineRun),
        }?;
        let empty_params = empty_params(&value);
        Ok(Self::Read(Box::new(Read { object, version: Version::V1beta1, leftovers, empty_params })))
    }

    fn from_run(value: &Value) -> Result<Self, String> {
        let mut value = value.clone();
        value["apiVersion"] = "tekton.dev/v1beta1".into();
        value["kind"] = "CustomRun".into();
        if let Some(spec) = value["spec"].as_object_mut() {
            for (old, new) in [("ref", "customRef"), ("spec", "customSpec")] {
                if let Some(part) = spec.remove(old) {
                    spec.insert(new.to_owned(), part);
                }
            }
        }
        read(&value).map(Self::Run)
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<Box<T>, String> {
    T::deserialize(value).map(Box::new).map_err(|e| e.to_string())
}
