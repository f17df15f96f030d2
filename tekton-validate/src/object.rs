//! The verdict of admission on one object.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::v1::{Pipeline, PipelineRun, Task, TaskRun};

use crate::beta::{self, Shape};
use crate::diagnostic::{Diagnostic, from_errors};
use crate::errors::{Errors, FieldError};
use crate::gates::{Gates, Version};
use crate::presence;
use crate::rules::{customrun, pipeline, pipelinerun, resolution as requests, stepaction, task, taskrun, verification};

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
///
/// Objects of other APIs are admitted.
pub fn validate(object: &Object, config: &Config, operation: Operation<'_>) -> Vec<Diagnostic> {
    from_errors(errors(object, config, operation))
}

/// As [`validate`], with the object as it was given, for what its type cannot hold: an empty list of parameters
/// in a reference is not the same as none.
pub fn validate_with_source(
    object: &Object,
    source: &Value,
    config: &Config,
    operation: Operation<'_>,
) -> Vec<Diagnostic> {
    let mut found = errors(object, config, operation);
    presence::correct(&Gates::new(config, version(object)), source, &mut found);
    from_errors(found)
}

fn version(object: &Object) -> Version {
    match object {
        Object::V1Beta1Task(_)
        | Object::V1Beta1TaskRun(_)
        | Object::V1Beta1Pipeline(_)
        | Object::V1Beta1PipelineRun(_) => Version::V1beta1,
        _ => Version::V1,
    }
}

fn errors(object: &Object, config: &Config, operation: Operation<'_>) -> Errors {
    let gates = &Gates::new(config, version(object));
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
        Object::V1Beta1Task(_) => of_beta(object, Shape::TaskSpec, operation, |o: &Task| task::validate(gates, o)),
        Object::V1Beta1Pipeline(_) => {
            of_beta(object, Shape::PipelineSpec, operation, |o: &Pipeline| pipeline::validate(gates, o))
        }
        Object::V1Beta1TaskRun(_) => {
            let old = old.and_then(as_v1::<TaskRun>);
            of_beta(object, Shape::TaskRunSpec, operation, |o: &TaskRun| taskrun::validate(gates, o, old.as_ref()))
        }
        Object::V1Beta1PipelineRun(_) if matches!(operation, Operation::Delete) => Errors::none(),
        Object::V1Beta1PipelineRun(_) => {
            let old = old.and_then(as_v1::<PipelineRun>);
            of_beta(object, Shape::PipelineRunSpec, operation, |o: &PipelineRun| {
                pipelinerun::validate(gates, o, old.as_ref())
            })
        }
        Object::StepAction(object) => stepaction::validate(gates, &object.metadata, &object.spec, false),
        Object::V1Alpha1StepAction(object) => stepaction::validate(gates, &object.metadata, &object.spec, true),
        Object::CustomRun(object) => customrun::validate(object, customrun::CUSTOM_RUN),
        Object::VerificationPolicy(object) => verification::validate(object),
        Object::ResolutionRequest(object) => requests::validate(object.metadata.labels.as_ref()),
        Object::V1Alpha1ResolutionRequest(object) => requests::validate(object.metadata.labels.as_ref()),
        _ => Errors::none(),
    }
}

/// Checks an object of v1beta1 in the shape of v1.
fn of_beta<T: DeserializeOwned>(
    object: &Object,
    shape: Shape,
    operation: Operation<'_>,
    check: impl FnOnce(&T) -> Errors,
) -> Errors {
    let (adapted, left) = match beta::read::<T>(object, shape) {
        Ok(adapted) => adapted,
        Err(problem) => return FieldError::new(problem, &["spec"]).into(),
    };
    let mut errors = check(&adapted);
    errors.also(left.always);
    if matches!(operation, Operation::Create) {
        errors.also(left.on_create);
    }
    errors
}

/// An older run in the shape of v1.
fn as_v1<T: DeserializeOwned>(object: &Object) -> Option<T> {
    let shape = match object {
        Object::V1Beta1TaskRun(_) => Shape::TaskRunSpec,
        Object::V1Beta1PipelineRun(_) => Shape::PipelineRunSpec,
        _ => return None,
    };
    beta::read(object, shape).ok().map(|(object, _)| object)
}
