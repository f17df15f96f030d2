//! The recorded floor: how many cases of each suite pass at least, from now on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::Report;

/// Least number of passed cases by suite, as `conformance.floor.toml` states it: one `suite = passed` a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Floor(BTreeMap<String, usize>);

/// What can be wrong with a floor file.
#[derive(Debug)]
#[non_exhaustive]
pub enum FloorError {
    /// The file cannot be read or written.
    Io(io::Error),
    /// A line is not `suite = passed`.
    Line {
        /// Counted from 1.
        number: usize,
        /// The line as it stands.
        text: String,
    },
}

impl std::fmt::Display for FloorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "failed to open the floor file: {error}"),
            Self::Line { number, text } => write!(f, "line {number} is not `suite = passed`: {text}"),
        }
    }
}

impl std::error::Error for FloorError {}

impl Floor {
    /// Reads the file.
    ///
    /// Errors: it cannot be read, or a line is not `suite = passed`.
    pub fn read(path: &Path) -> Result<Self, FloorError> {
        Self::parse(&fs::read_to_string(path).map_err(FloorError::Io)?)
    }

    fn parse(text: &str) -> Result<Self, FloorError> {
        let mut floor = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line.starts_with('[') {
                continue;
            }
            let entry = line.split_once('=').and_then(|(suite, passed)| {
                Some((suite.trim().trim_matches('"').to_owned(), passed.trim().parse().ok()?))
            });
            let Some((suite, passed)) = entry else {
                return Err(FloorError::Line { number: index + 1, text: line.to_owned() });
            };
            floor.insert(suite, passed);
        }
        Ok(Self(floor))
    }

    /// The suites that fell below their floor: name, floor, passed.
    pub fn broken<'a>(&'a self, reports: &'a BTreeMap<String, Report>) -> Vec<(&'a str, usize, usize)> {
        self.0
            .iter()
            .filter_map(|(suite, floor)| {
                let passed = reports.get(suite)?.passed;
                (passed < *floor).then_some((suite.as_str(), *floor, passed))
            })
            .collect()
    }

    /// Raises every suite to what passed; never lowers one.
    pub fn raise(&mut self, reports: &BTreeMap<String, Report>) {
        for (suite, report) in reports {
            let floor = self.0.entry(suite.clone()).or_default();
            *floor = (*floor).max(report.passed);
        }
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<(), FloorError> {
        let mut text = String::from(
            "# Least number of recorded cases that pass in each suite. It only ever rises:\n\
             # `cargo run --release -p tekton-conformance -- --raise-floor` after an improvement.\n[floor]\n",
        );
        for (suite, passed) in &self.0 {
            writeln!(text, "{suite} = {passed}").expect("writing to a string cannot fail");
        }
        fs::write(path, text).map_err(FloorError::Io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(passed: usize) -> BTreeMap<String, Report> {
        BTreeMap::from([("dag".to_owned(), Report { passed, total: 10, failures: Vec::new() })])
    }

    #[test]
    fn a_suite_below_its_floor_is_named() {
        let floor = Floor::parse("# comment\n[floor]\ndag = 5\n").expect("the text is a floor");
        assert_eq!(floor.broken(&report(4)), [("dag", 5, 4)]);
        assert!(floor.broken(&report(5)).is_empty());
    }

    #[test]
    fn raising_never_lowers() {
        let mut floor = Floor::parse("dag = 5").expect("the text is a floor");
        floor.raise(&report(4));
        assert_eq!(floor, Floor::parse("dag = 5").expect("the text is a floor"));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = Floor::parse("[floor]\ndag: 5").expect_err("the line has no `=`");
        assert_eq!(error.to_string(), "line 2 is not `suite = passed`: dag: 5");
    }
}
