//! Why a task was skipped, reason by reason.

use tekton_dag::deadline;
use tekton_dag::state::ON_ERROR_CONTINUE;
use tekton_types::condition::Condition;
use tekton_types::reason::skip;
use tekton_types::refs;
use tekton_types::v1::{ParamValue, PipelineTask, SkippedTask, TaskRun, WhenExpression};
use tekton_types::v1beta1::CustomRun;

use super::super::{Explanation, State};
use super::{Depth, Tasks};

impl Tasks<'_> {
    /// What stands behind the reason in the status.
    pub(super) fn why_skipped(
        &self,
        task: &PipelineTask,
        skipped: &SkippedTask,
        depth: &mut Depth,
    ) -> Vec<Explanation> {
        match skipped.reason.as_str() {
            skip::WHEN_EXPRESSIONS => guards(&skipped.when_expressions),
            skip::PARENT_TASKS => {
                let parents = self.parents.get(task.name.as_str()).map(Vec::as_slice).unwrap_or_default();
                let skipped = parents.iter().filter(|parent| self.skipped.contains_key(**parent));
                skipped.filter_map(|parent| self.near_or_whole(parent, depth)).collect()
            }
            skip::MISSING_RESULTS => self.missing_results(task, depth),
            skip::STOPPING => {
                let failed = self.children.keys().filter(|name| self.stops_the_run(name));
                failed.filter_map(|name| self.near_or_whole(name, depth)).collect()
            }
            skip::GRACEFULLY_CANCELLED | skip::GRACEFULLY_STOPPED => {
                let text = format!("is {}: nothing but finally tasks starts", self.run.spec.status);
                vec![Explanation::new("spec.status", State::Failed, text)]
            }
            skip::PIPELINE_TIMED_OUT | skip::TASKS_TIMED_OUT | skip::FINALLY_TIMED_OUT => {
                vec![self.timeout(&skipped.reason)]
            }
            skip::EMPTY_ARRAY_IN_MATRIX_PARAMS => empty_params(task),
            _ => Vec::new(),
        }
    }

    /// The task has failed, and its failure is not one that the pipeline ignores.
    fn stops_the_run(&self, task: &str) -> bool {
        let ignored = self.by_name.get(task).is_some_and(|task| task.on_error == ON_ERROR_CONTINUE);
        let children = self.children.get(task).map(Vec::as_slice).unwrap_or_default();
        !ignored && children.iter().any(|child| self.condition(child).is_some_and(Condition::is_false))
    }

    /// The results that the task uses and that are not there, each with the task that should have made it.
    pub(super) fn missing_results(&self, task: &PipelineTask, depth: &mut Depth) -> Vec<Explanation> {
        let mut missing = Vec::new();
        for reference in refs::result_refs(task) {
            if self.makes(reference.pipeline_task, reference.result) {
                continue;
            }
            let subject = format!("result {} of task {}", reference.result, reference.pipeline_task);
            let because = self.near_or_whole(reference.pipeline_task, depth);
            missing.push(Explanation::new(subject, State::Failed, "was not made").because(because));
        }
        missing
    }

    fn makes(&self, task: &str, result: &str) -> bool {
        let namespace = self.run.metadata.namespace.as_deref().unwrap_or_default();
        let children = self.children.get(task).map(Vec::as_slice).unwrap_or_default();
        children.iter().any(|child| {
            let of_task = self.around.get::<TaskRun>(namespace, &child.name);
            let of_custom = self.around.get::<CustomRun>(namespace, &child.name);
            of_task.is_some_and(|run| run.status.results.iter().any(|made| made.name == result))
                || of_custom.is_some_and(|run| run.status.results.iter().any(|made| made.name == result))
        })
    }

    /// The timeout that passed, and where it comes from when nobody wrote it down.
    fn timeout(&self, reason: &str) -> Explanation {
        let given = self.run.spec.timeouts.as_ref();
        let (field, own, rest) = match reason {
            skip::TASKS_TIMED_OUT => {
                ("tasks", given.and_then(|all| all.tasks), given.and_then(deadline::tasks_timeout))
            }
            skip::FINALLY_TIMED_OUT => {
                ("finally", given.and_then(|all| all.r#finally), given.and_then(deadline::finally_timeout))
            }
            _ => ("pipeline", given.and_then(|all| all.pipeline), None),
        };
        let text = match (own, rest) {
            (Some(timeout), _) => format!("is {timeout}"),
            (None, Some(rest)) => format!("is not set: the rest of spec.timeouts leaves {rest}"),
            (None, None) => "is not set: the default of the installation counts".to_owned(),
        };
        Explanation::new(format!("spec.timeouts.{field}"), State::Failed, text)
    }
}

/// The params of a matrix that fan out to nothing; of those that come from results only the reference is known.
fn empty_params(task: &PipelineTask) -> Vec<Explanation> {
    let params = task.matrix.iter().flat_map(|matrix| &matrix.params);
    params
        .filter_map(|param| match &param.value {
            ParamValue::Array(items) if items.is_empty() => Some((&param.name, "is an empty array".to_owned())),
            ParamValue::String(reference) => Some((&param.name, format!("comes from {reference}"))),
            _ => None,
        })
        .map(|(name, text)| Explanation::new(format!("matrix param {name}"), State::Failed, text))
        .collect()
}

/// The guards that do not hold, with the values that they had. CEL texts are shown as they are.
fn guards(when: &[WhenExpression]) -> Vec<Explanation> {
    when.iter()
        .filter(|guard| {
            !guard.cel.is_empty() || !tekton_contract::when::holds(&guard.operator, &guard.input, &guard.values)
        })
        .map(|guard| {
            let text = if guard.cel.is_empty() {
                let values: Vec<String> = guard.values.iter().map(|value| format!("{value:?}")).collect();
                format!("{:?} {} [{}] does not hold", guard.input, guard.operator, values.join(", "))
            } else {
                format!("cel {:?} does not hold", guard.cel)
            };
            Explanation::new("guard", State::Failed, text)
        })
        .collect()
}
