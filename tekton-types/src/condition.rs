//! Conditions in a status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::wire::wire;

/// The condition type that says how a run goes.
pub const SUCCEEDED: &str = "Succeeded";
/// Status of a condition that holds.
pub const TRUE: &str = "True";
/// Status of a condition that does not hold.
pub const FALSE: &str = "False";
/// Status of a condition that is not decided yet.
pub const UNKNOWN: &str = "Unknown";

wire! {
    /// One condition of a status.
    pub struct Condition {
        /// What it is about; `Succeeded` for runs.
        #[serde(rename = "type")]
        pub always type_: String,
        /// `True`, `False` or `Unknown`.
        pub always status: String,
        /// How bad it is; empty means an error when false.
        pub severity: String,
        /// When `status` last changed.
        pub last_transition_time: Option<Time>,
        /// A word for machines.
        pub reason: String,
        /// A sentence for people.
        pub message: String,
    }
}

impl Condition {
    /// A `Succeeded` condition without a time.
    pub fn succeeded(status: &str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            type_: SUCCEEDED.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Whether two conditions say the same, whenever they began.
    pub fn equals_up_to_time(&self, other: &Self) -> bool {
        let Self { type_, status, severity, last_transition_time: _, reason, message } = self;
        *type_ == other.type_
            && *status == other.status
            && *severity == other.severity
            && *reason == other.reason
            && *message == other.message
    }

    /// Whether the status is `True`.
    pub fn is_true(&self) -> bool {
        self.status == TRUE
    }

    /// Whether the status is `False`.
    pub fn is_false(&self) -> bool {
        self.status == FALSE
    }

    /// Whether the status is `Unknown`. One without a status is over, as upstream has it.
    pub fn is_unknown(&self) -> bool {
        self.status == UNKNOWN
    }
}

/// The `Succeeded` condition among conditions.
pub fn succeeded(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == SUCCEEDED)
}

/// Sets a condition by its type. Nothing happens when all but the time is equal; else the new one stands with
/// its own time and takes the place of all of its type. Conditions stay sorted by type.
pub fn set(conditions: &mut Vec<Condition>, new: Condition) {
    if conditions.iter().any(|old| old.equals_up_to_time(&new)) {
        return;
    }
    conditions.retain(|old| old.type_ != new.type_);
    conditions.push(new);
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_takes_the_place_of_all_of_its_type() {
        let mut conditions =
            vec![Condition::succeeded(UNKNOWN, "Running", "first"), Condition::succeeded(UNKNOWN, "Running", "second")];
        set(&mut conditions, Condition::succeeded(TRUE, "Succeeded", "done"));
        assert_eq!(conditions, [Condition::succeeded(TRUE, "Succeeded", "done")]);
    }

    #[test]
    fn a_condition_without_a_status_is_not_unknown() {
        assert!(!Condition::succeeded("", "Running", "").is_unknown());
    }
}
