//! The answer of `decide`: status, effects, needs, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::effect::Effect;
use crate::facts::Need;
use crate::transition::Transition;

/// What shall become of a run.
///
/// While `needs` or `effects` hold something, the rest is provisional: answer the needs, apply the effects in order up
/// to the first refusal, record both in the [`Facts`](crate::Facts) and decide again. Once both are empty the decision
/// is settled: write `metadata` and `status` if they differ, emit `transitions`, come back at `wake_at`.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<S> {
    /// The whole desired status; meaningless while there are `needs` or `effects`.
    pub status: S,
    /// The labels and annotations that the run shall have, when they differ from those it has.
    pub metadata: Option<Metadata>,
    /// Writes that are still to be done.
    pub effects: Vec<Effect>,
    /// Facts that are still to be fetched.
    pub needs: BTreeSet<Need>,
    /// What changed in this pass.
    pub transitions: Vec<Transition>,
    /// Why things are as they are.
    pub notes: Vec<Note>,
    /// When to look at the run again although nothing changed; `None` when only a change can matter.
    pub wake_at: Option<Timestamp>,
    /// What went wrong, when the pass could not be completed.
    pub fault: Option<Fault>,
}

impl<S> Decision<S> {
    /// Nothing is asked for and nothing is to be done.
    pub fn is_settled(&self) -> bool {
        self.needs.is_empty() && self.effects.is_empty()
    }
}

/// Labels and annotations of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
}

/// The prefix of messages about what the author of a run can mend.
pub(crate) const USER_ERROR: &str = "[User error] ";

/// Who can help when a pass fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The author of the run; a retry cannot help.
    Permanent,
    /// Time: the same pass may succeed later.
    Transient,
}

/// Why a pass could not be completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// Whether to try again.
    pub class: Class,
    /// What happened.
    pub text: String,
}

impl Fault {
    /// A fault that a retry cannot mend.
    pub fn permanent(text: impl fmt::Display) -> Self {
        Self { class: Class::Permanent, text: text.to_string() }
    }

    /// A fault that a retry may mend.
    pub fn transient(text: impl fmt::Display) -> Self {
        Self { class: Class::Transient, text: text.to_string() }
    }
}

/// A reason that a person can read: why something waits, is skipped, or was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What the note is about: a pipeline task, a step, a workspace; empty for the run itself.
    pub subject: String,
    /// One sentence without a full stop.
    pub text: String,
}
