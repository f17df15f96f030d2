//! Object: any document of a manifest, by its apiVersion and kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::decode::{self, DecodeError, Mode, Problem};
use crate::defaults::{SetDefaults, drop_reserved_annotations};
use crate::migrate::removed;
use crate::yaml::{Document, Node};
use crate::{resolution, v1, v1alpha1, v1beta1};

macro_rules! objects {
    ($($(#[$meta:meta])* $variant:ident($ty:ty),)*) => {
        /// A document of a manifest.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Object {
            $($(#[$meta])* $variant(Box<$ty>),)*
            /// A document of another API, as it is.
            Other(serde_json::Value),
        }

        impl Object {
            /// Reads a node of a known apiVersion and kind; `None` for others.
            fn typed(node: &Node<'_>, api_version: &str, kind: &str) -> Option<(Option<Self>, Vec<DecodeError>)> {
                match (api_version, kind) {
                    $((<$ty as Resource>::API_VERSION, <$ty as Resource>::KIND) => {
                        Some(observe::<$ty>(node, |object| Self::$variant(Box::new(object))))
                    })*
                    _ => None,
                }
            }

            /// What upstream's admission webhook refuses to read in a document: its decoder does not mind the case of
            /// field names, nor unknown fields of the metadata.
            pub fn refusals(document: &Document<'_>) -> Vec<DecodeError> {
                let node = &document.root;
                let field = |key| node.get(key).and_then(Node::as_str).unwrap_or_default();
                match (field("apiVersion"), field("kind")) {
                    $((<$ty as Resource>::API_VERSION, <$ty as Resource>::KIND) => decode::refusals::<$ty>(node),)*
                    _ => Self::from_node(node).1,
                }
            }

            /// Reads a JSON value as upstream's admission webhook does, with what it refuses to read.
            pub fn admit(value: &serde_json::Value) -> (Option<Self>, Vec<DecodeError>) {
                let field = |key| value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
                match (field("apiVersion"), field("kind")) {
                    $((<$ty as Resource>::API_VERSION, <$ty as Resource>::KIND) => {
                        let (object, refusals) = decode::admit::<$ty>(&Node::from_json(value));
                        (object.map(|object| Self::$variant(Box::new(object))), refusals)
                    })*
                    _ => Self::from_json(value),
                }
            }

            /// The apiVersion; empty when another document has none.
            pub fn api_version(&self) -> &str {
                match self {
                    $(Self::$variant(_) => <$ty as Resource>::API_VERSION,)*
                    Self::Other(value) => text(value, "apiVersion"),
                }
            }

            /// The kind; empty when another document has none.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => <$ty as Resource>::KIND,)*
                    Self::Other(value) => text(value, "kind"),
                }
            }

            /// The metadata; `None` for documents of other APIs.
            pub fn metadata(&self) -> Option<&ObjectMeta> {
                match self {
                    $(Self::$variant(object) => Some(object.metadata()),)*
                    Self::Other(_) => None,
                }
            }

            /// The metadata, to change; `None` for documents of other APIs.
            pub fn metadata_mut(&mut self) -> Option<&mut ObjectMeta> {
                match self {
                    $(Self::$variant(object) => Some(object.metadata_mut()),)*
                    Self::Other(_) => None,
                }
            }

            /// The object as JSON.
            pub fn to_json(&self) -> serde_json::Value {
                match self {
                    $(Self::$variant(object) => {
                        serde_json::to_value(object).expect("every kind has string keys and finite numbers")
                    })*
                    Self::Other(value) => value.clone(),
                }
            }
        }

        $(impl From<$ty> for Object {
            fn from(object: $ty) -> Self {
                Self::$variant(Box::new(object))
            }
        })*

        /// The schema of each of [`KINDS`], with what they share in the generator.
        pub(crate) fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
            vec![$(generator.subschema_for::<$ty>(),)*]
        }

        /// The apiVersion and kind of everything that Tekton serves.
        pub const KINDS: &[(&str, &str)] = &[$((<$ty as Resource>::API_VERSION, <$ty as Resource>::KIND),)*];
    };
}

objects! {
    /// `tekton.dev/v1` Task.
    Task(v1::Task),
    /// `tekton.dev/v1` TaskRun.
    TaskRun(v1::TaskRun),
    /// `tekton.dev/v1` Pipeline.
    Pipeline(v1::Pipeline),
    /// `tekton.dev/v1` PipelineRun.
    PipelineRun(v1::PipelineRun),
    /// `tekton.dev/v1beta1` Task.
    V1Beta1Task(v1beta1::Task),
    /// `tekton.dev/v1beta1` TaskRun.
    V1Beta1TaskRun(v1beta1::TaskRun),
    /// `tekton.dev/v1beta1` Pipeline.
    V1Beta1Pipeline(v1beta1::Pipeline),
    /// `tekton.dev/v1beta1` PipelineRun.
    V1Beta1PipelineRun(v1beta1::PipelineRun),
    /// `tekton.dev/v1beta1` StepAction.
    StepAction(v1beta1::StepAction),
    /// `tekton.dev/v1alpha1` StepAction.
    V1Alpha1StepAction(v1alpha1::StepAction),
    /// `tekton.dev/v1beta1` CustomRun.
    CustomRun(v1beta1::CustomRun),
    /// `tekton.dev/v1alpha1` VerificationPolicy.
    VerificationPolicy(v1alpha1::VerificationPolicy),
    /// `resolution.tekton.dev/v1beta1` ResolutionRequest.
    ResolutionRequest(resolution::v1beta1::ResolutionRequest),
    /// `resolution.tekton.dev/v1alpha1` ResolutionRequest.
    V1Alpha1ResolutionRequest(resolution::v1alpha1::ResolutionRequest),
}

fn observe<T: DeserializeOwned>(node: &Node<'_>, wrap: impl FnOnce(T) -> Object) -> (Option<Object>, Vec<DecodeError>) {
    let (value, errors) = decode::observe(node);
    (value.map(wrap), errors)
}

fn text<'v>(value: &'v serde_json::Value, key: &str) -> &'v str {
    value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default()
}

impl Object {
    /// Reads a document. Errors: everything that is wrong with it, in the order of the text.
    pub fn decode(document: &Document<'_>, mode: Mode) -> Result<Self, Vec<DecodeError>> {
        let (object, mut errors) = Self::observe(document);
        if mode == Mode::Lenient {
            errors.retain(|e| !matches!(e.problem, Problem::UnknownField { .. } | Problem::DuplicateKey));
        }
        match object {
            Some(object) if errors.is_empty() => Ok(object),
            _ => Err(errors),
        }
    }

    /// Reads a document as far as it goes: the object, unless it cannot be read at all, and everything wrong.
    pub fn observe(document: &Document<'_>) -> (Option<Self>, Vec<DecodeError>) {
        let mut errors: Vec<DecodeError> = decode::duplicate_keys(document).collect();
        let (object, more) = Self::from_node(&document.root);
        errors.extend(more);
        errors.sort_by_key(|error| error.span.start);
        (object, errors)
    }

    /// Reads a tree as far as it goes.
    pub fn from_node(node: &Node<'_>) -> (Option<Self>, Vec<DecodeError>) {
        let field = |key| node.get(key).and_then(Node::as_str).unwrap_or_default();
        let (api_version, kind) = (field("apiVersion"), field("kind"));
        if let Some(found) = Self::typed(node, api_version, kind) {
            return found;
        }
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        if group != "tekton.dev" && group != "resolution.tekton.dev" {
            return (Some(Self::Other(node.to_json())), Vec::new());
        }
        (None, vec![unknown_kind(node, api_version, kind)])
    }

    /// Reads a JSON value as far as it goes.
    pub fn from_json(value: &serde_json::Value) -> (Option<Self>, Vec<DecodeError>) {
        Self::from_node(&Node::from_json(value))
    }

    /// The name; empty when it has none.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(value) => value.get("metadata").map_or("", |metadata| text(metadata, "name")),
            object => object.metadata().and_then(|m| m.name.as_deref()).unwrap_or_default(),
        }
    }

    /// The namespace; empty when it has none.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Other(value) => value.get("metadata").map_or("", |metadata| text(metadata, "namespace")),
            object => object.metadata().and_then(|m| m.namespace.as_deref()).unwrap_or_default(),
        }
    }

    /// Whether there is nothing: an empty document.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Other(serde_json::Value::Null))
    }

    /// Fills in what the author left open, as admission does; at creation, reserved annotations go.
    pub fn set_defaults(&mut self, config: &Config, creating: bool) {
        match self {
            Self::Task(object) => object.set_defaults(config),
            Self::TaskRun(object) => object.set_defaults(config),
            Self::Pipeline(object) => object.set_defaults(config),
            Self::PipelineRun(object) => object.set_defaults(config),
            Self::V1Beta1Task(object) => object.set_defaults(config),
            Self::V1Beta1TaskRun(object) => object.set_defaults(config),
            Self::V1Beta1Pipeline(object) => object.set_defaults(config),
            Self::V1Beta1PipelineRun(object) => object.set_defaults(config),
            Self::StepAction(object) => object.set_defaults(config),
            Self::V1Alpha1StepAction(object) => object.set_defaults(config),
            Self::CustomRun(object) => object.set_defaults(config),
            Self::VerificationPolicy(_)
            | Self::ResolutionRequest(_)
            | Self::V1Alpha1ResolutionRequest(_)
            | Self::Other(_) => {}
        }
        let runs = matches!(
            self,
            Self::TaskRun(_) | Self::PipelineRun(_) | Self::V1Beta1TaskRun(_) | Self::V1Beta1PipelineRun(_)
        );
        if creating
            && runs
            && let Some(metadata) = self.metadata_mut()
        {
            drop_reserved_annotations(&mut metadata.annotations);
        }
    }
}

/// The error for a kind that Tekton does not serve.
fn unknown_kind(node: &Node<'_>, api_version: &str, kind: &str) -> DecodeError {
    let span = node.get("kind").or_else(|| node.get("apiVersion")).map_or(node.span, |node| node.span);
    let found = removed::KINDS.iter().find(|(removed, _)| *removed == kind);
    let served = || KINDS.iter().find(|(_, served)| *served == kind).map(|(version, _)| *version);
    let (message, problem) = if let Some((_, general)) = found {
        let type_ = node.get("spec").and_then(|spec| spec.get("type")).and_then(Node::as_str);
        let replacement = match type_ {
            Some(type_) if kind == "PipelineResource" => removed::resource_type(type_),
            _ => general,
        };
        (
            format!("kind {kind:?} was removed from Tekton: use {replacement} instead"),
            Problem::RemovedKind { replacement },
        )
    } else if let Some(version) = served() {
        (
            format!("no matches for kind {kind:?} in version {api_version:?}, it is served at {version:?}"),
            Problem::UnknownKind,
        )
    } else {
        (format!("no matches for kind {kind:?} in version {api_version:?}"), Problem::UnknownKind)
    };
    DecodeError { message, path: "kind".to_owned(), span, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn decode(text: &str) -> Result<Object, Vec<String>> {
        let documents = yaml::parse(text).unwrap();
        Object::decode(&documents[0], Mode::Strict).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_document_is_read_as_its_kind() {
        let object = decode("apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: a}\nspec: {steps: []}").unwrap();
        assert!(matches!(object, Object::Task(_)));
        assert_eq!(object.name(), "a");
    }

    #[test]
    fn removed_kinds_name_what_to_use_instead() {
        let errors = decode("apiVersion: tekton.dev/v1beta1\nkind: ClusterTask\n").unwrap_err();
        assert!(errors[0].contains("cluster resolver"), "{errors:?}");
        let errors = decode("apiVersion: tekton.dev/v1alpha1\nkind: Task\n").unwrap_err();
        assert!(errors[0].contains("served at"), "{errors:?}");
    }

    #[test]
    fn other_documents_pass_through() {
        let object = decode("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}").unwrap();
        assert_eq!((object.kind(), object.name()), ("ConfigMap", "c"));
    }

    #[test]
    fn keys_that_stand_twice_are_errors_when_strict() {
        let text = "apiVersion: tekton.dev/v1\nkind: Task\nspec: {}\nspec: {}\n";
        assert_eq!(decode(text).unwrap_err().len(), 1);
        assert!(Object::decode(&yaml::parse(text).unwrap()[0], Mode::Lenient).is_ok());
    }
}
