//! References to results of pipeline tasks.

use tekton_types::v1::{EmbeddedTask, Param, PipelineTask, Sidecar, Step};

use k8s_openapi::api::core::v1::EnvVar;

use crate::rules::{params, when};
use crate::vars::substitutions;

/// A reference `tasks.<task>.results.<result>`, with an index or a key perhaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResultRef<'a> {
    pub(crate) task: &'a str,
    pub(crate) result: String,
}

/// Whether an expression has the shape of a result reference, as far as its first parts go.
pub(crate) fn looks_like_result(expression: &str) -> bool {
    let mut parts = expression.split('.');
    let scope = parts.next();
    matches!(scope, Some("tasks" | "finally"))
        && parts.next().is_some()
        && parts.next() == Some("results")
        && parts.next().is_some()
}

/// Whether any expression has the shape of a result reference.
pub(crate) fn any_looks_like_result(expressions: &[&str]) -> bool {
    expressions.iter().any(|e| looks_like_result(e))
}

/// Reads a result reference; `None` for anything else, also for one with too many parts.
pub(crate) fn parse(expression: &str) -> Option<ResultRef<'_>> {
    if !looks_like_result(expression) {
        return None;
    }
    let parts: Vec<&str> = expression.split('.').collect();
    match parts.as_slice() {
        [_, task, _, result] => {
            Some(ResultRef { task, result: crate::vars::trim_array_index(result).into_owned() })
        }
        [_, task, _, result, _] => Some(ResultRef { task, result: (*result).to_owned() }),
        _ => None,
    }
}

/// Reads all result references.
pub(crate) fn parse_all<'a>(expressions: &[&'a str]) -> Vec<ResultRef<'a>> {
    expressions.iter().filter_map(|e| parse(e)).collect()
}

/// Everything inside `$(…)` of a parameter.
pub(crate) fn of_param(param: &Param) -> Vec<&str> {
    params::strings(&param.value).into_iter().flat_map(substitutions).collect()
}

/// All given parameters of a pipeline task: its own, the matrix's, the included combinations'.
pub(crate) fn all_params(task: &PipelineTask) -> impl Iterator<Item = &Param> {
    let matrix = task.matrix.as_ref();
    task.params
        .iter()
        .chain(matrix.into_iter().flat_map(|m| &m.params))
        .chain(matrix.into_iter().flat_map(|m| m.include.iter().flat_map(|i| &i.params)))
}

/// Every result that a pipeline task refers to: in parameters, guards and its task in place.
pub(crate) fn of_task(task: &PipelineTask) -> Vec<ResultRef<'_>> {
    let mut expressions: Vec<&str> = Vec::new();
    for param in all_params(task) {
        expressions.extend(of_param(param));
    }
    for guard in &task.when {
        expressions.extend(when::expressions(guard));
    }
    if let Some(spec) = &task.task_spec {
        of_embedded(spec, &mut expressions);
    }
    parse_all(&expressions)
}

fn of_embedded<'a>(task: &'a EmbeddedTask, found: &mut Vec<&'a str>) {
    for step in &task.task_spec.steps {
        let Step { name, image, image_pull_policy, script, working_dir, command, args, env, .. } = step;
        of_texts([name, image, image_pull_policy, script, working_dir], command, args, env, found);
    }
    for sidecar in &task.task_spec.sidecars {
        let Sidecar { name, image, image_pull_policy, script, working_dir, command, args, env, .. } = sidecar;
        of_texts([name, image, image_pull_policy, script, working_dir], command, args, env, found);
    }
}

fn of_texts<'a>(
    texts: [&'a String; 5],
    command: &'a [String],
    args: &'a [String],
    env: &'a [EnvVar],
    found: &mut Vec<&'a str>,
) {
    for text in texts.into_iter().chain(command).chain(args) {
        found.extend(substitutions(text));
    }
    for var in env {
        found.extend(var.value.iter().flat_map(|v| substitutions(v)));
        let Some(source) = &var.value_from else { continue };
        if let Some(secret) = &source.secret_key_ref {
            found.extend(substitutions(&secret.key));
            found.extend(substitutions(&secret.name));
        }
        if let Some(config_map) = &source.config_map_key_ref {
            found.extend(substitutions(&config_map.key));
            found.extend(substitutions(&config_map.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_references_have_four_or_five_parts() {
        assert_eq!(parse("tasks.a.results.b[*]"), Some(ResultRef { task: "a", result: "b".into() }));
        assert_eq!(parse("finally.a.results.b.key"), Some(ResultRef { task: "a", result: "b".into() }));
        assert_eq!(parse("tasks.a.results.b.c.d"), None);
        assert!(looks_like_result("tasks.a.results.b.c.d") && !looks_like_result("tasks.a.status"));
    }
}
