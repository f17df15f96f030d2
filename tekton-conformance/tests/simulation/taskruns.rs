//! Any TaskRun that validates becomes a Pod that holds together, and whatever then happens to that Pod is read without
//! going back.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tekton_conformance::world::{World, kind_called};
use tekton_engine::{ClusterFacts, Images, Kind, Object, ObjectKey, ServerVersion};
use tekton_podgen::image::ImageMetadata;
use tekton_types::condition;
use tekton_types::config::Config;
use tekton_types::v1::TaskRun;
use tekton_validate::{Operation, field_error, validate_with_source};

use super::consistent;
use super::generate::{Scenario, scenarios};

const NAMESPACE: &str = "sim";
const RUN: &str = "run";
const CASES: u32 = 64;

/// The world of a scenario; `None` when admission refuses any of it.
pub(crate) fn admitted(scenario: &Scenario) -> Result<World, String> {
    let config = Config::from_config_maps([("feature-flags", &scenario.flags)]).map_err(|error| error.to_string())?;
    let image = |name: &str| format!("registry.example/{name}");
    let images = Images {
        entrypoint: image("entrypoint"),
        shell: image("shell"),
        nop: image("nop"),
        sidecar_log_results: image("results"),
        working_dir_init: image("workingdir"),
        shell_windows: image("shell-windows"),
    };
    let mut world = World {
        now: "2026-01-01T00:00:00Z".parse().expect("it is a time"),
        cluster: ClusterFacts { images, release: "sim".to_owned(), ..ClusterFacts::default() }.into(),
        any_image: Some(ImageMetadata { digest: format!("sha256:{}", "0".repeat(64)), ..ImageMetadata::default() }),
        version: Some(ServerVersion { major: "1".to_owned(), minor: "33".to_owned() }),
        fills_in: true,
        pods_pend: true,
        ..World::default()
    };
    for document in scenario.objects.iter().chain([&scenario.run]) {
        let mut document = document.clone();
        if document["apiVersion"].as_str().is_some_and(|version| version.starts_with("tekton.dev/")) {
            document = checked(&document, &config)?;
        }
        let kind = kind_called(document["kind"].as_str().unwrap_or_default()).expect("a kind that the engine knows");
        world.put(Object::from_json(kind, document).map_err(|error| error.to_string())?);
    }
    world.config = config.into();
    Ok(world)
}

/// The document as the webhooks leave it.
fn checked(document: &Value, config: &Config) -> Result<Value, String> {
    let text = document.to_string();
    let parsed = tekton_types::yaml::parse(&text).map_err(|error| error.to_string())?;
    let (object, errors) = tekton_types::Object::observe(&parsed[0]);
    let mut object = object.ok_or_else(|| format!("not readable: {errors:?}"))?;
    object.set_defaults(config, true);
    let found = validate_with_source(&object, document, config, Operation::Create);
    if found.is_empty() { Ok(object.to_json()) } else { Err(field_error(&found)) }
}

fn run_of(world: &World) -> Arc<TaskRun> {
    Arc::clone(world.get::<TaskRun>(NAMESPACE, RUN).expect("nobody deletes the run"))
}

/// The Pod that the run has after its first passes; why there is none otherwise.
pub(crate) fn first_pod(world: &mut World) -> Result<Arc<Pod>, String> {
    for _ in 0..4 {
        world.pass::<TaskRun>(NAMESPACE, RUN);
        if let Some(pod) = pod_of(world) {
            return Ok(pod);
        }
    }
    let run = run_of(world);
    Err(format!("there is no Pod: {:?}", condition::succeeded(&run.status.conditions)))
}

fn pod_of(world: &World) -> Option<Arc<Pod>> {
    let run = run_of(world);
    world.get::<Pod>(NAMESPACE, &run.status.pod_name).cloned()
}

/// What happens to a Pod between two looks at it.
#[derive(Clone, Debug)]
enum Happens {
    Waits { reason: &'static str, message: &'static str },
    InitRuns,
    InitFails { reason: &'static str },
    Runs { ended: usize, exit_code: i32, reason: &'static str, message: &'static str },
    Evicted,
    NodeGone,
    Succeeds { message: &'static str },
    Vanishes,
}

fn happening() -> impl Strategy<Value = Happens> {
    let messages = vec![
        "",
        "not json",
        r#"[{"key":"out","value":"v","type":1},{"key":"StartedAt","value":"2026-01-01T00:00:00.000Z","type":3}]"#,
        r#"[{"key":"made","value":"[\"a\"]","type":4},{"key":"ExitCode","value":"3","type":3}]"#,
        r#"[{"key":"Reason","value":"TimeoutExceeded","type":3},{"key":"StartedAt","value":"never","type":3}]"#,
        "tknz:x",
    ];
    let waits = select(vec![
        ("ContainerCreating", ""),
        ("ImagePullBackOff", "Back-off pulling image"),
        ("CreateContainerConfigError", "secret not found"),
        ("CreateContainerConfigError", "failed to create subPath directory"),
        ("CreateContainerError", "no command"),
    ]);
    let runs = (0..6_usize, 0..3_i32, select(vec!["Completed", "Error", "OOMKilled"]), select(messages.clone()));
    prop_oneof![
        2 => waits.prop_map(|(reason, message)| Happens::Waits { reason, message }),
        1 => Just(Happens::InitRuns),
        1 => select(vec!["Error", "OOMKilled"]).prop_map(|reason| Happens::InitFails { reason }),
        4 => runs.prop_map(|(ended, exit_code, reason, message)| Happens::Runs { ended, exit_code, reason, message }),
        1 => Just(Happens::Evicted),
        1 => Just(Happens::NodeGone),
        2 => select(messages).prop_map(|message| Happens::Succeeds { message }),
        1 => Just(Happens::Vanishes),
    ]
}

/// The status of a Pod to which something happened; `None` when it is gone.
fn status_after(pod: &Pod, happens: &Happens) -> Option<Value> {
    let spec = pod.spec.as_ref().expect("a built Pod has a spec");
    let steps = spec.containers.iter().filter(|container| container.name.starts_with("step-")).count();
    let states = |state: &dyn Fn(usize) -> Value| -> Vec<Value> {
        let mut states: Vec<Value> = spec
            .containers
            .iter()
            .enumerate()
            .map(|(index, container)| json!({"name": container.name, "imageID": "id", "state": state(index)}))
            .collect();
        // The kubelet sorts by name.
        states.sort_by_key(|state| state["name"].to_string());
        states
    };
    let init = |state: Value| -> Vec<Value> {
        let names = spec.init_containers.iter().flatten().map(|container| &container.name);
        names.map(|name| json!({"name": name, "state": state})).collect()
    };
    let ended = |exit_code: i32, reason: &str, message: &str| {
        json!({"terminated": {"exitCode": exit_code, "reason": reason, "message": message,
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z"}})
    };
    Some(match happens {
        Happens::Waits { reason, message } => {
            let waiting = json!({"waiting": {"reason": reason, "message": message}});
            json!({"phase": "Pending", "containerStatuses": states(&|_| waiting.clone())})
        }
        Happens::InitRuns => json!({"phase": "Pending", "initContainerStatuses": init(json!({"running": {}})),
            "containerStatuses": states(&|_| json!({"waiting": {"reason": "PodInitializing"}}))}),
        Happens::InitFails { reason } => json!({"phase": "Failed",
            "initContainerStatuses": init(ended(1, reason, "")),
            "containerStatuses": states(&|_| json!({"waiting": {"reason": "PodInitializing"}}))}),
        Happens::Runs { ended: count, exit_code, reason, message } => {
            let last = (*count).min(steps);
            json!({"phase": "Running", "initContainerStatuses": init(ended(0, "Completed", "")),
            "containerStatuses": states(&|index| match index {
                index if index < last => {
                    let code = if index + 1 == last { *exit_code } else { 0 };
                    ended(code, reason, message)
                }
                _ => json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
            })})
        }
        Happens::Evicted => json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"}),
        Happens::NodeGone => json!({"phase": "Unknown", "reason": "NodeLost"}),
        Happens::Succeeds { message } => json!({"phase": "Succeeded",
            "initContainerStatuses": init(ended(0, "Completed", "")),
            "containerStatuses": states(&|_| ended(0, "Completed", message))}),
        Happens::Vanishes => return None,
    })
}

/// Lets something happen to the Pod of the run, and lets the controller look.
fn step_of_life(world: &mut World, happens: &Happens) -> Result<(), TestCaseError> {
    if let Some(pod) = pod_of(world) {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let key = ObjectKey::new(Kind::Pod, NAMESPACE, &name);
        match status_after(&pod, happens) {
            Some(status) => {
                let mut pod = (*pod).clone();
                pod.status = Some(serde_json::from_value(status).expect("it is a status"));
                world.put(Object::Pod(Arc::new(pod)));
            }
            None => {
                world.objects.remove(&key);
            }
        }
    }
    let before = run_of(world);
    world.pass::<TaskRun>(NAMESPACE, RUN);
    let after = run_of(world);
    let was_done = condition::succeeded(&before.status.conditions).is_some_and(|c| !c.is_unknown());
    let is_done = condition::succeeded(&after.status.conditions).is_some_and(|c| !c.is_unknown());
    if was_done {
        prop_assert_eq!(&before.status.conditions, &after.status.conditions);
        prop_assert_eq!(&before.status.completion_time, &after.status.completion_time);
        prop_assert_eq!(&before.status.results, &after.status.results);
        prop_assert_eq!(&before.status.steps, &after.status.steps);
    }
    prop_assert!(after.status.retries_status.len() >= before.status.retries_status.len());
    // A container that cannot be configured may fail the run without a time, as upstream does.
    let config_error =
        condition::succeeded(&after.status.conditions).is_some_and(|c| c.reason == "CreateContainerConfigError");
    let timed = after.status.completion_time.is_some();
    prop_assert!(config_error || is_done == timed, "{:?}", after.status.conditions);
    world.now += SignedDuration::from_secs(1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        max_global_rejects: CASES * 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_task_run_that_validates_becomes_a_pod_that_holds_together(scenario in scenarios()) {
        let admitted = admitted(&scenario);
        prop_assume!(admitted.is_ok(), "{:?}", admitted.err());
        let mut world = admitted.map_err(TestCaseError::fail)?;
        let pod = first_pod(&mut world).map_err(TestCaseError::fail)?;
        consistent::check(&pod).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn whatever_happens_to_its_pod_a_run_that_is_done_stays_done_and_every_run_ends(
        scenario in scenarios(),
        life in vec(happening(), 0..12),
    ) {
        let admitted = admitted(&scenario);
        prop_assume!(admitted.is_ok(), "{:?}", admitted.err());
        let mut world = admitted.map_err(TestCaseError::fail)?;
        first_pod(&mut world).map_err(TestCaseError::fail)?;
        for happens in &life {
            step_of_life(&mut world, happens)?;
        }
        // A Pod that vanished is made anew; then it ends well.
        for _ in 0..6 {
            step_of_life(&mut world, &Happens::Succeeds { message: "" })?;
        }
        let run = run_of(&world);
        let done = condition::succeeded(&run.status.conditions).is_some_and(|c| !c.is_unknown());
        prop_assert!(done, "{:?}", run.status.conditions);
    }
}
