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

/// An object at any version at which its kind is served. Errors: it is not served there, or cannot be converted.
pub fn to_version(object: Object, api_version: &str) -> Result<Object, ConvertError> {
    if object.api_version() == api_version {
        return Ok(object);
    }
    let converted = match to_hub(object)? {
        hub if hub.api_version() == api_version => hub,
        Object::Task(new) => super::Task::try_from(*new)?.into(),
        Object::TaskRun(new) => super::TaskRun::try_from(*new)?.into(),
        Object::Pipeline(new) => super::Pipeline::try_from(*new)?.into(),
        Object::PipelineRun(new) => super::PipelineRun::try_from(*new)?.into(),
        Object::StepAction(new) => crate::v1alpha1::StepAction::from(*new).into(),
        Object::ResolutionRequest(new) => crate::resolution::v1alpha1::ResolutionRequest::try_from(*new)?.into(),
        hub => hub,
    };
    if converted.api_version() == api_version {
        return Ok(converted);
    }
    Err(ConvertError(format!("{} is not served at {api_version}", converted.kind())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::to_version;
    use crate::Object;

    #[track_caller]
    fn check(object: &serde_json::Value, to: &str, pointer: &str, expected: &serde_json::Value) {
        let object = Object::from_json(object).0.expect("an object");
        let converted = to_version(object, to).expect("it is served there").to_json();
        assert_eq!(converted["apiVersion"], to);
        assert_eq!(converted.pointer(pointer), Some(expected), "{converted}");
    }

    #[test]
    fn an_object_goes_to_any_version_of_its_kind_and_no_other() {
        let limits = json!({"limits": {"cpu": "1"}});
        let task =
            json!({"apiVersion": "tekton.dev/v1", "kind": "Task", "spec": {"steps": [{"computeResources": limits}]}});
        check(&task, "tekton.dev/v1beta1", "/spec/steps/0/resources", &limits);
        check(&task, "tekton.dev/v1", "/spec/steps/0/computeResources", &limits);
        let action = json!({"apiVersion": "tekton.dev/v1beta1", "kind": "StepAction", "spec": {"image": "a"}});
        check(&action, "tekton.dev/v1alpha1", "/spec/image", &json!("a"));
        let request = json!({"apiVersion": "resolution.tekton.dev/v1alpha1", "kind": "ResolutionRequest", "spec": {"params": {"a": "b"}}});
        check(&request, "resolution.tekton.dev/v1beta1", "/spec/params", &json!([{"name": "a", "value": "b"}]));
        let refused = to_version(Object::from_json(&task).0.expect("an object"), "tekton.dev/v1alpha1");
        assert_eq!(refused.unwrap_err().to_string(), "Task is not served at tekton.dev/v1alpha1");
    }
}
