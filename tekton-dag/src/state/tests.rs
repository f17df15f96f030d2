use jiff::Timestamp;
use tekton_types::condition::{self, Condition};
use tekton_types::duration::GoDuration;
use tekton_types::v1::{Param, PipelineTask, TaskRun, TaskRunResult, WhenExpression};

use super::*;
use crate::edges;

/// Tasks by a short text each: `name < parent parent`, then what is changed about them.
fn tasks(texts: &[&str]) -> Vec<PipelineTask> {
    texts
        .iter()
        .map(|text| {
            let (name, after) = text.split_once(" < ").unwrap_or((text, ""));
            PipelineTask {
                name: name.to_owned(),
                run_after: after.split_whitespace().map(str::to_owned).collect(),
                ..PipelineTask::default()
            }
        })
        .collect()
}

fn run(status: &str) -> TaskRun {
    let mut run = TaskRun::default();
    run.status.conditions.push(Condition::succeeded(status, "", ""));
    run
}

/// Classifies `tasks`, of which some have runs, and says why each is skipped.
fn check(
    tasks: &[PipelineTask],
    runs: &[(&str, &TaskRun)],
    change: impl FnOnce(&mut PipelineState<'_>),
    expected: &[(&str, Option<SkipReason>)],
) {
    let graph = edges::tasks_graph(tasks).expect("the tasks of a test have no cycle");
    let finally = Graph::default();
    let mut state = PipelineState {
        tasks: tasks.iter().map(ResolvedTask::new).collect(),
        graph: &graph,
        finally: &finally,
        spec_status: "",
        deadlines: Deadlines::default(),
        validation_failed: BTreeMap::new(),
    };
    for (name, run) in runs {
        let index = tasks.iter().position(|task| task.name == *name).expect("a run belongs to a task");
        state.tasks[index].task_runs.push(run);
    }
    change(&mut state);
    let states = state.classify();
    let skips: Vec<_> = tasks.iter().zip(&states.tasks).map(|(task, state)| (task.name.as_str(), state.skip)).collect();
    assert_eq!(skips, expected);
}

fn never() -> Vec<WhenExpression> {
    vec![WhenExpression { input: "a".into(), operator: "in".into(), ..WhenExpression::default() }]
}

#[test]
fn a_when_skip_does_not_cascade() {
    let mut given = tasks(&["a", "b < a"]);
    given[0].when = never();
    check(&given, &[], |_| {}, &[("a", Some(SkipReason::WhenExpressions)), ("b", None)]);
}

#[test]
fn any_other_skip_cascades() {
    let mut given = tasks(&["a", "b < a", "c < b"]);
    given[0].matrix = Some(tekton_types::v1::Matrix {
        params: vec![Param { name: "p".into(), value: ParamValue::Array(Vec::new()) }],
        include: Vec::new(),
    });
    let parent = Some(SkipReason::ParentTasks);
    check(&given, &[], |_| {}, &[("a", Some(SkipReason::EmptyArrayInMatrixParams)), ("b", parent), ("c", parent)]);
}

#[test]
fn a_failure_stops_what_has_not_started_and_nothing_else() {
    let (failed, running) = (run(condition::FALSE), run(condition::UNKNOWN));
    let given = tasks(&["a", "b", "c < a"]);
    let expected = [("a", None), ("b", None), ("c", Some(SkipReason::Stopping))];
    check(&given, &[("a", &failed), ("b", &running)], |_| {}, &expected);
}

#[test]
fn a_failure_that_is_to_be_ignored_stops_nothing() {
    let failed = run(condition::FALSE);
    let mut given = tasks(&["a", "b < a"]);
    ON_ERROR_CONTINUE.clone_into(&mut given[0].on_error);
    check(&given, &[("a", &failed)], |_| {}, &[("a", None), ("b", None)]);
}

#[test]
fn a_result_of_a_task_that_a_guard_skipped_is_missing() {
    let mut given = tasks(&["a", "b"]);
    given[0].when = never();
    given[1].params = vec![Param { name: "p".into(), value: "$(tasks.a.results.r)".into() }];
    let expected = [("a", Some(SkipReason::WhenExpressions)), ("b", Some(SkipReason::MissingResults))];
    check(&given, &[], |_| {}, &expected);
}

#[test]
fn cancelling_gracefully_comes_before_guards_and_deadlines() {
    let mut given = tasks(&["a"]);
    given[0].when = never();
    let change = |state: &mut PipelineState<'_>| state.spec_status = pipelinerun_spec_status::CANCELLED_RUN_FINALLY;
    check(&given, &[], change, &[("a", Some(SkipReason::GracefullyCancelled))]);
}

#[test]
fn a_task_is_late_only_once_its_parents_are_done() {
    let running = run(condition::UNKNOWN);
    let late = |state: &mut PipelineState<'_>| {
        state.deadlines = Deadlines {
            start_time: Some(Timestamp::UNIX_EPOCH),
            tasks: Some(GoDuration::from_secs(1)),
            now: Some(Timestamp::UNIX_EPOCH + GoDuration::from_secs(2).to_signed()),
            ..Deadlines::default()
        };
    };
    let given = tasks(&["a", "b < a", "c"]);
    let expected = [("a", None), ("b", None), ("c", Some(SkipReason::TasksTimedOut))];
    check(&given, &[("a", &running)], late, &expected);
}

#[test]
fn results_are_replaced_in_a_task_whose_parents_are_done() {
    let mut made = run(condition::TRUE);
    made.status.results.push(TaskRunResult { name: "r".into(), value: "v".into(), ..TaskRunResult::default() });
    let mut given = tasks(&["a", "b"]);
    given[1].params = vec![Param { name: "p".into(), value: "x-$(tasks.a.results.r)".into() }];
    let graph = edges::tasks_graph(&given).expect("b waits for a");
    let finally = Graph::default();
    let mut state = PipelineState {
        tasks: given.iter().map(ResolvedTask::new).collect(),
        graph: &graph,
        finally: &finally,
        spec_status: "",
        deadlines: Deadlines::default(),
        validation_failed: BTreeMap::new(),
    };
    state.tasks[0].task_runs.push(&made);
    let states = state.classify();
    assert_eq!(states.queue(&state), Ok(vec![1]));
    assert_eq!(state.tasks[1].pipeline_task.params[0].value, "x-v".into());
}

#[test]
fn a_task_whose_child_is_lost_starts_again_and_what_came_after_it_stays_done() {
    let done = run(condition::TRUE);
    let given = tasks(&["a", "b < a", "c < b"]);
    let graph = edges::tasks_graph(&given).expect("each waits for the one before");
    let finally = Graph::default();
    let mut state = PipelineState {
        tasks: given.iter().map(ResolvedTask::new).collect(),
        graph: &graph,
        finally: &finally,
        spec_status: "",
        deadlines: Deadlines::default(),
        validation_failed: BTreeMap::new(),
    };
    state.tasks[1].task_runs.push(&done);
    let states = state.classify();
    assert!(states.queue(&state).is_err());
    assert_eq!(states.lenient_queue(&state), [0]);
    state.tasks[0].task_runs.push(&done);
    let states = state.classify();
    assert_eq!(states.lenient_queue(&state), [2]);
}
