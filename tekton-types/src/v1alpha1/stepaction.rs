//! StepAction at v1alpha1: the same shape as at v1beta1.

use crate::v1beta1::StepActionSpec;
use crate::wire::kind;

kind! {
    /// A reusable step.
    pub struct StepAction("tekton.dev", "v1alpha1", "stepactions") {
        /// What the step does.
        pub spec: StepActionSpec,
    }
}

impl From<StepAction> for crate::v1beta1::StepAction {
    fn from(old: StepAction) -> Self {
        Self { metadata: old.metadata, spec: old.spec }
    }
}
