//! The end of a pass, the same for every kind of run: from what happened to a [`Decision`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tekton_types::condition::Condition;

use crate::decision::{Decision, Metadata};
use crate::pass::{Pass, Stop};
use crate::run::Run;
use crate::transition::Transition;

/// How an API server refuses a write that is based on an old version.
const OUTDATED: &str = "Operation cannot be fulfilled on";

/// Builds the decision from the run as it was, the run as the pass left it, and how the pass ended.
pub(crate) fn finish<R: Run>(
    mut pass: Pass<'_>,
    original: &R,
    mut run: R,
    end: Result<(), Stop>,
) -> Decision<R::Status> {
    let now = pass.env.now;
    let (wake_at, fault) = match end {
        Err(Stop::Wait) => {
            return Decision {
                status: std::mem::take(run.status_mut()),
                metadata: None,
                effects: pass.effects,
                needs: pass.needs,
                transitions: Vec::new(),
                notes: pass.notes,
                wake_at: None,
                fault: None,
            };
        }
        Err(Stop::After(wait)) => (Some(now.checked_add(wait).unwrap_or(Timestamp::MAX)), None),
        Err(Stop::Fault(fault)) => {
            // A write that came too late is not worth an Event: the next pass makes up for it.
            if !fault.text.contains(OUTDATED) {
                pass.warn("InternalError", fault.text.as_str());
            }
            (None, Some(fault))
        }
        Ok(()) => (None, None),
    };
    Decision {
        metadata: metadata_change(original, &run),
        status: std::mem::take(run.status_mut()),
        effects: Vec::new(),
        needs: BTreeSet::new(),
        transitions: pass.transitions,
        notes: pass.notes,
        wake_at,
        fault,
    }
}

/// Labels and annotations of `run` laid over those of `original`, when that changes anything.
fn metadata_change<R: Run>(original: &R, run: &R) -> Option<Metadata> {
    let (old, new) = (original.metadata(), run.metadata());
    let is_new = |old: &Option<BTreeMap<String, String>>, new: &Option<BTreeMap<String, String>>| {
        new.iter().flatten().any(|(key, value)| old.as_ref().and_then(|old| old.get(key)) != Some(value))
    };
    if !is_new(&old.labels, &new.labels) && !is_new(&old.annotations, &new.annotations) {
        return None;
    }
    let laid_over = |old: &Option<BTreeMap<String, String>>, new: &Option<BTreeMap<String, String>>| {
        let mut all = old.clone().unwrap_or_default();
        all.extend(new.clone().unwrap_or_default());
        all
    };
    Some(Metadata {
        labels: laid_over(&old.labels, &new.labels),
        annotations: laid_over(&old.annotations, &new.annotations),
    })
}

/// Notes that the condition changed, if it did.
pub(crate) fn emit(pass: &mut Pass<'_>, before: Option<&Condition>, after: Option<&Condition>) {
    if before == after || after.is_none() {
        return;
    }
    pass.transitions
        .push(Transition::Condition { before: before.cloned().map(Box::new), after: after.cloned().map(Box::new) });
}
