//! The objects that the engine reads and writes, behind one enum so that a shell needs one code path.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, Node, PersistentVolumeClaim, Pod, Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_types::resolution::ResolutionRequest;
use tekton_types::v1::{Pipeline, PipelineRun, Task, TaskRun};
use tekton_types::v1alpha1::VerificationPolicy;
use tekton_types::v1beta1::{CustomRun, StepAction};

/// Names one object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// What it is.
    pub kind: Kind,
    /// Its namespace; empty for an object of the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// The key of the object of `kind` called `namespace/name`.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.resource(), self.namespace, self.name)
    }
}

/// A kind whose objects the engine handles; implemented for each of them and for nothing else.
pub trait Stored: Sized {
    /// The kind.
    const KIND: Kind;
    /// The typed object, if `object` is of this kind.
    fn from_object(object: &Object) -> Option<&Arc<Self>>;
    /// Wraps the typed object.
    fn into_object(self) -> Object;
}

macro_rules! kinds {
    ($($kind:ident: $resource:literal, $version:literal;)*) => {
        /// The kinds of objects that the engine handles.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(
                #[doc = concat!("`", stringify!($kind), "` of `", $version, "`.")]
                $kind,
            )*
        }

        impl Kind {
            /// All kinds, in a fixed order.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            /// The name of the kind, such as `TaskRun`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)* }
            }

            /// The plural that stands in paths of the API, such as `taskruns`.
            pub const fn resource(self) -> &'static str {
                match self { $(Self::$kind => $resource,)* }
            }

            /// The API version, such as `tekton.dev/v1`.
            pub const fn api_version(self) -> &'static str {
                match self { $(Self::$kind => $version,)* }
            }
        }

        /// An object of any kind that the engine handles; cheap to clone.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Object {
            $(
                #[doc = concat!("A `", stringify!($kind), "`.")]
                $kind(Arc<$kind>),
            )*
        }

        impl Object {
            /// What it is.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Its metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.metadata,)* }
            }

            /// Its metadata, to change; a shared object is copied first.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$kind(object) => &mut Arc::make_mut(object).metadata,)* }
            }

            /// Whether both are one and the same object in memory, not merely equal.
            pub fn is_same(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$kind(a), Self::$kind(b)) => Arc::ptr_eq(a, b),)*
                    _ => false,
                }
            }

            /// Reads an object of `kind` from its JSON form.
            ///
            /// Errors: the text does not have the shape of the kind.
            pub fn from_json(kind: Kind, value: serde_json::Value) -> Result<Self, serde_json::Error> {
                Ok(match kind { $(Kind::$kind => Self::$kind(Arc::new(serde_json::from_value(value)?)),)* })
            }

            /// Its JSON form, with `apiVersion` and `kind`.
            ///
            /// Errors: none in practice; the types of the API always serialise.
            pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $(Self::$kind(object) => serde_json::to_value(&**object),)* }
            }
        }

        $(
            impl Stored for $kind {
                const KIND: Kind = Kind::$kind;

                fn from_object(object: &Object) -> Option<&Arc<Self>> {
                    match object {
                        Object::$kind(typed) => Some(typed),
                        _ => None,
                    }
                }

                fn into_object(self) -> Object {
                    Object::$kind(Arc::new(self))
                }
            }
        )*
    };
}

kinds! {
    Task: "tasks", "tekton.dev/v1";
    Pipeline: "pipelines", "tekton.dev/v1";
    StepAction: "stepactions", "tekton.dev/v1beta1";
    TaskRun: "taskruns", "tekton.dev/v1";
    PipelineRun: "pipelineruns", "tekton.dev/v1";
    CustomRun: "customruns", "tekton.dev/v1beta1";
    ResolutionRequest: "resolutionrequests", "resolution.tekton.dev/v1beta1";
    VerificationPolicy: "verificationpolicies", "tekton.dev/v1alpha1";
    Pod: "pods", "v1";
    PersistentVolumeClaim: "persistentvolumeclaims", "v1";
    StatefulSet: "statefulsets", "apps/v1";
    ConfigMap: "configmaps", "v1";
    Secret: "secrets", "v1";
    ServiceAccount: "serviceaccounts", "v1";
    LimitRange: "limitranges", "v1";
    Node: "nodes", "v1";
}

impl Object {
    /// The key under which the object is stored.
    pub fn key(&self) -> ObjectKey {
        let meta = self.metadata();
        ObjectKey {
            kind: self.kind(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }
}
