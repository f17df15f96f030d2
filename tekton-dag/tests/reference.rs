//! Graphs and states against a model that is as simple as the rules are: names, sets, recursion, no order of visits.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tekton_dag::child::ResolvedTask;
use tekton_dag::deadline::Deadlines;
use tekton_dag::edges;
use tekton_dag::graph::{Dependencies, Frontier, Graph};
use tekton_dag::live::Live;
use tekton_dag::skip::SkipReason;
use tekton_dag::state::PipelineState;
use tekton_types::condition::{self, Condition};
use tekton_types::v1::{PipelineTask, TaskRun, WhenExpression};

type Edges = BTreeMap<String, Vec<String>>;

fn names(count: usize) -> Vec<String> {
    // Not in alphabetical order, so that order of names and order of tasks differ.
    (0..count).map(|number| format!("{}{number}", char::from(b'z' - u8::try_from(number % 7).unwrap_or(0)))).collect()
}

/// Any edges at all: cycles, tasks that wait for themselves, names that nobody has.
fn any_graph() -> impl Strategy<Value = (Vec<String>, Edges)> {
    (1..10_usize).prop_flat_map(|count| {
        prop::collection::vec((0..count, 0..=count), 0..count + 3).prop_map(move |pairs| {
            let names = names(count);
            let mut edges = Edges::new();
            for (task, earlier) in pairs {
                let earlier = names.get(earlier).cloned().unwrap_or_else(|| "nobody".to_owned());
                edges.entry(names[task].clone()).or_default().push(earlier);
            }
            (names, edges)
        })
    })
}

fn build(names: &[String], edges: &Edges) -> Result<Graph, String> {
    let dependencies: Dependencies<'_> =
        edges.iter().map(|(task, on)| (task.as_str(), on.iter().map(String::as_str).collect())).collect();
    Graph::build(names.iter().map(String::as_str), &dependencies).map_err(|error| error.to_string())
}

/// What upstream says about a cycle: takes away what waits for nothing until nothing changes, and names what is left.
fn model_of_cycles(edges: &Edges) -> Option<String> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = edges
        .iter()
        .filter(|(_, on)| !on.is_empty())
        .map(|(task, on)| (task.as_str(), on.iter().map(String::as_str).collect()))
        .collect();
    loop {
        let stuck: BTreeSet<&str> = left.keys().copied().collect();
        for on in left.values_mut() {
            on.retain(|earlier| stuck.contains(earlier));
        }
        left.retain(|_, on| !on.is_empty());
        if left.len() == stuck.len() {
            break;
        }
    }
    let (task, on) = left.first_key_value()?;
    let on: Vec<String> = on.iter().map(|earlier| format!("{earlier:?}")).collect();
    Some(format!("cycle detected; task {task:?} depends on {}", on.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_graph_is_built_exactly_when_nothing_is_wrong((names, edges) in any_graph()) {
        let unknown = edges.values().flatten().any(|earlier| !names.contains(earlier));
        match (build(&names, &edges), model_of_cycles(&edges)) {
            (Err(error), Some(expected)) => prop_assert_eq!(error, expected),
            (Err(error), None) => prop_assert!(unknown && error.contains("wasn't present in Pipeline"), "{}", error),
            (Ok(_), Some(expected)) => prop_assert!(false, "no error, expected {}", expected),
            (Ok(graph), None) => {
                prop_assert!(!unknown);
                for (number, name) in names.iter().enumerate() {
                    let parents: BTreeSet<&str> = graph.parents(number).map(|parent| graph.name(parent)).collect();
                    let expected: BTreeSet<&str> = edges.get(name).into_iter().flatten().map(String::as_str).collect();
                    prop_assert_eq!(&parents, &expected);
                    for parent in graph.parents(number) {
                        prop_assert!(graph.children(parent).any(|child| child == number));
                    }
                }
                let place = |task: usize| graph.order().iter().position(|other| *other == task);
                prop_assert!(graph.edges().all(|(earlier, later)| place(earlier) < place(later)));
            }
        }
    }

    #[test]
    fn candidates_are_what_has_only_done_ancestors((names, edges) in any_graph(), done in prop::collection::vec(any::<bool>(), 10)) {
        let Ok(graph) = build(&names, &edges) else { return Ok(()) };
        let done: BTreeSet<&str> =
            names.iter().zip(&done).filter(|(_, done)| **done).map(|(name, _)| name.as_str()).collect();
        let parents = |name: &str| edges.get(name).into_iter().flatten().map(String::as_str).collect::<BTreeSet<_>>();
        // Reached: a root, or after one that is done and reached.
        let mut reached: BTreeSet<&str> = names.iter().map(String::as_str).filter(|name| parents(name).is_empty()).collect();
        loop {
            let more: Vec<&str> = names.iter().map(String::as_str)
                .filter(|name| !reached.contains(name))
                .filter(|name| parents(name).iter().any(|earlier| reached.contains(earlier) && done.contains(earlier)))
                .collect();
            if more.is_empty() { break; }
            reached.extend(more);
        }
        let found = graph.candidates(done.iter().copied());
        if done.is_subset(&reached) {
            let found: BTreeSet<&str> = found.expect("every done task is reached").into_iter().map(|task| graph.name(task)).collect();
            let expected: BTreeSet<&str> = reached.iter().copied()
                .filter(|name| !done.contains(name) && parents(name).is_subset(&done))
                .collect();
            prop_assert_eq!(found, expected);
        } else {
            prop_assert!(found.is_err());
        }
    }

    #[test]
    fn a_frontier_lets_every_task_start_once_and_only_after_its_parents((names, edges) in any_graph()) {
        let Ok(graph) = build(&names, &edges) else { return Ok(()) };
        let mut frontier = Frontier::new(&graph);
        let mut finished = BTreeSet::new();
        loop {
            let ready = frontier.take_ready();
            if ready.is_empty() { break; }
            for task in &ready {
                prop_assert!(graph.parents(*task).all(|parent| finished.contains(&parent)));
            }
            for task in ready {
                prop_assert!(finished.insert(task));
                frontier.finish(task);
            }
        }
        prop_assert_eq!(finished.len(), names.len());
    }
}

/// What a task came to: nothing yet, runs, well, badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Nothing,
    Running,
    Well,
    Badly,
}

fn tasks() -> impl Strategy<Value = Vec<PipelineTask>> {
    prop::collection::vec((prop::collection::vec(0..64_usize, 0..4), 0..6_u8, 0..3_u8), 1..9).prop_map(|rows| {
        let names = names(rows.len());
        rows.into_iter()
            .enumerate()
            .map(|(number, (after, guard, fails))| {
                let mut task = PipelineTask { name: names[number].clone(), ..PipelineTask::default() };
                if number > 0 {
                    task.run_after = after.into_iter().map(|earlier| names[earlier % number].clone()).collect();
                }
                if guard == 0 {
                    task.when.push(WhenExpression { operator: "in".into(), ..WhenExpression::default() });
                }
                if fails == 0 {
                    "continue".clone_into(&mut task.on_error);
                }
                task
            })
            .collect()
    })
}

/// The rules as they are written, by recursion over names.
struct Model<'m> {
    tasks: &'m BTreeMap<&'m str, &'m PipelineTask>,
    came: &'m BTreeMap<&'m str, Came>,
    spec_status: &'m str,
}

impl Model<'_> {
    fn stopping(&self) -> bool {
        self.came.iter().any(|(name, came)| *came == Came::Badly && self.tasks[name].on_error != "continue")
    }

    fn done(&self, name: &str) -> bool {
        matches!(self.came[name], Came::Well | Came::Badly) || self.skip(name).is_some()
    }

    fn skip(&self, name: &str) -> Option<SkipReason> {
        let task = self.tasks[name];
        if self.came[name] != Came::Nothing {
            return None;
        }
        if self.stopping() {
            return Some(SkipReason::Stopping);
        }
        match self.spec_status {
            "CancelledRunFinally" => return Some(SkipReason::GracefullyCancelled),
            "StoppedRunFinally" => return Some(SkipReason::GracefullyStopped),
            _ => {}
        }
        if !task.when.is_empty() && task.run_after.iter().all(|earlier| self.done(earlier)) {
            return Some(SkipReason::WhenExpressions);
        }
        let parent_skipped = task
            .run_after
            .iter()
            .any(|earlier| self.skip(earlier).is_some_and(|reason| reason != SkipReason::WhenExpressions));
        parent_skipped.then_some(SkipReason::ParentTasks)
    }

    fn may_start(&self, name: &str) -> bool {
        self.spec_status.is_empty()
            && !self.stopping()
            && self.came[name] == Came::Nothing
            && self.skip(name).is_none()
            && self.tasks[name].run_after.iter().all(|earlier| self.done(earlier))
    }
}

fn run(status: &str) -> TaskRun {
    let mut run = TaskRun::default();
    run.status.conditions.push(Condition::succeeded(status, "", ""));
    run
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_life_goes_as_the_rules_say(tasks in tasks(), rolls in prop::collection::vec(0..24_u8, 40), ends in 0..8_u8) {
        let runs = [run(condition::UNKNOWN), run(condition::TRUE), run(condition::FALSE)];
        let by_name: BTreeMap<&str, &PipelineTask> = tasks.iter().map(|task| (task.name.as_str(), task)).collect();
        let mut came: BTreeMap<&str, Came> = by_name.keys().map(|name| (*name, Came::Nothing)).collect();
        let graph = edges::tasks_graph(&tasks).expect("tasks wait for earlier ones only");
        let finally = Graph::default();
        // What has started stands first, as the engine has it: the order of the tasks is not that of the graph.
        let order: Vec<&PipelineTask> = tasks.iter().rev().collect();
        let state = PipelineState {
            tasks: order.iter().map(|task| ResolvedTask::new(*task)).collect(),
            graph: &graph,
            finally: &finally,
            spec_status: "",
            deadlines: Deadlines::default(),
            validation_failed: BTreeMap::new(),
        };
        let mut live = Live::new(state);
        let mut ready: BTreeSet<usize> = BTreeSet::new();
        for (step, roll) in rolls.into_iter().enumerate() {
            if step == 30 && ends < 2 {
                live.update_all(|state| state.spec_status = ["CancelledRunFinally", "StoppedRunFinally"][usize::from(ends)]);
                ready.clear();
            }
            ready.extend(live.take_ready());
            let model = Model { tasks: &by_name, came: &came, spec_status: live.state().spec_status };
            let mut fresh = live.state().clone();
            let fresh_states = fresh.classify();
            for (index, task) in order.iter().enumerate() {
                let name = task.name.as_str();
                for states in [live.states(), &fresh_states] {
                    prop_assert_eq!(states.tasks[index].skip, model.skip(name), "skip of {}", name);
                    prop_assert_eq!(states.tasks[index].done, model.done(name), "done of {}", name);
                }
            }
            let expected: BTreeSet<usize> = (0..order.len()).filter(|index| model.may_start(&order[*index].name)).collect();
            // What is skipped while something before it still runs is out of order, as upstream sees it.
            let stops = model.stopping() || !model.spec_status.is_empty();
            let queue = fresh_states.queue(&fresh);
            prop_assert!(queue.is_ok() || stops, "{:?}", queue);
            let queue: BTreeSet<usize> = queue.unwrap_or_default().into_iter().collect();
            prop_assert_eq!(&queue, &expected);
            if !model.stopping() {
                prop_assert_eq!(&ready, &expected);
            }
            // One thing happens: a task starts or ends.
            let running: Vec<usize> = (0..order.len()).filter(|index| came[order[*index].name.as_str()] == Came::Running).collect();
            let starts = queue.iter().next().copied().filter(|_| running.is_empty() || roll % 2 == 0);
            let (index, outcome) = match (starts, running.get(usize::from(roll) % running.len().max(1))) {
                (Some(index), _) => (index, Came::Running),
                (None, Some(index)) => (*index, if roll < 3 { Came::Badly } else { Came::Well }),
                (None, None) => break,
            };
            ready.remove(&index);
            came.insert(&order[index].name, outcome);
            let run = &runs[match outcome { Came::Well => 1, Came::Badly => 2, _ => 0 }];
            live.update(index, |task| task.task_runs = vec![run]);
        }
    }
}
