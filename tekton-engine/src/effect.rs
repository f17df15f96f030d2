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

/// The reasons that say what went wrong whatever the code is.
const REASONS: [&str; 19] = [
    "AlreadyExists",
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "Gone",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "RequestEntityTooLarge",
    "ServerTimeout",
    "ServiceUnavailable",
    "StorageReadError",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
];

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

    /// The reason, or the one that the code stands for when the server gave none that Kubernetes knows: webhooks and
    /// proxies often set the code alone.
    pub fn known_reason(&self) -> &str {
        if REASONS.contains(&self.reason.as_str()) {
            return &self.reason;
        }
        match self.code {
            400 => "BadRequest",
            403 => "Forbidden",
            404 => "NotFound",
            405 => "MethodNotAllowed",
            409 => "Conflict",
            422 => "Invalid",
            429 => "TooManyRequests",
            504 => "Timeout",
            _ => &self.reason,
        }
    }

    /// There is no such object.
    pub fn is_not_found(&self) -> bool {
        self.known_reason() == "NotFound"
    }

    /// There is such an object already.
    pub fn is_already_exists(&self) -> bool {
        self.known_reason() == "AlreadyExists"
    }

    /// Somebody else changed the object meanwhile.
    pub fn is_conflict(&self) -> bool {
        self.known_reason() == "Conflict"
    }

    /// It is not allowed, by access rules, quota or admission.
    pub fn is_forbidden(&self) -> bool {
        self.known_reason() == "Forbidden"
    }

    /// The object is not valid.
    pub fn is_invalid(&self) -> bool {
        self.known_reason() == "Invalid"
    }

    /// The request is not valid.
    pub fn is_bad_request(&self) -> bool {
        self.known_reason() == "BadRequest"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_for_a_reason_that_the_server_does_not_give() {
        let fault = |reason: &str, code| ApiFault { reason: reason.to_owned(), code, ..ApiFault::default() };
        assert!(fault("", 404).is_not_found());
        assert!(fault("Denied by policy", 400).is_bad_request());
        assert!(!fault("Invalid", 404).is_not_found());
        assert_eq!(fault("", 0).known_reason(), "");
    }
}
