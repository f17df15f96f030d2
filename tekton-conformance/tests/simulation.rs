//! Random pipelines in a world with a virtual clock: Pods fail, controllers die in the middle of a pass, calls are
//! refused. The release program runs far more of them (`tekton-conformance simulate`); here are a few, and proof that
//! wrong decisions are caught.
#![cfg(feature = "engine")]

#[cfg(feature = "local")]
#[path = "simulation/accepted.rs"]
mod accepted;
#[path = "simulation/branches.rs"]
mod branches;
#[path = "simulation/consistent.rs"]
mod consistent;
#[path = "simulation/generate.rs"]
mod generate;
#[path = "simulation/passes.rs"]
mod passes;
#[path = "simulation/restricted.rs"]
mod restricted;
#[path = "simulation/taskruns.rs"]
mod taskruns;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_conformance::simulation::{Attempt, Decide, End, Fault, Scenario, Simulation, Sort, TaskPlan, shrink};
use tekton_engine::{Decision, Effect, Env, Object, Run, Snapshot};
use tekton_types::condition;
use tekton_types::v1::{PipelineRun, PipelineRunStatus, TaskRun, TaskRunStatus};

const SEEDS: u64 = 100;

#[test]
fn every_run_ends_and_stays_as_it_ended() {
    let simulation = Simulation::default();
    for seed in 0..SEEDS {
        let told = simulation.tell(&Scenario::of_seed(seed));
        assert_eq!(told.violation, None, "seed {seed}");
    }
}

#[test]
fn stories_that_once_went_wrong_go_well() {
    let simulation = Simulation::default();
    // Lost children of runs without a timeout, passes lost while a timeout is acted on, cancelled and late at once; a
    // cache that is behind when the tasks' time is over; Pods whose names were lost, or that an old cache had created.
    let engine = [68_297, 69_283, 84_358, 31_330, 87_491, 89_672, 691_092, 465_828, 746_877, 849_064, 905_519, 993_667];
    // Two timeouts in one instant, custom tasks that fail together, creates that are refused one after the other.
    let checks = [96_319, 382_759, 395_298, 487_295];
    for seed in engine.into_iter().chain(checks) {
        let told = simulation.tell(&Scenario::of_seed(seed));
        assert_eq!(told.violation, None, "seed {seed}");
    }
}

#[test]
fn a_seed_always_tells_the_same_story() {
    let simulation = Simulation::default();
    let scenario = Scenario::of_seed(11);
    assert_eq!(simulation.tell_in_words(&scenario), simulation.tell_in_words(&scenario));
}

/// Some of the first seeds must break an invariant, and the text about it must hold `expected`.
fn caught(simulation: &Simulation, expected: &str) -> (Scenario, String) {
    let found = (0..200).find_map(|seed| {
        let scenario = Scenario::of_seed(seed);
        let violation = simulation.tell(&scenario).violation?;
        Some((scenario, violation))
    });
    let (scenario, violation) = found.unwrap_or_else(|| panic!("nobody noticed; expected: {expected}"));
    assert!(violation.contains(expected), "{violation}");
    (scenario, violation)
}

fn with_pipeline_run(decide: Decide<PipelineRun, PipelineRunStatus>) -> Simulation {
    let mut simulation = Simulation::default();
    simulation.pipeline_run = decide;
    simulation
}

fn with_task_run(decide: Decide<TaskRun, TaskRunStatus>) -> Simulation {
    let mut simulation = Simulation::default();
    simulation.task_run = decide;
    simulation
}

fn is_over(run: &PipelineRun) -> bool {
    condition::succeeded(&run.status.conditions).is_some_and(|condition| !condition.is_unknown())
}

#[test]
fn a_decision_that_panics_is_caught() {
    let simulation = with_task_run(|snapshot, env| {
        assert!(snapshot.run.status.pod_name.is_empty(), "out of cheese");
        TaskRun::decide(snapshot, env)
    });
    caught(&simulation, "a panic: out of cheese");
}

#[test]
fn a_decision_that_depends_on_more_than_its_facts_is_caught() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let simulation = with_pipeline_run(|snapshot, env| {
        let mut decision = PipelineRun::decide(snapshot, env);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        decision.wake_at = decision.wake_at.map(|at| at + SignedDuration::from_secs(call.cast_signed() % 2));
        decision
    });
    caught(&simulation, "two decisions on the same facts differ");
}

#[test]
fn an_end_that_changes_is_caught() {
    let simulation = with_pipeline_run(|snapshot, env| {
        let mut decision = PipelineRun::decide(snapshot, env);
        if is_over(snapshot.run) {
            decision.status.completion_time = Some(Time(env.now + SignedDuration::from_secs(1)));
        }
        decision
    });
    caught(&simulation, "(I6)");
}

#[test]
fn a_task_that_starts_too_early_is_caught_and_its_story_is_short() {
    fn too_early(snapshot: &Snapshot<'_, PipelineRun>, env: &Env<'_>) -> Decision<PipelineRunStatus> {
        let mut run = snapshot.run.clone();
        for task in run.spec.pipeline_spec.iter_mut().flat_map(|spec| &mut spec.tasks) {
            task.run_after.clear();
        }
        PipelineRun::decide(&Snapshot { run: &run, facts: snapshot.facts }, env)
    }
    let simulation = with_pipeline_run(too_early);
    let (scenario, _) = caught(&simulation, "starts although");
    let (small, told) = shrink(&simulation, &scenario);
    assert_eq!((small.tasks.len(), small.finally.len(), small.faults.len()), (2, 0, 0), "{small}");
    assert!(told.violation.is_some_and(|violation| violation.contains("starts although")));
    assert!(told.story.len() < 12, "{:#?}", told.story);
}

#[test]
fn names_that_change_from_pass_to_pass_are_caught() {
    let simulation = with_pipeline_run(|snapshot, env| {
        let mut decision = PipelineRun::decide(snapshot, env);
        let again = snapshot.run.status.start_time.is_some();
        for effect in &mut decision.effects {
            if let (Effect::Create(Object::TaskRun(child)), false) = (effect, again) {
                let child = Arc::make_mut(child);
                child.metadata.name = child.metadata.name.as_ref().map(|name| format!("{name}-first"));
            }
        }
        decision
    });
    // The outcome never arrives under the name that the engine knows.
    caught(&simulation, "(I5)");
}

#[test]
fn a_child_that_is_made_anew_after_a_crash_is_caught() {
    let simulation = with_pipeline_run(|snapshot, env| {
        // Forgets the labels by which children are found: only the status remembers them.
        let mut decision = PipelineRun::decide(snapshot, env);
        for effect in &mut decision.effects {
            if let Effect::Create(Object::TaskRun(child)) = effect {
                Arc::make_mut(child).metadata.labels = None;
            }
        }
        decision
    });
    assert!((0..200).any(|seed| simulation.tell(&Scenario::of_seed(seed)).violation.is_some()));
}

#[test]
fn a_deadline_that_nobody_waits_for_is_caught() {
    let mut simulation = with_task_run(|snapshot, env| {
        let mut decision = TaskRun::decide(snapshot, env);
        decision.wake_at = None;
        decision
    });
    simulation.pipeline_run = |snapshot, env| {
        let mut decision = PipelineRun::decide(snapshot, env);
        decision.wake_at = None;
        decision
    };
    caught(&simulation, "is stuck (I5)");
}

#[test]
fn a_run_that_is_looked_at_again_and_again_is_caught() {
    let simulation = with_pipeline_run(|snapshot, env| {
        let mut decision = PipelineRun::decide(snapshot, env);
        if !is_over(snapshot.run) {
            decision.wake_at = Some(env.now + SignedDuration::from_secs(1));
        }
        decision
    });
    caught(&simulation, "it wakes itself in vain");
}

#[test]
fn children_that_outlive_a_cancelled_run_are_caught() {
    let simulation = with_pipeline_run(|snapshot, env| {
        let mut run = snapshot.run.clone();
        if !run.spec.status.is_empty() && is_over(&run) {
            run.status.child_references.clear();
        }
        let mut decision = PipelineRun::decide(&Snapshot { run: &run, facts: snapshot.facts }, env);
        if snapshot.run.spec.status == "Cancelled" {
            decision.status.child_references.clear();
        }
        decision
    });
    assert!((0..400).any(|seed| simulation.tell(&Scenario::of_seed(seed)).violation.is_some()));
}

/// One task with one attempt.
fn one(attempt: Attempt, timeout: Option<u32>) -> Scenario {
    let task = TaskPlan { name: "t0".to_owned(), timeout, attempts: vec![attempt], ..TaskPlan::default() };
    Scenario { tasks: vec![task], ..Scenario::default() }
}

/// Passes that a story takes.
fn passes(scenario: &Scenario) -> u64 {
    let told = Simulation::default().tell(scenario);
    assert_eq!(told.violation, None, "{scenario}");
    assert_eq!(told.figures.idle_wakes, 0, "{scenario}");
    told.figures.passes
}

#[test]
fn a_run_takes_no_more_passes_than_things_happen_to_it_whatever_its_timeouts() {
    // The run: start, the child as created, its three changes, its own last write. The TaskRun: start, its own
    // writes and those of its Pod.
    let short = Attempt { seconds: 5, end: End::Succeeds };
    let long = Attempt { seconds: 86_400, end: End::Succeeds };
    let usual = passes(&one(short, None));
    assert!(usual <= 12, "{usual}");
    // A timeout of zero never ends: a day is as many passes as five seconds are.
    assert_eq!(passes(&Scenario { timeouts: [Some(0), None, None], ..one(short, Some(0)) }), usual);
    assert_eq!(passes(&Scenario { timeouts: [Some(0), None, None], ..one(long, Some(0)) }), usual);
    // A deadline of the tasks that has passed is acted on once.
    let hangs = Attempt { seconds: 1, end: End::Hangs };
    let late = passes(&Scenario { timeouts: [Some(60), Some(20), None], ..one(hangs, None) });
    assert!(late <= usual + 2, "{late}");
}

#[test]
fn a_pod_that_is_lost_is_replaced_and_a_crash_changes_nothing() {
    let attempt = Attempt { seconds: 30, end: End::Succeeds };
    for sort in [Sort::PodLost(0), Sort::Crash(0), Sort::Crash(1), Sort::LostReply, Sort::Stale(3)] {
        for at in 0..10 {
            let faults = vec![Fault { at, sort }];
            passes(&Scenario { faults, ..one(attempt, None) });
        }
    }
}
