//! Makes a story that goes wrong as short as it can be.

use super::scenario::{Attempt, End, Scenario, TaskPlan, Work};
use super::{Simulation, Told};

/// Rounds after which the story is short enough.
const ROUNDS: usize = 6;

/// The smallest scenario found that still breaks an invariant, with its story in words.
///
/// Faults, tasks, edges, guards, retries and limits are taken away one by one as long as something stays broken.
pub fn shrink(simulation: &Simulation, scenario: &Scenario) -> (Scenario, Told) {
    let mut best = scenario.clone();
    for _ in 0..ROUNDS {
        let smaller = candidates(&best).into_iter().find(|candidate| simulation.tell(candidate).violation.is_some());
        let Some(mut smaller) = smaller else { break };
        // What helped once often helps again: go on from there before starting over.
        while let Some(next) =
            candidates(&smaller).into_iter().find(|candidate| simulation.tell(candidate).violation.is_some())
        {
            smaller = next;
        }
        best = smaller;
    }
    let told = simulation.tell_in_words(&best);
    (best, told)
}

/// Scenarios that are smaller by one thing.
fn candidates(scenario: &Scenario) -> Vec<Scenario> {
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Scenario)| {
        let mut smaller = scenario.clone();
        change(&mut smaller);
        if smaller != *scenario && !smaller.tasks.is_empty() {
            found.push(smaller);
        }
    };
    for index in 0..scenario.faults.len() {
        add(&|s| {
            s.faults.remove(index);
        });
    }
    for index in 0..scenario.finally.len() {
        add(&|s| drop(s.finally.remove(index)));
    }
    for index in (0..scenario.tasks.len()).rev() {
        add(&|s| {
            let gone = s.tasks.remove(index);
            s.tasks.iter_mut().chain(&mut s.finally).for_each(|plan| plan.forget(&gone.name));
        });
    }
    add(&|s| s.timeouts = [None; 3]);
    for index in 0..scenario.tasks.len() {
        for change in SIMPLER {
            add(&|s| change(&mut s.tasks[index]));
        }
        for edge in 0..scenario.tasks[index].after.len() {
            add(&|s| drop(s.tasks[index].after.remove(edge)));
        }
    }
    for (index, fault) in scenario.faults.iter().enumerate().filter(|(_, fault)| fault.at > 0) {
        add(&|s| s.faults[index].at = fault.at / 2);
        add(&|s| s.faults[index].at = fault.at - 1);
    }
    found
}

/// Ways in which a task becomes simpler.
const SIMPLER: [fn(&mut TaskPlan); 9] = [
    |plan| plan.uses = None,
    |plan| plan.guard = None,
    |plan| plan.matrix = 0,
    |plan| plan.retries = 0,
    |plan| plan.timeout = None,
    |plan| plan.continues = false,
    |plan| plan.work = Work::Task,
    |plan| plan.attempts.truncate(1),
    |plan| plan.attempts = vec![Attempt { seconds: 1, end: End::Succeeds }],
];
