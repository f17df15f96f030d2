//! What a task does: written in the pipeline, frozen by a child, or by reference.

use std::borrow::Cow;
use std::fmt::Write as _;

use tekton_dag::graph::quote;
use tekton_types::config::Config;
use tekton_types::defaults::SetDefaults;
use tekton_types::v1::{Param, ParamValue, PipelineRun, PipelineTask, Task, TaskRun, TaskSpec};

use super::find;
use super::resolve::{Unresolved, child_names, references_of};
use crate::definition::{self, Definition};
use crate::object::Kind;
use crate::owner;
use crate::pass::Pass;
use crate::refs::Request;
use crate::trusted::Verification;

/// The spec with its defaults; what has been through admission, or through this, has them.
pub(super) fn with_defaults<'t>(spec: Cow<'t, TaskSpec>, config: &Config) -> Cow<'t, TaskSpec> {
    let has_all = spec.params.iter().all(|param| !param.type_.is_empty())
        && spec.results.iter().all(|result| !result.type_.is_empty())
        && spec.steps.iter().all(|step| step.r#ref.as_ref().is_none_or(|reference| !reference.resolver.is_empty()));
    if has_all {
        return spec;
    }
    let mut spec = spec.into_owned();
    spec.set_defaults(config);
    Cow::Owned(spec)
}

/// The name of the pipeline that a task refers to, and what its signature is worth; `None` when it is written in the task.
pub(super) fn child_pipeline(
    pass: &mut Pass<'_>,
    run: &PipelineRun,
    task: &PipelineTask,
) -> Result<Option<(String, Verification)>, Unresolved> {
    let Some(reference) = task.pipeline_ref.as_ref().filter(|_| task.pipeline_spec.is_none()) else { return Ok(None) };
    match find::pipeline(pass, run, reference)? {
        Ok(found) => Ok(Some((found.object.metadata.name.unwrap_or_default(), found.verification))),
        Err(fault) => Err(Unresolved::Reference {
            pipeline: true,
            name: shown_name(&reference.name, &reference.resolver, &reference.params),
            fault,
        }),
    }
}

/// What a task does.
pub(super) struct Defined<'t> {
    /// The name of the Task; empty when it is written in the pipeline.
    pub(super) name: String,
    pub(super) spec: Cow<'t, TaskSpec>,
    pub(super) verification: Verification,
}

impl<'t> Defined<'t> {
    fn unsigned(name: &str, spec: &'t TaskSpec) -> Self {
        Self { name: name.to_owned(), spec: Cow::Borrowed(spec), verification: Verification::Skipped }
    }
}

/// The definition of the task: as a child froze it, else by reference, else as it is written in the pipeline.
///
/// `task` stands as written, without results; its children have, or will have, the `names`. The last one says what the
/// task does, but unless each of them has frozen its definition, the definition has to be there.
pub(super) fn task_definition<'t, 'a: 't>(
    pass: &mut Pass<'a>,
    run: &PipelineRun,
    task: &'t PipelineTask,
    names: &[String],
    children: &[&'t TaskRun],
) -> Result<Defined<'t>, Unresolved> {
    let Some(reference) = &task.task_ref else {
        return match &task.task_spec {
            Some(embedded) => Ok(Defined::unsigned("", &embedded.task_spec)),
            None => Err(Unresolved::Other(format!(
                "PipelineTask {} must specify one of TaskRef, TaskSpec, PipelineRef, or PipelineSpec",
                quote(&task.name)
            ))),
        };
    };
    let last = children.last().filter(|child| child.metadata.name.as_ref() == names.last());
    let frozen = last.and_then(|child| child.status.task_spec.as_ref());
    let all_frozen = children.len() == names.len() && children.iter().all(|child| child.status.task_spec.is_some());
    if let Some(spec) = frozen.filter(|_| all_frozen) {
        return Ok(Defined::unsigned(&reference.name, spec));
    }
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let found = if reference.resolver.is_empty() {
        definition::stored::<Task>(pass, &namespace, &reference.name)?
            .map(|task| Defined::unsigned(task.metadata.name.as_deref().unwrap_or_default(), &task.spec))
    } else {
        let name = child_names(run, references_of(run, &task.name), Kind::TaskRun, &task.name, 1);
        let request = Request {
            resolver: &reference.resolver,
            owner: owner::controller_of(run),
            namespace: &namespace,
            name: name.first().map(String::as_str).unwrap_or_default(),
            params: reference.params.clone(),
            url: String::new(),
        };
        definition::remote::<Task>(pass, request, "")?.map(|Definition { object, verification, .. }| Defined {
            name: object.metadata.name.unwrap_or_default(),
            spec: Cow::Owned(object.spec),
            verification,
        })
    };
    let found = found.map_err(|fault| Unresolved::Reference {
        pipeline: false,
        name: shown_name(&reference.name, &reference.resolver, &reference.params),
        fault,
    })?;
    Ok(frozen.map_or(found, |spec| Defined::unsigned(&reference.name, spec)))
}

/// The name of a definition, or what its resolver was asked for.
fn shown_name(name: &str, resolver: &str, params: &[Param]) -> String {
    if !name.trim().is_empty() {
        return name.to_owned();
    }
    let mut text = format!("resolver type {resolver}\n");
    for param in params {
        if param.name == "name" {
            let value = match &param.value {
                ParamValue::String(value) => value.clone(),
                other => serde_json::to_string(other).unwrap_or_default(),
            };
            writeln!(text, "name = {value}").expect("writing to a string cannot fail");
        }
        if param.name == "url" {
            let url = param.value.as_string().unwrap_or_default();
            writeln!(text, "url = {url}").expect("writing to a string cannot fail");
        }
    }
    text
}
