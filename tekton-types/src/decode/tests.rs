use super::*;
use crate::v1::{Task, TaskRun};
use crate::yaml;

fn problems<T: DeserializeOwned>(text: &str) -> Vec<String> {
    let documents = yaml::parse(text).unwrap();
    observe::<T>(&documents[0].root).1.iter().map(ToString::to_string).collect()
}

#[test]
fn every_unknown_field_is_told_with_its_path_and_what_was_meant() {
    let text = "kind: Task\nmetadata: {name: a, lables: {}}\nspec:\n  steps:\n  - imgae: x\n  foo: 1\n";
    assert_eq!(
        problems::<Task>(text),
        [
            r#"unknown field "metadata.lables", did you mean "labels"?"#,
            r#"unknown field "spec.steps[0].imgae", did you mean "image"?"#,
            r#"unknown field "spec.foo""#,
        ]
    );
}

#[test]
fn several_wrong_types_are_told_at_once() {
    let text = "spec:\n  steps:\n  - image: 5\n    args: [a, 1]\n  params: {}\n";
    assert_eq!(
        problems::<Task>(text),
        [
            "expected a string, found a number: spec.steps[0].image",
            "expected a string, found a number: spec.steps[0].args[1]",
            "expected a list, found a map: spec.params",
        ]
    );
}

#[test]
fn a_bad_duration_is_told_in_gos_words() {
    assert_eq!(problems::<TaskRun>("spec: {timeout: 1h30}"), ["time: missing unit in duration \"1h30\": spec.timeout"]);
}

#[test]
fn quantities_come_out_canonical_and_null_is_absent() {
    let documents = yaml::parse(
        "spec:\n  steps:\n  - image: x\n    env: null\n    computeResources: {limits: {cpu: 0.5, memory: 1e3}}\n",
    )
    .unwrap();
    let task: Task = from_node(&documents[0].root, Mode::Strict).unwrap();
    let limits = task.spec.steps[0].compute_resources.limits.as_ref().unwrap();
    assert_eq!((limits["cpu"].0.as_str(), limits["memory"].0.as_str()), ("500m", "1k"));
}

#[test]
fn a_value_that_its_type_refuses_is_passed_over_and_the_rest_is_read() {
    let text = "spec:\n  timeout: 1 h\n  retries: 2\n  params:\n  - {name: a, value: b}\nstatus: {startTime: now}\n";
    let documents = yaml::parse(text).unwrap();
    let (run, errors) = observe::<TaskRun>(&documents[0].root);
    let run = run.unwrap();
    assert_eq!((run.spec.timeout, run.spec.retries, run.spec.params.len()), (None, 2, 1));
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["spec.timeout", "status.startTime"]);
    // Admission stops at the first.
    let (run, errors) = admit::<TaskRun>(&documents[0].root);
    assert_eq!((run, errors.len()), (None, 1));
}

#[test]
fn fields_of_a_kubernetes_that_upstream_does_not_know_are_unknown() {
    let text =
        "spec:\n  steps:\n  - image: x\n    volumeMounts:\n    - {name: v, mountPath: /v, bindMountOptions: []}\n";
    assert_eq!(problems::<Task>(text), [r#"unknown field "spec.steps[0].volumeMounts[0].bindMountOptions""#]);
}
