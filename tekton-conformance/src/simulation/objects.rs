//! From a scenario to the objects that the world holds when the story begins.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceAccount;
use tekton_engine::{ClusterFacts, Images, Object};
use tekton_types::config::Config;
use tekton_types::duration::GoDuration;
use tekton_types::v1::{
    EmbeddedTask, Matrix, Param, ParamSpec, ParamValue, PipelineRun, PipelineSpec, PipelineTask, Step, TaskRef,
    TaskResult, TaskSpec, TimeoutFields, WhenExpression, param_type,
};

use super::scenario::{Guard, Scenario, TaskPlan, Work};
use crate::world::World;

/// The namespace of everything.
pub(super) const NAMESPACE: &str = "sim";
/// The name of the run that the story is about.
pub(super) const RUN: &str = "run";
/// The only step of every task.
pub(super) const STEP: &str = "s";
/// The result that every task makes.
pub(super) const RESULT: &str = "word";

/// What all stories have in common: it is made once and shared.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    config: Arc<Config>,
    cluster: Arc<ClusterFacts>,
    account: Object,
    start: jiff::Timestamp,
}

impl Stage {
    pub(super) fn new() -> Self {
        let mut config = Config::default();
        "alpha".clone_into(&mut config.feature_flags.enable_api_fields);
        config.feature_flags.enable_cel_in_when_expression = true;
        let images = Images { entrypoint: "e".into(), shell: "s".into(), nop: "n".into(), ..Images::default() };
        let mut account = ServiceAccount::default();
        account.metadata.name = Some("default".to_owned());
        account.metadata.namespace = Some(NAMESPACE.to_owned());
        Self {
            config: Arc::new(config),
            cluster: Arc::new(ClusterFacts { images, release: "sim".to_owned(), ..ClusterFacts::default() }),
            account: Object::ServiceAccount(Arc::new(account)),
            start: jiff::Timestamp::from_second(1_767_225_600).expect("the first moment of 2026 is a time"),
        }
    }

    /// The world as the story begins.
    pub(super) fn world(&self, scenario: &Scenario) -> World {
        let mut world = World {
            now: self.start,
            config: Arc::clone(&self.config),
            cluster: Arc::clone(&self.cluster),
            fills_in: true,
            pods_pend: true,
            guards_ended: true,
            ..World::default()
        };
        world.put(self.account.clone());
        world.put(Object::PipelineRun(Arc::new(pipeline_run(scenario))));
        world
    }
}

fn pipeline_run(scenario: &Scenario) -> PipelineRun {
    let mut run = PipelineRun::default();
    run.metadata.name = Some(RUN.to_owned());
    run.metadata.namespace = Some(NAMESPACE.to_owned());
    run.metadata.uid = Some("uid-run".to_owned());
    run.metadata.creation_timestamp = None;
    let [pipeline, tasks, finally] = scenario.timeouts.map(|limit| limit.map(|s| GoDuration::from_secs(s.into())));
    if scenario.timeouts != [None; 3] {
        run.spec.timeouts = Some(TimeoutFields { pipeline, tasks, finally });
    }
    run.spec.pipeline_spec = Some(PipelineSpec {
        tasks: scenario.tasks.iter().map(|plan| task(&scenario.tasks, plan)).collect(),
        r#finally: scenario.finally.iter().map(|plan| task(&scenario.tasks, plan)).collect(),
        ..PipelineSpec::default()
    });
    run
}

fn task(tasks: &[TaskPlan], plan: &TaskPlan) -> PipelineTask {
    let mut task = PipelineTask {
        name: plan.name.clone(),
        run_after: plan.after.clone(),
        retries: plan.retries.into(),
        timeout: plan.timeout.map(|seconds| GoDuration::from_secs(seconds.into())),
        on_error: if plan.continues { "continue".to_owned() } else { String::new() },
        ..PipelineTask::default()
    };
    if let Some(maker) = &plan.uses {
        let fans_out = tasks.iter().any(|plan| plan.name == *maker && plan.matrix > 0);
        task.params.push(if fans_out {
            let whole = format!("$(tasks.{maker}.results.{RESULT}[*])");
            Param { name: "words".to_owned(), value: ParamValue::Array(vec![whole]) }
        } else {
            Param { name: RESULT.to_owned(), value: format!("$(tasks.{maker}.results.{RESULT})").into() }
        });
    }
    match &plan.guard {
        Some(Guard::Never) => task.when.push(holds_if("a".to_owned(), 'b')),
        Some(Guard::Result { task: maker, word, cel: false }) => {
            task.when.push(holds_if(format!("$(tasks.{maker}.results.{RESULT})"), *word));
        }
        Some(Guard::Result { task: maker, word, cel: true }) => task.when.push(WhenExpression {
            cel: format!("'$(tasks.{maker}.results.{RESULT})' == '{word}'"),
            ..WhenExpression::default()
        }),
        None => {}
    }
    match &plan.work {
        Work::Custom => {
            task.task_ref = Some(TaskRef {
                api_version: "sim.example.dev/v1".to_owned(),
                kind: "Wait".to_owned(),
                ..TaskRef::default()
            });
        }
        Work::Pipeline(inner) => {
            task.params.clear();
            task.pipeline_spec = Some(Box::new(PipelineSpec {
                tasks: inner.iter().map(|plan| self::task(inner, plan)).collect(),
                ..PipelineSpec::default()
            }));
        }
        Work::Task => {
            if plan.matrix > 0 {
                let values = (0..plan.matrix).map(|number| number.to_string()).collect();
                let fan = Param { name: "fan".to_owned(), value: ParamValue::Array(values) };
                task.matrix = Some(Matrix { params: vec![fan], ..Matrix::default() });
            }
            task.task_spec = Some(EmbeddedTask { task_spec: task_spec(), ..EmbeddedTask::default() });
        }
    }
    task
}

fn holds_if(input: String, word: char) -> WhenExpression {
    WhenExpression { input, operator: "in".to_owned(), values: vec![word.to_string()], cel: String::new() }
}

fn task_spec() -> TaskSpec {
    let param = |name: &str| ParamSpec {
        name: name.to_owned(),
        type_: param_type::STRING.to_owned(),
        default: Some("none".into()),
        ..ParamSpec::default()
    };
    let words = ParamSpec {
        name: "words".to_owned(),
        type_: param_type::ARRAY.to_owned(),
        default: Some(ParamValue::Array(Vec::new())),
        ..ParamSpec::default()
    };
    let result = TaskResult { name: RESULT.to_owned(), type_: param_type::STRING.to_owned(), ..TaskResult::default() };
    let step = Step {
        name: STEP.to_owned(),
        image: "busybox".to_owned(),
        command: vec!["say".to_owned()],
        args: vec!["$(params.word)".to_owned(), "$(params.words[*])".to_owned(), "$(results.word.path)".to_owned()],
        ..Step::default()
    };
    TaskSpec {
        params: vec![param(RESULT), param("fan"), words],
        steps: vec![step],
        results: vec![result],
        ..TaskSpec::default()
    }
}
