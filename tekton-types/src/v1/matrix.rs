//! Matrix: the fan-out of a pipeline task.

use std::collections::BTreeMap;

use super::Param;
use crate::wire::wire;

wire! {
    /// Parameters whose combinations a pipeline task runs with.
    pub struct Matrix {
        /// Arrays that are multiplied out.
        pub params: Vec<Param>,
        /// Combinations to add or to complete.
        pub include: Vec<IncludeParams>,
    }
}

wire! {
    /// One explicit combination.
    pub struct IncludeParams {
        /// Name of the combination.
        pub name: String,
        /// Its parameters.
        pub params: Vec<Param>,
    }
}

impl Matrix {
    /// Whether there are arrays to multiply out.
    pub fn has_params(&self) -> bool {
        !self.params.is_empty()
    }

    /// Whether there are explicit combinations.
    pub fn has_include(&self) -> bool {
        !self.include.is_empty()
    }

    /// All parameters: the arrays, then those of the explicit combinations.
    pub fn all_params(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().chain(self.include.iter().flat_map(|include| &include.params))
    }

    /// How many combinations validation counts; saturates at `i64::MAX`.
    pub fn count_combinations(&self) -> i64 {
        self.count_generated().saturating_add(self.count_included())
    }

    fn count_generated(&self) -> i64 {
        if !self.has_params() {
            return 0;
        }
        let lengths = self.params.iter().map(|p| length(p.value.as_array().unwrap_or_default()));
        lengths.filter(|n| *n > 0).fold(1, i64::saturating_mul)
    }

    fn count_included(&self) -> i64 {
        if !self.has_params() {
            return length(&self.include);
        }
        let values_of =
            |name: &str| self.params.iter().rev().find(|p| p.name == name).map(|p| p.value.as_array().unwrap_or(&[]));
        let mut count: i64 = 0;
        for include in &self.include {
            for param in &include.params {
                let Some(values) = values_of(&param.name) else { continue };
                if values.iter().any(|v| v == text(param)) {
                    break;
                }
                count = count.saturating_add(1);
            }
        }
        count
    }

    /// The combinations as parameters of one run each, parameters sorted by name.
    ///
    /// The first array varies fastest. An explicit combination completes every combination that it does not
    /// contradict, and is one of its own when it shares no value with any.
    pub fn fan_out(&self) -> Vec<Vec<Param>> {
        let include: Vec<Combination> = self
            .include
            .iter()
            .map(|include| include.params.iter().map(|p| (p.name.as_str(), text(p))).collect())
            .collect();
        if self.has_include() && !self.has_params() {
            return include.into_iter().map(into_params).collect();
        }
        let mut combinations: Vec<Combination> = Vec::new();
        for param in &self.params {
            combinations = multiply(&combinations, param);
        }
        for combination in &mut combinations {
            for extra in &include {
                if extra.iter().all(|(name, value)| combination.get(name).is_none_or(|v| v == value)) {
                    combination.extend(extra.iter());
                }
            }
        }
        for extra in include {
            let shared = |c: &Combination| extra.iter().any(|(name, value)| c.get(name) == Some(value));
            if !extra.is_empty() && !combinations.iter().any(shared) {
                combinations.push(extra);
            }
        }
        combinations.into_iter().map(into_params).collect()
    }
}

/// Names and values of one combination, sorted by name.
type Combination<'a> = BTreeMap<&'a str, &'a str>;

fn length<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

fn text(param: &Param) -> &str {
    param.value.as_string().unwrap_or_default()
}

fn multiply<'a>(combinations: &[Combination<'a>], param: &'a Param) -> Vec<Combination<'a>> {
    let values = param.value.as_array().unwrap_or_default();
    if combinations.is_empty() {
        return values.iter().map(|v| Combination::from([(param.name.as_str(), v.as_str())])).collect();
    }
    let mut out = Vec::with_capacity(values.len() * combinations.len());
    for value in values {
        for combination in combinations {
            let mut next = combination.clone();
            next.insert(&param.name, value);
            out.push(next);
        }
    }
    out
}

fn into_params(combination: Combination<'_>) -> Vec<Param> {
    combination.into_iter().map(|(name, value)| Param { name: name.to_owned(), value: value.into() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(matrix: &serde_json::Value, expected: &[&[(&str, &str)]]) {
        let matrix: Matrix = serde_json::from_value(matrix.clone()).unwrap();
        let got: Vec<Vec<(String, String)>> = matrix
            .fan_out()
            .into_iter()
            .map(|ps| ps.into_iter().map(|p| (p.name.clone(), text(&p).to_owned())).collect())
            .collect();
        let expected: Vec<Vec<(String, String)>> =
            expected.iter().map(|ps| ps.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()).collect();
        assert_eq!(got, expected);
        assert_eq!(matrix.count_combinations(), length(&expected));
    }

    #[test]
    fn the_first_array_varies_fastest() {
        check(
            &json!({"params": [{"name": "os", "value": ["a", "b"]}, {"name": "arch", "value": ["x", "y"]}]}),
            &[
                &[("arch", "x"), ("os", "a")],
                &[("arch", "x"), ("os", "b")],
                &[("arch", "y"), ("os", "a")],
                &[("arch", "y"), ("os", "b")],
            ],
        );
    }

    #[test]
    fn an_explicit_combination_completes_or_stands_alone() {
        check(
            &json!({"params": [{"name": "os", "value": ["a", "b"]}],
                    "include": [{"params": [{"name": "os", "value": "a"}, {"name": "flag", "value": "1"}]},
                                {"params": [{"name": "os", "value": "c"}]}]}),
            &[&[("flag", "1"), ("os", "a")], &[("os", "b")], &[("os", "c")]],
        );
    }
}
