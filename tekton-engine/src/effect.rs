//! What the engine wants done to the world, and what came of it.

use crate::object::{Object, ObjectKey};

/// A write that the run needs. Each is named by its [`key`](Effect::key) and can be repeated without harm.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Create the object. That it exists already is an outcome that the engine judges.
    Create(Object),
    /// Replace the object by this one.
    Update(Object),
    /// Patch one object.
    Patch {
        /// Which.
        key: ObjectKey,
        /// Why: it tells patches of one object apart.
        purpose: Purpose,
        /// The shape of `body`.
        patch_type: PatchType,
        /// The patch.
        body: serde_json::Value,
    },
    /// Delete one object.
    Delete(ObjectKey),
}

/// Why an object is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// A child run is cancelled because its PipelineRun is.
    Cancel,
    /// A child run is cancelled because a deadline of its PipelineRun has passed.
    Timeout,
    /// The sidecars of a Pod are ready: its first step may start.
    Ready,
    /// The steps of a Pod shall stop, the Pod shall stay.
    CancelPod,
    /// The steps of a Pod have ended: its sidecars shall stop.
    StopSidecars,
    /// An object is taken out of protection before it is deleted.
    Release,
}

/// The shapes of patches that Kubernetes knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatchType {
    /// RFC 6902, a list of operations.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own.
    Strategic,
}

/// The verb of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Create.
    Create,
    /// Update.
    Update,
    /// Patch, for a purpose.
    Patch(Purpose),
    /// Delete.
    Delete,
}

/// The name of an effect within one pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectKey {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: ObjectKey,
}

impl Effect {
    /// The name of the effect.
    pub fn key(&self) -> EffectKey {
        let (verb, object) = match self {
            Self::Create(object) => (Verb::Create, object.key()),
            Self::Update(object) => (Verb::Update, object.key()),
            Self::Patch { key, purpose, .. } => (Verb::Patch(*purpose), key.clone()),
            Self::Delete(key) => (Verb::Delete, key.clone()),
        };
        EffectKey { verb, object }
    }
}

/// What came of an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is done; the object as the world now has it, unless it is gone.
    Done(Option<Object>),
    /// The world refused.
    Refused(ApiFault),
}

/// A refusal of the API server, or the failure to reach it.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ApiFault {
    /// The reason of the `Status`, such as `NotFound`; empty when there is none.
    pub reason: String,
    /// The HTTP status code; 0 when there is none.
    pub code: u16,
    /// The text as the API server gave it.
    pub text: String,
    /// `details.kind` of the `Status`, such as `resourcequotas`; empty when there is none.
    pub details_kind: String,
}

impl ApiFault {
    /// The refusal that says `key` does not exist, with the text of an API server.
    pub fn not_found(key: &ObjectKey) -> Self {
        let group = key.kind.api_version().rsplit_once('/').map_or("", |(group, _)| group);
        let dot = if group.is_empty() { "" } else { "." };
        Self {
            reason: "NotFound".to_owned(),
            code: 404,
            text: format!("{}{dot}{group} {:?} not found", key.kind.resource(), key.name),
            details_kind: key.kind.resource().to_owned(),
        }
    }

    /// There is no such object.
    pub fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    /// There is such an object already.
    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    /// Somebody else changed the object meanwhile.
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// It is not allowed, by access rules, quota or admission.
    pub fn is_forbidden(&self) -> bool {
        self.reason == "Forbidden"
    }

    /// The object is not valid.
    pub fn is_invalid(&self) -> bool {
        self.reason == "Invalid"
    }

    /// The request is not valid.
    pub fn is_bad_request(&self) -> bool {
        self.reason == "BadRequest"
    }
}
