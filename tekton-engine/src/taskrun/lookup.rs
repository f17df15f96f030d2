//! What a TaskRun refers to, asked for alone: for tools that show a task as it will be run.
//!
//! The answers are those that a decision works with; nothing about the run is decided here.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_types::defaults::SetDefaults;
use tekton_types::v1::{RefSource, Step, TaskRun, TaskSpec};
use tekton_types::v1beta1::StepAction;

use super::prepare::{self, Found};
use super::steps;
use crate::definition::Definition;
use crate::effect::Effect;
use crate::facts::{Facts, Need};
use crate::pass::{Pass, Stop};
use crate::refs::RefFault;
use crate::run::Env;

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// The answer.
    Ready(T),
    /// Facts to be fetched and effects to be tried first; then ask again.
    Waiting {
        /// The facts.
        needs: BTreeSet<Need>,
        /// The effects: requests to resolvers.
        effects: Vec<Effect>,
    },
    /// There is no answer, and why; among the reasons is that a resolver is at work.
    Failed(String),
}

/// A task and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundTask {
    /// Metadata of the Task, or of the run when the task is its own.
    pub metadata: ObjectMeta,
    /// What it does.
    pub spec: TaskSpec,
    /// Where a resolver found it.
    pub source: Option<RefSource>,
}

impl From<Found> for FoundTask {
    fn from(found: Found) -> Self {
        Self { metadata: found.meta, spec: found.spec, source: found.source }
    }
}

/// The task that a run holds or refers to, with defaults. A reference by name wins over an own task, and that over a
/// resolver.
pub fn task(run: &TaskRun, env: &Env<'_>, facts: &Facts) -> Answer<FoundTask> {
    answer(env, facts, |pass| prepare::find(pass, run)).map(|found| {
        let mut found = FoundTask::from(found);
        found.spec.set_defaults(env.config);
        found
    })
}

/// The task called `name` that a run refers to; the status is believed before the cluster is asked.
pub fn referenced_task(run: &TaskRun, name: &str, env: &Env<'_>, facts: &Facts) -> Answer<FoundTask> {
    answer(env, facts, |pass| prepare::fetch(pass, run, name)).map(FoundTask::from)
}

/// The steps of a task with all StepActions in place. The status of the run tells where each came from.
pub fn task_steps(run: &mut TaskRun, spec: &TaskSpec, env: &Env<'_>, facts: &Facts) -> Answer<Vec<Step>> {
    answer(env, facts, |pass| steps::resolve(pass, run, spec))
}

/// The StepAction that a step refers to, and where a resolver found it.
pub fn step_action(
    run: &TaskRun,
    spec: &TaskSpec,
    step: &Step,
    env: &Env<'_>,
    facts: &Facts,
) -> Answer<(StepAction, Option<RefSource>)> {
    let reference = step.r#ref.clone().unwrap_or_default();
    answer(env, facts, |pass| steps::fetch(pass, run, spec, &reference))
        .map(|Definition { object, source, .. }| (object, source))
}

impl<T> Answer<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Ready(value) => Answer::Ready(change(value)),
            Self::Waiting { needs, effects } => Answer::Waiting { needs, effects },
            Self::Failed(text) => Answer::Failed(text),
        }
    }
}

fn answer<T>(
    env: &Env<'_>,
    facts: &Facts,
    ask: impl FnOnce(&mut Pass<'_>) -> Result<Result<T, RefFault>, Stop>,
) -> Answer<T> {
    let mut pass = Pass::new(env, facts);
    match ask(&mut pass) {
        Ok(Ok(value)) => Answer::Ready(value),
        Ok(Err(fault)) => Answer::Failed(fault.text().to_owned()),
        Err(Stop::Fault(fault)) => Answer::Failed(fault.text),
        Err(Stop::Wait | Stop::After(_)) => Answer::Waiting { needs: pass.needs, effects: pass.effects },
    }
}
