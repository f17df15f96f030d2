//! Suites `validate-run` and `taskrun-validate`: checks of runs against what they run.

use serde_json::{Value, json};
use tekton_types::v1::{
    Matrix, Param, ParamSpec, PipelineRun, PipelineSpec, TaskResult, TaskRun, TaskRunResult, TaskRunSpec, TaskSpec,
};
use tekton_validate::binding;

use super::validate::typed;
use crate::{Case, diff};

/// Checks one case of `validate-run`.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let args = &case.input["args"];
    let params = |name: &str| typed::<Vec<Param>>(&args[name]);
    let specs = |name: &str| typed::<Vec<ParamSpec>>(&args[name]);
    let pipeline = || typed::<PipelineSpec>(&args["p"]);
    let run = || typed::<PipelineRun>(&args["pr"]);
    let verdict = match (case.input["apiVersion"].as_str(), case.input["function"].as_str().unwrap_or_default()) {
        (_, "ValidateObjectParamRequiredKeys") => {
            binding::object_param_required_keys(&specs("pipelineParameters")?, &params("pipelineRunParameters")?)
        }
        (_, "ValidateRequiredParametersProvided") => {
            binding::required_parameters_provided(&specs("pipelineParameters")?, &params("pipelineRunParameters")?)
        }
        (Some("reconciler/pipelinerun/resources"), "ValidateParamArrayIndex") => {
            binding::pipeline_param_array_index(&typed(&args["ps"])?, &params("params")?)
        }
        (_, "ValidateParamArrayIndex") => binding::task_param_array_index(&typed(&args["ts"])?, &params("params")?),
        (_, "ValidateParamTypesMatching") => binding::param_types_matching(&pipeline()?, &run()?.spec.params),
        (_, "ValidateTaskRunSpecs") => binding::task_run_specs(&pipeline()?, &run()?.spec),
        (_, "ValidateWorkspaceBindings") => binding::pipeline_workspaces(&pipeline()?, &run()?.spec.workspaces),
        (_, "ValidateEnumParam") => binding::enum_param(&params("params")?, &specs("paramSpecs")?),
        (_, "validateOverrides") => binding::overrides(&typed(&args["ts"])?, &typed::<TaskRunSpec>(&args["trs"])?),
        (_, "validateParams") => {
            let matrix = params("matrixParams")?;
            binding::task_params(&specs("paramSpecs")?, &params("params")?, &matrix.iter().collect::<Vec<_>>())
        }
        (_, "validateTaskRunResults") => {
            let mut run: TaskRun = typed(&args["tr"])?;
            let resolved: TaskSpec = typed(&args["resolvedTaskSpec"])?;
            let embedded = run.spec.task_spec.take().unwrap_or_default();
            binding::task_run_results(&[&embedded.results, &resolved.results], &mut run.status.results)
        }
        (_, "validateTaskSpecRequestResources") => binding::request_resources(&typed(&args["taskSpec"])?),
        (_, "validateStepHasStepActionParameters") => {
            binding::step_action_parameters(&params("stepParams")?, &specs("stepActionDefaults")?)
        }
        (_, "ValidateBindings") => {
            binding::task_workspaces(&typed::<Vec<_>>(&args["decls"])?, &typed::<Vec<_>>(&args["binds"])?)
        }
        (_, "ValidateOnlyOnePVCIsUsed") => binding::one_persistent_volume_claim(&typed::<Vec<_>>(&args["wb"])?),
        (_, other) => return Err(format!("unknown function {other:?}")),
    };
    compare(&case.expect, &verdict)
}

/// Checks one case of `taskrun-validate`.
pub(super) fn check_taskrun(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let params = |name: &str| typed::<Vec<Param>>(&input[name]);
    let specs = |name: &str| typed::<Vec<ParamSpec>>(&input[name]);
    let verdict = match input["op"].as_str().unwrap_or_default() {
        "validateResolvedTask" => {
            let task = &input["resolvedTask"];
            let spec: TaskSpec = typed(&task["taskSpec"])?;
            let matrix: Option<Matrix> = typed(&input["matrix"])?;
            let name = task["taskName"].as_str().unwrap_or_default();
            binding::resolved_task(name, &spec.params, &params("params")?, matrix.as_ref())
        }
        "validateEnumParam" => binding::enum_param(&params("params")?, &specs("paramSpecs")?),
        "validateParamArrayIndex" => binding::task_param_array_index(&typed(&input["taskSpec"])?, &params("params")?),
        "validateRequestResources" => binding::request_resources(&typed(&input["taskSpec"])?),
        "validateOverrides" => {
            binding::overrides(&typed(&input["taskSpec"])?, &typed::<TaskRunSpec>(&input["taskRunSpec"])?)
        }
        "validateStepActionParams" => {
            binding::step_action_parameters(&params("stepParams")?, &specs("stepActionParams")?)
        }
        "validateTaskRunResults" => {
            let embedded: Vec<TaskResult> = typed(&input["taskSpecResults"])?;
            let resolved: Vec<TaskResult> = typed(&input["resolvedTaskSpecResults"])?;
            let mut results: Vec<TaskRunResult> = typed(&input["statusResults"])?;
            let verdict = binding::task_run_results(&[&embedded, &resolved], &mut results);
            let left = serde_json::to_value(results).map_err(|e| e.to_string())?;
            diff::equal(&case.expect["results"], &left)?;
            verdict
        }
        other => return Err(format!("unknown op {other:?}")),
    };
    compare(&case.expect, &verdict)
}

fn compare(expect: &Value, verdict: &binding::Result) -> Result<(), String> {
    let ours = verdict.as_ref().err().map(ToString::to_string);
    if expect["error"] == json!(ours) {
        return Ok(());
    }
    let words = |text: &str| {
        let mut words: Vec<String> = text.split([' ', '[', ']']).map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    let variants = expect["variants"].as_array().into_iter().flatten().map(|v| &v["error"]);
    let mut accepted = variants.chain([&expect["error"]]).filter_map(Value::as_str);
    if expect["nondeterministic"] == true && ours.as_deref().is_some_and(|o| accepted.any(|t| words(t) == words(o))) {
        return Ok(());
    }
    Err(format!("  theirs: {}\n    ours: {ours:?}", expect["error"]))
}
