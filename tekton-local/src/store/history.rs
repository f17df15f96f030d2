//! The recent changes of one resource, in the order of their revisions, from which watches are served.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Object;

/// How many changes of one resource are remembered. A watch from before that is answered 410.
const CAPACITY: usize = 16_384;

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The object is new.
    Added,
    /// The object has another state.
    Modified,
    /// The object is gone.
    Deleted,
}

/// One write.
#[derive(Debug, Clone)]
pub struct Change {
    /// The revision of the write.
    pub revision: u64,
    /// What it did.
    pub kind: ChangeKind,
    /// The new state; of a deletion the last one, with the revision of the deletion.
    pub object: Arc<Object>,
    /// The state before, if there was one.
    pub previous: Option<Arc<Object>>,
}

/// The history does not reach back that far; `oldest` is the first revision from which changes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// The oldest revision that a watch may start from.
    pub oldest: u64,
}

#[derive(Debug)]
pub(super) struct History {
    changes: VecDeque<Change>,
    compacted: u64,
}

impl History {
    /// A history that knows what happens from `begins` on.
    pub(super) fn new(begins: u64) -> Self {
        Self { changes: VecDeque::new(), compacted: begins }
    }

    pub(super) fn push(&mut self, change: Change) {
        if self.changes.len() == CAPACITY
            && let Some(old) = self.changes.pop_front()
        {
            self.compacted = old.revision;
        }
        self.changes.push_back(change);
    }

    pub(super) fn compact(&mut self, revision: u64) {
        let keep = self.changes.partition_point(|change| change.revision <= revision);
        self.changes.drain(..keep);
        self.compacted = self.compacted.max(revision);
    }

    pub(super) fn since(&self, revision: u64) -> Result<Vec<Change>, Compacted> {
        if revision < self.compacted {
            return Err(Compacted { oldest: self.compacted });
        }
        let from = self.changes.partition_point(|change| change.revision <= revision);
        Ok(self.changes.range(from..).cloned().collect())
    }
}
