//! Whole lives of random pipelines in a world with a virtual clock, while everything around them goes wrong.
//!
//! A [`Scenario`] follows from a seed: a pipeline (`runAfter`, results, guards, matrix, `finally`, retries, timeouts,
//! `onError`, custom tasks, pipelines in pipelines), what its containers do, and [`Fault`]s. [`Simulation::tell`] lives
//! it as a controller would: a run is looked at when it or something that it owns has changed, when its own wake-up is
//! due, and after a fault; never otherwise. After every pass the invariants are checked, and again at the end:
//!
//! - a decision never panics (I2) and the same facts give the same decision (I3);
//! - effects may be repeated and reversed, a controller may die after any of them, see old caches and lose replies: the
//!   world ends exactly as it would have ended without (I4), down to every status;
//! - a run that is not done moves on by itself (I5), and without needless passes;
//! - what has ended stays as it ended (I6);
//! - no task starts before what it waits for is over, no finally task before the tasks, no attempt beyond the retries;
//!   every child is listed once, and in the end nothing runs any more.
//!
//! ```
//! use tekton_conformance::simulation::{Scenario, Simulation};
//!
//! let told = Simulation::default().tell(&Scenario::of_seed(7));
//! assert_eq!(told.violation, None);
//! assert!(told.figures.passes > 0);
//! ```
//!
//! The main types are [`Simulation`], [`Scenario`] and [`Told`]. [`shrink`] makes a story that goes wrong as short as
//! it can be. `tekton-conformance simulate --seeds 10000` runs many, `--seed N` tells one in words.

mod check;
mod dice;
mod faults;
mod node;
mod objects;
mod scenario;
mod shrink;
mod story;

use tekton_engine::{Decision, Env, Run, Snapshot};
use tekton_types::v1::{PipelineRun, PipelineRunStatus, TaskRun, TaskRunStatus};

pub use faults::{Cancel, Fault, Refusal, Sort};
pub use scenario::{Attempt, End, Guard, Scenario, TaskPlan, Work};
pub use shrink::shrink;

/// What decides about a kind of run.
pub type Decide<R, S> = fn(&Snapshot<'_, R>, &Env<'_>) -> Decision<S>;

/// Tells stories. By default the engine decides; tests put something wrong in its place.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Decides about PipelineRuns.
    pub pipeline_run: Decide<PipelineRun, PipelineRunStatus>,
    /// Decides about TaskRuns.
    pub task_run: Decide<TaskRun, TaskRunStatus>,
    stage: objects::Stage,
}

impl Default for Simulation {
    fn default() -> Self {
        Self { pipeline_run: PipelineRun::decide, task_run: TaskRun::decide, stage: objects::Stage::new() }
    }
}

/// How a story went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// What was counted.
    pub figures: Figures,
    /// The invariant that was broken, in words; `None` when all of them hold.
    pub violation: Option<String>,
    /// What happened, one line an event with its virtual time; empty unless asked for.
    pub story: Vec<String>,
}

/// What was counted over one story or many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Stories.
    pub stories: u64,
    /// Passes over runs.
    pub passes: u64,
    /// Decisions, without those made twice to compare.
    pub decisions: u64,
    /// Effects that were applied or refused.
    pub effects: u64,
    /// Passes that a wake-up caused and that had nothing to do.
    pub idle_wakes: u64,
    /// Virtual seconds.
    pub seconds: u64,
    /// Faults that took place, in the order of [`Sort::NAMES`].
    pub faults: [u64; Sort::NAMES.len()],
    /// How the runs ended, by the reason of their condition.
    pub ends: std::collections::BTreeMap<String, u64>,
}

impl Figures {
    /// Adds those of other stories.
    pub fn add(&mut self, other: &Self) {
        self.stories += other.stories;
        self.passes += other.passes;
        self.decisions += other.decisions;
        self.effects += other.effects;
        self.idle_wakes += other.idle_wakes;
        self.seconds += other.seconds;
        for (sum, more) in self.faults.iter_mut().zip(other.faults) {
            *sum += more;
        }
        for (reason, more) in &other.ends {
            match self.ends.get_mut(reason) {
                Some(sum) => *sum += more,
                None => drop(self.ends.insert(reason.clone(), *more)),
            }
        }
    }
}

impl Simulation {
    /// Lives a scenario to its end and checks the invariants.
    ///
    /// When only the controller has trouble, the scenario is lived once more without, and the ends are compared.
    pub fn tell(&self, scenario: &Scenario) -> Told {
        self.told(scenario, false)
    }

    /// The same, with the story in words.
    pub fn tell_in_words(&self, scenario: &Scenario) -> Told {
        self.told(scenario, true)
    }

    fn told(&self, scenario: &Scenario, in_words: bool) -> Told {
        let (mut told, world) = story::live(self, scenario, in_words);
        let only_benign = !scenario.faults.is_empty() && scenario.faults.iter().all(|fault| fault.sort.is_benign());
        if told.violation.is_none() && only_benign {
            let (calm, calm_world) = story::live(self, &scenario.without_faults(), false);
            told.figures.passes += calm.figures.passes;
            told.figures.decisions += calm.figures.decisions;
            told.figures.effects += calm.figures.effects;
            told.violation = calm.violation.or_else(|| check::same_end(&world, &calm_world).err());
        }
        told
    }
}
