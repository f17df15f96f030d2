//! Fan-out of a matrix: the parameters of each run, and how many runs a spec promises.

use std::collections::BTreeMap;

use tekton_types::v1::{Matrix, Param, ParamValue, PipelineTask};

/// The parameters of one run of a matrixed task, by name.
pub type Combination = BTreeMap<String, String>;

/// True when the task has a matrix with params or include entries.
pub fn is_matrixed(task: &PipelineTask) -> bool {
    task.matrix.as_ref().is_some_and(|matrix| !matrix.params.is_empty() || !matrix.include.is_empty())
}

/// How many runs `task` stands for: 1 without a matrix, else what [`count_combinations`] says.
pub fn runs_of(task: &PipelineTask) -> usize {
    match &task.matrix {
        Some(matrix) if is_matrixed(task) => usize::try_from(count_combinations(matrix)).unwrap_or(usize::MAX),
        _ => 1,
    }
}

/// The combinations of `matrix` in the order in which its runs are numbered.
///
/// The last matrix param varies slowest. Include entries are merged into every combination that they do not
/// contradict; then those that match no combination are appended. Source: matrix.md.
pub fn fan_out(matrix: &Matrix) -> Vec<Combination> {
    let include: Vec<Combination> = matrix
        .include
        .iter()
        .map(|entry| entry.params.iter().map(|p| (p.name.clone(), string_of(&p.value).to_owned())).collect())
        .collect();
    if matrix.params.is_empty() && !include.is_empty() {
        return include;
    }
    let mut combinations: Vec<Combination> = Vec::new();
    for param in &matrix.params {
        combinations = distribute(&combinations, &param.name, array_of(&param.value));
    }
    for combination in &mut combinations {
        for entry in &include {
            if !contradicts(combination, entry) {
                combination.extend(entry.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
    }
    for entry in include {
        if !entry.is_empty() && combinations.iter().all(|combination| !shares(combination, &entry)) {
            combinations.push(entry);
        }
    }
    combinations
}

/// One combination as params, sorted by name.
pub fn params_of(combination: Combination) -> Vec<Param> {
    combination.into_iter().map(|(name, value)| Param { name, value: ParamValue::String(value) }).collect()
}

/// How many combinations the spec is counted to have. Not always the length of [`fan_out`]: empty arrays count
/// as absent, and each include param with a new value counts as one. `i64::MAX` instead of an overflow.
pub fn count_combinations(matrix: &Matrix) -> i64 {
    count_params(matrix).saturating_add(count_include(matrix))
}

/// The params of `matrix`, then those of its include entries, as they are.
pub fn all_params(matrix: &Matrix) -> impl Iterator<Item = &Param> {
    matrix.params.iter().chain(matrix.include.iter().flat_map(|entry| &entry.params))
}

fn count_params(matrix: &Matrix) -> i64 {
    if matrix.params.is_empty() {
        return 0;
    }
    matrix
        .params
        .iter()
        .map(|param| array_of(&param.value).len())
        .filter(|len| *len > 0)
        .fold(1_i64, |count, len| count.saturating_mul(i64::try_from(len).unwrap_or(i64::MAX)))
}

fn count_include(matrix: &Matrix) -> i64 {
    if matrix.params.is_empty() {
        return i64::try_from(matrix.include.len()).unwrap_or(i64::MAX);
    }
    let arrays: BTreeMap<&str, &[String]> =
        matrix.params.iter().map(|param| (param.name.as_str(), array_of(&param.value))).collect();
    let mut count = 0;
    for entry in &matrix.include {
        for param in &entry.params {
            if let Some(values) = arrays.get(param.name.as_str()) {
                if values.iter().any(|value| value == string_of(&param.value)) {
                    break;
                }
                count += 1;
            }
        }
    }
    count
}

fn distribute(combinations: &[Combination], name: &str, values: &[String]) -> Vec<Combination> {
    if combinations.is_empty() {
        return values.iter().map(|value| Combination::from([(name.to_owned(), value.clone())])).collect();
    }
    let mut expanded = Vec::with_capacity(combinations.len() * values.len());
    for value in values {
        for combination in combinations {
            let mut combination = combination.clone();
            combination.insert(name.to_owned(), value.clone());
            expanded.push(combination);
        }
    }
    expanded
}

/// True when a name is in both with different values.
fn contradicts(combination: &Combination, entry: &Combination) -> bool {
    entry.iter().any(|(name, value)| combination.get(name).is_some_and(|other| other != value))
}

/// True when a name is in both with the same value.
fn shares(combination: &Combination, entry: &Combination) -> bool {
    entry.iter().any(|(name, value)| combination.get(name) == Some(value))
}

fn array_of(value: &ParamValue) -> &[String] {
    if let ParamValue::Array(items) = value { items } else { &[] }
}

fn string_of(value: &ParamValue) -> &str {
    if let ParamValue::String(text) = value { text } else { "" }
}
