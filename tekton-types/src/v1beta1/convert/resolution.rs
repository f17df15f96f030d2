//! ResolutionRequest and StepAction between v1alpha1 and v1beta1.

use super::ConvertError;
use crate::resolution::{v1alpha1, v1beta1};
use crate::v1::{Param, ParamValue};

impl From<v1alpha1::ResolutionRequest> for v1beta1::ResolutionRequest {
    fn from(old: v1alpha1::ResolutionRequest) -> Self {
        let params = old.spec.params.into_iter().map(|(name, value)| Param { name, value: value.into() });
        Self {
            metadata: old.metadata,
            spec: v1beta1::ResolutionRequestSpec { params: params.collect(), url: String::new() },
            // Upstream converts neither the conditions nor the generation.
            status: v1beta1::ResolutionRequestStatus {
                data: old.status.data,
                ref_source: old.status.ref_source,
                ..v1beta1::ResolutionRequestStatus::default()
            },
        }
    }
}

impl TryFrom<v1beta1::ResolutionRequest> for v1alpha1::ResolutionRequest {
    type Error = ConvertError;

    fn try_from(new: v1beta1::ResolutionRequest) -> Result<Self, ConvertError> {
        let mut spec = v1alpha1::ResolutionRequestSpec::default();
        let mut refused = Vec::new();
        for param in new.spec.params {
            match param.value {
                ParamValue::String(text) => {
                    spec.params.insert(param.name, text);
                }
                ParamValue::Array(_) | ParamValue::Object(_) => refused.push(param.name),
            }
        }
        if !refused.is_empty() {
            return Err(ConvertError(format!(
                "cannot convert v1beta1 to v1alpha, non-string type parameter(s) found: {}",
                refused.join(", ")
            )));
        }
        Ok(Self {
            metadata: new.metadata,
            spec,
            status: v1alpha1::ResolutionRequestStatus {
                data: new.status.data,
                ref_source: new.status.ref_source.or(new.status.source),
                ..v1alpha1::ResolutionRequestStatus::default()
            },
        })
    }
}

impl From<crate::v1beta1::StepAction> for crate::v1alpha1::StepAction {
    fn from(new: crate::v1beta1::StepAction) -> Self {
        Self { metadata: new.metadata, spec: new.spec }
    }
}
