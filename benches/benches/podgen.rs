//! Pods built and read: 1, 5 and 20 steps.
//!
//! `cargo bench -p tekton-benches --bench podgen` prints time and items a second of one Pod, and what was allocated for
//! it. `copy` is what only copying the task takes, which is the floor for a builder that leaves its input alone.

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, EnvVar, Pod, PodStatus, ServiceAccount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mimalloc::MiMalloc;
use tekton_podgen::{Fact, Facts, Images, Input, Observation, Options};
use tekton_types::config::Config;
use tekton_types::v1::{Step, StepTemplate, TaskRun, TaskSpec};

#[global_allocator]
static ALLOCATOR: AllocProfiler<MiMalloc> = AllocProfiler::new(MiMalloc);

const STEPS: [usize; 3] = [1, 5, 20];
const MESSAGE: &str = r#"[{"key":"digest","value":"sha256:abc","type":1},{"key":"StartedAt","value":"2026-01-02T03:04:05.000Z","type":3}]"#;

fn main() {
    divan::main();
}

/// From TaskRun, task and facts to the Pod.
#[divan::bench(args = STEPS)]
fn build(bencher: Bencher<'_, '_>, steps: usize) {
    let world = World::new(steps);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| world.build());
}

/// From the Pod, all steps ended, to the status.
#[divan::bench(args = STEPS)]
fn observe(bencher: Bencher<'_, '_>, steps: usize) {
    let world = World::new(steps);
    let pod = finished(world.build());
    let now = Time(jiff::Timestamp::UNIX_EPOCH);
    let observation = Observation {
        task_run: &world.run,
        pod: &pod,
        task_spec: Some(&world.task),
        config: &world.config,
        now: &now,
        sidecar_log: None,
    };
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| tekton_podgen::observe(divan::black_box(&observation)));
}

/// Copying the task.
#[divan::bench(args = STEPS)]
fn copy(bencher: Bencher<'_, '_>, steps: usize) {
    let task = task(steps);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| divan::black_box(&task).clone());
}

/// Everything that a Pod is built from.
struct World {
    run: TaskRun,
    task: TaskSpec,
    config: Config,
    images: Images,
    facts: Facts,
}

impl World {
    fn new(steps: usize) -> Self {
        let mut facts = Facts::default();
        facts.service_accounts.insert("default".to_owned(), Fact::Known(ServiceAccount::default()));
        Self { run: run(), task: task(steps), config: Config::default(), images: Images::default(), facts }
    }

    fn build(&self) -> Pod {
        let options =
            Options { config: &self.config, images: &self.images, release: "bench", suffixes: None, transform: false };
        let input = Input { task_run: &self.run, task_spec: &self.task, facts: &self.facts };
        tekton_podgen::build(divan::black_box(&input), &options).expect("the account is known")
    }
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
