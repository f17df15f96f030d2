//! Provenance: where a definition came from and under which flags it ran.

use std::collections::BTreeMap;

use crate::config::FeatureFlags;
use crate::wire::wire;

wire! {
    /// What Tekton Chains and auditors want to know about a run.
    pub struct Provenance {
        /// Where the remote definition came from.
        pub ref_source: Option<RefSource>,
        /// The flags that were in force.
        pub feature_flags: Option<FeatureFlags>,
    }
}

wire! {
    /// Identifies the source of a remote definition.
    pub struct RefSource {
        /// Where the definition is.
        pub uri: String,
        /// Digests by algorithm.
        pub digest: BTreeMap<String, String>,
        /// Path of the definition within the source.
        pub entry_point: String,
    }
}
