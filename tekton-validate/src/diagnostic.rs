//! Diagnostics: what is wrong, where, and what would help.

use crate::errors::{self, Errors};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Admission or a run refuses this.
    Error,
    /// This is accepted, and likely not what was meant.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Stable name of the rule, such as `missing-field`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in upstream's words where upstream has any.
    pub message: String,
    /// The fields that it is about, as paths from the top of the object: `spec.steps[0].image`.
    pub paths: Vec<String>,
    /// More about it; empty when there is no more.
    pub details: String,
    /// The part of a field's text that it is about, such as `$(params.x)` in a script.
    pub about: Option<String>,
    /// What would help, when something simple would.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding without details or help.
    pub fn new(
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
        paths: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            paths: paths.into_iter().collect(),
            details: String::new(),
            about: None,
            help: None,
        }
    }

    /// Says which part of the field's text it is about.
    #[must_use]
    pub fn with_about(mut self, text: impl Into<String>) -> Self {
        self.about = Some(text.into());
        self
    }

    /// Adds what would help.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The text that upstream's webhook prints for these findings; empty when there are none.
///
/// Findings of the same text are one, with all their paths; everything is sorted. Warnings are left out.
pub fn field_error(diagnostics: &[Diagnostic]) -> String {
    errors::print(
        diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .map(|d| (d.message.as_str(), d.paths.as_slice(), d.details.as_str())),
    )
}

/// Merged errors as findings.
pub(crate) fn from_errors(errors: Errors) -> Vec<Diagnostic> {
    errors
        .merged()
        .into_iter()
        .map(|e| {
            let (code, help) = classify(&e.message);
            Diagnostic {
                code,
                severity: Severity::Error,
                message: e.message,
                paths: e.paths,
                details: e.details,
                about: e.about,
                help: help.map(str::to_owned),
            }
        })
        .collect()
}

/// Codes by how messages begin or what they hold, most specific first, and what helps.
pub(crate) const CODES: &[(&str, &str, Option<&str>)] = &[
    ("missing field(s)", "missing-field", None),
    ("must not set the field(s)", "disallowed-field", None),
    ("expected exactly one, got neither", "one-of", None),
    (
        "expected exactly one, got both",
        "one-of",
        Some("keep one of these fields, or give each element a name of its own"),
    ),
    ("expected exactly one, got multiple", "one-of", None),
    ("expected at least one", "empty-spec", Some("add at least one")),
    (
        "requires \"enable-api-fields\"",
        "feature-gate",
        Some("set `enable-api-fields` in the feature-flags ConfigMap, or drop the field"),
    ),
    (
        "feature flag",
        "feature-gate",
        Some("set this key in the feature-flags ConfigMap to \"true\", or drop the field"),
    ),
    ("non-existent variable", "unknown-variable", Some("declare it, or correct the name")),
    (
        "Invalid referencing of parameters",
        "unknown-variable",
        Some("write names that hold dots in brackets: `$(params[\"a.b\"])`"),
    ),
    (
        "variable type invalid",
        "variable-type",
        Some("refer to one element, `$(params.a[0])`, or to one key, `$(params.o.key)`"),
    ),
    (
        "variable is not properly isolated",
        "variable-isolated",
        Some("a whole array must be an element of its own: `- $(params.a[*])`"),
    ),
    (
        "invalid variable reference",
        "variable-prefix",
        Some("begin it with `params`, `tasks`, `context`, `workspaces` or `finally`"),
    ),
    (
        "cycle detected",
        "cycle",
        Some("one of these tasks must not wait for another: drop a `runAfter` or a result reference"),
    ),
    ("already present in Graph", "duplicate-name", Some("give each task a name of its own")),
    ("couldn't add link", "unknown-task", Some("correct the name in `runAfter` or in the result reference")),
    (
        "cannot be used with",
        "conflicting-fields",
        Some("keep one of them: a script is run by its own first line, `#!/bin/sh` if it has none"),
    ),
    ("must be unique", "duplicate-name", Some("give each a name of its own")),
    ("appears more than once", "duplicate-name", Some("keep one of them")),
    ("provided by pipelinerun more than once", "duplicate-name", Some("keep one of them")),
    ("multiple volumes with same name", "duplicate-name", Some("give each a name of its own")),
    (
        "invalid resource name",
        "name-format",
        Some("use lower-case letters, digits, `-` and `.`; at most 63 characters"),
    ),
    ("Invalid resource name", "name-format", Some("use at most 63 characters")),
    (
        "invalid key name",
        "name-format",
        Some("use letters, digits, `-`, `_` and `.`, and begin with a letter, a digit or `_`"),
    ),
    (
        "variable names is invalid",
        "name-format",
        Some("use letters, digits, `-`, `_` and `.`, and begin with a letter"),
    ),
    ("name format is invalid", "name-format", Some("use letters, digits, `-` and `_`, and begin with a letter")),
    (
        "custom task ",
        "custom-task",
        Some("`kind` and `apiVersion` of a reference name a custom task; for a Task leave both out"),
    ),
    ("invalid apiVersion format", "custom-task", Some("write `group/version`, or leave apiVersion out for a Task")),
    ("execution status", "status-reference", Some("only `finally` tasks can read the status of tasks")),
    ("is not defined in the pipeline", "unknown-task", Some("correct the name, or add the task")),
    ("referencing a nonexistent task", "unknown-task", Some("correct the name, or add the task")),
    (
        "expects workspace with name",
        "unknown-workspace",
        Some("declare the workspace under `spec.workspaces` of the pipeline"),
    ),
    ("undefined workspace", "unknown-workspace", Some("declare the workspace under `workspaces` of the task")),
    ("operator ", "when-operator", Some("use `in` or `notin`")),
    (
        "invalid cel expression",
        "cel",
        Some("variables are text when the guard is compiled: write `'$(params.x)' == 'y'`"),
    ),
    ("should be <=", "timeout", Some("make it shorter, or the time-out of the run longer")),
    ("should be >= 0", "negative", Some("write 0 for no limit")),
    ("updates are allowed", "immutable", Some("make a new run")),
    ("is immutable", "immutable", Some("make a new run")),
    (
        "does not match default value's type",
        "param-type",
        Some("give a list for an array, a map for an object, a text for a string, or correct `type`"),
    ),
    (
        "name part must",
        "name-format",
        Some("use letters, digits, `-`, `_` and `.`, begin and end with a letter or digit"),
    ),
    (
        "invalid value \"",
        "name-format",
        Some("use lower-case letters, digits and `-`, begin with a letter; at most 63 characters"),
    ),
    (
        "can only be consumed in aggregate",
        "matrix",
        Some("each run of a matrix has such a result: read all of them, `$(tasks.<task>.results.<result>[*])`"),
    ),
    (
        "must have an underlying type string",
        "matrix",
        Some("declare the result with `type: string`: the runs of a matrix together give a list of them"),
    ),
    (
        "expected 0 <= ",
        "matrix",
        Some("make fewer combinations; `default-max-matrix-combinations-count` in config-defaults is the limit"),
    ),
    (
        "stepResult substitutions are only allowed",
        "variable-place",
        Some("read the result in `env`, and the variable of the environment in the script"),
    ),
    (
        "param substitution in scripts is not allowed",
        "variable-place",
        Some("set it under `env`, `value: $(params.x)`, and read the variable of the environment in the script"),
    ),
    ("cannot use result expressions in", "variable-place", Some("a run is given plain values: tasks read results")),
    (
        "final task has task result reference from a final task",
        "variable-place",
        Some("`finally` tasks run side by side: they can read results of `tasks` only"),
    ),
    (
        "result propagation from child",
        "variable-place",
        Some("results of a pipeline within a pipeline cannot be read: share a workspace instead"),
    ),
    (
        "expected pipeline results to be task result expressions",
        "invalid-value",
        Some("write `$(tasks.<task>.results.<result>)`, or `$(finally.<task>.results.<result>)`"),
    ),
    ("Could not extract step name", "invalid-value", Some("write `$(steps.<step>.results.<result>)`")),
    ("expecting non-empty values field", "invalid-value", Some("list at least one value under `values`")),
    ("not in the enum list", "param-enum", Some("give one of the values that `enum` lists")),
    ("enum can only be set with string", "param-type", Some("take `enum` away, or make the parameter a string")),
    (
        "alue type specified for these keys",
        "param-type",
        Some("keys of an object are texts: `properties: {key: {type: string}}`"),
    ),
    (
        "an object is given to a parameter",
        "param-type",
        Some("give a text, or declare the parameter with `type: object`"),
    ),
    (
        "cannot be specified when using taskSpec.steps",
        "conflicting-fields",
        Some("take it away: `apiVersion` and `kind` are of custom tasks, `steps` of Tekton's own"),
    ),
    ("OnError cannot be set to", "conflicting-fields", Some("keep `retries`, or `onError: continue`")),
    (
        "statusMessage should not be set",
        "conflicting-fields",
        Some("take `statusMessage` away, or set `status` as well"),
    ),
    ("has empty name", "invalid-value", Some("give it a `name`")),
    ("spec.tasks is empty but", "empty-spec", Some("move a task from `finally` to `tasks`")),
    (
        "no runAfter allowed under spec.finally",
        "disallowed-field",
        Some("take `runAfter` away: all `finally` tasks start when the others have ended"),
    ),
    (
        "invalid URI for request",
        "invalid-value",
        Some("write a name, or an address with its scheme, such as `https://…`"),
    ),
    (" should be Cancelled, ", "invalid-value", Some("`status` stops or holds a run: leave it out otherwise")),
    (" should be TaskRunCancelled", "invalid-value", Some("`status` stops or holds a run: leave it out otherwise")),
    ("onFailure breakpoint", "invalid-value", Some("write `onFailure: enabled`, or take it away")),
    ("available values are", "invalid-value", Some("write one of these values")),
    ("volumeMount name \"", "name-format", Some("choose another name: this beginning is Tekton's own")),
    ("cannot use reserved sidecar name", "name-format", Some("give the sidecar another name")),
    ("cannot be mounted under /tekton/", "invalid-value", Some("mount it elsewhere: `/tekton` is Tekton's own")),
    ("invalid value", "invalid-value", None),
];

fn classify(message: &str) -> (&'static str, Option<&'static str>) {
    CODES.iter().find(|(text, _, _)| message.contains(text)).map_or(("invalid", None), |(_, code, help)| (*code, *help))
}
