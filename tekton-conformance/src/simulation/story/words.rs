//! A story in words, one line an event.

use tekton_engine::{Object, ObjectKey};
use tekton_types::condition;

use super::{Cause, Story};
use crate::world::Done;

impl Story<'_> {
    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        if self.in_words {
            let at = self.world.now.duration_since(self.start).as_secs_f64();
            self.told.story.push(format!("{at:>9.3} s  {}", line()));
        }
    }

    pub(super) fn say_pod(&mut self, key: &ObjectKey) {
        if !self.in_words {
            return;
        }
        let state = match self.world.objects.get(key) {
            Some(Object::Pod(pod)) => pod.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default(),
            Some(Object::CustomRun(run)) => condition::succeeded(&run.status.conditions)
                .map_or_else(String::new, |condition| condition.reason.clone()),
            _ => return,
        };
        self.say(|| format!("{key} is {state}"));
    }

    pub(super) fn say_pass(&mut self, key: &ObjectKey, cause: Option<Cause>, done: &Done) {
        if !self.in_words {
            return;
        }
        let why = match cause {
            Some(Cause::Change) => "something changed",
            Some(Cause::Echo) => "its own write",
            Some(Cause::Retry) => "once more",
            None => "its wake-up",
        };
        let refused = |fault: &Option<tekton_engine::ApiFault>| {
            fault.as_ref().map_or_else(String::new, |fault| format!(" (refused: {fault})"))
        };
        let mut told = vec![format!("pass {} over {key} ({why})", self.told.figures.passes - 1)];
        told.extend(done.created.iter().map(|(object, fault)| format!("creates {}{}", object.key(), refused(fault))));
        told.extend(
            done.patched.iter().map(|(patched, _, body, fault)| format!("patches {patched} {body}{}", refused(fault))),
        );
        told.extend(done.deleted.iter().map(|(deleted, fault)| format!("deletes {deleted}{}", refused(fault))));
        if done.died {
            told.push("dies".to_owned());
        } else if done.conflict {
            told.push("its write comes too late".to_owned());
        } else if done.wrote_status {
            let conditions = match self.world.objects.get(key) {
                Some(Object::PipelineRun(run)) => run.status.conditions.first(),
                Some(Object::TaskRun(run)) => run.status.conditions.first(),
                _ => None,
            };
            told.extend(conditions.map(|c| format!("now {} {}: {}", c.status, c.reason, c.message)));
        }
        if let Some((text, permanent)) = &done.fault {
            told.push(format!("{} fault: {text}", if *permanent { "permanent" } else { "transient" }));
        }
        if let Some(at) = done.wake_at {
            told.push(format!("wakes in {} s", at.duration_since(self.world.now).as_secs()));
        }
        self.say(|| told.join("; "));
    }
}
