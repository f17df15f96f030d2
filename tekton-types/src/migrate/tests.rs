use super::*;

const TASK: &str = "apiVersion: tekton.dev/v1beta1\nkind: Task\nmetadata: {name: t}\nspec:\n";
const NEW_TASK: &str = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec:\n";

fn options() -> Options {
    Options { cluster_task_namespace: Some("shared".to_owned()) }
}

/// Migrates once and again: the second time nothing changes.
#[track_caller]
fn check(old: &str, new: &str) {
    let done = migrate(old, &options());
    assert_eq!(done.text, new, "{:#?}", done.notes);
    assert_eq!(migrate(new, &options()).text, new, "not idempotent");
}

#[track_caller]
fn refused(old: &str, line: usize, replacement: &str) {
    let done = migrate(old, &options());
    assert_eq!(done.text, old);
    let note = done.notes.iter().find(|note| note.blocks).expect("a note");
    assert_eq!(note.span.line, line, "{note:#?}");
    assert!(note.help.as_deref().unwrap_or_default().contains(replacement), "{note:#?}");
}

#[test]
fn a_task_keeps_its_comments_and_its_layout() {
    check(
        &format!(
            "# build\n{TASK}  params:\n    - name: x # the x\n\n  steps:\n    - image: 'a:$(inputs.params.x)'\n      resources: {{limits: {{cpu: 1}}}}   # small\n      script: |\n        #!/bin/sh\n        echo $(inputs.params.x) \"$(inputs.params[\"x\"])\"\n"
        ),
        &format!(
            "# build\n{NEW_TASK}  params:\n    - name: x # the x\n\n  steps:\n    - image: 'a:$(params.x)'\n      computeResources: {{limits: {{cpu: 1}}}}   # small\n      script: |\n        #!/bin/sh\n        echo $(params.x) \"$(params[\"x\"])\"\n"
        ),
    );
}

#[test]
fn fields_without_effect_go_and_that_is_told() {
    let old = format!(
        "{TASK}  stepTemplate:\n    name: t\n    env: []\n  steps:\n  - tty: true\n    stdin: true\n    image: a\n    ports:\n    - containerPort: 80\n    # the work\n    script: x\n"
    );
    check(
        &old,
        &format!("{NEW_TASK}  stepTemplate:\n    env: []\n  steps:\n  - image: a\n    # the work\n    script: x\n"),
    );
    let notes = migrate(&old, &options()).notes;
    assert_eq!(notes.iter().filter(|note| note.code == "dropped-field").count(), 4, "{notes:#?}");
}

#[test]
fn a_cluster_tasks_reference_goes_through_the_cluster_resolver() {
    check(
        "apiVersion: tekton.dev/v1beta1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n    - name: a\n      taskRef:\n        kind: ClusterTask # old\n        # from the catalog\n        name: git-clone\n    - {name: b, taskRef: {name: c, kind: ClusterTask}}\n",
        "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n    - name: a\n      taskRef:\n        # old\n        # from the catalog\n        resolver: cluster\n        params:\n          - name: kind\n            value: task\n          - name: name\n            value: git-clone\n          - name: namespace\n            value: shared\n    - {name: b, taskRef: {resolver: cluster, params: [{name: kind, value: task}, {name: name, value: c}, {name: namespace, value: shared}]}}\n",
    );
}

#[test]
fn new_lists_stand_as_those_beside_them_do() {
    check(
        "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n    - name: a\n      runAfter:\n      - b\n      taskRef:\n        name: c\n        kind: ClusterTask\n",
        "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n    - name: a\n      runAfter:\n      - b\n      taskRef:\n        resolver: cluster\n        params:\n        - name: kind\n          value: task\n        - name: name\n          value: c\n        - name: namespace\n          value: shared\n",
    );
}

#[test]
fn a_bundle_goes_through_the_bundles_resolver_in_json_too() {
    check(
        r#"{"apiVersion": "tekton.dev/v1beta1", "kind": "TaskRun", "metadata": {"name": "r"}, "spec": {"taskRef": {"name": "t", "bundle": "example/b:1"}}}"#,
        r#"{"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": "r"}, "spec": {"taskRef": {"resolver": "bundles", "params": [{"name": "bundle", "value": "example/b:1"}, {"name": "name", "value": "t"}, {"name": "kind", "value": "task"}]}}}"#,
    );
}

#[test]
fn settings_of_a_pipelines_pods_move_into_its_template() {
    let head = |version: &str| {
        format!(
            "apiVersion: tekton.dev/{version}\nkind: PipelineRun\nmetadata: {{name: r}}\nspec:\n  pipelineRef: {{name: p}}\n"
        )
    };
    check(
        &format!(
            "{}  timeout: 1h # long\n  # who\n  serviceAccountName: sa\n  # where\n  podTemplate:\n    nodeSelector:\n      a: b\n  params: []\n",
            head("v1beta1")
        ),
        &format!(
            "{}  timeouts:\n    pipeline: 1h # long\n  # who\n  taskRunTemplate:\n    serviceAccountName: sa\n    # where\n    podTemplate:\n      nodeSelector:\n        a: b\n  params: []\n",
            head("v1")
        ),
    );
    check(
        &format!(
            "{}  podTemplate:\n    nodeSelector: {{a: b}}\n  params: []\n  serviceAccountName: sa\n",
            head("v1beta1")
        ),
        &format!(
            "{}  taskRunTemplate:\n    podTemplate:\n      nodeSelector: {{a: b}}\n    serviceAccountName: sa\n  params: []\n",
            head("v1")
        ),
    );
    check(
        "{apiVersion: tekton.dev/v1beta1, kind: PipelineRun, metadata: {name: r}, spec: {serviceAccountName: sa, pipelineRef: {name: p}, podTemplate: {nodeSelector: {a: b}}}}",
        "{apiVersion: tekton.dev/v1, kind: PipelineRun, metadata: {name: r}, spec: {taskRunTemplate: {serviceAccountName: sa, podTemplate: {nodeSelector: {a: b}}}, pipelineRef: {name: p}}}",
    );
}

#[test]
fn settings_per_task_step_and_sidecar_have_new_names() {
    check(
        "apiVersion: tekton.dev/v1beta1\nkind: PipelineRun\nmetadata: {name: r}\nspec:\n  pipelineRef: {name: p}\n  taskRunSpecs:\n  - pipelineTaskName: a\n    taskServiceAccountName: sa\n    taskPodTemplate: {}\n    stepOverrides:\n    - name: s\n      resources: {limits: {cpu: 1}}\n",
        "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {name: r}\nspec:\n  pipelineRef: {name: p}\n  taskRunSpecs:\n  - pipelineTaskName: a\n    serviceAccountName: sa\n    podTemplate: {}\n    stepSpecs:\n    - name: s\n      computeResources: {limits: {cpu: 1}}\n",
    );
}

#[test]
fn old_kinds_become_todays() {
    check(
        "apiVersion: tekton.dev/v1beta1\nkind: ClusterTask\nmetadata:\n  name: c # all\nspec: {steps: [{image: a}]}\n",
        "apiVersion: tekton.dev/v1\nkind: Task\nmetadata:\n  name: c # all\n  namespace: shared\nspec: {steps: [{image: a}]}\n",
    );
    check(
        "apiVersion: tekton.dev/v1alpha1\nkind: Run\nmetadata: {name: r}\nspec:\n  ref: {apiVersion: a/v1, kind: K}\n",
        "apiVersion: tekton.dev/v1beta1\nkind: CustomRun\nmetadata: {name: r}\nspec:\n  customRef: {apiVersion: a/v1, kind: K}\n",
    );
    check(
        "apiVersion: resolution.tekton.dev/v1alpha1\nkind: ResolutionRequest\nmetadata: {name: r}\nspec:\n  params:\n    url: u # the url\n    path: p\n",
        "apiVersion: resolution.tekton.dev/v1beta1\nkind: ResolutionRequest\nmetadata: {name: r}\nspec:\n  params:\n    - name: url\n      value: u # the url\n    - name: path\n      value: p\n",
    );
    check(
        "apiVersion: tekton.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec:\n  inputs:\n    params:\n    - name: a\n  steps:\n  - image: $(inputs.params.a)\n",
        "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec:\n  params:\n    - name: a\n  steps:\n  - image: $(params.a)\n",
    );
}

#[test]
fn objects_in_lists_and_templates_are_migrated() {
    check(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: tekton.dev/v1beta1\n  kind: Task\n  metadata: {name: t}\n  spec: {steps: [{image: a}]}\n",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: tekton.dev/v1\n  kind: Task\n  metadata: {name: t}\n  spec: {steps: [{image: a}]}\n",
    );
    check(
        "apiVersion: triggers.tekton.dev/v1beta1\nkind: TriggerTemplate\nmetadata: {name: t}\nspec:\n  resourcetemplates:\n  - apiVersion: tekton.dev/v1beta1\n    kind: PipelineRun\n    metadata: {generateName: t-}\n    spec:\n      serviceAccountName: sa\n      pipelineRef: {name: p}\n",
        "apiVersion: triggers.tekton.dev/v1beta1\nkind: TriggerTemplate\nmetadata: {name: t}\nspec:\n  resourcetemplates:\n  - apiVersion: tekton.dev/v1\n    kind: PipelineRun\n    metadata: {generateName: t-}\n    spec:\n      taskRunTemplate:\n        serviceAccountName: sa\n      pipelineRef: {name: p}\n",
    );
}

#[test]
fn pipeline_resources_of_each_type_name_their_replacement() {
    for (type_, replacement) in [
        ("git", "git-clone"),
        ("pullRequest", "github-"),
        ("image", "IMAGE_DIGEST"),
        ("cluster", "kubeconfig-creator"),
        ("storage", "gcs-upload"),
        ("cloudEvent", "config-events"),
    ] {
        refused(
            &format!(
                "apiVersion: tekton.dev/v1alpha1\nkind: PipelineResource\nmetadata: {{name: r}}\nspec:\n  type: {type_}\n"
            ),
            5,
            replacement,
        );
        refused(
            &format!(
                "{TASK}  resources:\n    inputs:\n    - name: r\n      type: {type_}\n  steps:\n  - image: a\n    resources: {{}}\n"
            ),
            8,
            replacement,
        );
    }
}

#[test]
fn what_needs_a_person_leaves_the_object_as_it_is() {
    refused("apiVersion: tekton.dev/v1alpha1\nkind: Condition\nmetadata: {name: c}\nspec: {}\n", 2, "`when`");
    refused(
        "apiVersion: tekton.dev/v1beta1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n  - name: a\n    conditions:\n    - conditionRef: c\n    taskRef: {name: t}\n",
        7,
        "`when`",
    );
    refused(&format!("{TASK}  steps:\n  - image: a\n    args: [x, $(inputs.resources.src.path)]\n"), 7, "workspaces");
    refused("apiVersion: tekton.dev/v1beta1\nkind: Task\n  metadata: {}\n", 3, "");
}

#[test]
fn documents_after_one_that_needs_a_person_are_migrated() {
    let condition = "apiVersion: tekton.dev/v1alpha1\nkind: Condition\n";
    let done = migrate(&format!("{condition}---\n{TASK}  steps:\n  - image: a\n"), &options());
    assert_eq!(done.text, format!("{condition}---\n{NEW_TASK}  steps:\n  - image: a\n"));
    assert!(done.needs_a_person() && done.changed == 1);
}

#[test]
fn anchors_are_followed_to_where_they_stand() {
    check(
        &format!(
            "{TASK}  steps:\n  - &a\n    image: a\n    resources: &r {{limits: {{cpu: 1}}}}\n  - <<: *a\n    name: b\n  - image: c\n    resources: *r\n"
        ),
        &format!(
            "{NEW_TASK}  steps:\n  - &a\n    image: a\n    computeResources: &r {{limits: {{cpu: 1}}}}\n  - <<: *a\n    name: b\n  - image: c\n    computeResources: *r\n"
        ),
    );
}
