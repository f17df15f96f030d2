//! What can go wrong in a story.

use std::fmt;

use tekton_engine::ApiFault;

use super::dice::Dice;

/// One thing that goes wrong: in a pass, counted from 0 over all runs, or after so many virtual seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The pass or the second.
    pub at: u32,
    /// What.
    pub sort: Sort,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// In a pass: the controller dies after so many effects, before it has written the status.
    Crash(u8),
    /// In a pass: every effect is done twice.
    Repeat,
    /// In a pass: effects that are decided together are applied in reverse.
    Reverse,
    /// In a pass: the caches are so many passes old.
    Stale(u8),
    /// In a pass: the answer to the create of a child run is lost; it seems to have failed.
    LostReply,
    /// In a pass: somebody else has just written the run.
    Conflict,
    /// In a pass: creates are refused.
    Refuse(Refusal),
    /// After so many seconds: somebody deletes a Pod.
    PodLost(u8),
    /// After so many seconds: the node evicts a Pod.
    Evicted(u8),
    /// After so many seconds: somebody deletes a child run.
    ChildLost(u8),
    /// After so many seconds: somebody cancels the run.
    Cancel(Cancel),
    /// After so many seconds: somebody cancels a TaskRun.
    CancelTask(u8),
    /// After so many seconds: the clock of the controller jumps by so many seconds.
    ClockJump(i16),
}

/// How a create is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The quota is used up.
    Quota,
    /// Two writers of the quota met.
    QuotaConflict,
    /// The API server is overloaded.
    Unavailable,
    /// An object of that name exists and belongs to somebody else.
    Taken,
}

/// How a run is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cancel {
    /// `Cancelled`.
    Now,
    /// `CancelledRunFinally`.
    RunFinally,
    /// `StoppedRunFinally`.
    Stop,
}

impl Cancel {
    /// The value of `spec.status`.
    pub fn spec_status(self) -> &'static str {
        match self {
            Self::Now => "Cancelled",
            Self::RunFinally => "CancelledRunFinally",
            Self::Stop => "StoppedRunFinally",
        }
    }
}

impl Sort {
    /// The names of all sorts, for the figures.
    pub const NAMES: [&str; 13] = [
        "crash",
        "repeated effects",
        "reversed effects",
        "stale caches",
        "lost reply",
        "write conflict",
        "refused create",
        "lost Pod",
        "eviction",
        "lost child run",
        "cancelled run",
        "cancelled TaskRun",
        "clock jump",
    ];

    /// Its place in [`NAMES`](Self::NAMES).
    pub fn number(self) -> usize {
        match self {
            Self::Crash(_) => 0,
            Self::Repeat => 1,
            Self::Reverse => 2,
            Self::Stale(_) => 3,
            Self::LostReply => 4,
            Self::Conflict => 5,
            Self::Refuse(_) => 6,
            Self::PodLost(_) => 7,
            Self::Evicted(_) => 8,
            Self::ChildLost(_) => 9,
            Self::Cancel(_) => 10,
            Self::CancelTask(_) => 11,
            Self::ClockJump(_) => 12,
        }
    }

    /// Only the controller has the trouble: the world must end exactly as it would have ended without it.
    pub fn is_benign(self) -> bool {
        self.number() <= 5
    }

    /// It happens in a pass, not at a time.
    pub fn in_pass(self) -> bool {
        self.number() <= 6
    }
}

impl Fault {
    /// A random one, in one of `passes` passes or `seconds` seconds.
    pub(super) fn roll(dice: &mut Dice, passes: u32, seconds: u32) -> Self {
        let mut byte = |sides| u8::try_from(dice.below(sides)).unwrap_or(0);
        let sort = match byte(20) {
            0..=2 => Sort::Crash(byte(4)),
            3 => Sort::Repeat,
            4 => Sort::Reverse,
            5 | 6 => Sort::Stale(1 + byte(4)),
            7 => Sort::LostReply,
            8 => Sort::Conflict,
            9 | 10 => Sort::Refuse(
                [Refusal::Quota, Refusal::QuotaConflict, Refusal::Unavailable, Refusal::Taken][usize::from(byte(4))],
            ),
            11 => Sort::PodLost(byte(8)),
            12 => Sort::Evicted(byte(8)),
            13 => Sort::ChildLost(byte(8)),
            14..=16 => Sort::Cancel([Cancel::Now, Cancel::RunFinally, Cancel::Stop][usize::from(byte(3))]),
            17 => Sort::CancelTask(byte(8)),
            _ => Sort::ClockJump([-90, -5, 5, 60, 600, 7200][usize::from(byte(6))]),
        };
        let most = if sort.in_pass() { passes } else { seconds };
        Self { at: u32::try_from(dice.below(most as usize)).unwrap_or(0), sort }
    }
}

impl Refusal {
    /// What the API server says.
    pub(super) fn fault(self, resource: &str) -> ApiFault {
        let (reason, code, text, details) = match self {
            Self::Quota => ("Forbidden", 403, format!("{resource} is forbidden: exceeded quota: all"), ""),
            Self::QuotaConflict => (
                "Conflict",
                409,
                "Operation cannot be fulfilled on resourcequotas \"all\": the object has been modified".to_owned(),
                "resourcequotas",
            ),
            Self::Unavailable => ("ServiceUnavailable", 503, "the server is overloaded".to_owned(), ""),
            Self::Taken => ("AlreadyExists", 409, format!("{resource} already exists"), ""),
        };
        ApiFault { reason: reason.to_owned(), code, text, details_kind: details.to_owned() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sort.in_pass() {
            write!(f, "in pass {}, ", self.at)?;
        } else {
            write!(f, "after {} s, ", self.at)?;
        }
        match self.sort {
            Sort::Crash(effects) => write!(f, "the controller dies after {effects} effects"),
            Sort::Repeat => f.write_str("every effect is done twice"),
            Sort::Reverse => f.write_str("effects are applied in reverse"),
            Sort::Stale(passes) => write!(f, "the caches are {passes} passes old"),
            Sort::LostReply => f.write_str("the answer to the create of a child run is lost"),
            Sort::Conflict => f.write_str("somebody else has just written the run"),
            Sort::Refuse(refusal) => write!(f, "creates are refused: {refusal:?}"),
            Sort::PodLost(number) => write!(f, "Pod number {number} is deleted"),
            Sort::Evicted(number) => write!(f, "Pod number {number} is evicted"),
            Sort::ChildLost(number) => write!(f, "child run number {number} is deleted"),
            Sort::Cancel(cancel) => write!(f, "the run is told {}", cancel.spec_status()),
            Sort::CancelTask(number) => write!(f, "TaskRun number {number} is cancelled"),
            Sort::ClockJump(seconds) => write!(f, "the clock jumps by {seconds} s"),
        }
    }
}
