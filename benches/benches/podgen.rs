//! Pods built and read: 1, 5 and 20 steps.
//!
//! `cargo bench -p tekton-benches --bench podgen` prints microseconds for one Pod. The last column is what only
//! copying the task takes, which is the floor for a builder that leaves its input alone.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, EnvVar, Pod, PodStatus, ServiceAccount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_podgen::{Fact, Facts, Images, Input, Observation, Options, build, observe};
use tekton_types::config::Config;
use tekton_types::v1::{Step, StepTemplate, TaskRun, TaskSpec};

/// How long each figure is measured.
const BUDGET: Duration = Duration::from_millis(300);
const MESSAGE: &str = r#"[{"key":"digest","value":"sha256:abc","type":1},{"key":"StartedAt","value":"2026-01-02T03:04:05.000Z","type":3}]"#;

fn main() {
    println!("{:>6} {:>10} {:>10} {:>10} | microseconds a Pod", "steps", "build", "observe", "copy");
    for steps in [1, 5, 20] {
        let (run, task, config, images) = (run(), task(steps), Config::default(), Images::default());
        let mut facts = Facts::default();
        facts.service_accounts.insert("default".to_owned(), Fact::Known(ServiceAccount::default()));
        let options = Options { config: &config, images: &images, release: "bench", suffixes: None, transform: false };
        let input = Input { task_run: &run, task_spec: &task, facts: &facts };
        let pod = finished(build(&input, &options).expect("the account is known"));
        let now = Time(jiff::Timestamp::UNIX_EPOCH);
        let observation = Observation {
            task_run: &run,
            pod: &pod,
            task_spec: Some(&task),
            config: &config,
            now: &now,
            sidecar_log: None,
        };
        println!(
            "{steps:>6} {:>10.1} {:>10.1} {:>10.1} |",
            measure(|| build(black_box(&input), black_box(&options))),
            measure(|| observe(black_box(&observation))),
            measure(|| black_box(&task).clone()),
        );
    }
}

/// Microseconds for one call.
fn measure<T>(mut call: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < BUDGET {
        for _ in 0..16 {
            black_box(call());
        }
        calls += 16;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn run() -> TaskRun {
    let mut run = TaskRun::default();
    run.metadata.name = Some("bench".to_owned());
    run.metadata.uid = Some("00000000-0000-4000-8000-000000000000".to_owned());
    run
}

fn task(steps: usize) -> TaskSpec {
    let variable = |name: &str| EnvVar { name: name.to_owned(), value: Some("value".to_owned()), value_from: None };
    let steps = (0..steps).map(|index| Step {
        name: format!("step{index}"),
        image: "alpine".to_owned(),
        script: "#!/bin/sh\nset -e\necho building\nmake all\n".to_owned(),
        env: vec![variable("A"), variable("B")],
        ..Step::default()
    });
    TaskSpec {
        steps: steps.collect(),
        step_template: Some(StepTemplate { env: vec![variable("B"), variable("C")], ..StepTemplate::default() }),
        ..TaskSpec::default()
    }
}

/// The Pod with all its steps ended well.
fn finished(mut pod: Pod) -> Pod {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let ended = ContainerState {
        terminated: Some(ContainerStateTerminated {
            message: Some(MESSAGE.to_owned()),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    };
    let statuses = containers
        .iter()
        .map(|container| ContainerStatus {
            name: container.name.clone(),
            state: Some(ended.clone()),
            ..ContainerStatus::default()
        })
        .collect();
    pod.status = Some(PodStatus {
        phase: Some("Succeeded".to_owned()),
        container_statuses: Some(statuses),
        ..PodStatus::default()
    });
    pod
}
