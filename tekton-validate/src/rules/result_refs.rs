//! References to results of pipeline tasks, as the rules read them.

use tekton_types::refs::value_expressions;
pub(crate) use tekton_types::refs::{
    ResultRef, all_params, looks_like_result_ref as looks_like_result, result_refs as of_task,
};
use tekton_types::v1::Param;

/// Whether any expression has the shape of a result reference.
pub(crate) fn any_looks_like_result(expressions: &[&str]) -> bool {
    expressions.iter().any(|e| looks_like_result(e))
}

/// Reads all result references.
pub(crate) fn parse_all<'a>(expressions: &[&'a str]) -> Vec<ResultRef<'a>> {
    expressions.iter().filter_map(|e| ResultRef::parse(e)).collect()
}

/// Everything inside `$(…)` of a parameter.
pub(crate) fn of_param(param: &Param) -> Vec<&str> {
    value_expressions(&param.value)
}
