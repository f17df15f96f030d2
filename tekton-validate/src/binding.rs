//! Checks of a run against what it runs, made when it starts: in upstream's words, the first error only.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tekton_types::refs::{ResultRef, result_refs, value_expressions};
use tekton_types::v1::{
    Matrix, Param, ParamSpec, ParamValue, PipelineRunSpec, PipelineSpec, PipelineTask, PipelineWorkspaceDeclaration,
    TaskResult, TaskRunResult, TaskRunSpec, TaskSpec, WorkspaceBinding, WorkspaceDeclaration, param_type,
};

use crate::diagnostic::{field_error, from_errors};
use crate::rules::workspace;
use crate::text::{list, map_of_lists, quote};
use crate::vars::{array_index_references, extract, trim_array_index};

/// Why a run does not fit what it runs. Prints as upstream's plain text, without the `[User error] ` of conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingError(pub String);

impl fmt::Display for BindingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BindingError {}

/// The verdict of a check.
pub type Result<T = ()> = std::result::Result<T, BindingError>;

fn fail<T>(text: String) -> Result<T> {
    Err(BindingError(text))
}

/// Parameters of a PipelineRun have the types that the pipeline declares.
pub fn param_types_matching(pipeline: &PipelineSpec, given: &[Param]) -> Result {
    let types: HashMap<&str, &str> = pipeline.params.iter().map(|p| (p.name.as_str(), p.type_.as_str())).collect();
    let wrong: Vec<&str> = given
        .iter()
        .filter(|p| types.get(p.name.as_str()).is_some_and(|t| *t != p.value.type_name()))
        .map(|p| p.name.as_str())
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    fail(format!("parameters have inconsistent types : {}", list(wrong)))
}

/// Parameters without a default are given.
pub fn required_parameters_provided(declared: &[ParamSpec], given: &[Param]) -> Result {
    let given: HashSet<&str> = given.iter().map(|p| p.name.as_str()).collect();
    let missing: Vec<&str> = declared
        .iter()
        .filter(|p| p.default.is_none() && !given.contains(p.name.as_str()))
        .map(|p| p.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!("pipelineRun missing parameters: {}", list(missing)))
}

/// Object parameters of a PipelineRun have all keys that the pipeline declares.
pub fn object_param_required_keys(declared: &[ParamSpec], given: &[Param]) -> Result {
    let missing = missing_keys(declared, given);
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!("pipelineRun missing object keys for parameters: {}", map_of_lists(missing)))
}

/// Parameters of a task, by a reference to it, fit its declarations.
pub fn resolved_task(name: &str, declared: &[ParamSpec], given: &[Param], matrix: Option<&Matrix>) -> Result {
    let matrix: Vec<&Param> =
        matrix.iter().flat_map(|m| m.params.iter().chain(m.include.iter().flat_map(|i| &i.params))).collect();
    task_params(declared, given, &matrix)
        .map_err(|e| BindingError(format!("invalid input params for task {name}: {e}")))
}

/// Parameters fit declarations: none missing, types right, objects complete.
pub fn task_params(declared: &[ParamSpec], given: &[Param], matrix: &[&Param]) -> Result {
    let names: HashSet<&str> = given.iter().chain(matrix.iter().copied()).map(|p| p.name.as_str()).collect();
    let missing: Vec<&str> = declared
        .iter()
        .filter(|p| p.default.is_none() && !names.contains(p.name.as_str()))
        .map(|p| p.name.as_str())
        .collect();
    if !missing.is_empty() {
        return fail(format!("missing values for these params which have no default values: {}", list(missing)));
    }
    let types: HashMap<&str, &str> = declared.iter().map(|p| (p.name.as_str(), p.type_.as_str())).collect();
    let mut wrong: Vec<&str> = Vec::new();
    for param in given {
        let Some(wanted) = types.get(param.name.as_str()) else { continue };
        let may_become = matches!(&param.value, ParamValue::String(_))
            && matches!(*wanted, param_type::ARRAY | param_type::OBJECT)
            && !value_expressions(&param.value).is_empty();
        if !may_become && param.value.type_name() != *wanted {
            wrong.push(&param.name);
        }
    }
    for param in matrix {
        if types.get(param.name.as_str()).is_some_and(|wanted| *wanted != param_type::STRING) {
            wrong.push(&param.name);
        }
    }
    if !wrong.is_empty() {
        return fail(format!("param types don't match the user-specified type: {}", list(wrong)));
    }
    let missing = missing_keys(declared, given);
    if !missing.is_empty() {
        return fail(format!(
            "missing keys for these params which are required in ParamSpec's properties {}",
            map_of_lists(missing)
        ));
    }
    Ok(())
}

/// Keys that object parameters lack, by parameter; one that nobody gives at all is not told here.
fn missing_keys<'a>(declared: &'a [ParamSpec], given: &'a [Param]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut provided: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for (name, value) in declared
        .iter()
        .filter(|p| p.type_ == param_type::OBJECT)
        .filter_map(|p| p.default.as_ref().map(|d| (&p.name, d)))
        .chain(given.iter().map(|p| (&p.name, &p.value)))
    {
        if let ParamValue::Object(entries) = value
            && !entries.is_empty()
        {
            provided.entry(name).or_default().extend(entries.keys().map(String::as_str));
        }
    }
    let needed = declared
        .iter()
        .filter(|p| p.type_ == param_type::OBJECT)
        .map(|p| (p.name.as_str(), p.properties.keys().map(String::as_str).collect::<Vec<_>>()));
    missing_of(needed, &provided)
}

fn missing_of<'a>(
    needed: impl Iterator<Item = (&'a str, Vec<&'a str>)>,
    provided: &BTreeMap<&'a str, HashSet<&'a str>>,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, keys) in needed {
        let Some(have) = provided.get(name) else { continue };
        let lacking: Vec<&str> = keys.into_iter().filter(|key| !have.contains(key)).collect();
        if !lacking.is_empty() {
            missing.entry(name).or_default().extend(lacking);
        }
    }
    missing
}

/// Strings are among the values that their declaration lists.
pub fn enum_param(given: &[Param], declared: &[ParamSpec]) -> Result {
    let enums: HashMap<&str, &[String]> =
        declared.iter().filter(|p| !p.enum_.is_empty()).map(|p| (p.name.as_str(), p.enum_.as_slice())).collect();
    for param in given {
        let ParamValue::String(value) = &param.value else { continue };
        if !value.is_empty() && enums.get(param.name.as_str()).is_some_and(|allowed| !allowed.contains(value)) {
            return fail(format!("param `{}` value: {value} is not in the enum list", param.name));
        }
    }
    Ok(())
}

/// References to elements of array parameters in a pipeline stay within the arrays.
pub fn pipeline_param_array_index(pipeline: &PipelineSpec, given: &[Param]) -> Result {
    let mut references = BTreeSet::new();
    let mut add = |text: &str| references.extend(array_index_references(text).into_iter().map(str::to_owned));
    for (task, is_task) in pipeline.tasks.iter().map(|t| (t, true)).chain(pipeline.r#finally.iter().map(|t| (t, false)))
    {
        let matrix = task.matrix.iter().flat_map(|m| &m.params);
        for param in task.params.iter().chain(matrix) {
            match &param.value {
                ParamValue::String(text) => add(text),
                ParamValue::Array(values) => values.iter().for_each(|v| add(v)),
                ParamValue::Object(values) => values.values().for_each(|v| add(v)),
            }
        }
        if is_task {
            task.workspaces.iter().for_each(|w| add(&w.sub_path));
        }
        for guard in &task.when {
            add(&guard.input);
            guard.values.iter().for_each(|v| add(v));
        }
    }
    array_bounds(&pipeline.params, given, &references)
}

/// References to elements of array parameters in a task stay within the arrays.
pub fn task_param_array_index(task: &TaskSpec, given: &[Param]) -> Result {
    let mut references = BTreeSet::new();
    crate::rules::task_texts::visit(task, &mut |text| {
        references.extend(array_index_references(text).into_iter().map(str::to_owned));
    });
    array_bounds(&task.params, given, &references)
}

fn array_bounds(declared: &[ParamSpec], given: &[Param], references: &BTreeSet<String>) -> Result {
    let mut lengths: HashMap<&str, usize> = HashMap::new();
    for (name, value) in declared
        .iter()
        .filter_map(|p| p.default.as_ref().map(|d| (&p.name, d)))
        .chain(given.iter().map(|p| (&p.name, &p.value)))
    {
        if let ParamValue::Array(values) = value {
            lengths.insert(name, values.len());
        }
    }
    let outside: Vec<&str> = references
        .iter()
        .filter(|reference| {
            let plain = trim_array_index(reference);
            let Some(name) = extract(&plain, "params").ok().and_then(|names| names.first().copied()) else {
                return false;
            };
            let index = first_index(reference).unwrap_or(usize::MAX);
            lengths.get(name).is_some_and(|length| index >= *length)
        })
        .map(String::as_str)
        .collect();
    if outside.is_empty() {
        return Ok(());
    }
    fail(format!("non-existent param references:{}", list(outside)))
}

fn first_index(reference: &str) -> Option<usize> {
    reference.match_indices('[').find_map(|(at, _)| {
        let inner = &reference[at + 1..];
        let end = inner.find(']')?;
        inner[..end].bytes().all(|b| b.is_ascii_digit()).then(|| inner[..end].parse().ok()).flatten()
    })
}

/// Requests of steps are within limits, their own or the template's.
pub fn request_resources(task: &TaskSpec) -> Result {
    let template = task.step_template.as_ref().and_then(|t| t.compute_resources.limits.as_ref());
    for step in &task.steps {
        let limits = step.compute_resources.limits.as_ref();
        for (name, request) in step.compute_resources.requests.iter().flatten() {
            let limit = limits.and_then(|l| l.get(name)).or_else(|| template.and_then(|t| t.get(name)));
            let Some(limit) = limit else { continue };
            if compare_quantities(limit, request).is_lt() {
                return fail(format!(
                    "invalid request resource value: {} must be less or equal to limit {}",
                    request.0, limit.0
                ));
            }
        }
    }
    Ok(())
}

fn compare_quantities(a: &Quantity, b: &Quantity) -> std::cmp::Ordering {
    crate::quantity::parse(&a.0).cmp(&crate::quantity::parse(&b.0))
}

/// Overrides of a TaskRun name steps and sidecars that exist.
pub fn overrides(task: &TaskSpec, run: &TaskRunSpec) -> Result {
    let steps: HashSet<&str> = task.steps.iter().map(|s| s.name.as_str()).collect();
    let sidecars: HashSet<&str> = task.sidecars.iter().map(|s| s.name.as_str()).collect();
    let mut lines = Vec::new();
    for step in run.step_specs.iter().filter(|s| !steps.contains(s.name.as_str())) {
        lines.push(format!("invalid StepOverride: No Step named {}", step.name));
    }
    for sidecar in run.sidecar_specs.iter().filter(|s| !sidecars.contains(s.name.as_str())) {
        lines.push(format!("invalid SidecarOverride: No Sidecar named {}", sidecar.name));
    }
    if lines.is_empty() { Ok(()) } else { fail(lines.join("\n")) }
}

/// A step gives its StepAction the parameters that it needs, and no others.
pub fn step_action_parameters(given: &[Param], declared: &[ParamSpec]) -> Result {
    let known: HashSet<&str> = declared.iter().map(|p| p.name.as_str()).collect();
    let extra: Vec<&str> = given.iter().map(|p| p.name.as_str()).filter(|name| !known.contains(name)).collect();
    if !extra.is_empty() {
        return fail(format!("extra params passed by Step to StepAction: {}", list(extra)));
    }
    let given: HashSet<&str> = given.iter().map(|p| p.name.as_str()).collect();
    let missing: Vec<&str> = declared
        .iter()
        .filter(|p| p.default.is_none() && !given.contains(p.name.as_str()))
        .map(|p| p.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!("non-existent params in Step: {}", list(missing)))
}

/// Results of a TaskRun have their declared types and keys. Those of a wrong type are taken out of `produced`.
pub fn task_run_results(declared: &[&[TaskResult]], produced: &mut Vec<TaskRunResult>) -> Result {
    let types: HashMap<&str, &str> =
        declared.iter().copied().flatten().map(|r| (r.name.as_str(), r.type_.as_str())).collect();
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    produced.retain(|result| match types.get(result.name.as_str()) {
        Some(wanted) if *wanted != result.type_ => {
            wrong.insert(
                result.name.clone(),
                format!(
                    "task result is expected to be \"{wanted}\" type but was initialized to a different type \"{}\"",
                    result.type_
                ),
            );
            false
        }
        _ => true,
    });
    if !wrong.is_empty() {
        let mut parts: Vec<String> = wrong.iter().map(|(name, text)| format!(" \"{name}\": {text}")).collect();
        parts.sort();
        return fail(format!(
            "Provided results don't match declared results; may be invalid JSON or missing result declaration: {}",
            parts.join(",")
        ));
    }
    let mut provided: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for result in &*produced {
        if let ParamValue::Object(entries) = &result.value
            && !entries.is_empty()
        {
            provided.entry(&result.name).or_default().extend(entries.keys().map(String::as_str));
        }
    }
    let needed = declared
        .iter()
        .copied()
        .flatten()
        .filter(|r| r.type_ == param_type::OBJECT)
        .map(|r| (r.name.as_str(), r.properties.keys().map(String::as_str).collect::<Vec<_>>()));
    let missing = missing_of(needed, &provided);
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!(
        "missing keys for these results which are required in TaskResult's properties {}",
        map_of_lists(missing)
    ))
}

/// Workspaces that the pipeline requires are bound by the run.
pub fn pipeline_workspaces(pipeline: &PipelineSpec, bindings: &[WorkspaceBinding]) -> Result {
    let bound: HashSet<&str> = bindings.iter().map(|b| b.name.as_str()).collect();
    match pipeline.workspaces.iter().find(|w| !w.optional && !bound.contains(w.name.as_str())) {
        Some(missing) => {
            fail(format!("pipeline requires workspace with name {} be provided by pipelinerun", quote(&missing.name)))
        }
        None => Ok(()),
    }
}

/// Settings per pipeline task name tasks that exist.
pub fn task_run_specs(pipeline: &PipelineSpec, run: &PipelineRunSpec) -> Result {
    let names: HashSet<&str> = pipeline.tasks.iter().chain(&pipeline.r#finally).map(|t| t.name.as_str()).collect();
    match run.task_run_specs.iter().find(|s| !names.contains(s.pipeline_task_name.as_str())) {
        Some(wrong) => fail(format!(
            "pipelineRun's taskrunSpecs defined wrong taskName: {}, does not exist in Pipeline",
            quote(&wrong.pipeline_task_name)
        )),
        None => Ok(()),
    }
}

/// Volumes of a TaskRun fit the workspaces of its task, both ways.
pub fn task_workspaces(declared: &[WorkspaceDeclaration], bindings: &[WorkspaceBinding]) -> Result {
    for binding in bindings {
        let found = from_errors(workspace::validate(binding));
        if !found.is_empty() {
            return fail(format!("binding {} is invalid: {}", quote(&binding.name), field_error(&found)));
        }
    }
    let bound: HashSet<&str> = bindings.iter().map(|b| b.name.as_str()).collect();
    if let Some(missing) = declared.iter().find(|d| !d.optional && !bound.contains(d.name.as_str())) {
        return fail(format!("declared workspace {} is required but has not been bound", quote(&missing.name)));
    }
    let known: HashSet<&str> = declared.iter().map(|d| d.name.as_str()).collect();
    match bindings.iter().find(|b| !known.contains(b.name.as_str())) {
        Some(extra) => fail(format!("workspace binding {} does not match any declared workspace", quote(&extra.name))),
        None => Ok(()),
    }
}

/// At most one claim is bound, as the affinity assistant needs it.
pub fn one_persistent_volume_claim(bindings: &[WorkspaceBinding]) -> Result {
    let mut claims: HashSet<&str> = HashSet::new();
    for binding in bindings {
        if let Some(claim) = &binding.persistent_volume_claim {
            claims.insert(&claim.claim_name);
        }
        if binding.volume_claim_template.is_some() {
            claims.insert(&binding.name);
        }
    }
    if claims.len() > 1 {
        return fail("more than one PersistentVolumeClaim is bound".to_owned());
    }
    Ok(())
}

/// A pipeline task with what its reference led to.
#[derive(Clone, Copy, Debug)]
pub struct ResolvedTask<'a> {
    /// The task in the pipeline.
    pub task: &'a PipelineTask,
    /// Its spec; `None` when there is none to look at.
    pub spec: Option<&'a TaskSpec>,
    /// Whether another controller runs it.
    pub is_custom: bool,
}

/// Results that pipeline tasks refer to are declared by the tasks they refer to.
pub fn pipeline_task_results(tasks: &[ResolvedTask<'_>]) -> Result {
    let by_name: HashMap<&str, &ResolvedTask<'_>> = tasks.iter().map(|t| (t.task.name.as_str(), t)).collect();
    for resolved in tasks {
        for reference in result_refs(resolved.task) {
            result_exists(&reference, &by_name).map_err(|e| {
                BindingError(format!("invalid result reference in pipeline task {}: {e}", quote(&resolved.task.name)))
            })?;
        }
    }
    Ok(())
}

/// Results of the pipeline refer to declared results of its tasks.
pub fn pipeline_results(pipeline: &PipelineSpec, tasks: &[ResolvedTask<'_>]) -> Result {
    let by_name: HashMap<&str, &ResolvedTask<'_>> = tasks.iter().map(|t| (t.task.name.as_str(), t)).collect();
    for result in &pipeline.results {
        for expression in value_expressions(&result.value) {
            let Some(reference) = ResultRef::parse(expression) else { continue };
            result_exists(&reference, &by_name)
                .map_err(|e| BindingError(format!("invalid pipeline result {}: {e}", quote(&result.name))))?;
        }
    }
    Ok(())
}

fn result_exists(reference: &ResultRef<'_>, tasks: &HashMap<&str, &ResolvedTask<'_>>) -> Result {
    let name = quote(reference.pipeline_task);
    let Some(task) = tasks.get(reference.pipeline_task) else {
        return fail(format!("referenced pipeline task {name} does not exist"));
    };
    if task.is_custom {
        return Ok(());
    }
    let Some(spec) = task.spec else {
        return fail(format!("unable to validate result referencing pipeline task {name}: task spec not found"));
    };
    if spec.results.iter().any(|r| r.name == reference.result) {
        return Ok(());
    }
    fail(format!("{} is not a named result returned by pipeline task {name}", quote(reference.result)))
}

/// Workspaces that may be left out go only to tasks that can do without.
pub fn optional_workspaces(declared: &[PipelineWorkspaceDeclaration], tasks: &[ResolvedTask<'_>]) -> Result {
    let optional: HashSet<&str> = declared.iter().filter(|w| w.optional).map(|w| w.name.as_str()).collect();
    for resolved in tasks {
        let Some(spec) = resolved.spec else { continue };
        for binding in resolved.task.workspaces.iter().filter(|b| optional.contains(b.workspace.as_str())) {
            if spec.workspaces.iter().any(|w| w.name == binding.name && !w.optional) {
                return fail(format!(
                    "pipeline workspace {} is marked optional but pipeline task {} requires it be provided",
                    quote(&binding.workspace),
                    quote(&resolved.task.name)
                ));
            }
        }
    }
    Ok(())
}

/// Matrix parameters are arrays and included parameters strings, once everything was put in.
pub fn matrix_param_types(tasks: &[&PipelineTask]) -> Result {
    for task in tasks {
        let Some(matrix) = &task.matrix else { continue };
        let wrong = |kind: &str, param: &Param| {
            fail(format!(
                "parameters of type {kind} only are allowed, but param \"{}\" has type \"{}\" in pipelineTask \"{}\"",
                param.name,
                param.value.type_name(),
                task.name
            ))
        };
        for param in matrix.include.iter().flat_map(|i| &i.params) {
            if !matches!(param.value, ParamValue::String(_)) {
                return wrong(param_type::STRING, param);
            }
        }
        for param in &matrix.params {
            let from_results =
                value_expressions(&param.value).into_iter().any(tekton_types::refs::looks_like_result_ref);
            if !matches!(param.value, ParamValue::Array(_)) && !from_results {
                return wrong(param_type::ARRAY, param);
            }
        }
    }
    Ok(())
}
