//! Fixes: changes to the text of a file that settle findings and leave everything around them as it is.

use std::ops::Range;

use tekton_types::yaml::{self, edit::Edits};

use crate::check::{Finding, Source};

/// A mechanical change that settles a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does, such as `rename it to taskRef`.
    pub title: String,
    /// The changes, which must be made together.
    pub edits: Vec<Edit>,
}

/// A text in the place of a range of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go; empty to insert.
    pub range: Range<usize>,
    /// What stands there instead.
    pub text: String,
}

impl Fix {
    /// A fix of one change.
    pub fn replace(title: impl Into<String>, range: Range<usize>, text: impl Into<String>) -> Self {
        Self { title: title.into(), edits: vec![Edit { range, text: text.into() }] }
    }

    /// A fix of the changes of a list.
    pub(crate) fn of(title: impl Into<String>, edits: &Edits<'_>) -> Self {
        let edits = edits.changes().iter().map(|(range, text)| Edit { range: range.clone(), text: text.clone() });
        Self { title: title.into(), edits: edits.collect() }
    }
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed<'f> {
    /// The new text; the old one when nothing could be fixed.
    pub text: String,
    /// The findings that are settled.
    pub settled: Vec<&'f Finding>,
}

/// Makes the fixes of the findings about one file. A fix that touches what an earlier one changes is left for the next
/// time; when the new text would be no YAML, nothing changes.
pub fn fix<'f>(source: &Source, findings: impl IntoIterator<Item = &'f Finding>) -> Fixed<'f> {
    let mut edits = Edits::new(&source.text);
    let mut taken: Vec<&Edit> = Vec::new();
    let mut settled = Vec::new();
    for finding in findings.into_iter().filter(|f| f.file == source.name) {
        let Some(fix) = &finding.fix else { continue };
        let clashes = |edit: &Edit| taken.iter().any(|other| *other != edit && overlap(&other.range, &edit.range));
        if fix.edits.iter().any(clashes) {
            continue;
        }
        for edit in &fix.edits {
            edits.replace(edit.range.clone(), edit.text.clone());
            taken.push(edit);
        }
        settled.push(finding);
    }
    let text = edits.apply();
    if yaml::parse_each(&text).filter(Result::is_err).count()
        > yaml::parse_each(&source.text).filter(Result::is_err).count()
    {
        return Fixed { text: source.text.clone(), settled: Vec::new() };
    }
    Fixed { text, settled }
}

/// Whether two changes touch the same bytes, or insert at the same place.
fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start == b.start || (a.start < b.end && b.start < a.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, check_files};

    fn check(text: &str, expected: &str) {
        let source = Source { name: "a.yaml".to_owned(), text: text.to_owned() };
        let options = Options { lint: true, ..Options::default() };
        let report = check_files(std::slice::from_ref(&source), &options);
        assert_eq!(fix(&source, &report.findings).text, expected);
    }

    const HEAD: &str = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec:\n";

    #[test]
    fn a_misspelt_field_is_renamed_where_it_stands() {
        check(
            &format!("{HEAD}  descripton: x # what for\n  steps:\n  - image: a:1\n    scirpt: echo\n"),
            &format!("{HEAD}  description: x # what for\n  steps:\n  - image: a:1\n    script: echo\n"),
        );
    }

    #[test]
    fn a_word_that_yaml_reads_as_something_else_is_quoted() {
        check(
            &format!("{HEAD}  steps:\n  - name: no\n    image: a:1\n    args: [1.10, on]\n"),
            &format!("{HEAD}  steps:\n  - name: \"no\"\n    image: a:1\n    args: [\"1.10\", \"on\"]\n"),
        );
    }

    #[test]
    fn a_parameter_in_a_script_becomes_a_variable() {
        check(
            &format!(
                "{HEAD}  params:\n  - name: url # where from\n  - name: who\n  steps:\n  - image: a:1 # git\n    script: |\n      #!/bin/sh\n      # don't\n      git clone $(params.url) 'for $(params.who)' # $(params.url)\n"
            ),
            &format!(
                "{HEAD}  params:\n  - name: url # where from\n  - name: who\n  steps:\n  - image: a:1 # git\n    env:\n    - name: PARAM_URL\n      value: $(params.url)\n    - name: PARAM_WHO\n      value: $(params.who)\n    script: |\n      #!/bin/sh\n      # don't\n      git clone ${{PARAM_URL}} 'for '\"${{PARAM_WHO}}\"'' # ${{PARAM_URL}}\n"
            ),
        );
    }

    #[test]
    fn variables_that_are_there_are_used_and_new_ones_go_after_them() {
        check(
            &format!(
                "{HEAD}  params: [{{name: a}}, {{name: b}}]\n  steps:\n  - image: a:1\n    env:\n      - name: A\n        value: $(params.a)\n    script: |\n      echo \"$(params.a)\" $(params.b)\n"
            ),
            &format!(
                "{HEAD}  params: [{{name: a}}, {{name: b}}]\n  steps:\n  - image: a:1\n    env:\n      - name: A\n        value: $(params.a)\n      - name: PARAM_B\n        value: $(params.b)\n    script: |\n      echo \"${{A}}\" ${{PARAM_B}}\n"
            ),
        );
    }

    #[test]
    fn what_is_no_shell_is_left_alone() {
        let text = format!(
            "{HEAD}  params: [{{name: a}}]\n  steps:\n  - image: a:1\n    script: |\n      #!/usr/bin/env python3\n      print('$(params.a)')\n  - image: a:1\n    script: |\n      cat <<'EOF'\n      $(params.a)\n      EOF\n"
        );
        check(&text, &text);
    }
}
