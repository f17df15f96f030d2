//! Custom tasks by a clock of the test.

use serde_json::{Value, json};

use super::*;

fn custom_run(api_version: &str, kind: &str, spec: Value) -> CustomRun {
    let mut run: CustomRun = serde_json::from_value(json!({
        "metadata": {"name": "c", "generation": 1},
        "spec": {"customRef": {"apiVersion": api_version, "kind": kind}},
    }))
    .expect("a CustomRun");
    let custom_ref = run.spec.custom_ref.take();
    run.spec = serde_json::from_value(spec).expect("a spec");
    run.spec.custom_ref = run.spec.custom_ref.or(custom_ref);
    run
}

fn wait(spec: Value) -> CustomRun {
    custom_run("wait.testing.tekton.dev/v1beta1", "Wait", spec)
}

fn cel(params: &Value) -> CustomRun {
    custom_run("cel.tekton.dev/v1alpha1", "CEL", json!({"params": params}))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a time")
}

/// Follows a run from its wake-up times to its end; `begun` is known from the status.
fn to_the_end(mut run: CustomRun) -> CustomRun {
    let mut now = at(0);
    while !is_done(&run) {
        let begun = run.status.start_time.as_ref().map(|time| time.0);
        let next = advance(&run, begun, now);
        assert!(next.status.is_some() || next.wake.is_some_and(|wake| wake > now), "it goes on: {next:?}");
        run.status = next.status.unwrap_or(run.status);
        now = next.wake.unwrap_or(now);
    }
    run
}

fn outcome(run: &CustomRun) -> (&str, &str, &str) {
    let condition = condition::succeeded(&run.status.conditions).expect("a condition");
    (&condition.status, &condition.reason, &condition.message)
}

#[test]
fn a_wait_runs_until_its_duration_has_passed() {
    let run = wait(json!({"params": [{"name": "duration", "value": "1m5s"}]}));
    let first = advance(&run, None, at(0));
    let status = first.status.expect("it starts");
    assert_eq!(status.start_time, Some(Time(at(0))));
    assert_eq!((status.completion_time.as_ref(), status.observed_generation), (None, 1));
    assert_eq!(first.wake, Some(at(65)));
    let run = CustomRun { status, ..run };
    assert_eq!(outcome(&run), ("Unknown", "Running", "Waiting for duration to elapse"));
    assert_eq!(advance(&run, Some(at(0)), at(64)), Next { status: None, wake: Some(at(65)) });
    let run = to_the_end(run);
    assert_eq!(outcome(&run), ("True", "DurationElapsed", "The wait duration has elapsed"));
    assert_eq!(run.status.completion_time, Some(Time(at(65))));
    assert_eq!(advance(&run, Some(at(0)), at(99)), Next::default());
}

#[test]
fn a_wait_that_times_out_is_tried_again_as_often_as_it_says() {
    let run = wait(json!({"retries": 1, "timeout": "2s", "params": [{"name": "duration", "value": "1h"}]}));
    let run = to_the_end(run);
    assert_eq!(outcome(&run), ("False", "TimedOut", "Wait Task failed as it times out."));
    let [past] = run.status.retries_status.as_slice() else { panic!("one retry: {:?}", run.status) };
    assert_eq!((past.start_time.clone(), run.status.start_time.clone()), (Some(Time(at(0))), Some(Time(at(2)))));
    assert_eq!(condition::succeeded(&past.conditions).map(|condition| condition.reason.as_str()), Some("TimedOut"));
    assert_eq!(run.status.completion_time, Some(Time(at(4))));
}

#[test]
fn a_time_out_of_zero_is_none() {
    let run = to_the_end(wait(json!({"timeout": "0s", "params": [{"name": "duration", "value": "100h"}]})));
    assert_eq!(outcome(&run).1, "DurationElapsed");
}

#[test]
fn a_cancelled_run_ends_with_what_was_said() {
    let spec = json!({"status": "RunCancelled", "params": [{"name": "duration", "value": "10m"}]});
    let mut run = wait(spec);
    run.status.start_time = Some(Time(at(0)));
    assert_eq!(outcome(&to_the_end(run.clone())), ("False", "Cancelled", "Wait Task cancelled."));
    run.spec.status_message = "enough".to_owned();
    assert_eq!(outcome(&to_the_end(run)), ("False", "Cancelled", "enough"));
}

#[test]
fn a_wait_for_something_else_fails_at_once() {
    let duration = |value: &str| json!({"name": "duration", "value": value});
    for (spec, reason, message) in [
        (json!({}), "MissingDuration", "The duration param was not passed"),
        (json!({"params": [duration("")]}), "MissingDuration", "The duration param was not passed"),
        (
            json!({"params": [duration("1s"), {"name": "a", "value": ""}, {"name": "b", "value": ""}]}),
            "UnexpectedParams",
            "Found unexpected params: [a b]",
        ),
        (
            json!({"params": [duration("soon")]}),
            "InvalidDuration",
            "The duration param was invalid: time: invalid duration \"soon\"",
        ),
        (
            json!({"timeout": "1s", "params": [duration("1s")]}),
            "InvalidTimeOut",
            "Spec.Timeout shouldn't equal duration",
        ),
        (
            json!({"customRef": {"apiVersion": "wait.testing.tekton.dev/v1beta1", "kind": "Wait", "name": "n"}}),
            "UnexpectedName",
            "Found unexpected ref name: n",
        ),
    ] {
        let run = to_the_end(wait(spec));
        assert_eq!(outcome(&run), ("False", reason, message));
        assert!(run.status.completion_time.is_some());
    }
}

#[test]
fn the_values_of_cel_are_results() {
    let run = to_the_end(cel(&json!([{"name": "type", "value": "type(100)"}, {"name": "same", "value": "3 == 3"}])));
    assert_eq!(outcome(&run), ("True", "EvaluationSuccess", "CEL expressions were evaluated successfully"));
    let results: Vec<_> = run.status.results.iter().map(|r| (r.name.as_str(), r.value.as_str())).collect();
    assert_eq!(results, [("type", "int"), ("same", "true")]);
    assert_eq!(run.status.start_time, run.status.completion_time);
}

#[test]
fn cel_without_a_value_fails_with_the_reason() {
    for (params, reason, message) in [
        (
            json!([]),
            "CustomRunValidationFailed",
            "CustomRun can't be run because it has an invalid spec - missing field(s): params",
        ),
        (
            json!([{"name": "e", "value": ["1"]}]),
            "CustomRunValidationFailed",
            "CustomRun can't be run because it has an invalid spec - invalid value: CEL expression parameter e must be a string: params[e].value",
        ),
        (json!([{"name": "e", "value": "1 +"}]), "SyntaxError", "CEL expression e could not be parsed: "),
        (json!([{"name": "e", "value": "nope"}]), "SyntaxError", "undeclared reference to 'nope'"),
        (json!([{"name": "e", "value": "1 / 0"}]), "EvaluationError", "CEL expression e could not be evaluated: "),
        (json!([{"name": "e", "value": "[1]"}]), "EvaluationError", "a value of type list has no text"),
    ] {
        let run = to_the_end(cel(&params));
        let (status, found, text) = outcome(&run);
        assert_eq!((status, found), ("False", reason));
        assert!(text.contains(message), "{text}");
        assert!(run.status.results.is_empty());
    }
}

#[test]
fn a_custom_task_in_place_is_known_by_its_kind() {
    let run: CustomRun = serde_json::from_value(json!({
        "metadata": {"name": "c"},
        "spec": {"customSpec": {"apiVersion": "cel.tekton.dev/v1alpha1", "kind": "CEL"}},
    }))
    .expect("a CustomRun");
    let (api_version, kind) = task_of(&run);
    assert!(is_known(api_version, kind));
    assert!(!is_known("cel.tekton.dev/v1", "CEL") && !is_known("", ""));
}
