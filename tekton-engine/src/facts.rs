//! What the engine asks the world for, and what the world answered.

use std::collections::{BTreeMap, BTreeSet};

use tekton_podgen::ServerVersion;
use tekton_podgen::image::ImageMetadata;

use crate::effect::{ApiFault, EffectKey, Outcome};
use crate::object::{Kind, Object, ObjectKey};

/// Something that has to be known before the run can be decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Need {
    /// One object; the answer is [`Value::Object`], or a denial with reason `NotFound`.
    Object(ObjectKey),
    /// One object as the API server itself has it, not as a cache remembers it.
    Fresh(ObjectKey),
    /// All objects of a kind in a namespace that carry the labels; the answer is [`Value::List`], sorted by name.
    List {
        /// The kind.
        kind: Kind,
        /// The namespace.
        namespace: String,
        /// Labels that each of them has; none means all.
        labels: BTreeMap<String, String>,
    },
    /// Whether the API server would admit the object: a dry run of a create under a name that the shell invents.
    /// The answer is [`Value::Object`], as admission left it.
    DryRun {
        /// The kind.
        kind: Kind,
        /// The namespace.
        namespace: String,
        /// The object as JSON.
        body: String,
    },
    /// The command of an image, for steps that have none; the answer is [`Value::Image`].
    Image {
        /// The image reference as the step has it.
        image: String,
        /// Whether the step has arguments, which then take the place of the image's `CMD`.
        has_args: bool,
        /// Namespace in which to look for pull secrets.
        namespace: String,
        /// Service account whose pull secrets may be used.
        service_account: String,
        /// Names of further pull secrets.
        pull_secrets: Vec<String>,
    },
    /// The log of one container; the answer is [`Value::Text`].
    Logs {
        /// Namespace of the Pod.
        namespace: String,
        /// Name of the Pod.
        pod: String,
        /// Name of the container.
        container: String,
    },
    /// The version of the API server; the answer is [`Value::Version`].
    ServerVersion,
}

impl Need {
    /// The need for one object.
    pub fn object(kind: Kind, namespace: &str, name: &str) -> Self {
        Self::Object(ObjectKey::new(kind, namespace, name))
    }
}

/// The answer to a need.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// It was asked for and is not known yet.
    Pending,
    /// It is known.
    Known(Value),
    /// The world refused to tell, or there is nothing to tell.
    Denied(ApiFault),
}

/// What a fact says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// One object.
    Object(Object),
    /// Many objects of one kind, sorted by name.
    List(Vec<Object>),
    /// A text.
    Text(String),
    /// What a registry says of an image.
    Image(ImageMetadata),
    /// The version of the API server.
    Version(ServerVersion),
}

/// Everything that the world has answered so far, for one pass over one run.
///
/// A shell starts each pass with empty facts, adds what [`Decision::needs`](crate::Decision) asks for and what came of
/// the effects, and decides again until nothing is asked for and nothing is to be done.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    answers: BTreeMap<Need, Fact>,
    outcomes: BTreeMap<EffectKey, Outcome>,
}

impl Facts {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known of `need`; `None` when nobody asked yet.
    pub fn get(&self, need: &Need) -> Option<&Fact> {
        self.answers.get(need)
    }

    /// Records an answer.
    pub fn set(&mut self, need: Need, fact: Fact) {
        self.answers.insert(need, fact);
    }

    /// What came of an effect in this pass; `None` when it was not tried yet.
    pub fn outcome(&self, effect: &EffectKey) -> Option<&Outcome> {
        self.outcomes.get(effect)
    }

    /// Records what came of an effect.
    pub fn set_outcome(&mut self, effect: EffectKey, outcome: Outcome) {
        self.outcomes.insert(effect, outcome);
    }

    /// The needs among `needs` that nobody has answered.
    pub fn unanswered<'n>(&self, needs: &'n BTreeSet<Need>) -> impl Iterator<Item = &'n Need> {
        needs.iter().filter(|need| !self.answers.contains_key(need)).collect::<Vec<_>>().into_iter()
    }
}
