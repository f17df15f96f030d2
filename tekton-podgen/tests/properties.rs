//! Any TaskRun builds a Pod that holds together, and any life of that Pod is read without going back.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    EnvVar, Pod, PodStatus, ServiceAccount, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tekton_contract::argv::EntrypointArgs;
use tekton_podgen::image::ImageMetadata;
use tekton_podgen::{Fact, Facts, Images, Input, Need, Observation, Options, build, needs, observe};
use tekton_types::condition;
use tekton_types::config::Config;
use tekton_types::v1::{
    ParamValue, Sidecar, Step, StepTemplate, TaskBreakpoints, TaskResult, TaskRun, TaskRunDebug, TaskSpec,
    WorkspaceBinding, WorkspaceUsage,
};

fn texts() -> impl Strategy<Value = String> {
    select(vec!["", "ls", "-la", "$(params.x)", "a=b,c", "--", "ü", "#!/bin/sh\necho", "#!win pwsh -File\nhi"])
        .prop_map(str::to_owned)
}

prop_compose! {
    fn step()(
        image in select(vec!["alpine", "gcr.io/a/b:c", "ubuntu:22.04"]),
        script in texts(),
        command in vec(texts().prop_filter("a command is called so", |text| !matches!(text.as_str(), "" | "--")), 0..3),
        args in vec(texts(), 0..3),
        env in vec(select(vec!["A", "B", "HOME"]), 0..3),
        on_error in select(vec!["", "continue", "stopAndFail"]),
        working_dir in select(vec!["", "src", "/workspace/src", "/"]),
        isolated in any::<bool>(),
        mounted in any::<bool>(),
    ) -> Step {
        Step {
            image: image.to_owned(),
            command: if script.is_empty() { command } else { Vec::new() },
            script,
            args,
            env: env.into_iter().map(|name| EnvVar { name: name.to_owned(), ..EnvVar::default() }).collect(),
            on_error: on_error.to_owned(),
            working_dir: working_dir.to_owned(),
            workspaces: isolated
                .then(|| WorkspaceUsage { name: "ws".to_owned(), ..WorkspaceUsage::default() })
                .into_iter()
                .collect(),
            volume_mounts: mounted
                .then(|| VolumeMount {
                    name: "own".to_owned(),
                    mount_path: "/tekton/home".to_owned(),
                    ..VolumeMount::default()
                })
                .into_iter()
                .collect(),
            ..Step::default()
        }
    }
}

prop_compose! {
    fn task()(
        mut steps in vec(step(), 1..6),
        sidecars in 0..3_usize,
        template in any::<bool>(),
        results in 0..3_usize,
        named in any::<bool>(),
    ) -> TaskSpec {
        for (index, step) in steps.iter_mut().enumerate().filter(|_| named) {
            step.name = format!("s{index}");
        }
        TaskSpec {
            steps,
            sidecars: (0..sidecars)
                .map(|index| Sidecar {
                    name: format!("side{index}"),
                    image: "nginx".to_owned(),
                    script: if index == 0 { String::new() } else { "serve".to_owned() },
                    ..Sidecar::default()
                })
                .collect(),
            step_template: template.then(|| StepTemplate {
                env: vec![EnvVar { name: "A".to_owned(), value: Some("t".to_owned()), value_from: None }],
                ..StepTemplate::default()
            }),
            results: (0..results)
                .map(|index| TaskResult {
                    name: format!("r{index}"),
                    value: (index == 1).then(|| ParamValue::from("$(steps.s0.results.x)")),
                    ..TaskResult::default()
                })
                .collect(),
            volumes: vec![Volume { name: "own".to_owned(), ..Volume::default() }],
            ..TaskSpec::default()
        }
    }
}

prop_compose! {
    fn config()(
        alpha in any::<bool>(),
        sidecar_logs in any::<bool>(),
        keep in any::<bool>(),
        native in any::<bool>(),
        creds in any::<bool>(),
        secure in any::<bool>(),
        spire in any::<bool>(),
    ) -> Config {
        let mut config = Config::default();
        let flags = &mut config.feature_flags;
        if alpha { "alpha" } else { "stable" }.clone_into(&mut flags.enable_api_fields);
        if sidecar_logs {
            "sidecar-logs".clone_into(&mut flags.result_extraction_method);
        }
        flags.enable_keep_pod_on_cancel = keep;
        flags.enable_kubernetes_sidecar = native;
        flags.disable_creds_init = creds;
        flags.set_security_context = secure;
        if spire {
            "spire".clone_into(&mut flags.enforce_nonfalsifiability);
        }
        config
    }
}

fn task_run(debug: bool) -> TaskRun {
    let mut run = TaskRun::default();
    run.metadata.name = Some("run".to_owned());
    run.metadata.uid = Some("uid".to_owned());
    run.spec.debug = debug.then(|| TaskRunDebug {
        breakpoints: Some(TaskBreakpoints { on_failure: "enabled".to_owned(), before_steps: vec!["s0".to_owned()] }),
    });
    run
}

/// Builds with every need answered.
fn built(run: &TaskRun, task: &TaskSpec, config: &Config) -> Pod {
    let images = Images::default();
    let options = Options { config, images: &images, release: "test", suffixes: None, transform: true };
    let mut facts = Facts::default();
    loop {
        let needs = needs(&Input { task_run: run, task_spec: task, facts: &facts }, &options);
        if needs.is_empty() {
            break;
        }
        for need in needs {
            match need {
                Need::ServiceAccount(name) => {
                    facts.service_accounts.insert(name, Fact::Known(ServiceAccount::default()));
                }
                Need::Secret(name) => {
                    facts.secrets.insert(name, Fact::Missing);
                }
                Need::Image(lookup) => {
                    facts.images.insert(lookup.image, Fact::Known(ImageMetadata::default()));
                }
                Need::ServerVersion => {
                    let version = tekton_podgen::ServerVersion { major: "1".to_owned(), minor: "30".to_owned() };
                    facts.server_version = Some(Fact::Known(version));
                }
                Need::LimitRanges => facts.limit_ranges = Some(Fact::Known(Vec::new())),
                other => panic!("nobody answers {other:?}"),
            }
        }
    }
    build(&Input { task_run: run, task_spec: task, facts: &facts }, &options).expect("every need is answered")
}

fn with_workspace(mut task: TaskSpec) -> TaskSpec {
    let binding = WorkspaceBinding {
        name: "ws".to_owned(),
        empty_dir: Some(k8s_openapi::api::core::v1::EmptyDirVolumeSource::default()),
        ..WorkspaceBinding::default()
    };
    let bindings = [binding];
    let volumes = tekton_podgen::workspace::volumes(&bindings);
    tekton_podgen::workspace::apply(&mut task, &bindings, &volumes);
    task
}

fn all_containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.as_ref().expect("a built Pod has a spec");
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

#[derive(Clone, Copy, Debug)]
enum Life {
    Waiting,
    Running,
    Ended { exit_code: i32, reason: &'static str },
}

fn lives() -> impl Strategy<Value = Vec<(&'static str, Vec<Life>)>> {
    let life = prop_oneof![
        Just(Life::Waiting),
        Just(Life::Running),
        (0..3_i32, select(vec!["Completed", "Error", "OOMKilled"]))
            .prop_map(|(exit_code, reason)| Life::Ended { exit_code, reason }),
    ];
    let phase = select(vec!["Pending", "Running", "Succeeded", "Failed", "Unknown"]);
    vec((phase, vec(life, 10)), 1..6)
}

fn status(pod: &Pod, phase: &str, lives: &[Life], message: &str) -> PodStatus {
    let containers = &pod.spec.as_ref().expect("a built Pod has a spec").containers;
    let statuses = containers.iter().zip(lives.iter().cycle()).map(|(container, life)| {
        let mut state = ContainerState::default();
        match life {
            Life::Waiting => state.waiting = Some(ContainerStateWaiting::default()),
            Life::Running => state.running = Some(ContainerStateRunning::default()),
            Life::Ended { exit_code, reason } => {
                state.terminated = Some(ContainerStateTerminated {
                    exit_code: *exit_code,
                    reason: Some((*reason).to_owned()),
                    message: Some(message.to_owned()),
                    ..ContainerStateTerminated::default()
                });
            }
        }
        ContainerStatus { name: container.name.clone(), state: Some(state), ..ContainerStatus::default() }
    });
    PodStatus { phase: Some(phase.to_owned()), container_statuses: Some(statuses.collect()), ..PodStatus::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_built_pod_has_no_dangling_mount_and_no_name_twice(task in task(), config in config(), debug: bool) {
        let pod = built(&task_run(debug), &with_workspace(task), &config);
        let spec = pod.spec.as_ref().expect("a built Pod has a spec");
        let volumes: Vec<&str> = spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
        let known: BTreeSet<&str> = volumes.iter().copied().collect();
        prop_assert_eq!(known.len(), volumes.len());
        let mut names = BTreeSet::new();
        for container in all_containers(&pod) {
            prop_assert!(names.insert(&container.name), "{} is there twice", container.name);
            let mut paths = BTreeSet::new();
            for mount in container.volume_mounts.iter().flatten() {
                prop_assert!(known.contains(mount.name.as_str()), "{} mounts {}", container.name, mount.name);
                prop_assert!(paths.insert(&mount.mount_path), "{} mounts at {} twice", container.name, mount.mount_path);
            }
        }
    }

    #[test]
    fn the_arguments_of_every_step_are_read_back_as_they_were_meant(task in task(), config in config(), debug: bool) {
        let pod = built(&task_run(debug), &task, &config);
        let steps = all_containers(&pod).filter(|container| container.name.starts_with("step-"));
        for (index, container) in steps.enumerate() {
            let printed = container.args.clone().unwrap_or_default();
            let parsed = EntrypointArgs::parse(&printed).map_err(|refused| TestCaseError::fail(refused.to_string()))?;
            prop_assert!(parsed.positional.is_empty());
            prop_assert_eq!(&parsed.flags.post_file, &format!("/tekton/run/{index}/out"));
            prop_assert_eq!(&parsed.flags.on_error, &task.steps[index].on_error);
            prop_assert!(parsed.flags.args.ends_with(&task.steps[index].args));
            prop_assert_eq!(parsed.flags.to_args(), printed);
        }
    }

    #[test]
    fn the_same_input_builds_the_same_pod(task in task(), config in config(), debug: bool) {
        let run = task_run(debug);
        prop_assert_eq!(built(&run, &task, &config), built(&run, &task, &config));
    }

    #[test]
    fn a_run_that_is_done_stays_done(
        task in task(),
        config in config(),
        lives in lives(),
        message in select(vec!["", "not json", r#"[{"key":"r0","value":"v","type":1}]"#, "tknz:x"]),
    ) {
        let mut run = task_run(false);
        let mut pod = built(&run, &task, &config);
        run.status.task_spec = Some(task.clone());
        let now = Time(Timestamp::UNIX_EPOCH);
        for (phase, lives) in lives {
            pod.status = Some(status(&pod, phase, &lives, message));
            let was_done = condition::succeeded(&run.status.conditions).is_some_and(|c| !c.is_unknown());
            let observed = observe(&Observation {
                task_run: &run,
                pod: &pod,
                task_spec: Some(&task),
                config: &config,
                now: &now,
                sidecar_log: None,
            });
            if was_done {
                // The engine does not look again; what it would see must still be a state, not a panic.
                prop_assert!(!observed.status.conditions.is_empty());
                continue;
            }
            prop_assert_eq!(observed.status.completion_time.is_some(), {
                let succeeded = condition::succeeded(&observed.status.conditions);
                succeeded.is_some_and(|c| !c.is_unknown() && c.reason != "CreateContainerConfigError")
            });
            run.status = observed.status;
        }
    }
}
