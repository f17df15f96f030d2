//! The life of one scenario: who is due, what changes, and what that makes due.

mod trouble;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tekton_engine::{Kind, Object, ObjectKey};
use tekton_types::condition;
use tekton_types::v1::{PipelineRun, TaskRun};

use super::check::{self, Watch};
use super::dice::mix;
use super::faults::Fault;
use super::node::Node;
use super::objects::{NAMESPACE, RUN};
use super::{Scenario, Simulation, Told};
use crate::world::{Done, World};

/// More passes than any of these stories needs.
const PATIENCE: u64 = 500;
/// How often one run may be woken for nothing.
const IDLE_WAKES: u32 = 3;

/// Why a run is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It or something that it owns has changed.
    Change,
    /// Only its own last write has.
    Echo,
    /// A fault: again.
    Retry,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    at: Timestamp,
    cause: Cause,
}

struct Story<'s> {
    simulation: &'s Simulation,
    scenario: &'s Scenario,
    world: World,
    node: Node,
    due: BTreeMap<ObjectKey, Due>,
    wakes: BTreeMap<ObjectKey, Timestamp>,
    idle: BTreeMap<ObjectKey, u32>,
    failures: BTreeMap<ObjectKey, u32>,
    /// Faults that happen in a pass, and those that happen at a time; both by when.
    in_pass: Vec<Fault>,
    at_time: VecDeque<Fault>,
    /// The objects as they were before the last passes, the newest last; only while stale caches are to come.
    views: VecDeque<Arc<BTreeMap<ObjectKey, Object>>>,
    watch: Watch,
    start: Timestamp,
    told: Told,
    in_words: bool,
}

/// Lives the scenario; what happened, and the world at its end.
pub(super) fn live(simulation: &Simulation, scenario: &Scenario, in_words: bool) -> (Told, World) {
    let world = simulation.stage.world(scenario);
    let start = world.now;
    let (in_pass, mut at_time): (Vec<Fault>, Vec<Fault>) = scenario.faults.iter().partition(|f| f.sort.in_pass());
    at_time.sort_by_key(|fault| fault.at);
    let mut story = Story {
        simulation,
        scenario,
        node: Node::default(),
        due: BTreeMap::new(),
        wakes: BTreeMap::new(),
        idle: BTreeMap::new(),
        failures: BTreeMap::new(),
        in_pass,
        at_time: at_time.into(),
        views: VecDeque::new(),
        watch: Watch::default(),
        start,
        told: Told::default(),
        in_words,
        world,
    };
    story.told.figures.stories = 1;
    story.touch(&ObjectKey::new(Kind::PipelineRun, NAMESPACE, RUN), Cause::Change);
    let end = catch_unwind(AssertUnwindSafe(|| story.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    });
    story.told.violation = end.err();
    let seconds = story.world.now.duration_since(start).as_secs();
    story.told.figures.seconds = u64::try_from(seconds).unwrap_or(0);
    if let Some(run) = story.world.get::<PipelineRun>(NAMESPACE, RUN)
        && let Some(condition) = condition::succeeded(&run.status.conditions)
    {
        story.told.figures.ends.insert(condition.reason.clone(), 1);
    }
    (story.told, story.world)
}

impl Story<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(now) = self.next_moment() {
            self.world.now = self.world.now.max(now);
            if self.at_time.front().is_some_and(|fault| self.moment_of(*fault) <= self.world.now) {
                let fault = self.at_time.pop_front().expect("there is a first one");
                self.happen(fault);
                continue;
            }
            let changed = self.node.turn(&mut self.world);
            if !changed.is_empty() {
                for key in changed {
                    self.say_pod(&key);
                    self.changed(&key);
                }
                continue;
            }
            let Some((key, cause)) = self.pick() else { continue };
            self.pass(&key, cause)?;
            if self.told.figures.passes > PATIENCE {
                return Err(format!("there is no end of passes (I5): {PATIENCE} and still {key}"));
            }
        }
        check::at_the_end(self.scenario, &self.world, &self.watch)
    }

    fn moment_of(&self, fault: Fault) -> Timestamp {
        self.start + SignedDuration::from_secs(i64::from(fault.at))
    }

    fn next_moment(&self) -> Option<Timestamp> {
        let due = self.due.values().map(|due| due.at);
        let wakes = self.wakes.values().copied();
        let moments = due.chain(wakes).chain(self.node.next());
        let next = moments.min()?;
        Some(self.at_time.front().map_or(next, |fault| next.min(self.moment_of(*fault))))
    }

    /// One of the runs that are due now; without a cause it is its own wake-up.
    fn pick(&mut self) -> Option<(ObjectKey, Option<Cause>)> {
        let now = self.world.now;
        let count = self.due.values().filter(|due| due.at <= now).count();
        if count > 0 {
            let turn = mix(self.scenario.seed ^ self.told.figures.passes) % count as u64;
            let turn = usize::try_from(turn).unwrap_or(0);
            let (key, due) = self.due.iter().filter(|(_, due)| due.at <= now).nth(turn)?;
            let (key, cause) = (key.clone(), due.cause);
            self.due.remove(&key);
            return Some((key, Some(cause)));
        }
        let key = self.wakes.iter().find(|(_, at)| **at <= now)?.0.clone();
        Some((key, None))
    }

    /// Has the run looked at now.
    fn touch(&mut self, key: &ObjectKey, cause: Cause) {
        if !matches!(key.kind, Kind::PipelineRun | Kind::TaskRun) || !self.world.objects.contains_key(key) {
            return;
        }
        let now = self.world.now;
        match self.due.get_mut(key) {
            Some(due) if due.at <= now && due.cause != Cause::Echo => {}
            Some(due) => *due = Due { at: now, cause },
            None => drop(self.due.insert(key.clone(), Due { at: now, cause })),
        }
    }

    /// An object changed: whoever watches it is due.
    fn changed(&mut self, key: &ObjectKey) {
        self.node.notice(&self.world, key);
        self.touch(key, Cause::Change);
        if let Some(owner) = self.world.objects.get(key).and_then(owner_of) {
            self.touch(&owner, Cause::Change);
        }
    }

    /// An object is gone.
    fn remove(&mut self, key: &ObjectKey) {
        let Some(object) = self.world.objects.remove(key) else { return };
        self.gone(key, owner_of(&object));
    }

    fn gone(&mut self, key: &ObjectKey, owner: Option<ObjectKey>) {
        self.node.forget(key);
        self.due.remove(key);
        self.wakes.remove(key);
        if let Some(owner) = owner {
            self.touch(&owner, Cause::Change);
        }
    }

    /// One pass over one run, and what follows from it.
    fn pass(&mut self, key: &ObjectKey, cause: Option<Cause>) -> Result<(), String> {
        self.wakes.remove(key);
        let Some(before) = self.world.objects.get(key).cloned() else { return Ok(()) };
        self.trouble(key);
        self.told.figures.passes += 1;
        let Simulation { pipeline_run, task_run, .. } = *self.simulation;
        let done = match key.kind {
            Kind::PipelineRun => self.world.pass_with::<PipelineRun>(&key.namespace, &key.name, pipeline_run),
            _ => self.world.pass_with::<TaskRun>(&key.namespace, &key.name, task_run),
        };
        let Some(done) = done else { return Ok(()) };
        self.told.figures.decisions += done.rounds as u64;
        let effects = done.created.len() + done.updated.len() + done.patched.len() + done.deleted.len();
        self.told.figures.effects += effects as u64;
        self.say_pass(key, cause, &done);
        check::after_pass(self.scenario, &self.world, &mut self.watch, key, &before, &done)?;
        let wrote = done.wrote_status || done.wrote_metadata;
        self.follow(key, &done);
        let undisturbed = !done.died && !done.conflict && done.fault.is_none();
        let idle = !wrote && effects == 0 && undisturbed;
        let refused = done.created.iter().any(|(_, fault)| fault.is_some());
        match cause {
            None if idle => {
                self.told.figures.idle_wakes += 1;
                let idle = self.idle.entry(key.clone()).or_default();
                *idle += 1;
                if *idle > IDLE_WAKES && !self.watch.jumped {
                    return Err(format!("{key} was woken {idle} times and had nothing to do: it wakes itself in vain"));
                }
            }
            // Why it could not do what it was about to do is worth a write; the count goes on after it.
            Some(Cause::Echo) if wrote && refused => {}
            Some(Cause::Echo) if wrote && self.world.trouble.stale.is_none() && !self.watch.jumped => {
                self.watch.echoes(key, done.wrote_metadata)?;
            }
            _ => self.watch.quiet(key),
        }
        Ok(())
    }

    /// What a pass has changed makes others due.
    fn follow(&mut self, key: &ObjectKey, done: &Done) {
        for changed in &done.changed {
            if self.world.objects.contains_key(changed) {
                self.node.adopt(self.scenario, &self.world, changed);
                self.changed(changed);
            } else {
                self.gone(changed, Some(key.clone()));
            }
        }
        if done.wrote_status || done.wrote_metadata {
            if let Some(owner) = self.world.objects.get(key).and_then(owner_of) {
                self.touch(&owner, Cause::Change);
            }
            self.touch(key, Cause::Echo);
        }
        if done.died {
            // The one that takes its place looks at every run.
            let runs: Vec<ObjectKey> = self.world.objects.keys().cloned().collect();
            for run in runs {
                self.touch(&run, Cause::Retry);
            }
            self.wakes.clear();
        }
        if done.conflict || self.world.trouble.stale.is_some() {
            self.touch(key, Cause::Retry);
        }
        match &done.fault {
            Some((_, false)) => {
                let failures = self.failures.entry(key.clone()).or_default();
                *failures += 1;
                let lost = self.world.trouble.loses_reply.is_some();
                let wait = if lost { 0 } else { 1_i64 << (*failures).min(10) };
                let at = self.world.now + SignedDuration::from_secs(wait);
                self.due.entry(key.clone()).or_insert(Due { at, cause: Cause::Retry });
            }
            _ => drop(self.failures.remove(key)),
        }
        if let Some(at) = done.wake_at {
            // A clock that shows a deadline has not passed it.
            let at = at.max(self.world.now) + SignedDuration::from_nanos(1);
            self.wakes.insert(key.clone(), at);
        }
    }
}

/// The run that owns an object.
fn owner_of(object: &Object) -> Option<ObjectKey> {
    let meta = object.metadata();
    let owner = meta.owner_references.as_deref()?.iter().find(|owner| owner.controller == Some(true))?;
    let kind = match owner.kind.as_str() {
        "PipelineRun" => Kind::PipelineRun,
        "TaskRun" => Kind::TaskRun,
        _ => return None,
    };
    Some(ObjectKey::new(kind, meta.namespace.as_deref().unwrap_or_default(), &owner.name))
}
