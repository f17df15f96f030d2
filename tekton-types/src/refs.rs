//! Which references occur in a pipeline task: one walk over every field that may hold a result reference.
//!
//! ```
//! use tekton_types::refs::{self, ResultRef};
//! use tekton_types::v1::{Param, PipelineTask};
//!
//! let task = PipelineTask {
//!     params: vec![Param { name: "digest".into(), value: "$(tasks.build.results.digests[1])".into() }],
//!     ..PipelineTask::default()
//! };
//! let expected = ResultRef { pipeline_task: "build", result: "digests", results_index: Some(1), property: "" };
//! assert_eq!(refs::result_refs(&task), [expected]);
//! ```

use k8s_openapi::api::core::v1::EnvVar;
use tekton_contract::var::opening;

use crate::v1::{Param, ParamValue, PipelineTask, Sidecar, Step, WhenExpression};

/// A reference to a result of a task: `tasks.<task>.results.<result>`, with an index or a key when it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultRef<'a> {
    /// Name of the task that makes the result.
    pub pipeline_task: &'a str,
    /// Name of the result.
    pub result: &'a str,
    /// The element of an array result; `None` for the whole.
    pub results_index: Option<i64>,
    /// The key of an object result; empty for the whole.
    pub property: &'a str,
}

impl<'a> ResultRef<'a> {
    /// Reads the text between `$(` and `)`; `None` when it refers to something else than a result.
    pub fn parse(expression: &'a str) -> Option<Self> {
        let mut parts = expression.split('.');
        let (first, pipeline_task, third) = (parts.next()?, parts.next()?, parts.next()?);
        let last = parts.next()?;
        if !is_result_prefix(first, third) {
            return None;
        }
        match (parts.next(), parts.next()) {
            (None, _) => {
                let (result, index) = split_index(last);
                let results_index = index.filter(|i| !i.is_empty() && *i != "*");
                // A number that does not fit is as far out of bounds as one can be.
                let results_index = results_index.map(|i| i.parse().unwrap_or(i64::MAX));
                Some(Self { pipeline_task, result, results_index, property: "" })
            }
            (Some(property), None) => Some(Self { pipeline_task, result: last, results_index: None, property }),
            _ => None,
        }
    }
}

/// Whether the text between `$(` and `)` begins like a reference to a result, complete or not.
pub fn looks_like_result_ref(expression: &str) -> bool {
    let mut parts = expression.split('.');
    let (first, _, third) = (parts.next(), parts.next(), parts.next());
    parts.next().is_some() && is_result_prefix(first.unwrap_or_default(), third.unwrap_or_default())
}

/// A result name and what stands in its brackets: `digests[1]` is `digests` and `1`.
pub fn split_index(name: &str) -> (&str, Option<&str>) {
    match name.split_once('[') {
        Some((bare, index)) => match index.strip_suffix(']') {
            Some(index) if index.chars().all(|c| c.is_ascii_digit() || c == '*') => (bare, Some(index)),
            _ => (name, None),
        },
        None => (name, None),
    }
}

/// The variables in a text: what stands between `$(` and `)` where it is made of name characters and dots, with
/// `[i]` or `[*]` at most at its end.
pub fn expressions(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = opening(rest)? + 2;
            rest = &rest[start..];
            let name = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
            if name == 0 {
                continue;
            }
            let end = name + index_length(&rest[name..]);
            if rest[end..].starts_with(')') {
                let found = &rest[..end];
                rest = &rest[end..];
                return Some(found);
            }
            rest = &rest[name..];
        }
    })
}

/// The variables in a value, in order.
pub fn value_expressions(value: &ParamValue) -> Vec<&str> {
    match value {
        ParamValue::String(text) => expressions(text).collect(),
        ParamValue::Array(items) => items.iter().flat_map(|item| expressions(item)).collect(),
        ParamValue::Object(entries) => entries.values().flat_map(|item| expressions(item)).collect(),
    }
}

/// The variables of a guard, in the order input, CEL, values.
pub fn when_expressions(when: &WhenExpression) -> impl Iterator<Item = &str> {
    let WhenExpression { input, operator: _, values, cel } = when;
    expressions(input).chain(expressions(cel)).chain(values.iter().flat_map(|value| expressions(value)))
}

/// Every param of a pipeline task: its own, those of its matrix, those of its include entries.
pub fn all_params(task: &PipelineTask) -> impl Iterator<Item = &Param> {
    let matrix = task.matrix.as_ref();
    task.params
        .iter()
        .chain(matrix.into_iter().flat_map(|m| &m.params))
        .chain(matrix.into_iter().flat_map(|m| m.include.iter().flat_map(|entry| &entry.params)))
}

/// The result references of a pipeline task in order and with repeats: params, guards, steps and sidecars.
pub fn result_refs(task: &PipelineTask) -> Vec<ResultRef<'_>> {
    let mut found = declared_result_refs(task);
    found.extend(embedded_result_refs(task));
    found
}

/// The result references in the steps and sidecars that are written inside a pipeline task.
pub fn embedded_result_refs(task: &PipelineTask) -> Vec<ResultRef<'_>> {
    let mut found = Vec::new();
    if let Some(embedded) = &task.task_spec {
        let mut text = |text| found.extend(expressions(text).filter_map(ResultRef::parse));
        embedded.task_spec.steps.iter().for_each(|step| step_texts(step, &mut text));
        embedded.task_spec.sidecars.iter().for_each(|sidecar| sidecar_texts(sidecar, &mut text));
    }
    found
}

/// The result references in the params and guards of a pipeline task alone: all that v1beta1 counts.
pub fn declared_result_refs(task: &PipelineTask) -> Vec<ResultRef<'_>> {
    let mut found = Vec::new();
    for param in all_params(task) {
        found.extend(value_expressions(&param.value).into_iter().filter_map(ResultRef::parse));
    }
    for when in &task.when {
        found.extend(when_expressions(when).filter_map(ResultRef::parse));
    }
    found
}

/// What a pipeline task waits for, sorted and without repeats: its `runAfter` and the tasks of the results it uses.
pub fn dependencies<'a>(task: &'a PipelineTask, uses: &[ResultRef<'a>]) -> Vec<&'a str> {
    let mut found: Vec<&str> = task.run_after.iter().map(String::as_str).collect();
    found.extend(uses.iter().map(|r| r.pipeline_task));
    found.sort_unstable();
    found.dedup();
    found
}

fn is_result_prefix(first: &str, third: &str) -> bool {
    (first == "tasks" || first == "finally") && third == "results"
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// Length of `[digits]` or `[*]` at the start of a text; 0 when there is none.
fn index_length(text: &str) -> usize {
    let Some(inner) = text.strip_prefix('[') else { return 0 };
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let length = if digits == 0 && inner.starts_with('*') { 1 } else { digits };
    if length > 0 && inner[length..].starts_with(']') { length + 2 } else { 0 }
}

fn step_texts<'a>(step: &'a Step, visit: &mut impl FnMut(&'a str)) {
    container_texts([&step.name, &step.image, &step.image_pull_policy, &step.script, &step.working_dir], visit);
    list_texts(&step.command, &step.args, &step.env, visit);
}

fn sidecar_texts<'a>(sidecar: &'a Sidecar, visit: &mut impl FnMut(&'a str)) {
    container_texts(
        [&sidecar.name, &sidecar.image, &sidecar.image_pull_policy, &sidecar.script, &sidecar.working_dir],
        visit,
    );
    list_texts(&sidecar.command, &sidecar.args, &sidecar.env, visit);
}

fn container_texts<'a>(texts: [&'a String; 5], visit: &mut impl FnMut(&'a str)) {
    for text in texts {
        visit(text);
    }
}

fn list_texts<'a>(command: &'a [String], args: &'a [String], env: &'a [EnvVar], visit: &mut impl FnMut(&'a str)) {
    command.iter().chain(args).for_each(|text| visit(text));
    for var in env {
        visit(var.value.as_deref().unwrap_or_default());
        let Some(source) = &var.value_from else { continue };
        if let Some(secret) = &source.secret_key_ref {
            visit(&secret.key);
            visit(&secret.name);
        }
        if let Some(config_map) = &source.config_map_key_ref {
            visit(&config_map.key);
            visit(&config_map.name);
        }
    }
}

/// A reference to an artifact of a pipeline task or of a step: `tasks.<name>.outputs.<artifact>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArtifactRef<'a> {
    /// `tasks` or `steps`.
    pub scope: &'a str,
    /// Name of the pipeline task or step.
    pub owner: &'a str,
    /// `inputs` or `outputs`.
    pub direction: &'a str,
    /// Name of the artifact.
    pub artifact: &'a str,
}

/// Every reference to an artifact in a text: `$(tasks.a.outputs.b)`, `$(steps.a.inputs.b)`.
pub fn artifact_refs(text: &str) -> impl Iterator<Item = ArtifactRef<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(found) = opening(text.get(at..)?) {
            at += found + 2;
            let end = at + text[at..].find(')')?;
            if let Some(found) = parse_artifact_ref(&text[at..end]) {
                at = end + 1;
                return Some(found);
            }
        }
        None
    })
}

fn parse_artifact_ref(variable: &str) -> Option<ArtifactRef<'_>> {
    let mut parts = variable.split('.');
    let found = ArtifactRef {
        scope: parts.next().filter(|p| matches!(*p, "tasks" | "steps"))?,
        owner: parts.next().filter(|p| !p.is_empty())?,
        direction: parts.next().filter(|p| matches!(*p, "inputs" | "outputs"))?,
        artifact: parts.next().filter(|p| !p.is_empty())?,
    };
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(expressions(text).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn a_variable_has_name_characters_and_one_index_at_its_end() {
        check("$(a.b)-$(c[1])$(d[*])", &["a.b", "c[1]", "d[*]"]);
        check("$(a b) $() $(a[1].b) $(a[x]) $(a", &[]);
        check("$($(tasks.a.results.b))", &["tasks.a.results.b"]);
    }

    #[test]
    fn a_longer_reference_is_not_a_result() {
        assert_eq!(ResultRef::parse("tasks.a.results.b.c.d"), None);
        assert!(looks_like_result_ref("tasks.a.results.b.c.d"));
        assert_eq!(ResultRef::parse("tasks.a.results.b.c").map(|r| r.property), Some("c"));
        assert_eq!(ResultRef::parse("tasks.a.results.b[*]").map(|r| r.results_index), Some(None));
    }
}
