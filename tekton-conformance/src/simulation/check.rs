//! What must hold after every pass and at the end of a story.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_contract::labels;
use tekton_engine::{Kind, Object, ObjectKey, Stored};
use tekton_types::condition::{self, Condition};
use tekton_types::reason::{pipelinerun as reasons, taskrun as task_reasons};
use tekton_types::v1::{PipelineRun, PipelineRunStatus, TaskRun, taskrun_status_message};
use tekton_types::v1beta1::CustomRun;

use super::node;
use super::scenario::{Guard, Scenario, Work};
use crate::diff;
use crate::world::{Done, World};

/// Passes in a row that a run may write on nothing but its own last write.
const ECHOES: u32 = 2;

/// What the checks remember over a story.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Somebody deleted a child run.
    pub(super) lost_children: bool,
    /// Somebody deleted a Pod.
    pub(super) lost_pods: bool,
    /// The clock jumped.
    pub(super) jumped: bool,
    /// How often each run has answered its own write with another.
    echoes: BTreeMap<ObjectKey, u32>,
    /// Tasks that must be listed as skipped in the end: by run and name, and who started after them.
    passed_over: BTreeMap<(String, String), String>,
}

impl Watch {
    /// A run wrote again although nothing but its own write had changed.
    pub(super) fn echoes(&mut self, key: &ObjectKey, metadata: bool) -> Result<(), String> {
        let count = self.echoes.entry(key.clone()).or_default();
        *count += 1;
        if *count > ECHOES && !metadata {
            return Err(format!("{key} writes again and again although nothing changes but its own status (I3)"));
        }
        Ok(())
    }

    pub(super) fn quiet(&mut self, key: &ObjectKey) {
        self.echoes.remove(key);
    }
}

fn is_over(conditions: &[Condition]) -> bool {
    condition::succeeded(conditions).is_some_and(|condition| !condition.is_unknown())
}

/// Whether a run has ended; `None` for what is no run.
fn has_ended(object: &Object) -> Option<bool> {
    match object {
        Object::PipelineRun(run) => Some(is_over(&run.status.conditions)),
        Object::TaskRun(run) => Some(is_over(&run.status.conditions)),
        Object::CustomRun(run) => Some(is_over(&run.status.conditions)),
        _ => None,
    }
}

fn label<'o>(object: &'o Object, key: &str) -> &'o str {
    object.metadata().labels.as_ref().and_then(|all| all.get(key)).map_or("", String::as_str)
}

/// The runs of one task.
fn runs_of<'w>(world: &'w World, pipeline_run: &'w str, task: &'w str) -> impl Iterator<Item = &'w Object> {
    world.objects.values().filter(move |object| {
        has_ended(object).is_some()
            && label(object, labels::PIPELINE_RUN) == pipeline_run
            && label(object, labels::PIPELINE_TASK) == task
    })
}

/// Checks what one pass did.
pub(super) fn after_pass(
    scenario: &Scenario,
    world: &World,
    watch: &mut Watch,
    key: &ObjectKey,
    before: &Object,
    done: &Done,
) -> Result<(), String> {
    if let Some((text, _)) = &done.fault
        && text == "the decision did not settle"
    {
        return Err(format!("the decision about {key} does not settle (I5)"));
    }
    if let Some(after) = world.objects.get(key) {
        stays_as_it_ended(key, before, after)?;
    }
    if key.kind == Kind::PipelineRun {
        for (created, _) in done.created.iter().filter(|(_, fault)| fault.is_none()) {
            starts_in_order(scenario, world, watch, key, created)?;
        }
    }
    if let Some(Object::TaskRun(run)) = world.objects.get(key) {
        let plan = scenario.plan(
            run.metadata.labels.as_ref().and_then(|all| all.get(labels::PIPELINE_RUN)).map_or("", String::as_str),
            run.metadata.labels.as_ref().and_then(|all| all.get(labels::PIPELINE_TASK)).map_or("", String::as_str),
        );
        let retries = plan.map_or(0, |plan| usize::from(plan.retries));
        if run.status.retries_status.len() > retries {
            return Err(format!(
                "{key} was tried {} times more, {retries} are allowed",
                run.status.retries_status.len()
            ));
        }
    }
    Ok(())
}

/// I6: the condition, the end and the results of what has ended stay.
fn stays_as_it_ended(key: &ObjectKey, before: &Object, after: &Object) -> Result<(), String> {
    let same = match (before, after) {
        (Object::PipelineRun(a), Object::PipelineRun(b)) if is_over(&a.status.conditions) => a.status == b.status,
        (Object::TaskRun(a), Object::TaskRun(b)) if is_over(&a.status.conditions) => {
            a.status.conditions == b.status.conditions
                && a.status.completion_time == b.status.completion_time
                && a.status.results == b.status.results
        }
        _ => true,
    };
    if same { Ok(()) } else { Err(format!("{key} had ended and was changed (I6)")) }
}

/// A child starts only when all that its task waits for is over.
fn starts_in_order(
    scenario: &Scenario,
    world: &World,
    watch: &mut Watch,
    key: &ObjectKey,
    created: &Object,
) -> Result<(), String> {
    let name = label(created, labels::PIPELINE_TASK);
    let Some(plan) = scenario.plan(&key.name, name).filter(|_| has_ended(created).is_some()) else { return Ok(()) };
    if watch.lost_children {
        return Ok(());
    }
    let is_finally = scenario.finally.iter().any(|plan| plan.name == name);
    let waits_for: Vec<&str> = if is_finally {
        scenario.tasks.iter().map(|plan| plan.name.as_str()).collect()
    } else {
        plan.waits_for().collect()
    };
    for earlier in waits_for {
        let mut runs = runs_of(world, &key.name, earlier).peekable();
        if runs.peek().is_none() && !is_finally {
            watch.passed_over.insert((key.name.clone(), earlier.to_owned()), name.to_owned());
        }
        for run in runs {
            let fails_with_others = is_finally && !matches!(run, Object::TaskRun(_));
            if fails_with_others && lacks_a_result(scenario, world, &key.name, &BTreeSet::new()) {
                continue;
            }
            if has_ended(run) == Some(false) {
                return Err(format!("{} of task {name} starts although {} is not over", created.key(), run.key()));
            }
        }
    }
    Ok(())
}

/// A task that no TaskRun carries out has not started although what it refers to is over, and is none of those that
/// are `skipped`: the result is not there.
/// Upstream then takes all tasks of that sort for failed, and begins with the finally tasks while they go on.
fn lacks_a_result(scenario: &Scenario, world: &World, pipeline_run: &str, skipped: &BTreeSet<&str>) -> bool {
    scenario.tasks_of(pipeline_run).any(|plan| {
        let guard = match &plan.guard {
            Some(Guard::Result { task, .. }) => Some(task),
            Some(Guard::Never) | None => None,
        };
        let is_over = |task: &String| runs_of(world, pipeline_run, task).any(|run| has_ended(run) == Some(true));
        plan.work != Work::Task
            && !skipped.contains(plan.name.as_str())
            && runs_of(world, pipeline_run, &plan.name).next().is_none()
            && plan.uses.iter().chain(guard).any(is_over)
    })
}

/// Checks the world when nothing happens any more.
pub(super) fn at_the_end(scenario: &Scenario, world: &World, watch: &Watch) -> Result<(), String> {
    for (key, object) in &world.objects {
        match object {
            Object::PipelineRun(run) => pipeline_run_at_the_end(scenario, world, watch, key, run)?,
            Object::TaskRun(run) if !is_over(&run.status.conditions) => {
                return Err(format!("{key} is stuck (I5): {:?}", run.status.conditions));
            }
            Object::Pod(pod) if !node::is_over(pod) && !watch.lost_children => {
                return Err(format!("{key} still runs in the end"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn pipeline_run_at_the_end(
    scenario: &Scenario,
    world: &World,
    watch: &Watch,
    key: &ObjectKey,
    run: &PipelineRun,
) -> Result<(), String> {
    if !is_over(&run.status.conditions) {
        return Err(format!("{key} is stuck (I5): {:?}", run.status.conditions));
    }
    if watch.lost_children {
        return Ok(());
    }
    let mut listed: Vec<&str> = run.status.child_references.iter().map(|child| child.name.as_str()).collect();
    listed.sort_unstable();
    let mut children: Vec<&str> = world
        .objects
        .iter()
        .filter(|(_, object)| has_ended(object).is_some() && label(object, labels::PIPELINE_RUN) == key.name)
        .map(|(key, _)| key.name.as_str())
        .collect();
    children.sort_unstable();
    if listed != children {
        return Err(format!("{key} lists the children {listed:?}, there are {children:?}"));
    }
    let skipped: BTreeSet<&str> = run.status.skipped_tasks.iter().map(|task| task.name.as_str()).collect();
    for ((_, task), started) in watch.passed_over.iter().filter(|((of, _), _)| *of == key.name) {
        let fails_with_others = scenario.plan(&key.name, task).is_some_and(|plan| plan.work != Work::Task)
            && lacks_a_result(scenario, world, &key.name, &skipped);
        if !skipped.contains(task.as_str()) && !fails_with_others {
            return Err(format!("{key} started task {started} although {task}, which comes before it, never ran"));
        }
    }
    let condition = condition::succeeded(&run.status.conditions);
    let well = condition.is_some_and(Condition::is_true);
    for plan in scenario.tasks_of(&key.name) {
        let runs: Vec<&Object> = runs_of(world, &key.name, &plan.name).collect();
        if well && runs.is_empty() && !skipped.contains(plan.name.as_str()) {
            return Err(format!("{key} succeeded although task {} neither ran nor is listed as skipped", plan.name));
        }
        let expected = if plan.matrix > 0 && plan.work == Work::Task { usize::from(plan.matrix) } else { 1 };
        if runs.len() > expected {
            return Err(format!("task {} of {key} has {} runs, {expected} are enough", plan.name, runs.len()));
        }
        let failed = |run: &&Object| match run {
            Object::TaskRun(run) => condition::succeeded(&run.status.conditions).is_some_and(Condition::is_false),
            Object::CustomRun(run) => condition::succeeded(&run.status.conditions).is_some_and(Condition::is_false),
            Object::PipelineRun(run) => condition::succeeded(&run.status.conditions).is_some_and(Condition::is_false),
            _ => false,
        };
        if well && !plan.continues && runs.iter().any(failed) {
            return Err(format!("{key} succeeded although task {} failed", plan.name));
        }
    }
    if condition.is_some_and(|condition| condition.reason == reasons::SUCCESSFUL) && !skipped.is_empty() {
        return Err(format!("{key} is {} although tasks were skipped", reasons::SUCCESSFUL));
    }
    Ok(())
}

/// Both worlds hold the same runs and Pods in the same state.
pub(super) fn same_end(troubled: &World, calm: &World) -> Result<(), String> {
    let keys = |world: &World| -> Vec<ObjectKey> { world.objects.keys().cloned().collect() };
    let (ours, theirs) = (keys(troubled), keys(calm));
    if ours != theirs {
        let names = |keys: &[ObjectKey], other: &[ObjectKey]| -> Vec<String> {
            keys.iter().filter(|key| !other.contains(key)).map(ToString::to_string).collect()
        };
        return Err(format!(
            "trouble of the controller changed what there is in the end (I4): {:?} are there only with it, {:?} only without",
            names(&ours, &theirs),
            names(&theirs, &ours)
        ));
    }
    for (key, object) in &troubled.objects {
        let same = match (object, &calm.objects[key]) {
            (Object::PipelineRun(a), Object::PipelineRun(b)) => {
                a.status == b.status || both_timed_out(&a.status, &b.status) && same_but_finally(&a.status, &b.status)
            }
            (Object::TaskRun(a), Object::TaskRun(b)) => same_task_run(a, b),
            (Object::CustomRun(a), Object::CustomRun(b)) => a.status == b.status && a.spec == b.spec,
            (Object::Pod(a), Object::Pod(b)) => a.status == b.status,
            _ => true,
        };
        if same {
            continue;
        }
        // Patches go through JSON, which knows whole seconds only.
        let json = |object: &Object| match object {
            Object::CustomRun(run) => ended_custom_run(run).into_object().to_json().unwrap_or_default(),
            other => other.to_json().unwrap_or_default(),
        };
        let found = diff::differences(&json(&calm.objects[key]), &json(object));
        if !found.is_empty() {
            return Err(format!("trouble of the controller changed how {key} ended (I4):\n  {}", found.join("\n  ")));
        }
    }
    Ok(())
}

fn both_timed_out(a: &PipelineRunStatus, b: &PipelineRunStatus) -> bool {
    has_reason(&a.conditions, reasons::TIMED_OUT) && has_reason(&b.conditions, reasons::TIMED_OUT)
}

/// A pass that stops the children of a run whose time is over ends the run; nothing is said of what comes after them.
/// If that pass is lost, the next one finds them stopped, and says of the finally tasks that they are skipped.
fn same_but_finally(a: &PipelineRunStatus, b: &PipelineRunStatus) -> bool {
    let bare = |status: &PipelineRunStatus| PipelineRunStatus {
        finally_start_time: None,
        skipped_tasks: Vec::new(),
        ..status.clone()
    };
    bare(a) == bare(b)
}

/// When its own timeout and that of the pipeline pass in the same instant it is chance which of them is acted on, and
/// whether another attempt begins before.
fn same_task_run(a: &TaskRun, b: &TaskRun) -> bool {
    let differ = a.spec != b.spec || a.status != b.status;
    let at = second_of(a.status.completion_time.as_ref());
    let same_instant = at.is_some() && at == second_of(b.status.completion_time.as_ref());
    let stopped = is_stopped_late(a) || is_stopped_late(b);
    let timed_out = timed_out_at(a) == at || timed_out_at(b) == at;
    !differ || same_instant && time_is_over(a) && time_is_over(b) && stopped && timed_out
}

/// A time as JSON tells it.
fn second_of(time: Option<&Time>) -> Option<i64> {
    time.map(|time| time.0.as_second())
}

/// Its own time or that of the pipeline ended it.
fn time_is_over(run: &TaskRun) -> bool {
    is_stopped_late(run) || has_reason(&run.status.conditions, task_reasons::TIMED_OUT)
}

/// The time of the pipeline ended it.
fn is_stopped_late(run: &TaskRun) -> bool {
    run.spec.status_message == taskrun_status_message::CANCELLED_BY_PIPELINE_TIMEOUT
        && has_reason(&run.status.conditions, task_reasons::CANCELLED)
}

fn has_reason(conditions: &[Condition], reason: &str) -> bool {
    condition::succeeded(conditions).is_some_and(|condition| condition.reason == reason)
}

/// When the time of its last attempt that timed out was over.
fn timed_out_at(run: &TaskRun) -> Option<i64> {
    std::iter::once(&run.status)
        .chain(run.status.retries_status.iter().rev())
        .find(|attempt| has_reason(&attempt.conditions, task_reasons::TIMED_OUT))
        .and_then(|attempt| second_of(attempt.completion_time.as_ref()))
}

/// A CustomRun as it ended. An old cache does not know that it is over: telling it to stop then changes nothing.
fn ended_custom_run(run: &CustomRun) -> CustomRun {
    let mut run = run.clone();
    if is_over(&run.status.conditions) {
        run.spec.status.clear();
        run.spec.status_message.clear();
    }
    run
}
