//! Conversion between v1beta1 and v1, both ways.
//!
//! What v1 has no field for travels in annotations whose keys begin with `tekton.dev/v1beta1`, as JSON, and
//! comes back on the way back. Some fields are lost, the same ones as upstream.
//!
//! ```
//! use tekton_types::{v1, v1beta1};
//! let old: v1beta1::Task = serde_json::from_str(r#"{"spec":{"steps":[{"name":"a","image":"b","tty":true}]}}"#).unwrap();
//! let new = v1::Task::try_from(old).unwrap();
//! assert!(new.metadata.annotations.unwrap().contains_key("tekton.dev/v1beta1.task-deprecations"));
//! ```

mod annotations;
mod container;
mod deprecations;
mod pipeline;
mod pipelinerun;
mod resolution;
mod task;
mod taskrun;

use crate::Object;
use crate::v1::ParamSpec;

/// Why an object could not be converted, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConvertError(pub String);

/// The only default that conversion sets: the type of a declared parameter, whatever its default value is.
fn param_specs(specs: Vec<ParamSpec>) -> Vec<ParamSpec> {
    let mut specs = specs;
    for spec in specs.iter_mut().filter(|spec| spec.type_.is_empty()) {
        crate::v1::param_type::STRING.clone_into(&mut spec.type_);
    }
    specs
}

/// An object at the version that everything works with: v1, or v1beta1 for StepActions and ResolutionRequests.
pub fn to_hub(object: Object) -> Result<Object, ConvertError> {
    Ok(match object {
        Object::V1Beta1Task(old) => crate::v1::Task::try_from(*old)?.into(),
        Object::V1Beta1TaskRun(old) => crate::v1::TaskRun::try_from(*old)?.into(),
        Object::V1Beta1Pipeline(old) => crate::v1::Pipeline::try_from(*old)?.into(),
        Object::V1Beta1PipelineRun(old) => crate::v1::PipelineRun::try_from(*old)?.into(),
        Object::V1Alpha1StepAction(old) => super::StepAction::from(*old).into(),
        Object::V1Alpha1ResolutionRequest(old) => crate::resolution::v1beta1::ResolutionRequest::from(*old).into(),
        object => object,
    })
}
