//! What each code of a finding means, and what to do: one table, from which the page of the documentation is made.

use std::fmt::Write as _;

/// Where the page is.
const PAGE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/diagnostics.md");

/// One code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The code, as findings carry it.
    pub code: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// Why it matters, and what to do.
    pub text: &'static str,
    /// Which check finds it.
    pub group: Group,
    /// Whether there may be a mechanical change, which `--fix` makes.
    pub fixable: bool,
}

/// Which check finds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// Reading the text.
    Reading,
    /// The admission of one object.
    Admission,
    /// Documents seen together.
    Together,
    /// Lint.
    Lint,
}

impl Rule {
    /// The address of its explanation.
    pub fn url(&self) -> String {
        format!("{PAGE}#{}", self.code)
    }
}

/// The rule of a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}

/// The page of the documentation, as Markdown.
pub fn page() -> String {
    let mut out = String::from(
        "# Diagnostics\n\nWhat `tekton validate` finds, by code. `tekton validate --explain CODE` prints one of these.\nThis page is made from the table in `tekton-validate/src/catalogue.rs`; a test holds it.\n",
    );
    let groups = [
        (Group::Reading, "Reading the text"),
        (Group::Admission, "What a cluster refuses"),
        (Group::Together, "Documents seen together"),
        (Group::Lint, "Lint (`--lint`)"),
    ];
    for (group, title) in groups {
        let _ = write!(out, "\n## {title}\n");
        for rule in RULES.iter().filter(|rule| rule.group == group) {
            let fix = if rule.fixable { " `--fix` mends it where that is mechanical." } else { "" };
            let _ = write!(out, "\n### {}\n\n**{}.** {}{fix}\n", rule.code, rule.title, rule.text);
        }
    }
    out
}

const fn one(group: Group, code: &'static str, title: &'static str, text: &'static str) -> Rule {
    Rule { code, title, text, group, fixable: false }
}

const fn fixable(rule: Rule) -> Rule {
    Rule { fixable: true, ..rule }
}

use Group::{Admission, Lint, Reading, Together};

/// Every code.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    one(Reading, "yaml", "The text is no YAML", "Nothing of the document can be read until it is mended: most often an indentation, a quote that is open, a `: ` inside a text without quotes, or a template's `{{ }}`."),
    fixable(one(Reading, "unknown-field", "No field has this name here", "A cluster refuses it, so that a slip does not pass unseen. Fields that moved between versions are named with their new place.")),
    one(Reading, "duplicate-key", "A key stands twice in one map", "The last one counts, and the first one is lost without a word. Keep one."),
    fixable(one(Reading, "wrong-type", "A value is not of the type of its field", "YAML 1.1 reads `no`, `on`, `y` as booleans and `1.10` as the number 1.1: quote what is meant as a text. Durations are written `1h30m`, quantities `500m` or `1Gi`.")),
    one(Reading, "removed-kind", "Tekton no longer has this kind", "The message names what took its place; `tekton migrate` rewrites what can be rewritten."),
    one(Reading, "unknown-kind", "This version has no such kind", "Correct `kind`, or write the `apiVersion` at which the kind is served."),
    one(Reading, "no-value", "A parameter or result has no value", "A name without a value is not the same as an empty value: write `value: \"\"` for that."),
    one(Reading, "config", "A ConfigMap of Tekton holds a bad value", "Tekton's controller would not start with it, or would keep its old configuration."),
    one(Admission, "missing-field", "A field is required", "Add it; the path in the message says where."),
    one(Admission, "disallowed-field", "A field must not be set here", "It contradicts another field, or has no meaning here. Take it away."),
    one(Admission, "one-of", "Exactly one of these must be set", "Keep one, or add one. When two elements of a list have one name, rename one of them."),
    one(Admission, "empty-spec", "The spec is empty", "A Pipeline needs at least one task, a Task at least one step."),
    one(Admission, "feature-gate", "The field is behind a feature flag", "Set the flag in the `feature-flags` ConfigMap of the cluster (`--config` or `--api-fields` here), or do without the field."),
    one(Admission, "unknown-variable", "A `$(…)` refers to nothing", "Parameters, workspaces and results must be declared where they are used, or be handed down by the run."),
    one(Admission, "variable-type", "A whole array or object stands where a text belongs", "Refer to one element, `$(params.list[0])`, or to one key, `$(params.map.key)`."),
    one(Admission, "variable-isolated", "A whole array stands within a longer text", "`$(params.list[*])` must be an element of a list of its own: each of its values becomes an element there."),
    one(Admission, "variable-prefix", "The reference begins with a word that Tekton does not know", "Known are `params`, `tasks`, `context`, `workspaces`, `results`, `steps`, `finally`."),
    one(Admission, "variable-place", "The variable cannot be read here", "Results of steps and parameters of StepActions are read in `env`, not in scripts; `finally` tasks read results of `tasks` only; a run is given plain values."),
    one(Admission, "matrix", "The matrix does not fit", "A result of a task with a matrix is a list, `$(tasks.build.results.digest[*])`, and must be declared as a string; the number of combinations has a limit."),
    one(Admission, "cycle", "Tasks wait for each other", "None of them could ever start. `runAfter` and references to results both make one task wait for another: drop one of them."),
    one(Admission, "duplicate-name", "Two elements have one name", "Names tell elements apart: rename one of them."),
    one(Admission, "unknown-task", "No task has this name", "`runAfter`, references to results and `$(tasks.…)` name tasks of the same pipeline."),
    one(Admission, "conflicting-fields", "These fields exclude each other", "Keep one of them; a `script`, for instance, takes the place of `command`."),
    one(Admission, "name-format", "The name has letters that a cluster does not take", "Names of objects and tasks are DNS labels: lower-case letters, digits and `-`, at most 63. Parameters and results may also use `_`, `.` and upper case."),
    one(Admission, "custom-task", "The reference is to a custom task", "`apiVersion` and `kind` of a reference mean a custom task of another controller. For a Task leave both out."),
    one(Admission, "status-reference", "Only finally tasks know how tasks ended", "`$(tasks.name.status)` has a value when all tasks have ended, so only `finally` tasks can read it."),
    one(Admission, "unknown-workspace", "The workspace is not declared", "Declare it under `workspaces`, or correct the name."),
    one(Admission, "when-operator", "The operator is not known", "Guards compare with `in` and `notin`, or hold one `cel` expression."),
    one(Admission, "cel", "The CEL expression cannot be compiled", "Variables are put in as text before: write `'$(params.x)' == 'y'`."),
    one(Admission, "timeout", "The time-outs do not fit together", "`timeouts.tasks` and `timeouts.finally` together fit into `timeouts.pipeline`, and a task's time-out into the run's."),
    one(Admission, "negative", "The value must not be negative", "Write 0 for no limit."),
    one(Admission, "immutable", "This cannot change any more", "A run that exists keeps its spec. Make a new run."),
    one(Admission, "param-type", "Declared type and value do not match", "An array has a list as its default or value, an object a map; its `properties` name every key, and each of them is a string."),
    one(Admission, "invalid-value", "The value is not one of those that are allowed", "The help, or the message, says which are: `type` takes `string`, `array` or `object`, for instance, and `onError` takes `continue` or `stopAndFail`."),
    one(Admission, "invalid", "The object breaks a rule", "The message says which, in Tekton's own words."),
    one(Together, "params", "Parameters do not fit what is referred to", "The Task or Pipeline of the reference is among the files: every parameter without a default must be given, with its type."),
    one(Together, "object-keys", "Keys of an object are missing", "Give all keys that `properties` names and `default` does not."),
    one(Together, "param-enum", "The value is not in the parameter's `enum`", "Give one of the listed values."),
    one(Together, "array-index", "The array is too short for an index", "`$(params.list[3])` needs at least four elements."),
    one(Together, "overrides", "A setting is for a step that does not exist", "`stepSpecs` and `sidecarSpecs` name steps and sidecars of the Task."),
    one(Together, "task-run-specs", "A setting is for a task that does not exist", "`taskRunSpecs` name tasks of the pipeline."),
    one(Together, "workspaces", "Workspaces are not bound as they are declared", "Every declared workspace that is not optional must be bound, and nothing else."),
    one(Together, "unbound-workspace", "A Task needs a workspace that the pipeline does not give it", "Bind it under `workspaces` of the pipeline task."),
    one(Together, "undeclared-workspace", "A pipeline task binds a workspace that its Task does not declare", "A run would fail with it: declare the workspace in the Task, or take the binding away."),
    one(Together, "results", "A result is not declared by its task", "References and pipeline results name results that the Task declares."),
    one(Together, "step-action-params", "Parameters do not fit the StepAction", "A step gives its StepAction the parameters that it declares, and no others."),
    fixable(one(Lint, "param-in-script", "A parameter is pasted into a script", "Tekton does not escape: whoever gives the value can give commands, and a quote in it breaks the script. Read it as a variable of the environment; quotes and `$` in the value then stand for themselves.")),
    fixable(one(Lint, "no-escape", "`$$(` escapes nothing in a script", "In `command` and `args` Kubernetes reads `$$(X)` as `$(X)`. A script gets it as it is, and a shell reads `$$` as its process id.")),
    one(Lint, "unpinned-image", "The image changes under its name", "Without a tag, or with `latest`, each run may have another image. Name a version, or better a digest."),
    one(Lint, "unused-param", "A parameter is declared and never used", "Callers give it for nothing. Take it away, or use it."),
    one(Lint, "unused-workspace", "A workspace is declared and never used", "Every run must bind it for nothing. Take it away, use it, or make it `optional`."),
    one(Lint, "unused-result", "A result is declared and never written", "What refers to it fails at run time. Write it to `$(results.name.path)`."),
    one(Lint, "results-too-large", "The results cannot fit", "Results of a step leave the pod in a termination message of 4,096 bytes. Use a workspace, or results from sidecar logs."),
    fixable(one(Lint, "missing-timeout", "The run has no time-out of its own", "It ends after the default of the cluster, which others can change. State it.")),
    fixable(one(Lint, "custom-task-of-tekton", "A reference to a Task has become a custom task", "With `apiVersion: tekton.dev/…` the reference is to a custom task, and nobody runs it: the pipeline waits until its time-out.")),
    one(Lint, "finally-missing-result", "A finally task reads a result that may be missing", "When the task that gives the result is skipped, the finally task is skipped, too."),
    one(Lint, "finally-status-value", "A guard waits for a status that no task has", "`$(tasks.name.status)` is Succeeded, Failed or None; `$(tasks.status)` may also be Completed."),
    one(Lint, "workspace-race", "Tasks write one file of a workspace at the same time", "Which of them comes last is chance. Let one wait for the other with `runAfter`, write to different files, or bind the workspace with a `subPath` for each."),
    one(Lint, "shadowed-param", "A parameter hides that of the run", "Parameters of a run are handed down to tasks in place, but one that the task declares with a default wins."),
    one(Lint, "deprecated-version", "The version is deprecated", "`tekton migrate` rewrites the object for the version of today."),
    fixable(one(Lint, "deprecated-field", "The field has no effect", "It is left from the time when steps were plain containers, and v1 does not have it.")),
    fixable(one(Lint, "deprecated-variable", "The variable has another name today", "`$(inputs.params.x)` is from the time of PipelineResources: write `$(params.x)`.")),
    fixable(one(Lint, "unquoted-value", "YAML reads the value as something else", "`1.10` arrives as `1.1`, `no` as `false`, `0755` as `493`. Quote it to have it as it stands.")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_documentation_is_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnostics.md");
        if std::env::var_os("TEKTON_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == page(), "run this test with TEKTON_WRITE_DOCS=1 and commit {path}");
    }

    #[test]
    fn every_code_of_a_message_has_a_rule() {
        for (_, code, _) in crate::diagnostic::CODES {
            assert!(rule(code).is_some(), "{code}");
        }
    }
}
