//! Whole files as a user gives them, and what the report says.

mod mistakes;
mod robust;

use tekton_types::config::Config;
use tekton_validate::{Options, Report, Source, check_files, render};

fn check(text: &str, lint: bool) -> (Report, Vec<Source>) {
    let sources = vec![Source { name: "ci.yaml".to_owned(), text: text.to_owned() }];
    let report = check_files(&sources, &Options { config: Config::default(), lint, alone: false });
    (report, sources)
}

fn codes(text: &str, lint: bool) -> Vec<&'static str> {
    check(text, lint).0.findings.iter().map(|f| f.diagnostic.code).collect()
}

const TASK: &str = "\
apiVersion: tekton.dev/v1
kind: Task
metadata:
  name: build
spec:
  workspaces:
  - name: source
  params:
  - name: url
  steps:
  - name: clone
    image: alpine/git:v2
    args: [\"$(params.url)\", \"$(params.nope)\"]
";

#[test]
fn an_error_is_shown_at_its_line_with_caret_and_help() {
    let (report, sources) = check(TASK, false);
    let text = render::text(&report, &sources);
    let expected = "\
error[unknown-variable]: non-existent variable in \"$(params.nope)\": spec.steps[0].args[1]
  --> ci.yaml:13:30
   |
13 |     args: [\"$(params.url)\", \"$(params.nope)\"]
   |                              ^^^^^^^^^^^^^^
   = in Task build
   = help: declare `nope` under `params`, or correct the name
";
    assert!(text.contains(expected), "{text}");
    assert!(text.ends_with("1 object checked: 1 error, 0 warnings\n"), "{text}");
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_misspelt_or_moved_field_gets_a_suggestion() {
    let text = "\
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata:
  name: run
spec:
  podTemplate:
    serviceAccountName: bot
  pipelineRef:
    name: p
";
    let (report, sources) = check(text, false);
    let shown = render::text(&report, &sources);
    assert!(shown.contains("did you mean spec.taskRunTemplate"), "{shown}");
}

#[test]
fn documents_of_one_file_are_checked_together() {
    let text = format!(
        "{}---\n{}",
        TASK.replace(", \"$(params.nope)\"", ""),
        "\
apiVersion: tekton.dev/v1
kind: Pipeline
metadata:
  name: p
spec:
  workspaces:
  - name: shared
  tasks:
  - name: first
    taskRef:
      name: build
    workspaces:
    - name: cache
      workspace: shared
"
    );
    assert_eq!(codes(&text, false), ["params", "unbound-workspace", "undeclared-workspace"]);
}

#[test]
fn lint_finds_injection_and_what_is_never_used() {
    let text = TASK
        .replace("    args: [\"$(params.url)\", \"$(params.nope)\"]\n", "    script: git clone $(params.url)\n")
        .replace("alpine/git:v2", "alpine/git");
    let mut found = codes(&text, true);
    found.sort_unstable();
    assert_eq!(found, ["param-in-script", "unpinned-image", "unused-workspace"]);
    assert!(codes(&text, false).is_empty());
}

#[test]
fn generated_names_and_other_kinds_are_fine() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: tekton.dev/v1beta1
kind: TaskRun
metadata: {generateName: r-}
spec:
  taskSpec:
    steps: [{image: 'alpine:3'}]
";
    let (report, _) = check(text, false);
    assert_eq!((report.findings.len(), report.checked, report.skipped), (0, 1, 1));
    assert_eq!(
        render::summary(&report),
        "1 object checked: 0 errors, 0 warnings; 1 document of other APIs passed over"
    );
}

#[test]
fn text_that_is_no_yaml_is_an_error_with_a_place() {
    let (report, sources) = check("kind: [\n", false);
    assert_eq!(report.findings[0].diagnostic.code, "yaml");
    assert!(render::github(&report, &sources).starts_with("::error file=ci.yaml,line="));
    assert_eq!(render::json(&report)["errors"], 1);
    assert_eq!(render::sarif(&report, &sources)["runs"][0]["results"][0]["ruleId"], "yaml");
}

#[test]
fn code_hosts_are_told_where_findings_begin_and_end() {
    let text = TASK.replace("name: build", "name: no").replace("url\n", "url # å\n");
    let (report, sources) = check(&text, false);
    let sarif = render::sarif(&report, &sources);
    let results = &sarif["runs"][0]["results"];
    let region = &results[0]["locations"][0]["physicalLocation"]["region"];
    let start = text.find("no").unwrap();
    let expected = serde_json::json!({
        "startLine": 4, "startColumn": 9, "endLine": 4, "endColumn": 11, "byteOffset": start, "byteLength": 2,
    });
    assert_eq!(
        (region, &results[0]["fixes"][0]["artifactChanges"][0]["replacements"][0]["deletedRegion"]),
        (&expected, &expected)
    );
    assert!(render::github(&report, &sources).starts_with("::error file=ci.yaml,line=4,endLine=4,col=9,endColumn=11,"));
    // The second place of a finding is no place that must change as well.
    let both = TASK.replace("  - name: clone\n", "  - name: clone\n    script: echo\n    command: [x]\n");
    let (report, sources) = check(&both.replace("type: string", ""), false);
    let sarif = render::sarif(&report, &sources);
    assert!(
        sarif["runs"][0]["results"].as_array().unwrap().iter().all(|r| r["locations"].as_array().unwrap().len() == 1)
    );
}

#[test]
fn a_value_of_a_wrong_type_hides_no_other_error_and_makes_none() {
    let text = "\
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: r}
spec:
  timeout: 1 h
  retries: \"two\"
  taskSpec:
    params: {a: b}
    steps:
    - image: 5
      script: echo $(params.a)
    - image: alpine:3
      computeResources: {limits: {cpu: lots}}
      script: echo $(results.nope.path)
      onError: never
";
    let (report, _) = check(text, false);
    let found: Vec<_> = report.findings.iter().map(|f| (f.spans[0].line, f.diagnostic.code)).collect();
    let expected = [
        (5, "wrong-type"),
        (6, "wrong-type"),
        (8, "wrong-type"),
        (10, "wrong-type"),
        (13, "wrong-type"),
        (14, "unknown-variable"),
        (15, "invalid-value"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn help_knows_the_document() {
    let helps = |text: &str| -> Vec<String> {
        check(text, false).0.findings.into_iter().filter_map(|f| f.diagnostic.help).collect()
    };
    assert_eq!(helps(&TASK.replace("$(params.nope)", "$(params.ulr)")), ["did you mean `url`?"]);
    assert_eq!(
        helps(&TASK.replace("name: build", "name: no").replace(", \"$(params.nope)\"", "")),
        ["YAML reads no as a boolean: write \"no\""]
    );
    let cluster_task = "\
apiVersion: tekton.dev/v1
kind: Pipeline
metadata: {name: p}
spec:
  tasks:
  - name: t
    taskRef: {name: x, kind: ClusterTask}
";
    assert!(helps(cluster_task)[0].starts_with("ClusterTask was removed"));
    assert!(helps("value: {{URL}}\n")[0].contains("placeholder"));
}

#[test]
fn a_name_that_several_files_have_is_looked_up_in_the_same_file_only() {
    let task = TASK.replace(", \"$(params.nope)\"", "");
    let run = "\
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: r}
spec: {taskRef: {name: build}}
";
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let sources = [source("a.yaml", &task), source("b.yaml", &task), source("c.yaml", run)];
    let found = |sources: &[Source]| check_files(sources, &Options::default()).findings.len();
    assert_eq!(found(&sources), 0, "two tasks are called so");
    assert_eq!(found(&sources[1..]), 2, "the only one wants a parameter and a workspace");
}

#[test]
fn the_items_of_a_list_are_checked_at_their_places() {
    let items = TASK.lines().collect::<Vec<_>>().join("\n  ");
    let text = format!("apiVersion: v1\nkind: List\nitems:\n- {items}\n");
    let (report, _) = check(&text, false);
    let found: Vec<_> = report.findings.iter().map(|f| (f.diagnostic.code, f.spans[0].line)).collect();
    assert_eq!((found, report.checked), (vec![("unknown-variable", 16)], 1));
}
