//! What changed in one pass, typed: Events, CloudEvents and metrics all derive from it.

use tekton_types::condition::Condition;

/// A change that observers of the run want to hear of.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Transition {
    /// The condition `Succeeded` went from one value to another.
    Condition {
        /// As it was.
        before: Option<Box<Condition>>,
        /// As it is.
        after: Option<Box<Condition>>,
    },
    /// Something happened that is worth a warning and does not show in the condition.
    Warning {
        /// In CamelCase.
        reason: String,
        /// For people.
        message: String,
    },
}

/// A Kubernetes Event as it derives from a transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `Normal` or `Warning`.
    pub type_: &'static str,
    /// In CamelCase.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl Transition {
    /// The Event of this transition, if it has one.
    ///
    /// Source: events.md, "Events via Kubernetes".
    pub fn event(&self) -> Option<Event> {
        let (type_, reason, message) = match self {
            Self::Warning { reason, message } => ("Warning", reason.clone(), message.clone()),
            Self::Condition { before, after } => {
                let after = after.as_ref()?;
                if before.as_ref() == Some(after) {
                    return None;
                }
                match (after.status.as_str(), before) {
                    ("True", _) => ("Normal", "Succeeded".to_owned(), after.message.clone()),
                    ("False", _) => ("Warning", "Failed".to_owned(), after.message.clone()),
                    (_, None) => ("Normal", "Started".to_owned(), String::new()),
                    (_, Some(_)) => ("Normal", after.reason.clone(), after.message.clone()),
                }
            }
        };
        Some(Event { type_, reason, message })
    }
}
