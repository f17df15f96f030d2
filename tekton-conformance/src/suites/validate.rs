//! Suite `validate`: the verdict of admission on objects and their parts.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::v1::{PipelineRun, PipelineSpec, PipelineTask, TaskRun};
use tekton_validate::part::{Part, VariableRule, validate_json, validate_part, validate_variables};
use tekton_validate::{Diagnostic, Operation, Version, field_error, validate_with_source};

use crate::Case;

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let config = config(&input["config"])?;
    let found = match input["function"].as_str() {
        None if input["kind"].is_string() => whole(input, &config)?,
        None => part(input, &config)?,
        Some(_) if input["apiVersion"] == "substitution" => variables(input)?,
        Some(function) => narrow(input, function, &config)?,
    };
    compare(&case.expect, &found)
}

/// The configuration that recorded ConfigMaps give.
pub(super) fn config(maps: &Value) -> Result<Config, String> {
    let maps: BTreeMap<String, BTreeMap<String, String>> = typed(maps)?;
    Config::from_config_maps(maps.iter().map(|(name, data)| (name.as_str(), data))).map_err(|e| e.to_string())
}

/// Reads a value as an API type; null is the default.
pub(super) fn typed<T: DeserializeOwned + Default>(value: &Value) -> Result<T, String> {
    if value.is_null() { Ok(T::default()) } else { T::deserialize(value).map_err(|e| e.to_string()) }
}

/// The object of any kind that a JSON value holds.
pub(super) fn object(value: &Value) -> Result<Object, String> {
    let (object, errors) = Object::from_json(value);
    object.ok_or_else(|| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn whole(input: &Value, config: &Config) -> Result<Vec<Diagnostic>, String> {
    if input["kind"] == "Run" {
        return validate_json("Run", &input["object"], config, Version::V1);
    }
    let new = object(&input["object"])?;
    let old = if input["oldObject"].is_null() { None } else { Some(object(&input["oldObject"])?) };
    let operation = match input["operation"].as_str() {
        Some("create") => Operation::Create,
        Some("update") => Operation::Update { old: old.as_ref() },
        Some("delete") => Operation::Delete,
        _ => Operation::None,
    };
    Ok(validate_with_source(&new, &input["object"], config, operation))
}

fn version(input: &Value) -> Version {
    if input["apiVersion"] == "tekton.dev/v1beta1" { Version::V1beta1 } else { Version::V1 }
}

fn old_taskrun(input: &Value) -> Result<Option<TaskRun>, String> {
    old_run(input, |object| match object {
        Object::TaskRun(old) => Some(*old),
        _ => None,
    })
}

fn old_pipelinerun(input: &Value) -> Result<Option<PipelineRun>, String> {
    old_run(input, |object| match object {
        Object::PipelineRun(old) => Some(*old),
        _ => None,
    })
}

/// What an update replaces. Specs of updates are recorded with fields that both versions have.
fn old_run<T>(input: &Value, get: impl FnOnce(Object) -> Option<T>) -> Result<Option<T>, String> {
    if input["oldObject"].is_null() || input["operation"] != "update" {
        return Ok(None);
    }
    let mut old = input["oldObject"].clone();
    old["apiVersion"] = "tekton.dev/v1".into();
    object(&old).map(get)
}

fn part(input: &Value, config: &Config) -> Result<Vec<Diagnostic>, String> {
    let value = &input["object"];
    if value.is_null() && input["type"].as_str().is_some_and(|t| t.ends_with("Ref")) {
        // A reference that is not there has nothing wrong with it.
        return Ok(Vec::new());
    }
    let go = |part: Part<'_>| Ok(validate_part(part, config, version(input)));
    match input["type"].as_str().unwrap_or_default() {
        name @ ("TaskSpec" | "TaskRunSpec" | "PipelineSpec" | "PipelineRunSpec" | "PipelineTask" | "Ref"
        | "TaskRef" | "PipelineRef") => validate_json(name, value, config, version(input)),
        "StepActionSpec" => go(Part::StepActionSpec(&typed(value)?, input["apiVersion"] == "tekton.dev/v1alpha1")),
        "Step" => go(Part::Step(&typed(value)?)),
        "Sidecar" => go(Part::Sidecar(&typed(value)?)),
        "TaskResult" => go(Part::TaskResult(&typed(value)?)),
        "StepResult" => go(Part::StepResult(&typed(value)?)),
        "WorkspaceBinding" => go(Part::WorkspaceBinding(&typed(value)?)),
        "PipelineTaskList" => {
            let args = &input["args"];
            let taken: Vec<String> = typed(&args["taskNames"])?;
            go(Part::PipelineTaskList(&typed::<Vec<_>>(value)?, &taken, args["path"].as_str().unwrap_or_default()))
        }
        other => Err(format!("unknown type {other:?}")),
    }
}

fn narrow(input: &Value, function: &str, config: &Config) -> Result<Vec<Diagnostic>, String> {
    let go = |part: Part<'_>| Ok(validate_part(part, config, version(input)));
    let args = &input["args"];
    let list = |name: &str| typed::<Vec<PipelineTask>>(&args[name]);
    let task = || typed::<PipelineTask>(&input["object"]);
    match (input["type"].as_str().unwrap_or_default(), function) {
        ("PipelineTask", "ValidateName") => go(Part::PipelineTaskName(&task()?)),
        ("PipelineTask", "ValidateOnError") => go(Part::PipelineTaskOnError(&task()?)),
        ("PipelineTask", "validateCustomTask") => go(Part::PipelineTaskCustom(&task()?)),
        ("PipelineTask", "validateEmbeddedOrType") => go(Part::PipelineTaskEmbedded(&task()?)),
        ("PipelineTask", "validateMatrix") => go(Part::PipelineTaskMatrix(&task()?)),
        ("PipelineTask", "validateRefOrSpec") => go(Part::PipelineTaskRefOrSpec(&task()?)),
        ("PipelineTask", "validateTask") => go(Part::PipelineTaskTask(&task()?)),
        ("WhenExpressions", "validate") => go(Part::When(&typed::<Vec<_>>(&input["object"])?)),
        ("TaskRunSpec", "ValidateUpdate") => match old_taskrun(input)? {
            Some(old) => go(Part::TaskRunUpdate(&typed(&input["object"])?, &old)),
            None => Ok(Vec::new()),
        },
        ("PipelineRunSpec", "ValidateUpdate") => match old_pipelinerun(input)? {
            Some(old) => go(Part::PipelineRunUpdate(&typed(&input["object"])?, &old)),
            None => Ok(Vec::new()),
        },
        (_, "ValidateParameterVariables") => {
            go(Part::ParameterVariables(&typed::<Vec<_>>(&args["steps"])?, &typed::<Vec<_>>(&args["params"])?))
        }
        (_, "ValidateUsageOfDeclaredParameters") => {
            go(Part::UsageOfDeclaredParameters(&typed::<Vec<_>>(&args["steps"])?, &typed::<Vec<_>>(&args["params"])?))
        }
        (_, "ValidatePipelineParameterVariables") => {
            go(Part::PipelineParameters(&list("tasks")?, &typed::<Vec<_>>(&args["params"])?))
        }
        (_, "validatePipelineTaskParameterUsage") => {
            go(Part::PipelineParameterUsage(&list("tasks")?, &typed::<Vec<_>>(&args["params"])?))
        }
        (_, "ValidatePipelineTasks") => go(Part::PipelineTasks(&list("tasks")?, &list("finalTasks")?)),
        (_, "ValidateVolumes") => go(Part::Volumes(&typed::<Vec<_>>(&args["volumes"])?)),
        (_, "validateExecutionStatusVariables") => go(Part::StatusVariables(&list("tasks")?, &list("finallyTasks")?)),
        (_, "validateFinalTasks") => go(Part::FinallyTasks(&list("tasks")?, &list("finalTasks")?)),
        (_, "validateGraph") => go(Part::Graph(&list("tasks")?)),
        (_, "validateMatrix") => go(Part::Matrices(&list("tasks")?)),
        (_, "validatePipelineContextVariables") => go(Part::PipelineContextVariables(&list("tasks")?)),
        (_, "validatePipelineRefResultReferencesDisallowed") => {
            go(Part::ResultsOfPipelines(&list("tasks")?, &list("finally")?))
        }
        (_, "validatePipelineResults") => {
            go(Part::PipelineResults(&typed::<Vec<_>>(&args["results"])?, &list("tasks")?, &list("finally")?))
        }
        (_, "validatePipelineTasksWorkspacesUsage") => {
            go(Part::PipelineWorkspacesUsage(&typed::<Vec<_>>(&args["wss"])?, &list("pts")?))
        }
        (_, "validatePipelineWorkspacesDeclarations") => go(Part::PipelineWorkspaces(&typed::<Vec<_>>(&args["wss"])?)),
        (_, "validateTasksAndFinallySection") => go(Part::TasksAndFinally(&typed::<PipelineSpec>(&args["ps"])?)),
        (_, other) => Err(format!("unknown function {other:?}")),
    }
}

fn variables(input: &Value) -> Result<Vec<Diagnostic>, String> {
    let rule = match input["function"].as_str().unwrap_or_default() {
        "ValidateNoReferencesToUnknownVariables" => VariableRule::Known,
        "ValidateNoReferencesToUnknownVariablesWithDetail" => VariableRule::KnownWithDetail,
        "ValidateNoReferencesToProhibitedVariables" => VariableRule::NotNamed,
        "ValidateNoReferencesToEntireProhibitedVariables" => VariableRule::NotWhole,
        "ValidateVariableReferenceIsIsolated" => VariableRule::Isolated,
        other => return Err(format!("unknown function {other:?}")),
    };
    let args = &input["args"];
    let names: Vec<String> = typed(&args["vars"])?;
    let text = |name: &str| args[name].as_str().unwrap_or_default();
    Ok(validate_variables(rule, text("value"), text("prefix"), &names))
}

/// Compares the merged text; where upstream's order is random, bracketed lists are sets, and of a CEL error only
/// the message counts.
pub(super) fn compare(expect: &Value, found: &[Diagnostic]) -> Result<(), String> {
    let ours = field_error(found);
    let theirs = expect["error"].as_str().unwrap_or_default();
    if ours == theirs {
        return Ok(());
    }
    let variants = expect["variants"].as_array().into_iter().flatten();
    let mut accepted = variants.filter_map(|v| v["error"].as_str()).chain([theirs]);
    if expect["nondeterministic"] == true && accepted.any(|text| bag(text) == bag(&ours)) {
        return Ok(());
    }
    if theirs.contains("invalid cel expression")
        && messages(expect) == found.iter().map(|d| d.message.clone()).collect()
    {
        return Ok(());
    }
    Err(format!("  theirs: {}\n    ours: {}", theirs.replace('\n', "\n          "), ours.replace('\n', "\n          ")))
}

fn messages(expect: &Value) -> BTreeSet<String> {
    expect["errors"].as_array().into_iter().flatten().filter_map(|e| e["message"].as_str()).map(str::to_owned).collect()
}

/// The words of a text, whatever their order.
fn bag(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split([' ', '[', ']', ',']).filter(|w| !w.is_empty()).collect();
    words.sort_unstable();
    words
}
