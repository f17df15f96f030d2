//! References at v1beta1, which may still name a bundle.

use crate::v1::Param;
use crate::wire::wire;

wire! {
    /// Names a Task, or a custom task, or says which resolver brings it.
    pub struct TaskRef {
        /// Name of the referent.
        pub name: String,
        /// Kind of the referent; `Task` when defaulted.
        pub kind: String,
        /// API version of the referent; set for custom tasks.
        pub api_version: String,
        /// Deprecated: image of a bundle.
        pub bundle: String,
        /// Resolver that brings the task.
        pub resolver: String,
        /// Parameters of the resolver.
        pub params: Vec<Param>,
    }
}

wire! {
    /// Names a Pipeline or says which resolver brings it.
    pub struct PipelineRef {
        /// Name of the referent.
        pub name: String,
        /// API version of the referent.
        pub api_version: String,
        /// Deprecated: image of a bundle.
        pub bundle: String,
        /// Resolver that brings the pipeline.
        pub resolver: String,
        /// Parameters of the resolver.
        pub params: Vec<Param>,
    }
}
