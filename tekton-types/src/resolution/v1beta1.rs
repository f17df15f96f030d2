//! ResolutionRequest at v1beta1.

use std::collections::BTreeMap;

use crate::condition::Condition;
use crate::v1::{Param, RefSource};
use crate::wire::{kind, wire};

kind! {
    /// A request for a remote definition.
    pub struct ResolutionRequest("resolution.tekton.dev", "v1beta1", "resolutionrequests") {
        /// What is asked for.
        pub spec: ResolutionRequestSpec,
        /// The answer.
        pub status: ResolutionRequestStatus,
    }
}

wire! {
    /// What is asked of a resolver.
    pub struct ResolutionRequestSpec {
        /// Parameters of the resolver.
        pub params: Vec<Param>,
        /// An URL, for resolvers that take one.
        pub url: String,
    }
}

wire! {
    /// What a resolver answered.
    pub struct ResolutionRequestStatus {
        /// Generation of the spec that this status is about.
        pub observed_generation: i64,
        /// The conditions; `Succeeded` is the one that counts.
        pub conditions: Vec<Condition>,
        /// Annotations of the status.
        pub annotations: BTreeMap<String, String>,
        /// The definition, in base64.
        pub always data: String,
        /// The older name of `ref_source`.
        pub always source: Option<RefSource>,
        /// Where the definition came from.
        pub always ref_source: Option<RefSource>,
    }
}
